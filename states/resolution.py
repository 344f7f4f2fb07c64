"""RESOLVE: did Prisma mark the migration, or did the repair end as rehearsed, and what remains to be done?"""

from collections.abc import Collection
from dataclasses import dataclass

from states.answers import RUN_AGAIN, Answer, Go, Refusal
from states.effects import Deploy, Repair, Resolution
from states.exit_codes import Exit
from states.inspection import InspectFacts, deploy_after
from states.table import State


@dataclass(frozen=True, slots=True)
class ResolveFacts:
    """The ledger, read again after the effect.

    Attributes:
        effect: the mark that Prisma was asked to set, or the repair.
        shown: the ledger shows the mark; or production is as the repair's rehearsal ended.
        after: the ledger and the migrations folder after the effect.
        unchanged: why the effect was not even tried, as `the evidence has changed`; empty if it was tried.
        output: the end of the command's output.
        killed: that the command was killed from outside, as a sentence; empty if it ended by itself.
    """

    effect: Resolution | Repair
    shown: bool
    after: InspectFacts
    unchanged: str = ""
    output: str = ""
    killed: str = ""


def decide(facts: ResolveFacts) -> Answer:
    """Decides from the ledger alone, not from the command's output or exit code."""
    name = facts.effect.migration
    if facts.unchanged:
        return Refusal(
            "resolve.evidence_changed",
            f"{name} was not {'repaired' if isinstance(facts.effect, Repair) else 'marked'}: {facts.unchanged}. "
            "Nothing was changed.",
            "Run again. The migration is classified anew.",
            Exit.BUSY,
            (RUN_AGAIN,),
        )
    if isinstance(facts.effect, Repair):
        if facts.shown:
            return Go(State.INSPECT, f"the plan to {facts.effect.way} {name} was carried out")
        return Refusal(
            "repair.failed",
            f"The plan to {facts.effect.way} {name} did not end as rehearsed: {facts.output} If it was to run as one "
            "transaction, nothing was changed.",
            "Find out what keeps the statement from succeeding, and run again: production is looked at anew.",
            commands=(RUN_AGAIN,),
        )
    if not facts.shown and facts.killed:
        return Refusal(
            "effect.killed",
            f"{facts.killed} The ledger does not show {name} as resolved.",
            "Find out what killed it (the system's log names what it ended for want of memory), and run again.",
            commands=(RUN_AGAIN,),
        )
    if not facts.shown:
        said = f" Prisma said: {facts.output}" if facts.output else ""
        return Refusal(
            "resolve.not_shown",
            f"`prisma migrate resolve` ran, but the ledger does not show {name} as resolved.{said}",
            "Make sure that the project's Prisma works on this very database, and run again.",
            commands=(RUN_AGAIN,),
        )
    baseline = facts.after.baseline
    if baseline is not None and baseline.asks:
        return Go(State.INSPECT, f"{name} is resolved, and the ledger still lacks {len(baseline.baseline.lacking)}")
    unsettled = facts.after.unsettled
    if unsettled:
        return Go(State.INSPECT, f"{name} is resolved, {unsettled[0]} remains")
    present = facts.after.failing or facts.after.question
    if present is not None:
        other = present.evidence.migration
        why = "would fail" if present.evidence.obstacles else "in production"
        return Go(State.INSPECT, f"{name} is resolved, {other} is pending and {why}")
    pending = facts.after.history.pending
    if pending:
        return Go(State.DEPLOY, f"{name} is resolved, {len(pending)} pending")
    return Go(State.VERIFY, f"{name} is resolved, nothing pending")


def followed_by(effect: Resolution, before: InspectFacts, present: Collection[str]) -> Deploy | None:
    """The deploy that comes next if all goes as it should, which may be begun beside this mark (RULES F13).

    It must not have an effect before the mark was observed, and RESOLVE led to DEPLOY.

    Args:
        effect: the mark.
        before: ledger and folder before it.
        present: the pending migrations that production has something of already.

    Returns:
        None if another migration is to be looked at first, or nothing is pending then.
    """
    if {*before.unsettled, *present} - {effect.migration}:
        return None
    return next(iter(deploy_after((effect,), before.history)), None)
