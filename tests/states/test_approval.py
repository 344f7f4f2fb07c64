"""Which approvals count: the same answer where one is given, and where a run acts on it."""

from dataclasses import replace

import pytest
from hypothesis import given

from states.answers import Refusal
from states.approval import Approval, Asked, Judged, answer_command, objection, objection_to_answers
from states.classification import ClassifyFacts, decide
from states.evidence import Decision, Verdict
from states.table import State
from tests.states.strategies import classify_facts

OPEN = Judged("m1", Verdict.UNDECIDABLE, Decision.OPERATOR, "sha256:1")
IN = Judged("m1", Verdict.APPLIED, Decision.MARK_APPLIED, "sha256:1")
OUT = Judged("m1", Verdict.NOT_APPLIED, Decision.MARK_ROLLED_BACK, "sha256:1")
HALF = replace(OPEN, verdict=Verdict.PARTIAL, plans=("sha256:plan",))
APPLIED = Approval("m1", Decision.MARK_APPLIED, "sha256:1", "seen")
ROLLED_BACK = replace(APPLIED, decision=Decision.MARK_ROLLED_BACK)

OBJECTIONS: list[tuple[Approval, Judged, str]] = [
    (APPLIED, OPEN, ""),
    (ROLLED_BACK, OPEN, ""),
    (APPLIED, IN, ""),
    (ROLLED_BACK, OUT, ""),
    (replace(APPLIED, evidence_digest="sha256:2"), OPEN, "approve.other_evidence"),
    (replace(APPLIED, migration="m2"), OPEN, "approve.other_evidence"),
    (APPLIED, replace(OPEN, verdict=Verdict.PARTIAL), "approve.never"),
    (ROLLED_BACK, replace(OPEN, verdict=Verdict.IN_PROGRESS, decision=Decision.WAIT), "approve.never"),
    (ROLLED_BACK, replace(OPEN, attempted=False), "approve.not_attempted"),
    (ROLLED_BACK, replace(IN, attempted=False), "approve.not_attempted"),
    (APPLIED, replace(OPEN, attempted=False), ""),
    (ROLLED_BACK, IN, "approve.against_evidence"),
    (APPLIED, OUT, "approve.against_evidence"),
    (ROLLED_BACK, replace(OPEN, ran_to_its_end=True), "approve.ran"),
    (APPLIED, replace(OPEN, ran_to_its_end=True), ""),
    # A dead attempt beside a finished one: what is withdrawn is that attempt, not the migration (RULES F7).
    (ROLLED_BACK, replace(OUT, ran_to_its_end=True), ""),
    (replace(APPLIED, decision=Decision.WAIT), OPEN, "approve.one"),
    # A plan is approved by its own digest, and `partial` in no other way.
    (replace(APPLIED, decision=Decision.REPAIR), HALF, "approve.other_plan"),
    (replace(APPLIED, decision=Decision.REPAIR, evidence_digest="sha256:plan"), HALF, ""),
    (
        replace(APPLIED, decision=Decision.REPAIR, evidence_digest="sha256:plan", migration="m2"),
        HALF,
        "approve.other_plan",
    ),
    (replace(APPLIED, evidence_digest="sha256:plan"), HALF, "approve.other_evidence"),
]


@pytest.mark.parametrize(("approval", "judged", "code"), OBJECTIONS)
def test_an_approval_counts_or_is_refused_by_name(approval: Approval, judged: Judged, code: str) -> None:
    """Each approval that could never count is refused under its own code, with what to do instead."""
    no = objection(approval, judged)
    assert (no.code if no else "") == code
    assert no is None or (no.fact.endswith(".") and no.remedy.endswith("."))


@given(classify_facts())
def test_an_approval_against_this_evidence_is_never_passed_over(facts: ClassifyFacts) -> None:
    """An approval of exactly this evidence either leads to what it says, or to no change at all."""
    approval, evidence = facts.approval, facts.evidence
    if approval is None or (approval.migration, approval.evidence_digest) != (
        evidence.migration,
        evidence.evidence_digest,
    ):
        return
    answer = decide(facts)
    if answer.to is State.RESOLVE:
        assert objection(approval, facts.judged) is None
        words = {Decision.MARK_APPLIED: "marked applied", Decision.MARK_ROLLED_BACK: "marked rolled back"}
        assert words[approval.decision] in answer.because
    else:
        assert isinstance(answer, Refusal)


ASKED = Asked("m", frozenset({"sha256:with", "sha256:without"}), ("in_place", "open", "absent"), frozenset({2}))
ANSWERS: list[tuple[dict[int, bool], str, str]] = [
    ({2: True}, "sha256:with", ""),
    ({2: False}, "sha256:without", ""),
    ({2: True}, "sha256:other", "approve.other_evidence"),
    ({4: True}, "sha256:with", "approve.no_statement"),
    ({0: True}, "sha256:with", "approve.no_statement"),
    ({1: False}, "sha256:with", "approve.statement_known"),
    ({2: True, 3: True}, "sha256:with", "approve.statement_known"),
]


@pytest.mark.parametrize(("done", "evidence", "code"), ANSWERS)
def test_answers_on_statements_count_only_where_nothing_shows_it(
    done: dict[int, bool], evidence: str, code: str
) -> None:
    """For exactly this evidence, with or without the answers that it has taken in, and never against a proof."""
    found = objection_to_answers(ASKED, done, evidence)
    assert (found.code if found else "") == code


def test_a_command_asks_of_each_statement_by_its_number() -> None:
    """To be copied as it is, once it is known that what it says is true."""
    one, two = answer_command("m1", (2,), "sha256:1"), answer_command("m1", (2, 4), "sha256:1")
    assert one.line == 'prisma-recovery approve m1 --statement 2=done --evidence sha256:1 --reason "…"'
    assert "whether statement 2 ran;" in one.when
    assert " --statement 2=done --statement 4=done " in two.line
    assert "whether each of these statements ran;" in two.when
