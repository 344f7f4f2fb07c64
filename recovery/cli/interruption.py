"""Signals and closed outputs: they end a command with exit code 130, and never with a stack trace.

Handlers are installed before anything else is loaded. While a command is at work, a signal raises KeyboardInterrupt in
the main thread, so that everything is closed and what was begun is told; before and after that, it ends the process.
Output that nobody takes any more counts as SIGHUP. Only the command line does this: a program that embeds the recovery
keeps its own handlers.
"""

import atexit
import contextlib
import io
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: The exit code of what was interrupted; `states.exit_codes` has it too, and is not loaded yet.
INTERRUPTED = 130
NOTHING_BEGUN = "Interrupted. Nothing was begun."
NOTHING_LOST = "Interrupted. Nothing is lost, and what was done is in the journal."
#: Seconds after which an interrupt is raised again that was raised where Python ignores every exception.
_AGAIN = 0.01


class Interruption:
    """What signals do at the moment.

    Attributes:
        raising: a signal raises KeyboardInterrupt, instead of ending the process.
        begun: a command has begun its work.
        came: a signal that ends the command has come.
    """

    def __init__(self) -> None:
        self.raising = False
        self.begun = False
        self.came = False
        self._hung_up = False
        self._replaced: tuple[TextIO, ...] = ()

    @property
    def told(self) -> str:
        """What is true of a command that ends here, in words."""
        return NOTHING_LOST if self.begun else NOTHING_BEGUN

    def install(self) -> None:
        """Handles signals from now on, and outlasts readers of the output that go away.

        A signal that was being ignored when the process began stays ignored, as `nohup` wants it.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        signal.signal(signal.SIGALRM, self._handle)
        sys.unraisablehook = self._not_ignored
        self._replaced = sys.stdout, sys.stderr  # kept, since a stream that is forgotten closes its descriptor
        sys.stdout, sys.stderr = _lasting(sys.stdout), _lasting(sys.stderr)
        # Registered first, so it is called last: after it Python takes the handlers down before the process has ended.
        atexit.register(signal.pthread_sigmask, signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            # The shell and the kernel may send one each when a terminal is closed: only ^C and SIGTERM count twice.
            if self._hung_up:
                return
            self._hung_up = True
        self.came = True
        if self.raising:
            raise KeyboardInterrupt
        self.leave()

    def leave(self) -> None:
        """Ends the process at once."""
        _say(self.told)
        os._exit(INTERRUPTED)

    def _not_ignored(self, told: Any) -> None:  # noqa: ANN401 - as Python gives it
        """Raises an interrupt again that was raised where Python ignores exceptions, as in a destructor."""
        if isinstance(told.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        else:
            sys.__unraisablehook__(told)

    def caused(self, error: BaseException | None) -> bool:
        """Whether an exception is what became of an interrupt: Python itself wraps one that is raised in an import."""
        while error is not None:
            if isinstance(error, KeyboardInterrupt):
                return True
            error = error.__cause__ or error.__context__
        return False


class _Lasting(io.FileIO):
    """An output that drops what nobody takes any more, and takes that as SIGHUP, once."""

    _lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes, or drops the data if its reader is gone, the terminal is closed, or the disk is full."""
        try:
            return super().write(data) or 0
        except OSError:
            if not self._lost:
                self._lost = True
                signal.raise_signal(signal.SIGHUP)
            return len(memoryview(data).cast("B"))


def _lasting(stream: TextIO) -> TextIO:
    """The same output, as one that outlasts its reader."""
    if stream is None or not isinstance(stream, io.TextIOWrapper):  # closed from the beginning, or replaced by a test
        return stream
    stream.flush()
    buffer = io.BufferedWriter(cast("io.RawIOBase", _Lasting(stream.fileno(), "w", closefd=False)))
    return io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{line}\n".encode())


#: The process has one.
interruption = Interruption()
