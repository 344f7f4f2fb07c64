"""A running Prisma command: reading its output, waiting for its end, and ending it."""

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock, Thread
from typing import IO, TypeVar

from recovery.secrets import Redactor

#: How many characters of the output are kept: the last ones, where the error is.
KEPT = 64 * 1024
#: Seconds to wait for the rest of the output once the CLI has ended or its process group was killed.
_GRACE = 5.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    Attributes:
        exit_code: negative if a signal ended the command; None if the time-out did.
        output: the end of its output, redacted.
        seconds: how long it took.
    """

    exit_code: int | None
    output: str
    seconds: float


class Running:
    """A command that was started. A thread of its own reads its output."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        redact: Redactor,
        on_output: Callable[[str], None] | None,
        on_interrupt: Callable[[], None] | None,
    ) -> None:
        self._process = process
        self._redact = redact
        self._on_output = on_output
        self._on_interrupt = on_interrupt
        self._interrupted = False
        self._started = time.monotonic()
        self._lines: deque[str] = deque()
        self._length = 0
        self._lock = Lock()
        # A daemon thread, since an engine that outlives the CLI can hold the pipe open for ever.
        self._reader = Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id of the CLI, which is also the id of its process group."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code; None while the command is running."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> Finished:
        """Waits for the command's end; kills its whole process group after `timeout` seconds. None waits for ever.

        A first KeyboardInterrupt does not end the wait: see `patiently`.

        Raises:
            KeyboardInterrupt: a second one came. The command goes on alone, so its effect has to be observed later.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        timed_out = False
        while True:
            try:
                self._process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
                break
            except subprocess.TimeoutExpired:
                timed_out = True
                deadline = None
                self.kill_group()
            except KeyboardInterrupt:
                self._once()
        seconds = time.monotonic() - self._started
        self._reader.join(_GRACE)
        with self._lock:
            output = "".join(self._lines)[-KEPT:]
        return Finished(None if timed_out else self._process.returncode, output, seconds)

    def patiently(self, work: Callable[[], T]) -> T:
        """Does work that belongs to the wait, and starts it over if the first KeyboardInterrupt cut it off.

        The command runs in a session of its own, so ^C does not reach it; a deploy that is cut off would be the very
        failure that we repair. `on_interrupt` is called, and the recovery may stop once the outcome is recorded
        (RULES F11).

        Raises:
            KeyboardInterrupt: a second one came, here or in `wait`.
        """
        try:
            return work()
        except KeyboardInterrupt:
            self._once()
        return work()

    def _once(self) -> None:
        if self._interrupted:
            raise  # noqa: PLE0704 - called only while a KeyboardInterrupt is handled
        self._interrupted = True
        if self._on_interrupt is not None:
            self._on_interrupt()

    def stop_group(self, *, on: bool) -> None:
        """Halts the CLI and its engine (`on`), or lets them go on."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGSTOP if on else signal.SIGCONT)

    def kill_group(self) -> None:
        """Kills the CLI and its engine, which would otherwise go on writing to the database."""
        if self._process.poll() is not None and not self._reader.is_alive():
            # No process of the group holds the output open any more, and the group's id may soon be reused.
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                redacted = self._redact(line)
                with self._lock:
                    self._lines.append(redacted)
                    self._length += len(redacted)
                    while self._length - len(self._lines[0]) > KEPT:
                        self._length -= len(self._lines.popleft())
                self._show(redacted.rstrip("\n"))

    def _show(self, line: str) -> None:
        if self._on_output is None:
            return
        try:
            self._on_output(line)
        except Exception:  # noqa: BLE001 - whatever it is, a terminal that went away must not stop a deploy
            # Reading must go on, or the CLI would wait for ever on a full pipe.
            self._on_output = None


#: Reads the id of a process group; if the pipe then ends without another line, kills that group.
_WATCHER = 'read -r group || exit 0; read -r word || kill -KILL "-$group"'
#: Writes its own id, which becomes the command's, and closes the pipe before it becomes the command.
_TIED = 'echo $$ >&0 && exec "$@" </dev/null'
_SHELL = "/bin/sh"


class Tether:
    """Ends a command, with all of its process group, when this process dies; until it is let off.

    A process of its own watches a pipe that only this process holds open, so the command ends however we end.
    """

    def __init__(self) -> None:
        """Starts the watcher.

        Raises:
            OSError: there is no shell.
        """
        reading, self.pipe = os.pipe()
        try:
            self._watcher = subprocess.Popen(
                [_SHELL, "-c", _WATCHER],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(self.pipe)
            raise
        finally:
            os.close(reading)
        self._let_off = False

    @staticmethod
    def tied(argv: Sequence[str]) -> tuple[str, ...]:
        """The command line that is to be started, with `pipe` as its standard input, in a session of its own."""
        return (_SHELL, "-c", _TIED, _SHELL, *argv)

    def let_off(self) -> None:
        """From now on the command lives on if this process dies. Of a command that has ended, the watcher ends."""
        if self._let_off:
            return
        self._let_off = True
        with contextlib.suppress(OSError):
            # A first line too, in case that the command never wrote its own.
            os.write(self.pipe, b"\n\n")
        os.close(self.pipe)
        self._watcher.wait()
