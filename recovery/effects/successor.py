"""A command that is begun while the one before it runs, and kept from Prisma's lock until we have looked (RULES F13).

Most of a Prisma command's time is its start. So the deploy starts beside the mark that comes before it. In PostgreSQL's
queue for Prisma's lock a request of ours, the barrier, stands between the two: the deploy gets its turn when the mark
was observed, and what follows from that was decided, else it is ended. Whatever goes wrong before that, it is ended,
too, and the deploy is started in its own time.

If this process dies, the deploy must not go on, since nobody has looked. A tether ends it. The barrier's session is
busy for some seconds once it has the lock, so the server does not notice sooner that we are gone, and the lock does not
pass on before the tether has done its work.
"""

import contextlib
import time
from collections.abc import Callable
from threading import Lock, Thread

import psycopg

from recovery.errors import RecoveryError
from recovery.postgres.bounded import BoundedConnection
from recovery.postgres.locks import PRISMA_LOCK, SessionLock, ahead_of, connected, holding
from recovery.postgres.sessions import OUR_NAME
from recovery.postgres.target import Target
from recovery.prisma.cli import PrismaCli
from recovery.prisma.process import Running, Tether
from states.effects import Deploy

BARRIER_NAME = f"{OUR_NAME} barrier"
#: Seconds for which the barrier's session stays busy with the lock. The tether ends a command within milliseconds.
BUSY_SECONDS = 5
#: Seconds within which the barrier must stand in the queue, and have the lock once the command before it has ended.
_BARRIER_SECONDS = 5.0
_POLL = 0.005
#: Later servers look whether the client is still there while a statement runs, if they are told to.
_LOOKS_FOR_ITS_CLIENT = 14_00_00


class Barrier:
    """Our request for Prisma's lock, in a session of its own, behind the command at work."""

    def __init__(self, target: Target) -> None:
        """Connects, and asks for nothing yet."""
        self._target = target
        self._connection = target.working(BARRIER_NAME)
        if isinstance(self._connection, BoundedConnection):
            self._connection.patient = True
        limits = "SET lock_timeout = 0; SET statement_timeout = 0"
        if self._connection.info.server_version >= _LOOKS_FOR_ITS_CLIENT:
            limits += "; SET client_connection_check_interval = 0"
        self._connection.execute(limits.encode())
        self.lock = SessionLock(self._connection, PRISMA_LOCK)
        row = self._connection.execute("SELECT pg_backend_pid()").fetchone()
        self.lock.pid = row[0] if row else 0  # through a proxy, the announced one is another
        self._asking = Thread(target=self._ask, name="barrier", daemon=True)

    def request(self) -> None:
        """Asks for the lock. No other statement of ours waits for a lock (RULES F3)."""
        self._target.barred.add(self.lock.pid)
        self._asking.start()

    def _ask(self) -> None:
        with contextlib.suppress(psycopg.Error):  # whether it has the lock is asked of the server
            self._connection.execute("SELECT pg_advisory_lock(%s), pg_sleep(%s)", (PRISMA_LOCK, BUSY_SECONDS))

    def held(self) -> bool:
        """Whether it has the lock, as another session of ours sees it."""
        return holding(self._target.reading(), PRISMA_LOCK, self.lock.pid)

    def at_rest(self) -> bool:
        """Ends the session's statement; whether it still has the lock then, without being busy any longer."""
        while self._asking.is_alive():
            self._target.reading().execute("SELECT pg_cancel_backend(%s)", (self.lock.pid,))
            self._asking.join(0.1)
        return self.lock.held()

    def give_back(self) -> None:
        """Gives the lock back. Closing the connection does so too, so an error can be ignored."""
        with contextlib.suppress(psycopg.Error):
            self.lock.release()
        self.close()

    def close(self) -> None:
        """Leaves the queue, or gives the lock back."""
        with contextlib.suppress(psycopg.Error, RecoveryError):
            if self._asking.is_alive():
                self._target.reading().execute("SELECT pg_terminate_backend(%s)", (self.lock.pid,))
                self._asking.join(_BARRIER_SECONDS)
        self._connection.close()
        self._target.barred.discard(self.lock.pid)


class Successor:
    """A deploy that was begun, and has not had Prisma's lock.

    Attributes:
        name: application name of its session.
        running: its process.
        began: when it was started, by the monotonic clock.
    """

    def __init__(
        self,
        target: Target,
        cli: PrismaCli,
        effect: Deploy,
        name: str,
        on_output: Callable[[str], None],
        on_interrupt: Callable[[], None],
    ) -> None:
        """Starts it.

        Args:
            target: the production database.
            cli: the project's Prisma CLI.
            effect: the deploy.
            name: application name of its session.
            on_output: called with each line that it prints, once it was let through.
            on_interrupt: called at each ^C while it is at work.

        Raises:
            OSError: there is no shell to tie it with.
            RecoveryError: it could not be started.
            psycopg.Error: the barrier has no connection.
        """
        self._target = target
        self.name = name
        self._on_output = on_output
        self._kept: list[str] | None = []
        self._telling = Lock()
        self._halted = False
        self._barrier = Barrier(target)
        try:
            self._tether = Tether()
            try:
                url = target.url.prisma_url(name)
                self.running: Running = cli.start(
                    effect, url=url, on_output=self._tell, on_interrupt=on_interrupt, tether=self._tether
                )
            except BaseException:
                self._tether.let_off()
                raise
        except BaseException:
            self._barrier.close()
            raise
        self.began = time.monotonic()

    def _tell(self, line: str) -> None:
        with self._telling:
            if self._kept is not None:
                self._kept.append(line)
                return
        self._on_output(line)

    def keep_back(self) -> bool:
        """Halts it before it asks for the lock, so that the command before it can; False if it has asked already."""
        looking = self._target.reading()
        if not self._halted and connected(looking, self.name):
            self._halted = True
            self.running.stop_group(on=True)
        asked = looking.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
            " WHERE a.application_name = %s AND NOT l.granted)",
            (self.name,),
        ).fetchone()
        return not (asked and asked[0])

    def bar(self, before: tuple[str, ...]) -> bool:
        """Puts the barrier into the queue, and lets the command go on to its place behind it.

        Args:
            before: application names of the sessions that may be ahead of the barrier: the one that holds the lock,
                and the command that waits for it.

        Returns:
            False if anything else is ahead of it: a rival, which may be one that waits for snapshots; or the command.
        """
        self._barrier.request()
        deadline = time.monotonic() + _BARRIER_SECONDS
        while not (found := ahead_of(self._target.reading(), self._barrier.lock.pid)):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        if found != tuple(sorted(before)):
            return False
        self.running.stop_group(on=False)
        return True

    def kept_back(self) -> bool:
        """Whether the barrier has the lock: the command before it has ended, and it has not had its turn."""
        deadline = time.monotonic() + _BARRIER_SECONDS
        while not self._barrier.held():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def waiting(self) -> tuple[str, ...]:
        """Application names of the sessions that only the barrier keeps from the lock."""
        return self._barrier.lock.waiting_behind(self._target.reading())

    def is_next(self) -> bool:
        """Whether it has not had the lock, for certain, and nobody else waits for it."""
        return self._barrier.at_rest() and self._barrier.lock.waiting_behind() == (self.name,)

    def let_through(self) -> None:
        """Lets it have the lock, and shows what it printed so far. A second call does nothing."""
        self._tether.let_off()
        self._barrier.give_back()
        with self._telling:
            kept, self._kept = self._kept or [], None
            for line in kept:
                self._on_output(line)

    def escaped(self) -> bool:
        """Whether it has the lock although nobody let it through: somebody has ended the barrier's session."""
        return self.running.poll() is None and holding(self._target.reading(), PRISMA_LOCK, application=self.name)

    def end(self) -> None:
        """Ends it, if it was not let through; it has done nothing. One that has escaped is waited for (RULES F11)."""
        with contextlib.suppress(psycopg.Error, RecoveryError):
            if self.escaped():
                self.running.stop_group(on=False)
                self.running.wait()
        self.running.kill_group()
        self.running.wait()
        self._tether.let_off()
        with contextlib.suppress(psycopg.Error, RecoveryError):
            # Its session is in the queue without a client, and would have the lock for a moment.
            self._target.reading().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE application_name = %s",
                (self.name,),
            )
        self._barrier.close()
