"""What INSPECT and CLASSIFY answer to a baseline, and which approvals of one count (RULES F9)."""

from dataclasses import dataclass

from states.answers import RUN_AGAIN, RUN_AGREED, THEN_RUN, Answer, Go, NextCommand, Refusal
from states.approval import Approval
from states.baseline import Baseline, listed
from states.comparison import some
from states.evidence import IN_WORDS, Decision, Verdict
from states.exit_codes import Exit
from states.table import State


@dataclass(frozen=True, slots=True)
class BaselineFacts:
    """A baseline with a person's approval and consent.

    Attributes:
        approval: the latest approval of a baseline in this run; its migration is the one up to which.
        consented: somebody agreed to mark what the evidence decides; an approval that counts also suffices.
    """

    baseline: Baseline
    approval: Approval | None = None
    consented: bool = False

    @property
    def approved(self) -> bool:
        """Whether the approval counts: it is for this very evidence, and for a migration of the range."""
        return self.approval is not None and objection(self.approval, self.baseline) is None

    @property
    def up_to(self) -> str:
        """The migration up to which production has the history, by the evidence or a person; empty if undecided."""
        if self.approval is not None and self.approved:
            return self.approval.migration
        return self.baseline.up_to if self.baseline.decision is Decision.MARK_APPLIED else ""

    @property
    def marks(self) -> tuple[str, ...]:
        """The migrations to mark as applied, in their order; empty if nothing decides."""
        return self.baseline.marks(self.up_to) if self.up_to else ()

    @property
    def asks(self) -> bool:
        """Whether CLASSIFY has to decide: something is to be marked, or a person has to say whether it is."""
        if self.baseline.verdict in (Verdict.DRIFTED, Verdict.NOT_APPLIED):
            return False
        return bool(self.marks) or not self.up_to


def objection(approval: Approval, baseline: Baseline) -> Refusal | None:
    """Why an approval of a baseline does not count; None if it does."""
    if approval.evidence_digest != baseline.evidence_digest:
        return Refusal(
            "approve.other_evidence",
            f"The evidence on the baseline is {baseline.evidence_digest}, not the one that was approved.",
            "Look at the evidence again (prisma-recovery inspect), then approve that.",
        )
    if baseline.decision not in (Decision.MARK_APPLIED, Decision.OPERATOR) or baseline.verdict is Verdict.DRIFTED:
        return Refusal(
            "approve.never",
            f"The history {IN_WORDS[baseline.verdict]}: no migration can be marked on such evidence.",
            "Bring production to what the history says after one of its migrations, or wait; then run again.",
        )
    if approval.migration not in baseline.range or not approval.migration:
        return Refusal(
            "approve.not_in_range",
            f"Production does not equal the history up to {approval.migration}. It does up to "
            f"{listed([name for name in baseline.range if name])}.",
            "Approve one of these.",
        )
    return None


def approvals(baseline: Baseline) -> tuple[NextCommand, ...]:
    """The `approve` commands that would count; none where the evidence decides."""
    if baseline.decision is not Decision.OPERATOR or baseline.verdict is Verdict.DRIFTED:
        return ()
    ends = tuple(dict.fromkeys(name for name in (*baseline.range[:1], *baseline.range[-1:]) if name))
    whens = ("if the rest did not run, and is to be deployed", "if all of these ran") if len(ends) > 1 else ("",)
    if baseline.open and len(ends) == 1:
        whens = ("if all of its work on rows is there",)
    return tuple(
        NextCommand(
            f'prisma-recovery approve {name} --baseline --evidence {baseline.evidence_digest} --reason "…"', when
        )
        for name, when in zip(ends, whens, strict=False)
    )


def inspected(facts: BaselineFacts) -> Answer | None:
    """What INSPECT answers to a baseline; None if it keeps nothing from going on."""
    baseline = facts.baseline
    if facts.asks:
        count = len(baseline.lacking or baseline.marked)
        return Go(
            State.CLASSIFY, f"production shows the history up to {baseline.up_to}; the ledger lacks {count} of it"
        )
    if baseline.verdict is Verdict.DRIFTED:
        where = f"after {baseline.nearest}" if baseline.nearest else "before its first migration"
        return Refusal(
            "baseline.differs",
            "The ledger shows no migration as finished, and production equals the history after none. It is nearest to "
            f"what it is {where}. What differs: {some(baseline.differences)}. Nothing was changed.",
            "Mend the differences by hand, so that production is what the history makes up to that migration, and run "
            "again. If the ledger is in another schema, name that in the URL (?schema=…).",
            commands=(RUN_AGAIN,),
        )
    if baseline.verdict is Verdict.NOT_APPLIED:
        return Refusal(
            "baseline.nothing",
            f"{' '.join(baseline.reasons)} Prisma does not deploy into such a schema (P3005). Nothing was changed.",
            "Give the history a schema of its own (?schema=… in the URL). Or, if it is to live beside what is there: "
            "add a migration without statements that sorts before all others, such as 0_init, mark it with `prisma "
            "migrate resolve --applied 0_init`, and run again to deploy the rest.",
            commands=(RUN_AGAIN,),
        )
    return None


def decide(facts: BaselineFacts) -> Answer:
    """CLASSIFY on a baseline: goes on only if the evidence or an approval decides, and somebody has consented."""
    baseline, marks = facts.baseline, facts.marks
    if baseline.decision is Decision.WAIT:
        return Refusal(
            "classify.in_progress",
            f"Something may still be changing production: {' '.join(baseline.reasons)} Nothing was changed.",
            "Wait until it has ended, and run again.",
            Exit.BUSY,
            (RUN_AGAIN,),
        )
    count = "1 migration is" if len(marks) == 1 else f"{len(marks)} migrations are"
    if marks and (facts.consented or facts.approved):
        by = "a person approved this evidence" if facts.approved else "the evidence decides"
        return Go(State.RESOLVE, f"{by}: {count} to be marked applied, up to {facts.up_to}")
    if marks:
        return Refusal(
            "baseline.consent",
            f"Production equals the history up to {facts.up_to}, so {count} to be marked applied, and nobody has "
            "agreed to that yet. Nothing was changed.",
            "Run it in a terminal and type the word asked for, or with --yes, or set auto in prisma-recovery.toml.",
            commands=(RUN_AGREED,),
        )
    void = " An approval was given, but is void: it is for other evidence." if facts.approval is not None else ""
    return Refusal(
        "baseline.rows",
        f"{' '.join(baseline.reasons)}{void} Nothing was changed.",
        "Look at production's rows. What of this work is missing can be run by hand. Then say up to which migration "
        "production has the history: those up to it are marked as applied and never run, the others are deployed.",
        commands=(*approvals(baseline), THEN_RUN),
    )
