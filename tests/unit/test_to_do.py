"""What is said to be done next is true, and comes with the command that does it."""

from typing import Any

import pytest

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind
from recovery.report.run_status import standing
from states.table import State

STEPS = ["seed:1", "promote:2"]


def status(*events: tuple[str, dict[str, Any]]) -> tuple[str, list[str]]:
    """The sentence and the commands of a run whose gate is open, after these further events."""
    ready = {"from": State.VERIFY, "to": State.PIPELINE_READY, "because": "all is proven"}
    given = [(Kind.STARTED, {}), (Kind.MOVED, ready), *events]
    time = "2026-01-01T00:00:00+00:00"
    told = [JournalEvent("r", at, time, kind, State.VERIFY, payload) for at, (kind, payload) in enumerate(given, 1)]
    found = standing("1/d/public", "r", told)
    return found.next, [command.line for command in found.commands]


REQUESTED = (Kind.PIPELINE, {"steps": STEPS})
BEGUN = (Kind.STEP_INTENDED, {"step": "seed:1", "name": "seed"})


def ended(code: int) -> tuple[str, dict[str, Any]]:
    """That the first step ended so."""
    return Kind.STEP_OBSERVED, {"step": "seed:1", "exit_code": code}


@pytest.mark.parametrize("events", [(REQUESTED, BEGUN), (REQUESTED, BEGUN, ended(1))])
def test_a_step_that_did_not_succeed(events: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    """Only a person can tell whether it did its work, so both ways of saying that are the commands."""
    sentence, commands = status(*events)
    ways = ["prisma-recovery pipeline --repeat seed", "prisma-recovery pipeline --done seed"]
    assert commands == ways
    assert all(way in sentence for way in ways)


@pytest.mark.parametrize("events", [(REQUESTED,), (REQUESTED, BEGUN, ended(0))])
def test_a_step_that_was_not_begun(events: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    """Something is left to do, and it is named."""
    sentence, commands = status(*events)
    assert "Nothing" not in sentence
    assert ("seed" if len(events) == 1 else "promote") in sentence
    assert commands == ["prisma-recovery pipeline"]


def test_a_step_that_is_not_configured_any_more() -> None:
    """Nobody can run it, so it is not asked for."""
    sentence, commands = status(REQUESTED, BEGUN, (Kind.PIPELINE, {"steps": ["promote:2"]}))
    assert "seed" not in sentence
    assert commands == ["prisma-recovery pipeline"]


def test_an_open_gate_without_a_pipeline() -> None:
    """Then there is nothing to do, and no command either."""
    assert status() == ("Nothing: the gate is open.", [])


def test_a_recovery_that_was_given_up() -> None:
    """The command that starts a new one stands below what says so."""
    sentence, commands = status((Kind.MOVED, {"from": State.BLOCKED, "to": State.ABORTED, "because": "I did"}))
    assert "Nothing" not in sentence
    assert commands == ["prisma-recovery run"]
