"""Which approvals count: those on exactly this evidence, where the evidence itself does not decide (RULES F9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from states.answers import RUN_AGAIN, THEN_RUN, NextCommand, Refusal
from states.evidence import IN_WORDS, Decision, Verdict

#: Verdicts that no approval overrides: a partly applied script is neither applied nor rolled back, and a script that
#: may still be running can become either.
NEVER_APPROVED = (Verdict.PARTIAL, Verdict.IN_PROGRESS)

_MARKED = {Decision.MARK_APPLIED: "applied", Decision.MARK_ROLLED_BACK: "rolled back"}


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's decision on one failed or pending migration, for exactly one state of the evidence.

    Attributes:
        decision: mark_applied or mark_rolled_back; or repair, to carry out a plan of repair.
        evidence_digest: the digest of the evidence that the person has seen; of a repair, the digest of the plan.
    """

    migration: str
    decision: Decision
    evidence_digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The parts of a migration's evidence with which an approval has to agree.

    Attributes:
        attempted: the ledger has a row of the migration.
        ran_to_its_end: some attempt has applied_steps_count of 1 or more (RULES E3).
        plans: digests of the plans of repair.
    """

    migration: str
    verdict: Verdict
    decision: Decision
    evidence_digest: str
    attempted: bool = True
    ran_to_its_end: bool = False
    plans: tuple[str, ...] = ()


def objection(approval: Approval, judged: Judged) -> Refusal | None:
    """Why an approval does not count; None if it does.

    The same rule decides when the approval is given, before it is recorded, and when a run comes to act on it.
    """
    name = judged.migration
    if approval.decision is Decision.REPAIR:
        if approval.migration == name and approval.evidence_digest in judged.plans:
            return None
        return Refusal(
            "approve.other_plan",
            f"{name} has no plan of repair with the digest {approval.evidence_digest}.",
            "Look at the plans again (prisma-recovery inspect), then approve one of them.",
        )
    if approval.decision not in _MARKED:
        return Refusal(
            "approve.one",
            f"An approval says of {name} that it is applied or rolled back, not {approval.decision}.",
            "Give one of --applied and --rolled-back.",
        )
    if (approval.migration, approval.evidence_digest) != (name, judged.evidence_digest):
        return Refusal(
            "approve.other_evidence",
            f"The evidence on {name} is {judged.evidence_digest}, not the one that was approved.",
            "Look at the evidence again (prisma-recovery inspect), then approve that.",
        )
    if judged.verdict in NEVER_APPROVED:
        return Refusal(
            "approve.never",
            f"{name} {IN_WORDS[judged.verdict]}: neither answer would be true.",
            "Finish or undo the script by hand, or wait for its end; then run again.",
        )
    rolled_back = approval.decision is Decision.MARK_ROLLED_BACK
    if rolled_back and not judged.attempted:
        return Refusal(
            "approve.not_attempted",
            f"{name} was never attempted, so there is nothing to mark rolled back.",
            "Undo by hand what production has of it, and run again: it is deployed. Or approve it as applied.",
        )
    if judged.decision in _MARKED and approval.decision is not judged.decision:
        return Refusal(
            "approve.against_evidence",
            f"The evidence decides that {name} is to be marked {_MARKED[judged.decision]}, and the approval says "
            f"{_MARKED[approval.decision]}.",
            "Find out which of the two is wrong. To follow the evidence, approve what it says. To go against it, give "
            "this recovery up (prisma-recovery abort), and resolve the migration by hand.",
            commands=(approve_command(name, judged.decision, judged.evidence_digest), THEN_RUN),
        )
    if rolled_back and judged.ran_to_its_end and judged.decision is not Decision.MARK_ROLLED_BACK:
        return Refusal(
            "approve.ran",
            f"Prisma counted {name} as run to its end, so it can't be marked rolled back.",
            "Bring production to what it says, and run again, or approve it as applied.",
            commands=(RUN_AGAIN,),
        )
    return None


@dataclass(frozen=True, slots=True)
class Asked:
    """The evidence on a migration, with which answers on its statements have to agree.

    Attributes:
        digests: of the evidence, with and without the answers that were given before.
        states: of each statement.
        open: numbers of the statements of which only a person can say whether their work on rows is done.
    """

    migration: str
    digests: frozenset[str]
    states: tuple[str, ...]
    open: frozenset[int]


#: The states of statements in words.
_STATES = {"in_place": "its work is done", "absent": "its work is not done", "differs": "its work differs"}


def objection_to_answers(asked: Asked, done: Mapping[int, bool], evidence: str) -> Refusal | None:
    """Why a person's answers on statements do not count; None if they do.

    Args:
        asked: the evidence.
        done: by the number of a statement, whether its work on rows is done.
        evidence: the digest that the answers name.
    """
    name = asked.migration
    if evidence not in asked.digests:
        return Refusal(
            "approve.other_evidence",
            f"The evidence on {name} is not {evidence}, for which the answers are given.",
            "Look at the evidence again (prisma-recovery inspect), then answer on that.",
        )
    if unknown := [number for number in done if not 0 < number <= len(asked.states)]:
        return Refusal(
            "approve.no_statement",
            f"{name} has {len(asked.states)} statements, and no statement {unknown[0]}.",
            "Give the number that prisma-recovery inspect shows before the statement.",
        )
    if known := [number for number in done if number not in asked.open]:
        state = _STATES.get(asked.states[known[0] - 1], "it leaves nothing behind, or an attempt ran to its end")
        return Refusal(
            "approve.statement_known",
            f"Of statement {known[0]} of {name} no answer is needed, because the evidence shows it: {state}.",
            "Answer only on the statements that prisma-recovery inspect shows as open. If the evidence is wrong, find "
            "out why first.",
        )
    return None


def answer_command(name: str, numbers: Sequence[int], digest: str) -> NextCommand:
    """The command with which a person says of statements that their work on rows is done."""
    words = " ".join(f"--statement {number}=done" for number in numbers)
    which = f"statement {numbers[0]} ran" if len(numbers) == 1 else "each of these statements ran"
    line = f'prisma-recovery approve {name} {words} --evidence {digest} --reason "…"'
    return NextCommand(line, f"once you know whether {which}; if not, not-done")


def approve_command(name: str, decision: Decision, digest: str, when: str = "") -> NextCommand:
    """The command with which a person approves a decision on exactly this evidence."""
    way = _MARKED[decision].replace(" ", "-")
    return NextCommand(f'prisma-recovery approve {name} --{way} --evidence {digest} --reason "…"', when)
