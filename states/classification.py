"""CLASSIFY: is the failed or pending migration in the database, and may the recovery act on the answer?"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from states.answers import RUN_AGAIN, RUN_AGREED, THEN_RUN, Answer, Go, NextCommand, Refusal
from states.approval import NEVER_APPROVED, Approval, Judged, answer_command, approve_command, objection
from states.effects import MarkApplied, MarkRolledBack, Repair, Resolution
from states.evidence import IN_WORDS, Decision, Evidence, Verdict
from states.exit_codes import Exit
from states.facts import History, Row
from states.plans import Plan
from states.repair import in_the_way, plan_of
from states.table import State

#: A run that takes it for certain that nobody ran a statement of the failed migration by hand (RULES E21).
ASSUMING = NextCommand(f"{RUN_AGAIN.line} --assume no-handwork", "if nobody ran a statement of it by hand")


@dataclass(frozen=True, slots=True)
class ClassifyFacts:
    """The evidence on one failed or pending migration, with a person's approval and consent.

    Attributes:
        ran_to_its_end: some attempt has an applied_steps_count of 1 or more (RULES E3).
        approval: the latest approval of this migration, whatever evidence it was given for.
        consented: somebody agreed to the change that follows from the evidence; an approval that counts also suffices.
        repairing: somebody agreed to the plan of repair that `repair` gives; an approval of that plan also suffices.
        discard: names of tables and columns whose rows a repair may lose.
        restorable: a restore point is made before the first change.
        failing_after: the pending migrations on which the deploy after this mark would surely fail.
    """

    evidence: Evidence
    ran_to_its_end: bool = False
    approval: Approval | None = None
    consented: bool = False
    repairing: bool = False
    discard: frozenset[str] = frozenset()
    restorable: bool = False
    failing_after: tuple[Evidence, ...] = ()

    @property
    def judged(self) -> Judged:
        """The parts of the evidence with which an approval has to agree."""
        evidence = self.evidence
        return Judged(
            evidence.migration,
            evidence.verdict,
            evidence.decision,
            evidence.evidence_digest,
            attempted=evidence.attempted,
            ran_to_its_end=self.ran_to_its_end or evidence.applied_steps_count >= 1,
            plans=tuple(plan.digest for plan in evidence.repair.plans),
        )

    @property
    def approved(self) -> bool:
        """Whether the approval counts: it is for this very evidence, and the evidence allows it."""
        return self.approval is not None and objection(self.approval, self.judged) is None

    @property
    def objected(self) -> Refusal | None:
        """Why an approval of this very evidence does not count; None if it counts, or if there is none."""
        approval, evidence = self.approval, self.evidence
        seen = (evidence.migration, evidence.evidence_digest)
        if approval is None or (approval.migration, approval.evidence_digest) != seen:
            return None
        return objection(approval, self.judged)

    @property
    def contradicted(self) -> Refusal | None:
        """The refusal if an approval of this very evidence contradicts what the evidence itself decides; else None.

        Neither is acted on then, since either the person or the evidence is wrong.
        """
        decides = self.evidence.decision in (Decision.MARK_APPLIED, Decision.MARK_ROLLED_BACK)
        return self.objected if decides else None


def resolution(facts: ClassifyFacts) -> Resolution | None:
    """The effect that the evidence, or an approval of it, calls for; None if neither decides, or they contradict."""
    if facts.contradicted is not None:
        return None
    approval = facts.approval
    decision = approval.decision if approval is not None and facts.approved else facts.evidence.decision
    if decision is Decision.MARK_APPLIED:
        return MarkApplied(facts.evidence.migration)
    if decision is Decision.MARK_ROLLED_BACK:
        return MarkRolledBack(facts.evidence.migration)
    return None


def repair(facts: ClassifyFacts) -> Repair | None:
    """The plan of repair to carry out: the one that a person approved, else the first choice; None if none may be.

    Never where the evidence itself decides, or somebody approved it as it does not allow, and never while something is
    in the plan's way.
    """
    plan = _plan(facts)
    if plan is None or facts.objected or in_the_way(plan, facts.discard, restorable=facts.restorable):
        return None
    return Repair(facts.evidence.migration, plan.way, plan.digest)


def _plan(facts: ClassifyFacts) -> Plan | None:
    evidence, approval = facts.evidence, facts.approval
    if evidence.decision is not Decision.OPERATOR or resolution(facts) is not None:
        return None
    if facts.approved and approval is not None and approval.decision is Decision.REPAIR:
        return plan_of(evidence, approval.evidence_digest)
    return next(iter(evidence.repair.plans), None)


def repair_approved(facts: ClassifyFacts) -> bool:
    """Whether a person approved exactly the plan that `repair` gives."""
    return facts.approved and facts.approval is not None and facts.approval.decision is Decision.REPAIR


def effect_if_agreed(facts: ClassifyFacts) -> Resolution | Refusal:
    """The effect that a run would have on this migration with consent, or the refusal that would stop the run."""
    agreed = replace(facts, consented=True)
    answer = decide(agreed)
    effect = resolution(agreed)
    if isinstance(answer, Refusal):
        return answer
    if effect is None:
        raise AssertionError("CLASSIFY leads on only with an effect")
    return effect


def may_run_again(evidence: Evidence, attempts: Sequence[Row]) -> bool:
    """The script of a failed migration would be run again, by what the evidence decides or a person could approve.

    Args:
        evidence: on the migration.
        attempts: its rows. Beside a finished one, or one that ran to its end, a dead attempt is only withdrawn
            (RULES F7), and nothing is run.
    """
    undone = evidence.decision in (Decision.MARK_ROLLED_BACK, Decision.OPERATOR)
    ran = any(row.finished or row.applied_steps_count >= 1 for row in attempts)
    return undone and evidence.verdict not in NEVER_APPROVED and not ran


def fails_again(facts: ClassifyFacts) -> bool:
    """Whether the script is to be run again although obstacles in production would make it fail."""
    return bool(facts.evidence.obstacles) and isinstance(resolution(facts), MarkRolledBack)


def looks_ahead(facts: ClassifyFacts, history: History, *, begun: bool = False) -> bool:
    """Whether the pending migrations are to be looked at before this mark: the deploy after it may be sure to fail.

    Not where the mark was begun, which is better finished (RULES F5), and not of a pending migration, which was
    compared with the others.
    """
    marks = resolution(facts) is not None and not fails_again(facts)
    return marks and not begun and bool(history.pending) and facts.evidence.migration in history.failed


def deploy_fails(evidence: Evidence) -> bool:
    """Whether a deploy would fail on a pending migration: it is there in part, or an obstacle stands in its way."""
    return evidence.decision is Decision.OPERATOR or (evidence.decision is Decision.DEPLOY and bool(evidence.obstacles))


def decide(facts: ClassifyFacts) -> Answer:
    """Goes on only if the evidence, or an approval of this very evidence, decides, and somebody has consented.

    A script that would fail again is not run again, even with consent; and nothing is marked where the deploy that
    follows would fail on a pending migration.
    """
    evidence = facts.evidence
    name = evidence.migration
    effect = resolution(facts)
    if fails_again(facts):
        found = "; ".join(f"statement {each.statement}: {each.fact}" for each in evidence.obstacles)
        return Refusal(
            "classify.cause_holds",
            f"{name} would fail again. {found[0].upper()}{found[1:]}. Nothing was changed.",
            _ways(evidence),
            commands=(RUN_AGAIN,),
        )
    if effect is not None and facts.failing_after:
        return _fails_after(name, facts.failing_after)
    if effect is not None and (facts.consented or facts.approved):
        by = "a person approved this evidence" if facts.approved else "the evidence decides"
        way = "applied" if isinstance(effect, MarkApplied) else "rolled back"
        return Go(State.RESOLVE, f"{by}: {name} is to be marked {way}")
    if effect is not None:
        return Refusal(
            "classify.consent",
            f"{name} {IN_WORDS[evidence.verdict]}, and nobody has agreed to the change yet. Nothing was changed.",
            "Run it in a terminal and type the word asked for, or with --yes, or set auto in prisma-recovery.toml.",
            commands=(RUN_AGREED,),
        )
    mending = repair(facts)
    if mending is not None and (facts.repairing or repair_approved(facts)):
        return Go(State.RESOLVE, f"a plan to {mending.way} {name} is proven by rehearsal, and agreed to")
    if contradicted := facts.contradicted:
        return Refusal(
            "classify.approval_against_evidence",
            f"{contradicted.fact} Nothing was changed.",
            contradicted.remedy,
            commands=contradicted.commands,
        )
    if evidence.decision is Decision.WAIT:
        return Refusal(
            "classify.in_progress",
            f"{name} may still be running: {' '.join(evidence.reasons)} Nothing was changed.",
            "Wait until it has ended, and run again.",
            Exit.BUSY,
            (RUN_AGAIN,),
        )
    given = facts.approval is not None and facts.approval.decision is not Decision.REPAIR
    if evidence.verdict is Verdict.NOT_APPLIED and evidence.assumptions and not given:
        return Refusal(
            "classify.assumption",
            f"{name} is not in the database, as far as can be seen: {' '.join(evidence.reasons)} Nothing was changed.",
            "If you know that nobody did, say so with --assume no-handwork, or approve this evidence. Otherwise look "
            "at the rows first.",
            commands=(ASSUMING, *approvals(facts)),
        )
    void = ""
    if (given or (facts.approval is not None and evidence.repair.plans)) and not facts.approved:
        void = " An approval was given, but is void: it is for other evidence, or this verdict can't be approved."
    return Refusal(
        f"classify.{evidence.verdict}",
        f"{name} {IN_WORDS[evidence.verdict]}: {' '.join(evidence.reasons)}{void} Nothing was changed.",
        _remedy(facts),
        commands=(*repairing(facts), *answering(facts), *approvals(facts), THEN_RUN)
        if approvals(facts) or answering(facts)
        else repairing(facts) or (RUN_AGAIN,),
    )


def answering(facts: ClassifyFacts) -> tuple[NextCommand, ...]:
    """The command with which a person says which statements' work on rows is done; none where it would not count."""
    evidence = facts.evidence
    if evidence.verdict not in (Verdict.PARTIAL, Verdict.DRIFTED) or evidence.repair.plans:
        return ()
    asked = [each.index for each in evidence.statements if each.answers and each.said is None]
    return (answer_command(evidence.migration, asked, evidence.evidence_digest),) if asked else ()


def approvals(facts: ClassifyFacts) -> tuple[NextCommand, ...]:
    """The `approve` commands that would count; none where the evidence decides."""
    evidence = facts.evidence
    if evidence.decision is not Decision.OPERATOR:
        return ()
    name, seen = evidence.migration, evidence.evidence_digest
    ways = [(Decision.MARK_ROLLED_BACK, "if nothing of it is there")]
    if evidence.verdict is not Verdict.DRIFTED:  # all of it is not there, so no command to copy may say that it is
        ways.insert(0, (Decision.MARK_APPLIED, "if all of it is there"))
    return tuple(
        approve_command(name, decision, seen, when)
        for decision, when in ways
        if not (decision is Decision.MARK_ROLLED_BACK and _seen_in_place(evidence))
        if replace(facts, approval=Approval(name, decision, seen, "")).approved
    )


def repairing(facts: ClassifyFacts) -> tuple[NextCommand, ...]:
    """The commands that carry out a plan of repair, or print it; none where there is no plan."""
    plan = _plan(facts)
    if plan is None:
        return ()
    name = facts.evidence.migration
    flags = "".join(f" --discard-rows {shlex.quote(loss.name)}" for loss in plan.losses)
    restore = " --restore-point pg_dump" if plan.losses and not facts.restorable else ""
    others = [each for each in facts.evidence.repair.plans if each is not plan]
    return (
        NextCommand(f"{RUN_AGAIN.line} --repair{flags}{restore}", f"to {plan.way} it by the plan"),
        *(
            NextCommand(
                f'prisma-recovery approve {name} --repair --evidence {each.digest} --reason "…"',
                f"or, to {each.way} it instead",
            )
            for each in others
        ),
        NextCommand(f"prisma-recovery repair {name} --sql --way {plan.way}", "or, to run it by hand"),
    )


def _seen_in_place(evidence: Evidence) -> bool:
    """Whether the migration has drifted and some of its effects are visible in production.

    An approval as rolled back would then be false, and the script would fail on those effects.
    """
    there = any(statement.state in ("in_place", "differs") for statement in evidence.statements)
    return evidence.verdict is Verdict.DRIFTED and there


def _fails_after(name: str, failing: Sequence[Evidence]) -> Refusal:
    """The refusal to mark `name` while the deploy after it would fail on a pending migration."""
    first, *others = failing
    more = f" {len(others)} more would fail." if others else ""
    if first.decision is Decision.DEPLOY:
        why = "; ".join(f"statement {each.statement}: {each.fact}" for each in first.obstacles)
        remedy = _ways(first)
    else:
        why = f"production has part of it: {' '.join(first.reasons)}"
        remedy = "Undo by hand what is there, or finish it by hand, or correct the script. Then run again."
    return Refusal(
        "classify.deploy_would_fail",
        f"The deploy after {name} is marked would fail: {first.migration} is pending, and {why.rstrip('.')}.{more} "
        "Nothing was changed.",
        remedy,
        commands=(RUN_AGAIN,),
    )


#: The remedy for each kind of obstacle; in any other kind, rows or values are the obstacle.
_WAYS = {
    "missing_extension": "Install on the server the extension that this query looks for",
    "missing_object": "Make what this query looks for and does not find",
    "object_exists": "Drop or rename what this query lists, if nothing needs it",
    "dependent_objects": "Drop what this query lists, and make it again afterwards",
    "syntax": "Upgrade the server, whose version this query shows",
    "not_in_transaction": "Take the statement out of the transaction block (this query lists nothing of it)",
    "not_supported": "Make the index on each partition of what this query lists",
    "privileges": "Grant the privileges that this query shows as missing, or deploy as the owner",
}


def _ways(evidence: Evidence) -> str:
    """The remedy and the query of each obstacle, on lines of their own."""
    ways = (
        f"{_WAYS.get(each.kind, 'Clean up what this query lists')}, or correct the script:\n{each.query}"
        for each in evidence.obstacles
    )
    return "\n".join((*ways, "Then run again."))


def _remedy(facts: ClassifyFacts) -> str:
    evidence, plan = facts.evidence, _plan(facts)
    if plan is not None:
        against = in_the_way(plan, facts.discard, restorable=facts.restorable)
        if not against:
            return (
                f"Agree to the plan to {plan.way} it, which is proven by rehearsal, or run it by hand. Then run again."
            )
        return f"The plan to {plan.way} it is not carried out as it is: {' '.join(against)} See to that, and run again."
    if answering(facts):
        return (
            "Find out whether the statements that are named ran, and say so: a plan of repair may follow. Or bring "
            "production by hand to where the script begins or ends. Then run again."
        )
    if evidence.verdict is Verdict.PARTIAL:
        return "By hand, undo the statements that are in production or run those that are missing. Then run again."
    if evidence.verdict is Verdict.DRIFTED:
        return (
            "Mend the differences by hand, and run again. Or approve an answer with the differences in place, knowing "
            "that VERIFY will refuse to open the gate until production is what the migration says."
        )
    return "Find out what the schema can't show (see the open statements), then decide, and run again."
