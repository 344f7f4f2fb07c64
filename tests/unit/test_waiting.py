"""`run --wait`: what passes by itself is waited out, with a line now and then; all else is not."""

import json
import time

import pytest

from recovery import events
from recovery.cli.output import Output
from recovery.cli.waiting import Waiting, seconds_of
from recovery.errors import BusyError, PreflightError, RecoveryError, UsageError
from recovery.run.ports import Ended
from states.answers import Refusal
from states.exit_codes import Exit
from states.table import State

BUSY = BusyError("lock.recovery", "Another recovery is at work.", "Wait.")
READY = Ended("r", State.PIPELINE_READY, Exit.READY, None)
ENTERED = events.StateEntered(State.INSPECT, "every check holds")
CHECKS = events.ChecksMade(())
OVER = events.RunEnded("r", State.PIPELINE_READY, 0)


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def blocked(exit_code: Exit) -> Ended:
    refusal = Refusal("preflight.deploy.lock", "Prisma's migration lock is held.", "Wait.", exit_code)
    return Ended("r", State.BLOCKED, exit_code, refusal)


def waited(limit: float, *ends: RecoveryError | Ended, quiet: bool = False) -> tuple[list[events.Event], float]:
    """What was shown, and for how long it waited, if the attempts end like this and are all made."""
    clock, shown, left = Clock(), list[events.Event](), iter(ends)

    def show(event: events.Event, at: float) -> None:
        assert at <= clock.now
        shown.append(event)

    def attempt(emit: events.Sink) -> Ended:
        end = next(left)
        if isinstance(end, RecoveryError):
            raise end
        for event in (CHECKS, *((events.Refused(State.PREFLIGHT, end.refusal),) if end.refusal else (ENTERED,)), OVER):
            emit(event)
        return end

    waiting = Waiting(limit, show, quiet=quiet, clock=clock, sleep=clock.sleep)
    if isinstance(ends[-1], RecoveryError):
        with pytest.raises(RecoveryError) as caught:
            waiting(attempt)
        assert caught.value is ends[-1]
    else:
        assert waiting(attempt) is ends[-1]
    assert next(left, None) is None
    return shown, clock.now


@pytest.mark.parametrize("first", [BUSY, blocked(Exit.BUSY), blocked(Exit.UNREACHABLE)])
def test_what_passes_is_tried_again(first: RecoveryError | Ended) -> None:
    """A second later; of the first attempt the end is not shown, since it is none."""
    shown, seconds = waited(600, first, READY)
    assert seconds == 1.0
    (line,) = (event for event in shown if isinstance(event, events.RunWaits))
    assert (line.waited, line.left) == (0, 600)
    assert not [event for event in shown if isinstance(event, events.Refused)]
    assert shown[-2:] == [ENTERED, OVER]


@pytest.mark.parametrize("code", [code for code in Exit if code not in (Exit.READY, Exit.BUSY, Exit.UNREACHABLE)])
def test_nothing_else_is_waited_for(code: Exit) -> None:
    """What a person must do something about ends the first attempt, and all of it is shown."""
    shown, seconds = waited(600, blocked(code))
    assert seconds == 0
    assert [type(event) for event in shown] == [events.ChecksMade, events.Refused, events.RunEnded]


def test_an_error_that_does_not_pass_is_raised() -> None:
    """Before an attempt could begin, too."""
    waited(600, BUSY, PreflightError("prisma.version_8", "Prisma 8.", "Use its own means."))


def test_without_a_time_nothing_is_waited_for() -> None:
    """`run` without `--wait` makes one attempt."""
    assert waited(0, BUSY) == ([], 0)
    assert [type(event) for event in waited(0, blocked(Exit.BUSY))[0]][-1] is events.RunEnded


def test_a_line_comes_now_and_then() -> None:
    """The time is kept, the last attempt's end is the run's, and the same is said once a minute only."""
    attempts = [BUSY] * 22
    shown, seconds = waited(180, *attempts)
    assert seconds == 180
    assert [event.waited for event in shown if isinstance(event, events.RunWaits)] == [0, 65, 125]


def test_what_a_further_attempt_did_not_do_is_not_told() -> None:
    """So a log does not fill with the same checks and verdicts; the last attempt is shown whole."""
    shown, _ = waited(600, blocked(Exit.BUSY), blocked(Exit.BUSY), READY)
    assert [event for event in shown if not isinstance(event, events.RunWaits)] == [CHECKS, CHECKS, ENTERED, OVER]
    shown, _ = waited(600, blocked(Exit.BUSY), READY, quiet=True)
    assert [event for event in shown if not isinstance(event, events.RunWaits)] == [CHECKS, ENTERED, OVER]


PROPOSED = events.EffectProposed("deploy", "prisma migrate deploy", "", "")


@pytest.mark.parametrize(
    ("happens", "asking", "told"),
    [
        (events.Progressed(events.Task.REPLAY, 1.0), False, False),
        (events.Progressed(events.Task.COMMAND, 1.0), False, True),
        (PROPOSED, False, False),
        (PROPOSED, True, True),
        (events.StepStarted("intake", "npm run intake"), False, True),
    ],
)
def test_what_it_does_is_told_as_it_happens(happens: events.Event, *, asking: bool, told: bool) -> None:
    """Once a command is at work, or somebody has to be asked, an attempt is told with all that led there."""
    shown: list[events.Event] = []
    ends = iter((BUSY,))
    seen: list[bool] = []

    def attempt(emit: events.Sink) -> Ended:
        for first in ends:
            raise first
        emit(CHECKS)
        emit(happens)
        seen.append(CHECKS in shown)
        return READY

    Waiting(600, lambda event, _: shown.append(event), asking=asking, clock=Clock(), sleep=lambda _: None)(attempt)
    assert seen == [told]


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("0", 0)])
def test_a_time_is_read(text: str, seconds: float) -> None:
    """In seconds, minutes or hours."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1d", "-5", "1.5h", "10 m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """And nothing is done."""
    with pytest.raises(UsageError) as caught:
        seconds_of(text)
    assert caught.value.code == "usage.wait"


def test_what_is_told_late_has_the_time_at_which_it_happened(capsys: pytest.CaptureFixture[str]) -> None:
    """A further attempt that is told at its end, or when its command is at work, took as long as it took."""
    output = Output("run", as_json=True)
    began = time.monotonic()
    output.emit_at(events.RunWaits("lock.recovery", "Another recovery is at work.", 0, 600), began)
    output.emit_at(events.RunStarted("r", "db", "the URL", resumed=False), began + 10)
    output.emit_at(CHECKS, began + 11)
    output.emit_at(ENTERED, began + 12.5)
    output.end(0)
    (left,) = json.loads(capsys.readouterr().out)["path"]
    assert (left["state"], left["seconds"]) == ("PREFLIGHT", 2.5)
