"""PREFLIGHT: is this the right database and the right commit, and is nobody else deploying?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from states.answers import RUN_AGAIN, Answer, Go, NextCommand, Refusal
from states.exit_codes import Exit
from states.facts import Check, Orphan, Outcome
from states.table import State

#: Checks of the checkout and of Prisma's command, which say nothing of the database.
_OF_THE_CHECKOUT = ("git.", "vercel.", "prisma.")


@dataclass(frozen=True, slots=True)
class PreflightFacts:
    """Every check of preflight, including those that are still being made or could not be made."""

    checks: tuple[Check, ...]


def decide(facts: PreflightFacts) -> Answer:
    """Goes on only if every check holds, was waived by name, or is awaited; one that couldn't be made does not pass.

    Awaited checks are demanded before the first change, by `demanded`.
    """
    if not facts.checks:
        return Refusal("preflight.no_checks", "No check was made.", "Report this as a bug.", Exit.FAILURE)
    refusal = against(facts.checks)
    if refusal is not None:
        return refusal
    awaited = [check.name for check in facts.checks if check.outcome is Outcome.AWAITED]
    if awaited:
        made = len(facts.checks) - len(awaited)
        hold = "1 check holds" if made == 1 else f"{made} checks hold"
        return Go(State.INSPECT, f"{hold}, {', '.join(awaited)} is awaited before the first change")
    return Go(State.INSPECT, f"all {len(facts.checks)} checks hold")


def demanded(checks: Sequence[Check]) -> Refusal | None:
    """The refusal to change anything, an awaited check included; None if no check stands against a change."""
    return against([replace(c, outcome=Outcome.UNKNOWN) if c.outcome is Outcome.AWAITED else c for c in checks])


def lets_look(checks: Sequence[Check]) -> bool:
    """Whether a plan may look at production although a run would stop: nothing is wrong with the database itself."""
    found = [check for check in checks if check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN)]
    return all(check.name.startswith(_OF_THE_CHECKOUT) for check in found)


def against(checks: Sequence[Check]) -> Refusal | None:
    """The refusal to work on this target, for the most serious check; None if no check stands against it."""
    found = [check for check in checks if check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN)]
    if not found:
        return None
    # A busy check is named last: waiting resolves it, but a wrong database stays wrong. A check that does not hold
    # is named before one that could not be made, since it can be the reason why.
    first = min(found, key=lambda check: (check.busy, check.outcome is Outcome.UNKNOWN))
    more = len(found) - 1
    others = f" {more} more {'does' if more == 1 else 'do'} not hold, or could not be made." if more else ""
    ending = () if first.orphan is None else (end_command(first.orphan),)
    verb = "could not be made" if first.outcome is Outcome.UNKNOWN else "does not hold"
    return Refusal(
        f"preflight.{first.name}",
        f"The check {first.name} {verb}: {first.seen}.{others} Nothing was changed.",
        first.remedy or "Mend what the check saw, and run again.",
        Exit.BUSY if first.busy else Exit.PREFLIGHT,
        (*ending, RUN_AGAIN),
    )


def orphan(checks: Sequence[Check]) -> Orphan | None:
    """The session to be ended, if an orphan that holds Prisma's lock is all that keeps a run from going on.

    While anything else is in the way, this may be another database than the one that is meant.
    """
    found = [check for check in checks if check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN)]
    return found[0].orphan if len(found) == 1 else None


def end_command(found: Orphan) -> NextCommand:
    """The command that ends an orphan, and goes on."""
    return NextCommand(f"{RUN_AGAIN.line} --end-orphan {found.pid}", "if no deploy is at work on any machine")
