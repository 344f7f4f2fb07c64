"""What a person says the target and the checkout are, and which checks they take on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from states.facts import Check, Outcome

#: Instead of a revision: the commit that Vercel runs as production.
VERCEL = "vercel"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a person says.

    Attributes:
        host: of the target; None where not said.
        database: its name; None where not said.
        commit: a revision that must be checked out; None: whatever is, and shown.
        typed: the database's name as a person typed it into the terminal; None where nobody was asked.
        waived: reason for each check that a person took on for now, by the check's name.
        waived_by_settings: reason for each that the settings take on where it can't be made, by its name.
    """

    host: str | None = None
    database: str | None = None
    commit: str | None = None
    typed: str | None = None
    waived: Mapping[str, str] = field(default_factory=dict)
    waived_by_settings: Mapping[str, str] = field(default_factory=dict)


def waive(checks: Iterable[Check], expected: Expectation) -> tuple[Check, ...]:
    """Marks what a person took on by name, with the reason; a check that holds needs none.

    What the settings take on once and for all counts only for a check that could not be made: a refusal is news.
    """
    return tuple(_waived(check, expected) for check in checks)


def _waived(check: Check, expected: Expectation) -> Check:
    if check.outcome not in (Outcome.REFUSED, Outcome.UNKNOWN):
        return check
    if (reason := expected.waived.get(check.name)) is not None:
        return replace(check, outcome=Outcome.WAIVED, seen=f"{check.seen}; waived: {reason}")
    if check.outcome is Outcome.UNKNOWN and (reason := expected.waived_by_settings.get(check.name)) is not None:
        return replace(check, outcome=Outcome.WAIVED, seen=f"{check.seen}; waived by prisma-recovery.toml: {reason}")
    return check
