"""A Prisma command that is running: its output, its end, and ending it."""

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread
from typing import IO

from recovery.secrets import Redactor

#: How much of the output is kept, in characters: its end, where the error is.
KEPT = 64 * 1024
#: Seconds to wait for the rest of the output once the CLI has ended, or its group was told to.
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    Attributes:
        exit_code: negative: the signal that ended it; None: the time-out did.
        output: the end of what it printed, redacted.
        seconds: how long it took.
    """

    exit_code: int | None
    output: str
    seconds: float


class Running:
    """A command that was started. Its output is read by a thread of its own."""

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
        # A daemon: an engine that outlives the CLI can hold the pipe open for ever.
        self._reader = Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the CLI, which is also the id of its process group."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code; None while the command is running."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> Finished:
        """Wait for the end; after `timeout` seconds, end the whole process group. None waits for ever.

        A first KeyboardInterrupt does not end the wait: see `patiently`.

        Raises:
            KeyboardInterrupt: a second one came. The command goes on by itself; what it does has to be observed.
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

    def patiently(self, work: Callable[[], None]) -> None:
        """Does what belongs to the wait, and does it again where the first KeyboardInterrupt cut it off.

        The command runs in a session of its own, so ^C did not reach it, and a deploy that is cut off is the very
        failure that is repaired here. Whoever listens is told, and may stop once the outcome is recorded (RULES F11).

        Raises:
            KeyboardInterrupt: a second one came, here or in `wait`.
        """
        try:
            work()
        except KeyboardInterrupt:
            self._once()
            work()

    def _once(self) -> None:
        if self._interrupted:
            raise  # noqa: PLE0704 - called where one is being handled
        self._interrupted = True
        if self._on_interrupt is not None:
            self._on_interrupt()

    def kill_group(self) -> None:
        """End the CLI and its engine, which would go on writing to the database without it."""
        if self._process.poll() is not None and not self._reader.is_alive():
            # Nobody of the group holds its output any more; its id may soon be another's.
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
            # Were reading to end here, the CLI would wait for ever on a full pipe.
            self._on_output = None
