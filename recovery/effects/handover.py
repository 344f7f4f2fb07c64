"""The hand-over: lets a Prisma command run under Prisma's own lock, while the evidence is known to still hold.

Without a hand-over, `migrate resolve` waits for the lock and then marks whatever rows it finds by then (RULES F1).
So: take Prisma's lock, gather the evidence again, start the CLI, wait until its session is first in the queue for the
lock, and only then release it. PostgreSQL grants a lock in the order of its queue. If this process is killed meanwhile,
the lock passes to the CLI, and the evidence still holds. The deploy that comes next may be begun meanwhile, too: see
`successor`.
"""

import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from recovery import events
from recovery.effects.results import Performed
from recovery.effects.successor import Successor
from recovery.effects.watch import Watch
from recovery.errors import BusyError, RecoveryError, SlowStartError, StillRunningError
from recovery.postgres.locks import PRISMA_LOCK, SessionLock
from recovery.postgres.sessions import EFFECT_NAME, OUR_NAME, holders, our_effects
from recovery.postgres.target import Target
from recovery.prisma.cli import PrismaCli
from recovery.prisma.process import Finished, Running
from states import handover
from states.answers import Refusal
from states.effects import Deploy, PrismaEffect
from states.exit_codes import Exit
from states.handover import START_SECONDS, QueueFacts

#: How long another session may hold Prisma's lock before we give up.
LOCK_SECONDS = 15.0
#: How long the command's session in the database may outlive the command.
LEFTOVER_SECONDS = 10.0
_POLL = 0.02
#: Application name of the session that holds Prisma's lock until a command may have it.
HOLDER_NAME = f"{OUR_NAME} hand-over"


def take(lock: SessionLock, target: Target, emit: events.Sink, sleep: Callable[[float], None]) -> None:
    """Takes Prisma's lock by trying, and tells meanwhile who holds it (RULES F3).

    Raises:
        BusyError: another session held it for too long.
    """
    began = told = time.monotonic()
    tell = events.lock_sink(emit)
    while not lock.try_take():
        now = time.monotonic()
        if now - told >= 1.0:
            told = now
            tell(now - began, holders(target.reading(), PRISMA_LOCK))
        if now > began + LOCK_SECONDS:
            raise BusyError(
                "lock.prisma",
                "Another session holds Prisma's migration lock. Nothing was done.",
                "Wait for that deploy to end, or end its session if it is an orphan; then run again.",
            )
        sleep(0.1)


def still_ours(lock: SessionLock) -> None:
    """Makes sure that the recovery's own lock is still held, right before an effect (RULES F4).

    Raises:
        BusyError: it is gone.
    """
    if not lock.held():
        raise BusyError(
            "lock.lost",
            "The recovery's own lock is gone (its connection was ended), so nothing more was done.",
            "Run again: it looks at the database anew and goes on from there.",
        )


def _new_name() -> str:
    return f"{EFFECT_NAME} {secrets.token_hex(4)}"


@dataclass
class _Turn:
    """A command that waits for Prisma's lock, which we hold.

    Attributes:
        name: application name of its session.
        running: its process.
        give: lets it have the lock; a second call does nothing.
        given: from now on it may be at work, and is not ended any more.
    """

    name: str
    running: Running
    give: Callable[[], None]
    given: bool = False


class HandOver:
    """Runs Prisma commands on a target, one at a time."""

    def __init__(  # noqa: PLR0913 - its ports
        self,
        target: Target,
        cli: PrismaCli,
        ours: SessionLock,
        on_output: Callable[[str], None],
        on_interrupt: Callable[[], None],
        emit: events.Sink = events.nobody,
        *,
        sleep: Callable[[float], None] = time.sleep,
        start_limit: Callable[[], float] = lambda: START_SECONDS,
    ) -> None:
        """Stores its arguments; connects to nothing yet.

        Args:
            target: the production database.
            cli: the project's Prisma CLI.
            ours: the lock of recoveries; a command is started only while it is still held.
            on_output: called with each line that a command prints.
            on_interrupt: called at each ^C while a command is at work.
            emit: receives a command's progress, and who holds Prisma's lock; called from a thread of its own.
            sleep: waits the given number of seconds.
            start_limit: gives the seconds that a command may take to start; see `states.handover.start_limit`.
        """
        self._target = target
        self._cli = cli
        self._ours = ours
        self._on_output = on_output
        self._on_interrupt = on_interrupt
        self._emit = emit
        self._sleep = sleep
        self._start_limit = start_limit
        self._successor: Successor | None = None

    def perform(
        self,
        effect: PrismaEffect,
        changed: Callable[[], str],
        meanwhile: Callable[[], None],
        then: Deploy | None = None,
    ) -> Performed:
        """Runs the effect's command if the evidence is unchanged, and waits for its end, however long that takes.

        Args:
            effect: the effect whose command is run.
            changed: compares the evidence again, under Prisma's lock; returns why the effect must not happen, else "".
            meanwhile: called once the command has the lock and is at work.
            then: the deploy to begin beside it, for the next call, or `withdraw`.

        Raises:
            BusyError: the command never got the lock, so nothing happened.
            SlowStartError: the command did not ask for the lock in time, and was ended before it did anything.
            StillRunningError: the command ended, but its session in the database is still at work.
        """
        performed = self._go_on(effect, changed, meanwhile)
        return performed or self._begin(effect, changed, meanwhile, then)

    def withdraw(self) -> None:
        """Ends a deploy that was begun and not let through. Does nothing if there is none."""
        successor, self._successor = self._successor, None
        if successor is not None:
            successor.end()

    def _begin(
        self, effect: PrismaEffect, changed: Callable[[], str], meanwhile: Callable[[], None], then: Deploy | None
    ) -> Performed:
        """Starts the command, lets it have Prisma's lock, and waits for its end; or tells why it did not start it."""
        name = _new_name()
        with contextlib.closing(self._target.working(HOLDER_NAME)) as connection:
            lock = SessionLock(connection, PRISMA_LOCK)
            take(lock, self._target, self._emit, self._sleep)
            if why := changed():
                return Performed(unchanged=why)
            still_ours(self._ours)
            url = self._target.url.prisma_url(name)
            running = self._cli.start(effect, url=url, on_output=self._on_output, on_interrupt=self._on_interrupt)
            turn = _Turn(name, running, lambda: self._let_go(lock, connection))
            try:
                self._successor = None if then is None else self._beside(then)
                if not self._queue(lock, running, name) or not self._barred(name):
                    self.withdraw()
                return self._see_through(turn, effect, meanwhile)
            except BaseException:
                if not turn.given:
                    running.kill_group()
                    self.withdraw()
                    running.wait()
                raise

    def _see_through(self, turn: _Turn, effect: PrismaEffect, meanwhile: Callable[[], None]) -> Performed:
        """Gives a command its turn, and waits for its end."""
        migrations = effect.migrations if isinstance(effect, Deploy) else ()
        watch = Watch(self._target, turn.name, migrations, self._emit)

        def to_its_end() -> Finished:
            turn.given = True
            turn.give()
            stack.enter_context(watch)
            with contextlib.suppress(Exception):  # it only saves time; the command is at work and must be waited for
                meanwhile()
            finished = turn.running.wait()
            self._gone(turn.name)
            return finished

        # One piece, without an instant between two waits: a first ^C must not keep us from waiting for the end.
        with contextlib.ExitStack() as stack:
            finished = turn.running.patiently(to_its_end)
        return Performed("", finished.output, finished.exit_code, finished.seconds)

    def _beside(self, then: Deploy) -> Successor | None:
        """A deploy that is begun now; None if that fails: then it is started in its own time."""
        try:
            return Successor(self._target, self._cli, then, _new_name(), self._on_output, self._on_interrupt)
        except (OSError, psycopg.Error, RecoveryError):
            return None

    def _barred(self, name: str) -> bool:
        """Whether our barrier stands right behind the command, which is first in the queue, if another was begun."""
        return self._successor is None or self._successor.bar((HOLDER_NAME, name))

    def _go_on(
        self, effect: PrismaEffect, changed: Callable[[], str], meanwhile: Callable[[], None]
    ) -> Performed | None:
        """Lets the deploy have Prisma's lock that was begun before; None if it has to be started anew.

        Raises:
            BusyError: the recovery's own lock is gone.
            StillRunningError: the deploy ended, but its session in the database is still at work.
        """
        successor = self._successor
        if successor is None:
            return None
        turn = _Turn(successor.name, successor.running, successor.let_through)
        try:
            if not isinstance(effect, Deploy) or not successor.kept_back():
                return None
            if why := changed():
                return Performed(unchanged=why)
            still_ours(self._ours)
            if not self._next(successor) or not successor.is_next():
                return None
            return self._see_through(turn, effect, meanwhile)
        except psycopg.Error:
            if turn.given:
                raise
            return None
        finally:
            if turn.given:
                self._successor = None
            else:
                self.withdraw()

    def _next(self, successor: Successor) -> bool:
        """Waits until the deploy is next in the queue; False if that can't be any more."""
        limit = self._start_limit()
        while successor.running.poll() is None:
            since = time.monotonic() - successor.began
            answer = handover.queue(QueueFacts(successor.name, successor.waiting(), since, None, limit))
            if answer is not False:
                return answer is True
            self._sleep(_POLL)
        return False

    @staticmethod
    def _let_go(lock: SessionLock, connection: psycopg.Connection[Any]) -> None:
        """Releases Prisma's lock. Closing the connection releases it too, so an error here can be ignored."""
        with contextlib.suppress(psycopg.Error):
            lock.release()
        connection.close()

    def _queue(self, lock: SessionLock, running: Running, name: str) -> bool:
        """Waits until the command's session, and no other, is first in the queue behind our lock.

        Returns:
            False if the command ended by itself (no such file, a broken config). It never had the lock, and its output
            says why.
        """
        limit = self._start_limit()
        began = told = time.monotonic()
        connected: float | None = None
        ended: str | None = None
        while running.poll() is None:
            if self._successor is not None and not self._successor.keep_back():
                ended = self._successor.name
                self.withdraw()
            waiting = tuple(each for each in lock.waiting_behind() if each != ended)
            now = time.monotonic()
            # A CLI may connect to see whether it can, and connect anew for its work.
            there = lock.connected(name)
            connected = (now if connected is None else connected) if there else None
            since = None if connected is None else now - connected
            answer = handover.queue(QueueFacts(name, waiting, now - began, since, limit))
            if answer is True:
                return True
            if isinstance(answer, Refusal):
                kind = BusyError if answer.exit is Exit.BUSY else SlowStartError
                raise kind.of(answer)
            if now - told >= 1.0:
                told = now
                self._emit(events.Progressed(events.Task.START, round(now - began, 1)))
            self._sleep(_POLL)
        return False

    def _gone(self, name: str) -> None:
        """Waits until the command's session in the database is gone.

        The CLI can end before its engine does, and what the engine still writes is part of the effect (RULES F5).
        """
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while any(session.application == name for session in our_effects(self._target.reading())):
            if time.monotonic() > deadline:
                raise StillRunningError(
                    "effect.running",
                    "Prisma's command has ended, but its session in the database is still at work.",
                    "Wait until that session is gone, and run again: it then looks at what the command did.",
                )
            self._sleep(0.05)
