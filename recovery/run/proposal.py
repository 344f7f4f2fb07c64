"""Describes an effect in sentences before anybody agrees to it: its consequence, and what it leaves alone."""

from recovery.events import EffectProposed
from states.baseline_answers import BaselineFacts
from states.effects import Deploy, Effect, EndOrphan, MarkApplied, Repair
from states.evidence import Evidence, Verdict
from states.facts import Orphan
from states.plans import Way
from states.repair import lists, plan_of

_APPLIED = "Prisma counts this migration as done, and never runs its script."
_PENDING_APPLIED = (
    "This migration was never attempted, but is wholly in production. "
    "Prisma counts it as done, and never runs its script."
)
_AGAIN = "Prisma withdraws the failed attempt. The next deploy runs this migration's script from its beginning."
_WITHDRAWN = "Prisma forgets the attempt that failed; the migration stays applied by its other attempt."

_NOT_BY_RESOLVE = "tables, columns and rows of yours; in _prisma_migrations every row of another migration"
_NOT_BY_REPAIR = "everything that these statements do not name; _prisma_migrations"
_NOT_BY_DEPLOY = "everything that these scripts do not change; in _prisma_migrations every existing row"


def proposed(effect: Effect, command: str, evidence: Evidence | None) -> EffectProposed:
    """The event that proposes an effect.

    Args:
        effect: the effect.
        command: its command line, for people.
        evidence: the evidence that it rests on; None for a deploy.
    """
    return EffectProposed(effect.id, command, _consequence(effect, evidence), _untouched(effect))


def baseline_proposed(facts: BaselineFacts, command: str) -> EffectProposed:
    """The event that proposes all marks of a baseline at once.

    Args:
        facts: what is to be marked.
        command: the command line of the first mark.
    """
    marks = facts.marks
    every = f"{command} (and one for each of {len(marks) - 1} more)" if len(marks) > 1 else command
    which = marks[0] if len(marks) == 1 else f"{len(marks)} migrations, {marks[0]} to {marks[-1]}"
    word = "it" if len(marks) == 1 else "them"
    return EffectProposed(
        f"baseline:{facts.up_to}",
        every,
        f"Prisma counts {which}, as done, and never runs {word}. What is pending after that is deployed.",
        "tables, columns and rows of yours; in _prisma_migrations every existing row",
    )


def ending_proposed(orphan: Orphan) -> EffectProposed:
    """The event that proposes to end a session that holds Prisma's lock and whose client is gone."""
    who = ", ".join(each for each in (orphan.user, orphan.application, orphan.client) if each)
    return EffectProposed(
        EndOrphan(orphan.pid).id,
        orphan.statement,
        f"The server ends session {orphan.pid} ({who}), which holds Prisma's migration lock and has been idle since "
        f"{orphan.since}, {orphan.seconds:.0f} s. If it were a deploy's after all, that deploy would fail.",
        "every table and row, and _prisma_migrations: the session is in no transaction",
    )


def _consequence(effect: Effect, evidence: Evidence | None) -> str:
    match effect:
        case Deploy(migrations):
            scripts = "this script" if len(migrations) == 1 else f"these {len(migrations)} scripts, in this order"
            return f"Prisma runs {scripts}, on production: {', '.join(migrations)}."
        case Repair():
            return _of_a_repair(effect, evidence)
        case MarkApplied():
            return _PENDING_APPLIED if evidence is not None and not evidence.attempted else _APPLIED
        case _:
            withdrawn = evidence is not None and evidence.verdict is Verdict.APPLIED
            return _WITHDRAWN if withdrawn else _AGAIN


def _of_a_repair(effect: Repair, evidence: Evidence | None) -> str:
    plan = None if evidence is None else plan_of(evidence, effect.plan)
    statements = "" if plan is None else f" {lists(plan.statements)}"
    then = "Prisma can run the script anew" if effect.way is Way.UNDO else "the script can be marked applied"
    how = "as one transaction" if plan is not None and plan.together else "each committed by itself"
    return f"This tool runs the plan's{statements} on production, {how}, under Prisma's lock. Then {then}."


def _untouched(effect: Effect) -> str:
    if isinstance(effect, Repair):
        return _NOT_BY_REPAIR
    return _NOT_BY_DEPLOY if isinstance(effect, Deploy) else _NOT_BY_RESOLVE
