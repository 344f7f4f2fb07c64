"""PIPELINE_READY by example: when the gate is open, and which step may be run."""

from dataclasses import replace

import pytest

from states.answers import Refusal
from states.exit_codes import Exit
from states.pipeline import (
    GateFacts,
    RunOnceFacts,
    StepFacts,
    Turn,
    ended,
    gate,
    known,
    may_begin,
    turn,
    unfinished,
)
from states.table import State

ONCE = StepFacts("promote", idempotent=False)
TWICE = StepFacts("intake", idempotent=True)
ALONE = RunOnceFacts(("promote",), "journal.sqlite3", shared=False)
SHARED = RunOnceFacts(("promote",), "the target", shared=True, file="journal.sqlite3")

#: Each way in which a step may not be run.
REFUSALS = (
    gate(GateFacts(None)),
    gate(GateFacts(State.PIPELINE_READY, ("m2",))),
    turn(replace(ONCE, stopping=True)),
    turn(replace(ONCE, begun=True)),
    ended("promote", 1),
    may_begin(ALONE),
    may_begin(replace(SHARED, begun_in_file="promote")),
)


@pytest.mark.parametrize("state", [None, *(state for state in State if state is not State.PIPELINE_READY)])
def test_the_gate_is_closed_before_pipeline_ready(state: State | None) -> None:
    """No step is run where no recovery is through, and the refusal says where it stands."""
    refusal = gate(GateFacts(state))
    assert refusal is not None
    assert (refusal.code, refusal.exit) == ("pipeline.not_ready", Exit.BLOCKED)
    assert (state or "no recovery") in refusal.fact
    assert [command.line for command in refusal.commands] == ["prisma-recovery run"]


def test_the_gate_closes_again_when_the_history_changes() -> None:
    """A migration that is failed or pending now was not part of what was proven."""
    refusal = gate(GateFacts(State.PIPELINE_READY, ("m2", "m3")))
    assert refusal is not None
    assert refusal.code == "pipeline.history_changed"
    assert "m2 is failed or pending now" in refusal.fact
    assert gate(GateFacts(State.PIPELINE_READY)) is None


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (ONCE, Turn.RUN),
        (TWICE, Turn.RUN),
        (replace(ONCE, begun=True, exit_code=0), Turn.DONE),
        (replace(TWICE, begun=True, exit_code=0), Turn.DONE),
        (replace(TWICE, begun=True), Turn.RUN),
        (replace(TWICE, begun=True, exit_code=1), Turn.RUN),
        (replace(ONCE, begun=True), "pipeline.in_doubt"),
        (replace(ONCE, begun=True, exit_code=1), "pipeline.in_doubt"),
        (replace(ONCE, stopping=True), "pipeline.stopped"),
        (replace(TWICE, begun=True, exit_code=0, stopping=True), "pipeline.stopped"),
    ],
)
def test_a_step_gets_its_turn(step: StepFacts, answer: Turn | str) -> None:
    """What succeeded is passed over; what may run twice is run; what is in doubt is a person's."""
    found = turn(step)
    assert (found.code if isinstance(found, Refusal) else found) == answer


def test_a_step_that_failed_stops_the_pipeline() -> None:
    """The steps after it are not run, and a person says whether it is repeated or done."""
    assert ended("intake", 0) is None
    refusal = ended("intake", 3)
    assert refusal is not None
    assert (refusal.code, "exit code 3" in refusal.fact) == ("pipeline.failed", True)
    assert [command.line for command in refusal.commands] == [
        "prisma-recovery pipeline --repeat intake",
        "prisma-recovery pipeline --done intake",
    ]


def test_a_step_that_must_run_once_was_begun_whichever_run_began_it() -> None:
    """An idempotent one is known only from this run: in a new run it is run anew."""
    ever, here = {"once": 0, "twice": 0, "old": 0}, {"twice": None}
    assert known({"once": False, "twice": True, "new": False}, ever, here) == {"once": 0, "twice": None}
    assert known({"twice": True}, ever, {}) == {}


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (ALONE, "pipeline.needs_shared_journal"),
        (replace(ALONE, agreed=True), ""),
        (SHARED, ""),
        (replace(SHARED, begun_in_file="promote"), "pipeline.other_journal"),
    ],
)
def test_a_step_that_must_run_once_is_begun_only_where_it_is_known_that_nobody_ran_it(
    facts: RunOnceFacts, code: str
) -> None:
    """A journal in a file knows one machine; a shared one does not know what this machine ran before (RULES F10)."""
    refusal = may_begin(facts)
    assert (refusal.code if refusal else "") == code
    assert refusal is None or "No step was run." in refusal.fact


@pytest.mark.parametrize(
    ("asked_for", "outcomes", "left"),
    [
        (True, [0, None], True),
        (True, [0, 1], True),
        (True, [0, 0], False),
        (True, [], False),
        (False, [None], False),
    ],
)
def test_an_unfinished_pipeline_is_left_to_the_next_run(
    *, asked_for: bool, outcomes: list[int | None], left: bool
) -> None:
    """It was asked for, and some step has not succeeded."""
    assert unfinished(asked_for=asked_for, outcomes=outcomes) is left
