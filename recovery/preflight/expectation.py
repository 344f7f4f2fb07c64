"""What a person says the target and the checkout are, and which checks they take on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from states.checks import waive
from states.facts import Check

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

    def waive(self, checks: Iterable[Check]) -> tuple[Check, ...]:
        """The same checks, with those marked that a person took on."""
        return waive(checks, self.waived, self.waived_by_settings)
