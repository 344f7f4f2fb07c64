"""Shows the progress of work that lasts: by an animated line in a terminal, by occasional lines in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from recovery import events
from recovery.events import Progressed, Task
from recovery.report.words import duration

#: Seconds until progress is first written to a log, and the longest interval between two such lines.
FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0
#: Seconds until the animated line appears; shorter work shows none.
PATIENCE_SECONDS = 0.5
#: Seconds below which an estimate is told in seconds.
_MINUTE = 60
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_A_SECOND = 8


class Pace:
    """Decides when progress is due in a log: after ten seconds, then at growing intervals."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts the first interval; `clock` gives monotonic seconds."""
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Starts over, because other work has begun."""
        self._wait = FIRST_SECONDS
        self._next = self._clock() + self._wait

    def due(self) -> bool:
        """Whether progress is due; if so, starts the next interval."""
        now = self._clock()
        if now < self._next:
            return False
        self._wait = min(self._wait * 2, LONGEST_SECONDS)
        self._next = now + self._wait
        return True


def moves(console: Console) -> bool:
    """Whether lines on this console can be rewritten: on a terminal, unless it declares itself dumb."""
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()


class Activity:
    """Shows on a console the work that is going on."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic, *, live: bool = True) -> None:
        """Shows nothing yet.

        Args:
            console: where to show it.
            clock: seconds, monotonic.
            live: whether a line may be animated; false if something else writes to the same terminal.
        """
        self._console = console
        self._clock = clock
        self._moves = live and moves(console)
        self._pace = Pace(clock)
        self._lock = RLock()  # progress is emitted by other threads
        self._live: Live | None = None
        self._paused = False
        self._what = ""
        self._since = 0.0
        self._progress: Progressed | None = None

    def begin(self, what: str) -> None:
        """Shows that this work has begun; `what` names it."""
        with self._lock:
            self._what, self._since, self._progress = what, self._clock(), None
            self._pace.begin()
            self._show()

    def told(self, progress: Progressed) -> None:
        """Shows new progress."""
        with self._lock:
            if self._paused:
                return
            # While a command is at work, the next replay runs beside it; the command matters more to the reader.
            if self._progress is not None and self._progress.task is Task.COMMAND and progress.task is Task.REPLAY:
                return
            if self._progress is not None and self._progress.task is Task.MARKS and progress.task is not Task.MARKS:
                progress = self._of_marks(self._progress, progress)
            self._progress = progress
            if self._moves:
                self._show()
            elif self._pace.due():
                line = f"  … {self._what} {_roughly(self._clock() - self._since)}: {'; '.join(described(progress))}"
                self._console.print(Text(line, style="dim"), soft_wrap=True)

    @staticmethod
    def _of_marks(marks: Progressed, progress: Progressed) -> Progressed:
        """How many are marked matters more than how far the one command is, but not than who blocks it."""
        return marks if not progress.blocked_by and not progress.waits_for else progress

    def over(self) -> None:
        """Drops the progress shown so far, since its command or replay has ended; the work itself goes on."""
        with self._lock:
            self._progress = None

    def end(self) -> None:
        """Shows nothing from now on, since the work has ended."""
        with self._lock:
            self._what, self._progress = "", None
            self._hide()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A context in which nothing is animated, for a person who types."""
        with self._lock:
            self._hide()
            self._paused = True
        try:
            yield
        finally:
            with self._lock:
                self._paused = False
                self._since = self._clock()
                self._pace.begin()
                self._show()

    def _show(self) -> None:
        if not self._moves or self._paused or not self._what or self._live is not None:
            return
        self._live = Live(
            get_renderable=self.render,
            console=self._console,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def render(self) -> RenderableType:
        """The animated line at this moment."""
        what, progress, since = self._what, self._progress, self._since
        lasted = self._clock() - since
        if not what or lasted < PATIENCE_SECONDS:
            return Text("")
        frame = _FRAMES[int(self._clock() * _FRAMES_A_SECOND) % len(_FRAMES)]
        lines = described(progress) if progress is not None else []
        first = f"  {frame} {what} {_roughly(lasted)}" + (f" · {lines[0]}" if lines else "")
        more = (Padding(Text(line, style="dim"), (0, 0, 0, 4)) for line in lines[1:])
        return Group(Text(first, style="dim", no_wrap=True, overflow="ellipsis"), *more)


def described(progress: Progressed) -> list[str]:
    """Lines on the progress: how far the work is, then what it waits for, then each session that blocks it."""
    count = "" if progress.total is None else f"{progress.done} of {progress.total} "
    match progress.task:
        case Task.REPLAY:
            first = f"replaying the history: {count}migrations"
        case Task.LOCK:
            first = f"waiting for Prisma's migration lock for {_roughly(progress.seconds)}"
        case Task.START:
            first = f"Prisma has been starting for {_roughly(progress.seconds)}"
        case Task.COMMAND:
            first = f"{count}deployed" if count else "Prisma at work"
        case Task.MARKS:
            left = "" if progress.left is None else f", about {_roughly(progress.left)} left"
            first = f"{count}marked{left}"
    at_work = progress.migration if progress.task is Task.COMMAND else ""
    named = [f"{at_work} for {_roughly(progress.seconds)}"] if at_work else []
    waits = [f"waits for {progress.waits_for}"] if progress.waits_for else []
    word = "held by" if progress.task is Task.LOCK else "blocked by"
    return [first, *named, *waits, *(f"{word} {session}" for session in progress.blocked_by)]


def _roughly(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTE else duration(seconds)


def paced(sink: events.Sink, clock: Callable[[], float] = time.monotonic) -> events.Sink:
    """A sink that passes every event on to `sink`, but progress only at growing intervals."""
    pace = Pace(clock)

    def emit(event: events.Event) -> None:
        if not isinstance(event, Progressed):
            pace.begin()
            sink(event)
        elif pace.due():
            sink(event)

    return emit
