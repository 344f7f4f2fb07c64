"""What a run's events say together."""

import pytest

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, record_of
from states.effects import Repair
from states.facts import Answers
from states.plans import Way

NAME, OTHER = "20260101_a", "20260102_b"
EFFECT = Repair(NAME, Way.COMPLETE, "sha256:plan")
INTENT = (Kind.INTENDED, {"effect": EFFECT.id, "plan": EFFECT.plan, "statements": ["UPDATE t SET a = 1"]})
FAILED = (Kind.OBSERVED, {"effect": EFFECT.id, "exit_code": 1, "shown": False})


def told(migration: str) -> tuple[Kind, dict[str, object]]:
    """A person says that statement 2 of a migration did not run."""
    return Kind.APPROVED, {"migration": migration, "evidence": "sha256:1", "statements": {"2": False}, "reason": "x"}


@pytest.mark.parametrize("ended", [(), (FAILED,)], ids=["killed", "failed"])
def test_answers_end_where_a_plan_begins_to_make_them_false(ended: tuple[tuple[Kind, dict[str, object]], ...]) -> None:
    """The plan may have run the statement before it was cut off, and it must not run a second time."""
    story = [told(NAME), told(OTHER), INTENT, *ended]
    events = [
        JournalEvent("r", seq, "2026-01-01T00:00:00Z", kind, "RESOLVE", of) for seq, (kind, of) in enumerate(story, 1)
    ]
    assert record_of(events[:2]).answers[NAME] == Answers("sha256:1", {2: False})
    assert record_of(events).answers == {OTHER: Answers("sha256:1", {2: False})}


BUSY = (Kind.OBSERVED, {"effect": EFFECT.id, "shown": False, "unchanged": "other sessions kept it from a lock"})
FOUND_UNDONE = (Kind.FOUND, {"effect": EFFECT.id, "shown": False, "undone": True})
UNDONE = (Kind.OBSERVED, {"effect": EFFECT.id, "exit_code": 1, "shown": False, "undone": True})


@pytest.mark.parametrize("ended", [BUSY, UNDONE, FOUND_UNDONE], ids=["busy", "one transaction", "killed"])
def test_answers_count_again_where_nothing_of_a_plan_was_done(ended: tuple[Kind, dict[str, object]]) -> None:
    """Nobody is asked twice for what is as true as before; that it is, their digest shows. A newer word goes before."""
    story = [told(NAME), INTENT, ended]
    events = [
        JournalEvent("r", seq, "2026-01-01T00:00:00Z", kind, "RESOLVE", of) for seq, (kind, of) in enumerate(story, 1)
    ]
    assert record_of(events).answers == {NAME: Answers("sha256:1", {2: False})}
    newer = JournalEvent(
        "r", 3, "2026-01-01T00:00:00Z", Kind.APPROVED, "RESOLVE", {**told(NAME)[1], "statements": {"2": True}}
    )
    assert record_of([*events[:2], newer, events[2]]).answers == {NAME: Answers("sha256:1", {2: True})}
