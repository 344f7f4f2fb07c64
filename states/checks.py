"""The checks of preflight: their names, a constructor for each outcome, and which of them may be waived."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from states.facts import Check, Outcome

#: The names of all checks, as `--waive` takes them.
NAMES = (
    "target.identity",
    "target.primary",
    "target.direct",
    "target.privileges",
    "ledger.present",
    "deploy.lock",
    "deploy.ddl",
    "git.commit",
    "git.clean",
    "git.ledger",
    "neon.branch",
    "vercel.deploy",
    "vercel.commit",
    "prisma.target",
    "recovery.alone",
)

#: Checks of the target itself. If one is refused, this is no database to work on.
_BEFORE = ("target.identity", "target.primary", "target.direct", "ledger.present")
#: Checks that are then left out, since they could hold on a wrong database.
_AFTERWARDS = ("deploy.lock", "deploy.ddl", "git.ledger")
#: Checks that the settings can't waive for all runs, with the reason or the alternative.
NOT_BY_SETTINGS = {
    "target.identity": "Set host and database under [production] instead.",
    "prisma.target": "What it proves is needed before each first change.",
}


def held(name: str, seen: str, source: str) -> Check:
    """A check that holds."""
    return Check(name, Outcome.HELD, seen, source)


def refused(name: str, seen: str, source: str, remedy: str, *, busy: bool = False) -> Check:
    """A check that does not hold; with `busy`, it is expected to hold by itself in time."""
    return Check(name, Outcome.REFUSED, seen, source, remedy, busy)


def unknown(name: str, seen: str, source: str, remedy: str) -> Check:
    """A check that could not be made."""
    return Check(name, Outcome.UNKNOWN, seen, source, remedy)


def awaited(name: str, seen: str, source: str) -> Check:
    """A check that is still being made."""
    return Check(name, Outcome.AWAITED, seen, source)


def not_looked_at(made: Sequence[Check]) -> list[Check]:
    """The checks that are left out because a check of the target itself is refused, each as unknown.

    Args:
        made: the checks of the target itself; the result is empty if none of them is refused.
    """
    first = next((check for check in made if check.name in _BEFORE and check.outcome is Outcome.REFUSED), None)
    if first is None:
        return []
    seen, remedy = f"not looked at, because {first.name} is refused", f"Mend {first.name} first."
    return [unknown(name, seen, first.source, remedy) for name in _AFTERWARDS]


def waive(checks: Iterable[Check], by_name: Mapping[str, str], by_settings: Mapping[str, str]) -> tuple[Check, ...]:
    """Marks checks that a person waived, with the reason; checks that hold stay as they are.

    Args:
        checks: the checks as they were made.
        by_name: the reason for each check that is waived for this run, by the check's name.
        by_settings: the reason for each check that the settings waive for all runs. It counts only if the check could
            not be made: that a check does not hold is news to the person who wrote the settings.
    """
    return tuple(_waived(check, by_name, by_settings) for check in checks)


def _waived(check: Check, by_name: Mapping[str, str], by_settings: Mapping[str, str]) -> Check:
    if check.outcome not in (Outcome.REFUSED, Outcome.UNKNOWN):
        return check
    if (reason := by_name.get(check.name)) is not None:
        return replace(check, outcome=Outcome.WAIVED, seen=f"{check.seen}; waived: {reason}")
    if check.outcome is Outcome.UNKNOWN and (reason := by_settings.get(check.name)) is not None:
        return replace(check, outcome=Outcome.WAIVED, seen=f"{check.seen}; waived by prisma-recovery.toml: {reason}")
    return check
