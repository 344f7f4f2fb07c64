"""The checks of preflight: their names, the ways in which one can end, and which may be waived."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from states.facts import Check, Outcome

#: Every check there is, by the name that `--waive` takes.
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

#: While one of these is refused, the target is none to work on.
_BEFORE = ("target.identity", "target.primary", "target.direct", "ledger.present")
#: Not looked at then: each by itself could be right on a wrong database.
_AFTERWARDS = ("deploy.lock", "deploy.ddl", "git.ledger")
#: Checks that the settings can't waive once and for all, with what to do instead.
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
    """The checks that are left out on a target that is none to work on, each as unknown; empty on any other.

    Args:
        made: the checks of the target itself.
    """
    first = next((check for check in made if check.name in _BEFORE and check.outcome is Outcome.REFUSED), None)
    if first is None:
        return []
    seen, remedy = f"not looked at, because {first.name} is refused", f"Mend {first.name} first."
    return [unknown(name, seen, first.source, remedy) for name in _AFTERWARDS]


def waive(checks: Iterable[Check], by_name: Mapping[str, str], by_settings: Mapping[str, str]) -> tuple[Check, ...]:
    """Marks the checks that a person took on, with the reason; a check that holds needs none.

    Args:
        checks: as they were made.
        by_name: the reason for each check that a person took on for now, by the check's name.
        by_settings: the reason for each that the settings take on for good. They count only for a check that could
            not be made: a refusal is news.
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
