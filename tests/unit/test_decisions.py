"""Approvals as they are given: one that could never count is refused, and the journal does not get it."""

import contextlib
from pathlib import Path

import pytest

from recovery.app.api import Recovery
from recovery.app.decisions import ApprovedAs, answer, answers, approve
from recovery.app.session import Options, Session
from recovery.cli.output import Output
from recovery.cli.records import record_answers
from recovery.errors import UsageError
from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind
from states.facts import Answers

NAME, TARGET, RUN = "20260217000000_add_tokens", "1/app/public", "run1"
FOUND = {
    "migration": NAME,
    "verdict": "applied",
    "decision": "mark_applied",
    "digest": "sha256:1",
    "reasons": [],
    "attempted": True,
    "ran_to_its_end": False,
}


def recorded(session: Session, found: dict[str, object] | None = None) -> tuple[JournalEvent, ...]:
    """The run's events; first the run is made, blocked with this evidence, if it is given."""
    with contextlib.closing(session.store().open(TARGET)) as journal:
        if found is not None:
            journal.append(RUN, Kind.STARTED, "PREFLIGHT", {"target": "db", "source": "--database-url"})
            journal.append(RUN, Kind.CLASSIFIED, "CLASSIFY", found)
            moved = {"from": "CLASSIFY", "to": "BLOCKED", "because": "nobody agreed", "code": "classify.consent"}
            journal.append(RUN, Kind.MOVED, "CLASSIFY", moved)
        return journal.events(RUN)


@pytest.mark.parametrize(
    ("found", "answer", "code"),
    [
        (FOUND, "rolled_back", "approve.against_evidence"),
        (FOUND | {"verdict": "not_applied", "decision": "mark_rolled_back"}, "applied", "approve.against_evidence"),
        (FOUND | {"verdict": "partial", "decision": "operator"}, "applied", "approve.never"),
        (FOUND | {"decision": "operator", "ran_to_its_end": True}, "rolled_back", "approve.ran"),
        (FOUND | {"attempted": False}, "rolled_back", "approve.not_attempted"),
        (FOUND | {"digest": "sha256:2"}, "applied", "approve.other_evidence"),
    ],
)
def test_an_approval_that_could_never_count_is_refused(
    tmp_path: Path, found: dict[str, object], answer: ApprovedAs, code: str
) -> None:
    """Nothing is recorded, so that nobody believes it will be acted on."""
    session = Session(Options(), tmp_path, {})
    before = recorded(session, found)
    with pytest.raises(UsageError) as refused:
        approve(session, NAME, answer, "sha256:1", "I looked")
    assert refused.value.code == code
    assert refused.value.fact.endswith("Nothing was recorded.")
    assert recorded(session) == before


@pytest.mark.parametrize("answer", ["applied", "rolled_back"])
def test_where_the_evidence_does_not_decide_either_answer_is_recorded(tmp_path: Path, answer: ApprovedAs) -> None:
    """It counts at the next run, for exactly this evidence."""
    session = Session(Options(), tmp_path, {})
    recorded(session, FOUND | {"verdict": "undecidable", "decision": "operator"})
    approve(session, NAME, answer, "sha256:1", "I looked")
    last = recorded(session)[-1]
    assert (last.kind, last.payload["decision"], last.payload["evidence"]) == (
        Kind.APPROVED,
        f"mark_{answer}",
        "sha256:1",
    )


def test_answers_on_statements_are_kept_for_their_evidence(tmp_path: Path) -> None:
    """Later answers on the same evidence are added, whether it has taken in the first or not; others begin anew."""
    session = Session(Options(), tmp_path, {})
    half = FOUND | {"verdict": "partial", "decision": "operator", "asked": "sha256:1"}
    half |= {"states": ["in_place", "open", "open"], "answerable": [2, 3]}
    recorded(session, half)
    answer(session, NAME, {2: True}, "sha256:1", "I counted")
    assert answers(session.store(), TARGET) == {NAME: Answers("sha256:1", {2: True})}
    with contextlib.closing(session.store().open(TARGET)) as journal:
        journal.append(RUN, Kind.CLASSIFIED, "CLASSIFY", half | {"digest": "sha256:with"})
    answer(session, NAME, {3: False}, "sha256:with", "I counted")
    assert answers(session.store(), TARGET) == {NAME: Answers("sha256:1", {2: True, 3: False})}
    with contextlib.closing(session.store().open(TARGET)) as journal:
        journal.append(RUN, Kind.CLASSIFIED, "CLASSIFY", half | {"digest": "sha256:2", "asked": "sha256:2"})
    answer(session, NAME, {3: True}, "sha256:2", "I counted again")
    assert answers(session.store(), TARGET) == {NAME: Answers("sha256:2", {3: True})}
    with contextlib.closing(session.store().open(TARGET)) as journal:
        done = {"migration": NAME, "evidence": "sha256:3", "statements": {"2": True, "3": True}}
        observed = {"effect": f"complete:{NAME}", "shown": True, "migration": "", "rows": [], "repaired": done}
        journal.append(RUN, Kind.OBSERVED, "RESOLVE", observed)
    assert answers(session.store(), TARGET) == {NAME: Answers("sha256:3", {2: True, 3: True})}
    assert answers(session.store(), "2/other/public") == {}


def test_answers_that_could_never_count_are_refused(tmp_path: Path) -> None:
    """Nothing is recorded, and the reason is needed."""
    session = Session(Options(), tmp_path, {})
    before = recorded(session, FOUND | {"asked": "sha256:1", "states": ["in_place"], "answerable": []})
    for name, done, reason, code in (
        (NAME, {1: False}, "I looked", "approve.statement_known"),
        (NAME, {1: False}, " ", "approve.reason"),
        ("other", {1: False}, "I looked", "approve.unknown_migration"),
    ):
        with pytest.raises(UsageError) as refused:
            answer(session, name, done, "sha256:1", reason)
        assert refused.value.code == code
    assert recorded(session) == before


@pytest.mark.parametrize("words", [("4=perhaps",), ("x=done",), ("4=done", "4=not-done"), ("4",)])
def test_a_statement_that_says_nothing_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Before anything is recorded."""
    with pytest.raises(UsageError) as refused:
        record_answers(Recovery(tmp_path), Output("approve"), None, NAME, words, evidence="sha256:1", reason="seen")
    assert refused.value.code == "approve.statement"
