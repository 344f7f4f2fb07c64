"""Watching a Prisma command that is at work: which migration, for how long, and who keeps it waiting.

It only reads, each look a statement of its own with short waits, on a connection that is opened only where the
command takes its time. What it sees is told and decides nothing; where it can't see, it stays silent.
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

#: Seconds before the first look, and between two.
INTERVAL_SECONDS = 1.0
#: A look waits for nobody: the command may hold the ledger itself.
_WAITS = "SELECT set_config('lock_timeout', '500', false), set_config('statement_timeout', '5000', false)"


class Watch:
    """Looks at a command from a thread of its own, from `with` to its end."""

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
            migrations: those that it is to run, in their order.
            emit: told at each look.
            clock: seconds, monotonic.
            interval: seconds before the first look, and between two.
        """
        self._target = target
        self._name = name
        self._migrations = tuple(migrations)
        self._emit = emit
        self._clock = clock
        self._interval = interval
        self._ended = Event()
        self._telling = Lock()
        self._begun = False
        self._at_work = ""
        self._since = clock()
        # A daemon: a server that does not answer must not keep the process from ending.
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> None:
        """Begins to look; once, however often it is entered."""
        if not self._begun:
            self._begun = True
            self._since = self._clock()
            self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing is told from now on."""
        with self._telling:
            self._ended.set()

    @property
    def running(self) -> bool:
        """It still looks."""
        return self._thread.is_alive()

    def _run(self) -> None:
        # Whatever it is, a terminal that went away or a server that says no: a command must not suffer for it.
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
        """What the command is at, this very moment."""
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
