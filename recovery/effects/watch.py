"""Watches a Prisma command at work: which migration it runs, for how long, and which session blocks it.

The watch only reads, with one statement at a time and short time-outs. It opens its connection only if the command
takes longer than one interval. Its reports are shown and decide nothing; if it cannot read, it reports nothing.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any

import psycopg

from recovery import events
from recovery.postgres import ledger
from recovery.postgres.sessions import OUR_NAME, kept_waiting
from recovery.postgres.target import Target

#: Seconds before the first look, and between two looks.
INTERVAL_SECONDS = 1.0
#: Time-outs in milliseconds: a look must not wait long for a lock, since the command itself may have locked the ledger.
_WAITS = "SELECT set_config('lock_timeout', '500', false), set_config('statement_timeout', '5000', false)"


class Watch:
    """Looks at a command from a thread of its own, as long as its `with` block lasts."""

    def __init__(
        self,
        target: Target,
        name: str,
        migrations: Sequence[str],
        emit: events.Sink,
        clock: Callable[[], float] = time.monotonic,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        """Looks at nothing yet.

        Args:
            target: the production database.
            name: application name of the command's session.
            migrations: the migrations that the command is to run, in their order; empty for `migrate resolve`.
            emit: receives the progress seen at each look.
            clock: seconds, monotonic.
            interval: seconds before the first look, and between two looks.
        """
        self._target = target
        self._name = name
        self._migrations = tuple(migrations)
        self._emit = emit
        self._clock = clock
        self._interval = interval
        self._ended = Event()
        self._telling = Lock()
        self._at_work = ""
        self._since = clock()
        # A daemon: a server that does not answer must not keep the process from ending.
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> None:
        """Starts to look; entering it again changes nothing."""
        if self._thread.ident is None:
            self._since = self._clock()
            self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stops; no progress is emitted from now on."""
        with self._telling:
            self._ended.set()

    @property
    def running(self) -> bool:
        """Whether its thread is still at work."""
        return self._thread.is_alive()

    def _run(self) -> None:
        # No error of the watch (a closed terminal, a refusal of the server) may disturb the command.
        with suppress(Exception), ExitStack() as stack:
            connection: psycopg.Connection[Any] | None = None
            while not self._ended.wait(self._interval):
                if connection is None:
                    connection = stack.enter_context(closing(self._target.working(f"{OUR_NAME} watch")))
                    connection.execute(_WAITS)
                with suppress(psycopg.errors.LockNotAvailable):
                    self._tell(self.look(connection))

    def _tell(self, progress: events.Progressed) -> None:
        with self._telling:
            if not self._ended.is_set():
                self._emit(progress)

    def look(self, connection: psycopg.Connection[Any]) -> events.Progressed:
        """The command's progress at this moment."""
        waits_for, blocked_by = kept_waiting(connection, self._name)
        done: int | None = None
        if self._migrations:
            done, at_work = ledger.under_way(connection, self._target.url.schema, self._migrations)
            if at_work != self._at_work:
                self._at_work, self._since = at_work, self._clock()
        return events.Progressed(
            events.Task.COMMAND,
            round(self._clock() - self._since, 1),
            done,
            len(self._migrations) or None,
            self._at_work,
            waits_for,
            blocked_by,
        )
