"""What a person expects of the target and the checkout, and which checks they waive."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from states.checks import waive
from states.facts import Check

#: A value of `Expectation.commit`: instead of a revision, the commit that runs in production on Vercel.
VERCEL = "vercel"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a person expects, by options, by settings or in the terminal.

    Attributes:
        host: the target's host; None if nobody named it.
        database: the target's database; None if nobody named it.
        commit: the revision that must be checked out, the checksum that the migrations folder must have, as `sha256:…`,
            or `VERCEL`; None: any, and it is only shown.
        source: `git` or `image`, where the migrations folder comes from; None: an image if it is in no checkout.
        typed: the database's name as typed into the terminal; None if nobody was asked.
        waived: for each check waived in this run (`--waive`), the reason, by the check's name.
        waived_by_settings: for each check waived in the settings (`[[waive]]`), the reason, by the check's name;
            it counts only while the check is unknown.
    """

    host: str | None = None
    database: str | None = None
    commit: str | None = None
    typed: str | None = None
    source: str | None = None
    waived: Mapping[str, str] = field(default_factory=dict)
    waived_by_settings: Mapping[str, str] = field(default_factory=dict)

    def waive(self, checks: Iterable[Check]) -> tuple[Check, ...]:
        """The same checks, those that a person waived marked as waived, with the reason."""
        return waive(checks, self.waived, self.waived_by_settings)
