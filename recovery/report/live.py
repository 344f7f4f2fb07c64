"""What lasts: a line that moves in a terminal, a line now and then in a log."""

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

#: Seconds until something that lasts is first told in a log, and at most between two times.
FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0
#: Seconds until a line that moves appears; what is over by then needs none.
PATIENCE_SECONDS = 0.5
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_A_SECOND = 8


class Pace:
    """When to tell what lasts: after ten seconds, then less and less often."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins now; `clock` gives seconds."""
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Something else lasts now."""
        self._wait = FIRST_SECONDS
        self._next = self._clock() + self._wait

    def due(self) -> bool:
        """It is time to tell; asking again at once says no."""
        now = self._clock()
        if now < self._next:
            return False
        self._wait = min(self._wait * 2, LONGEST_SECONDS)
        self._next = now + self._wait
        return True


def moves(console: Console) -> bool:
    """Lines can be rewritten there: a real terminal, and not one that calls itself dumb."""
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()


class Activity:
    """What is going on right now, on a console."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic, *, live: bool = True) -> None:
        """Shows nothing yet. With `live` unset, no line moves: something else writes to the same terminal."""
        self._console = console
        self._clock = clock
        self._moves = live and moves(console)
        self._pace = Pace(clock)
        self._lock = RLock()  # progress is told by other threads
        self._live: Live | None = None
        self._paused = False
        self._what = ""
        self._since = 0.0
        self._progress: Progressed | None = None

    def begin(self, what: str) -> None:
        """This goes on from now on."""
        with self._lock:
            self._what, self._since, self._progress = what, self._clock(), None
            self._pace.begin()
            self._show()

    def told(self, progress: Progressed) -> None:
        """How far it is."""
        with self._lock:
            if self._paused:
                return
            # While a command is at work the next replay goes on beside it, and is of less interest.
            if self._progress is not None and self._progress.task is Task.COMMAND and progress.task is Task.REPLAY:
                return
            self._progress = progress
            if self._moves:
                self._show()
            elif self._pace.due():
                line = f"  … {self._what} {self._clock() - self._since:.0f} s: {'; '.join(described(progress))}"
                self._console.print(Text(line, style="dim"), soft_wrap=True)

    def over(self) -> None:
        """What was at work has ended; what goes on is still the same."""
        with self._lock:
            self._progress = None

    def end(self) -> None:
        """Nothing goes on any more."""
        with self._lock:
            self._what, self._progress = "", None
            self._hide()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing moves while a person types."""
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
        """The line as it is at this moment."""
        what, progress, since = self._what, self._progress, self._since
        lasted = self._clock() - since
        if not what or lasted < PATIENCE_SECONDS:
            return Text("")
        frame = _FRAMES[int(self._clock() * _FRAMES_A_SECOND) % len(_FRAMES)]
        lines = described(progress) if progress is not None else []
        first = f"  {frame} {what} {lasted:.0f} s" + (f" · {lines[0]}" if lines else "")
        more = (Padding(Text(line, style="dim"), (0, 0, 0, 4)) for line in lines[1:])
        return Group(Text(first, style="dim", no_wrap=True, overflow="ellipsis"), *more)


def described(progress: Progressed) -> list[str]:
    """How far something is, in a line; who keeps it waiting, in a line each."""
    count = "" if progress.total is None else f"{progress.done} of {progress.total} "
    match progress.task:
        case Task.REPLAY:
            first = f"replaying the history: {count}migrations"
        case Task.LOCK:
            first = f"waiting for Prisma's migration lock for {progress.seconds:.0f} s"
        case Task.COMMAND:
            first = f"{count}deployed" if count else "Prisma at work"
    at_work = progress.migration if progress.task is Task.COMMAND else ""
    named = [f"{at_work} for {progress.seconds:.0f} s"] if at_work else []
    waits = [f"waits for {progress.waits_for}"] if progress.waits_for else []
    word = "held by" if progress.task is Task.LOCK else "blocked by"
    return [first, *named, *waits, *(f"{word} {session}" for session in progress.blocked_by)]


def paced(sink: events.Sink, clock: Callable[[], float] = time.monotonic) -> events.Sink:
    """A sink that passes everything on, and progress only now and then."""
    pace = Pace(clock)

    def emit(event: events.Event) -> None:
        if not isinstance(event, Progressed):
            pace.begin()
            sink(event)
        elif pace.due():
            sink(event)

    return emit
