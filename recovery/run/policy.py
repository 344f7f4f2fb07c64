"""The policy that agrees to what is named, and to nothing else."""

from dataclasses import dataclass
from typing import get_args

from recovery.config import Automatic
from recovery.run.ports import Policy, Question


@dataclass(frozen=True, slots=True)
class _Auto:
    kinds: frozenset[Automatic]

    def consents(self, question: Question) -> bool:
        """See `Policy.consents`."""
        return question.kind in self.kinds


def auto(*kinds: Automatic) -> Policy:
    """A policy that agrees to these kinds of changes, as `auto` in the settings does; to none if none is named.

    Args:
        kinds: applied: mark a migration applied that the evidence shows to be in the database; not_applied: mark one
            rolled back that it shows not to be there; deploy: deploy what is pending; pipeline: nobody else runs the
            pipeline's steps.

    Raises:
        ValueError: there is no such kind.
    """
    known = get_args(Automatic)
    if unknown := [kind for kind in kinds if kind not in known]:
        raise ValueError(f"No kind of change is named {unknown[0]!r}; the kinds are {', '.join(known)}")
    return _Auto(frozenset(kinds))
