"""Waits out what passes by itself (exit codes 5 and 6) within the process, so that no caller needs a loop."""

import re
import time
from collections.abc import Callable

from recovery import events
from recovery.errors import RecoveryError, UsageError
from recovery.run.ports import Ended
from states.answers import Refusal
from states.exit_codes import PASSING

_TIME = re.compile(r"(\d+)(s|m|h)?")
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}
#: Seconds before the second attempt; before each further one twice as long, up to the longest.
_PAUSE, _LONGEST = 1.0, 10.0
#: Seconds between two lines that say the same.
_SAID_AGAIN = 60.0
_LAST_WORDS = (events.Refused, events.RunEnded)
#: Once one of these has happened, an attempt is worth telling, however it ends.
_WORTH_TELLING = (events.EffectEnded, events.RestorePointMade, events.StepStarted)
#: Takes an event, and when it happened, by the clock.
Emit = Callable[[events.Event, float], None]


def seconds_of(text: str) -> float:
    """The seconds of such a time.

    Raises:
        UsageError: `usage.wait`.
    """
    if (found := _TIME.fullmatch(text)) is None:
        raise UsageError(
            "usage.wait",
            f"--wait={text} is not a time. Nothing was done.",
            "Give one as 90s, 10m or 2h; or --wait alone.",
        )
    return float(int(found[1]) * _SECONDS[found[2]])


class Waiting:
    """Makes attempts until one ends otherwise than busy or unreachable, or the time is over."""

    def __init__(
        self,
        limit: float,
        emit: Emit,
        *,
        quiet: bool = False,
        asking: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begins nothing.

        Args:
            limit: seconds after which no further attempt is made.
            emit: takes the attempts' events, and one now and then that says what is waited for.
            quiet: show nothing of the first attempt either, if it does nothing and is tried again.
            asking: somebody can be asked for consent, and has to see what is proposed.
            clock: seconds, monotonic.
            sleep: waits for a number of seconds.
        """
        self._limit = limit
        self._emit = emit
        self._quiet = quiet
        self._asking = asking
        self._clock = clock
        self._sleep = sleep
        self._said: tuple[str, float] | None = None
        self._pause = _PAUSE

    def __call__(self, attempt: Callable[[events.Sink], Ended]) -> Ended:
        """Makes attempts; how the last one ended.

        Args:
            attempt: makes one, which passes its events on to the sink that it gets.

        Raises:
            RecoveryError: the last attempt could not begin.
        """
        began = self._clock()
        while True:
            shown = _Shown(self._emit, self._clock, quiet=self._quiet, asking=self._asking)
            try:
                ended = attempt(shown)
                refusal = ended.refusal
            except RecoveryError as error:
                if not self._tried_again(error.refusal(), self._clock() - began):
                    shown.all()
                    raise
                continue
            except BaseException:
                shown.all()
                raise
            if refusal is None or not self._tried_again(refusal, self._clock() - began):
                shown.all()
                return ended

    def _tried_again(self, refusal: Refusal, waited: float) -> bool:
        """Whether there is another attempt; if so, waits for its time."""
        left = self._limit - waited
        if refusal.exit not in PASSING or left <= 0:
            return False
        if self._said is None or self._said[0] != refusal.code or waited - self._said[1] >= _SAID_AGAIN:
            self._said = refusal.code, waited
            self._emit(events.RunWaits(refusal.code, refusal.fact, waited, left), self._clock())
        self._quiet = True
        self._sleep(min(self._pause, left))
        self._pause = min(self._pause * 2, _LONGEST)
        return True


class _Shown:
    """A sink that keeps back what matters only if there is no further attempt.

    That is how an attempt ended, and of a quiet one all of it, unless it does something or somebody is to be asked.
    """

    def __init__(self, emit: Emit, clock: Callable[[], float], *, quiet: bool, asking: bool) -> None:
        self._emit = emit
        self._clock = clock
        self._quiet = quiet
        self._telling = (*_WORTH_TELLING, events.EffectProposed) if asking else _WORTH_TELLING
        self._kept: list[tuple[events.Event, float]] = []

    def __call__(self, event: events.Event) -> None:
        """Passes an event on, or keeps it."""
        progress = isinstance(event, events.Progressed)
        at_work = isinstance(event, events.Progressed) and event.task is events.Task.COMMAND
        if at_work or isinstance(event, self._telling):
            self._quiet = False
        if self._quiet and progress:
            return
        self._kept.append((event, self._clock()))
        if not self._quiet and not isinstance(event, _LAST_WORDS):
            self.all()

    def all(self) -> None:
        """Passes on what was kept."""
        kept, self._kept = self._kept, []
        for event, at in kept:
            self._emit(event, at)
