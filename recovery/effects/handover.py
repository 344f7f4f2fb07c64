"""Handing a command to Prisma under Prisma's own lock, with the evidence seen to hold at that very moment.

Without it `migrate resolve` waits for the lock and then marks whatever rows it finds by then (RULES F1).
So: take Prisma's lock, look again, start the CLI, wait until its session stands first in the queue behind
us, and only then let go. PostgreSQL serves the queue in order. If this process is killed meanwhile, the lock
passes to the child, and the evidence still holds.
"""

import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Any

import psycopg

from recovery import events
from recovery.effects.results import Performed
from recovery.effects.watch import Watch
from recovery.errors import BusyError, StillRunningError
from recovery.postgres.sessions import EFFECT_NAME, PRISMA_LOCK, SessionLock, holders, our_effects
from recovery.postgres.target import Target
from recovery.prisma.cli import PrismaCli
from recovery.prisma.process import Running
from states.effects import Deploy, Effect

#: How long Prisma's lock may stay with somebody else before we say so.
LOCK_SECONDS = 15.0
#: The CLI takes about a second to stand in the queue; one that doesn't within this is ended.
QUEUE_SECONDS = 8.0
#: How long the command's own session may outlive the command.
LEFTOVER_SECONDS = 10.0
_POLL = 0.02


class HandOver:
    """Runs Prisma commands on a target, one at a time."""

    def __init__(
        self,
        target: Target,
        cli: PrismaCli,
        ours: SessionLock,
        on_output: Callable[[str], None],
        on_interrupt: Callable[[], None],
        emit: events.Sink = events.nobody,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Takes its means.

        Args:
            target: the production database.
            cli: the project's CLI.
            ours: the recovery's own lock, which must still be held.
            on_output: called with each line that a command prints.
            on_interrupt: called when ^C comes while a command is waited for.
            emit: told how far a command is, and who holds Prisma's lock; from a thread of its own.
            sleep: waits, in seconds.
        """
        self._target = target
        self._cli = cli
        self._ours = ours
        self._on_output = on_output
        self._on_interrupt = on_interrupt
        self._emit = emit
        self._sleep = sleep

    def perform(self, effect: Effect, changed: Callable[[], str], meanwhile: Callable[[], None]) -> Performed:
        """Runs the effect's command if nothing has changed, and waits for its end, however long that takes.

        Args:
            effect: what to do.
            changed: looks again, under Prisma's lock; why the effect must not happen, or empty.
            meanwhile: called once the command has been let go.

        Raises:
            BusyError: the command was not let go, so nothing happened.
            StillRunningError: it ended, and its session on the database did not.
        """
        name = f"{EFFECT_NAME} {secrets.token_hex(4)}"
        with contextlib.closing(self._target.working("prisma-recovery hand-over")) as connection:
            lock = SessionLock(connection, PRISMA_LOCK)
            self._take(lock)
            if why := changed():
                return Performed(unchanged=why)
            if not self._ours.held():
                raise BusyError(
                    "lock.lost",
                    "The recovery's own lock is gone (its connection was ended), so nothing more was done.",
                    "Run again: it goes on from what is true.",
                )
            url = self._target.url.prisma_url(name)
            running = self._cli.start(effect, url=url, on_output=self._on_output, on_interrupt=self._on_interrupt)
            try:
                self._queue(lock, running, name)
            except BaseException:
                running.kill_group()
                running.wait()
                raise
            running.patiently(lambda: self._let_go(lock, connection))
        migrations = effect.migrations if isinstance(effect, Deploy) else ()
        watch = Watch(self._target, name, migrations, self._emit)

        def beside() -> None:
            stack.enter_context(watch)
            with contextlib.suppress(Exception):  # it only saves time; a command that was let go is waited for
                meanwhile()

        # From here on it is at work: whatever is done, a first ^C does not keep us from waiting for its end.
        with contextlib.ExitStack() as stack:
            running.patiently(beside)
            finished = running.wait()
        running.patiently(lambda: self._gone(name))
        return Performed("", finished.output, finished.exit_code, finished.seconds)

    @staticmethod
    def _let_go(lock: SessionLock, connection: psycopg.Connection[Any]) -> None:
        """Closing the connection gives the lock back as well, so an error on it is none of the command's."""
        with contextlib.suppress(psycopg.Error):
            lock.release()
        connection.close()

    def _take(self, lock: SessionLock) -> None:
        began = told = time.monotonic()
        tell = events.lock_sink(self._emit)
        while not lock.try_take():
            now = time.monotonic()
            if now - told >= 1.0:
                told = now
                tell(now - began, holders(self._target.reading(), PRISMA_LOCK))
            if now > began + LOCK_SECONDS:
                raise BusyError(
                    "lock.prisma",
                    "Another session holds Prisma's migration lock. Nothing was done.",
                    "Wait for that deploy to end, or end its session if it is an orphan; then run again.",
                )
            self._sleep(0.1)

    def _queue(self, lock: SessionLock, running: Running, name: str) -> None:
        """Waits until the command's session is the first behind our lock, and nobody else is."""
        deadline = time.monotonic() + QUEUE_SECONDS
        while running.poll() is None:
            first = lock.waiting_behind()
            if first == (name,):
                return
            if first or time.monotonic() > deadline:
                who = "another session stands before it" if first else "it did not ask for the lock"
                raise BusyError(
                    "lock.queue",
                    f"Prisma's command was ended before it did anything: {who} within {QUEUE_SECONDS:g} s.",
                    "Run again.",
                )
            self._sleep(_POLL)
        # It ended by itself (no such file, a broken config): it never had the lock, and its output says why.

    def _gone(self, name: str) -> None:
        """A CLI can end before its engine does; what the engine still writes is part of the effect (RULES F5)."""
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while any(session.application == name for session in our_effects(self._target.reading())):
            if time.monotonic() > deadline:
                raise StillRunningError(
                    "effect.running",
                    "Prisma's command has ended, but its session on the database is still at work.",
                    "Wait until it is gone, and run again: what it did is observed then.",
                )
            self._sleep(0.05)
