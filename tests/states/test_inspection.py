"""What a run would do, as `inspect` shows it, and with which exit code `inspect --exit-code` ends."""

from dataclasses import replace

import pytest

from states.classification import ClassifyFacts
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack
from states.evidence import Decision, Evidence
from states.exit_codes import Exit
from states.facts import Check, History, Outcome
from states.inspection import look_exit, would_run, would_stop
from tests.states.test_decisions import ABSENT, EVIDENCE, HELD, OBSTACLE, REFUSED, UNDECIDED

OTHER = replace(ABSENT, migration="m0")


@pytest.mark.parametrize(
    ("evidence", "effects"),
    [
        ((), (Deploy(("m2",)),)),
        ((EVIDENCE,), (MarkApplied("m1"), Deploy(("m2",)))),
        ((ABSENT,), (MarkRolledBack("m1"), Deploy(("m1", "m2")))),
        ((OTHER, EVIDENCE), (MarkRolledBack("m0"), MarkApplied("m1"), Deploy(("m0", "m2")))),
        ((OTHER, UNDECIDED), (MarkRolledBack("m0"),)),
        ((UNDECIDED, OTHER), ()),
        ((replace(ABSENT, obstacles=(OBSTACLE,)),), ()),
    ],
)
def test_what_a_run_would_do_ends_where_a_person_is_needed(
    evidence: tuple[object, ...], effects: tuple[Effect, ...]
) -> None:
    """In the ledger's order; nothing is deployed as long as a migration is left to a person."""
    questions = [ClassifyFacts(each) for each in evidence]  # type: ignore[arg-type]
    history = History((), ("m0", "m1"), ("m2",))
    assert would_run(questions, history) == effects


@pytest.mark.parametrize(
    ("evidence", "code"), [((EVIDENCE, UNDECIDED, ABSENT), "classify.undecidable"), ((EVIDENCE,), "")]
)
def test_where_a_run_would_stop(evidence: tuple[Evidence, ...], code: str) -> None:
    """At the first migration that is left to a person, with what that person is to do; nowhere if there is none."""
    refusal = would_stop([ClassifyFacts(each) for each in evidence])
    assert (refusal.code if refusal else "") == code


@pytest.mark.parametrize(
    ("identity", "failed", "code"),
    [(HELD, False, Exit.READY), (HELD, True, Exit.BLOCKED), (REFUSED, True, Exit.PREFLIGHT)],
)
def test_another_database_says_nothing_of_this_one(identity: Check, *, failed: bool, code: Exit) -> None:
    """A refused identity comes before everything that was seen there."""
    other = Check("git.clean", Outcome.REFUSED, "not committed", "git")
    assert look_exit((other, identity), failed=failed) is code


def test_of_what_finished_in_another_attempt_only_the_dead_one_is_withdrawn() -> None:
    """Nothing is run again, whatever else is pending."""
    withdrawn = ClassifyFacts(replace(EVIDENCE, decision=Decision.MARK_ROLLED_BACK))
    assert would_run([withdrawn], History(("m1",), ("m1",), ())) == (MarkRolledBack("m1"),)
    assert would_run([withdrawn], History(("m1",), ("m1",), ("m2",)))[1:] == (Deploy(("m2",)),)


def test_nothing_is_deployed_where_nothing_is_pending() -> None:
    """What is marked applied is no longer pending."""
    assert would_run([ClassifyFacts(EVIDENCE)], History((), ("m1",), ())) == (MarkApplied("m1"),)
