"""PREFLIGHT: is this the right database, the right commit, and is nobody else deploying?"""

from dataclasses import dataclass

from states.answers import RUN_AGAIN, Answer, Exit, Go, Refusal
from states.facts import Check, Outcome
from states.table import State


@dataclass(frozen=True, slots=True)
class PreflightFacts:
    """Every check that was made or should have been."""

    checks: tuple[Check, ...]


def decide(facts: PreflightFacts) -> Answer:
    """Goes on only if every check holds or was waived by name; one that couldn't be made is no pass."""
    against = [check for check in facts.checks if check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN)]
    if not facts.checks:
        return Refusal("preflight.no_checks", "No check was made.", "Report this as a bug.", Exit.FAILURE)
    if not against:
        return Go(State.INSPECT, f"all {len(facts.checks)} checks hold")
    # What only time mends is said last: a wrong database stays wrong however long one waits. What could not be made
    # can be so because of what does not hold.
    first = min(against, key=lambda check: (check.busy, check.outcome is Outcome.UNKNOWN))
    more = len(against) - 1
    others = f" {more} more {'does' if more == 1 else 'do'} not hold, or could not be made." if more else ""
    verb = "could not be made" if first.outcome is Outcome.UNKNOWN else "does not hold"
    return Refusal(
        f"preflight.{first.name}",
        f"The check {first.name} {verb}: {first.seen}.{others} Nothing was changed.",
        first.remedy or "Mend what the check saw, and run again.",
        Exit.BUSY if first.busy else Exit.PREFLIGHT,
        (RUN_AGAIN,),
    )
