"""The policy that agrees to named kinds of changes only."""

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

    def would_consent(self, question: Question) -> bool:
        """See `Foreseeing.would_consent`."""
        return self.consents(question)


def auto(*kinds: Automatic) -> Policy:
    """A policy that agrees to these kinds of changes and no other, as `auto` in the settings does.

    Args:
        kinds: `applied`: mark a migration applied that is in the database by the evidence; `not_applied`: mark a
            migration rolled back that is not in the database by the evidence; `deploy`: deploy the pending
            migrations; `pipeline`: run steps that must run once, since nobody else runs them; `repair`: run the missing
            statements of a script that is half done, if they neither work on rows nor lose any.

    Raises:
        ValueError: a kind is unknown.
    """
    known = get_args(Automatic)
    if unknown := [kind for kind in kinds if kind not in known]:
        raise ValueError(f"No kind of change is named {unknown[0]!r}; the kinds are {', '.join(known)}")
    return _Auto(frozenset(kinds))
