"""A slow start of Prisma is told apart from another session in the queue (RULES F1, F12)."""

from dataclasses import replace

import pytest

from states.answers import Refusal
from states.exit_codes import Exit
from states.handover import START_SECONDS, QueueFacts, queue, start_limit

OURS = "prisma-recovery effect 1"
STARTING = QueueFacts(OURS, (), started=5.0, connected=None, limit=START_SECONDS)

#: Each way in which a command that was started is ended.
SLOW_OR_BUSY = (queue(replace(STARTING, waiting=("rival",))), queue(replace(STARTING, started=START_SECONDS + 1)))


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        (STARTING, False),
        (replace(STARTING, started=START_SECONDS - 1), False),
        (replace(STARTING, waiting=(OURS,)), True),
        (replace(STARTING, started=2 * START_SECONDS, waiting=(OURS,)), True),
        (replace(STARTING, waiting=("rival",)), "lock.queue"),
        (replace(STARTING, waiting=("rival", OURS)), "lock.queue"),
        (replace(STARTING, started=START_SECONDS + 1), "prisma.too_slow"),
        # It took long to connect; from there it has its time anew.
        (replace(STARTING, started=2 * START_SECONDS, connected=1.0), False),
        (replace(STARTING, started=2 * START_SECONDS, connected=START_SECONDS + 1), "prisma.too_slow"),
    ],
)
def test_a_command_gets_its_turn(facts: QueueFacts, answer: bool | str) -> None:  # noqa: FBT001
    """First in the queue, it gets the lock, however long its start took; another session before it ends it."""
    found = queue(facts)
    assert (found.code if isinstance(found, Refusal) else found) == answer


def test_slow_is_not_busy() -> None:
    """Another session is a matter of time, so the caller may try later; a command that never starts is not."""
    assert [refusal.exit for refusal in SLOW_OR_BUSY if isinstance(refusal, Refusal)] == [Exit.BUSY, Exit.FAILURE]


@pytest.mark.parametrize(
    ("measured", "setting", "limit"),
    [
        (0.0, None, START_SECONDS),
        (1.0, None, START_SECONDS),
        (30.0, None, 300.0),
        (30.0, 20.0, 20.0),
        (0.0, 600.0, 600.0),
    ],
)
def test_how_long_a_start_may_take_follows_from_the_last(measured: float, setting: float | None, limit: float) -> None:
    """Ten times as long, and never less than the floor, unless the settings say otherwise."""
    assert start_limit(measured, setting) == limit
