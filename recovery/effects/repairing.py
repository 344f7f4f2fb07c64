"""Carries out a plan of repair, under Prisma's lock, by the only session of ours that may write (RULES F1 to F4, F14).

Where PostgreSQL allows, the plan is one transaction, which is committed only if production is then as it was rehearsed.
Prisma's lock is held by the very session that works, so it stays held as long as a statement is at work, even if this
process is killed. What a killed process leaves is a transaction that is rolled back, or some of the statements, each
wholly: the next run finds out which by looking.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg

from recovery import events
from recovery.effects.handover import still_ours, take
from recovery.effects.results import Performed
from recovery.effects.watch import Watch
from recovery.errors import BusyError
from recovery.postgres.locks import PRISMA_LOCK, SessionLock
from recovery.postgres.sessions import EFFECT_NAME
from recovery.postgres.target import Target
from states.comparison import Difference, some
from states.plans import Loss, Plan, PlannedStatement
from states.repair import counting, locking

#: How long a statement waits for a lock. Whoever comes after it waits as long, the application's queries included.
LOCK_MILLISECONDS = 3_000
#: Seconds between two attempts at the lock of a table; others get through meanwhile.
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)

#: Called with the number of a statement of the plan, before it is run (`intended`) and after it was (`observed`); for a
#: plan that is one transaction with the transaction's number, before its first statement (`begun`).
Note = Callable[[int, str], None]


class NotAsRehearsedError(Exception):
    """Production would not be what the rehearsal ended at, or more rows would be lost than was agreed to.

    Args:
        why: the difference, as a clause.
    """

    def __init__(self, *, why: str) -> None:
        super().__init__(why)


class Repairer:
    """Carries out plans of repair on a target, one at a time."""

    def __init__(
        self,
        target: Target,
        ours: SessionLock,
        emit: events.Sink = events.nobody,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Stores its arguments; connects to nothing yet.

        Args:
            target: the production database.
            ours: the lock of recoveries; a repair is begun only while it is still held.
            emit: receives the progress, and who is waited for; called from a thread of its own, too.
            sleep: waits the given number of seconds.
        """
        self._target = target
        self._ours = ours
        self._emit = emit
        self._sleep = sleep

    def perform(
        self,
        plan: Plan,
        changed: Callable[[], str],
        left: Callable[[psycopg.Connection[Any]], Sequence[Difference]],
        note: Note,
        asked: Callable[[], str] = str,
    ) -> Performed:
        """Runs the plan's statements if the evidence is unchanged.

        Args:
            plan: the plan.
            changed: compares the evidence again, under Prisma's lock; returns why nothing may be done, else "".
            left: the differences of production, as the given session sees it, from the end of the rehearsal.
            note: called around each statement that is committed by itself, and as each transaction of them all begins.
            asked: digests the evidence once the plan was carried out, still under Prisma's lock.

        Returns:
            With exit code 0 if production is as rehearsed; with 1 and PostgreSQL's words if it is not.

        Raises:
            BusyError: a lock was not to be had, and nothing was done.
        """
        name, began = f"{EFFECT_NAME} {secrets.token_hex(4)}", time.monotonic()
        with closing(self._target.writing(name)) as connection:
            take(SessionLock(connection, PRISMA_LOCK), self._target, self._emit, self._sleep)
            with Watch(self._target, name, (), self._emit):
                done = 0
                for pause in (*PAUSES, None):
                    if done == 0 and (why := changed()):
                        return Performed(unchanged=why)
                    still_ours(self._ours)
                    try:
                        if plan.together:
                            self._together(connection, plan, left, note)
                        else:
                            for number in range(done, len(plan.statements)):
                                self._alone(connection, plan.statements[number], number + 1, note)
                                done = number + 1
                            _hold(left(connection))
                    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                        if pause is None:
                            return self._no_lock(error, done, began)
                        self._sleep(pause)
                    except (psycopg.Error, NotAsRehearsedError) as error:
                        if connection.closed or connection.broken:
                            raise
                        took = time.monotonic() - began
                        return Performed("", _said(error, done), 1, took, undone=plan.together)
                    else:
                        done_in = time.monotonic() - began
                        with suppress(psycopg.Error):  # what is not known then is asked of a person again
                            return Performed(exit_code=0, seconds=done_in, evidence=asked())
                        return Performed(exit_code=0, seconds=done_in)
        raise AssertionError("the last attempt returns or raises")

    def _together(
        self,
        connection: psycopg.Connection[Any],
        plan: Plan,
        left: Callable[[psycopg.Connection[Any]], Sequence[Difference]],
        note: Note,
    ) -> None:
        with _transaction(connection):
            row = connection.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
            note(int(row[0]) if row else 0, "begun")
            connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}")
            for statement in plan.statements:
                _keep_to(connection, statement.loses)
                connection.execute(statement.sql.encode())
            _hold(left(connection))

    @staticmethod
    def _alone(connection: psycopg.Connection[Any], statement: PlannedStatement, number: int, note: Note) -> None:
        note(number, "intended")
        connection.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
        if statement.loses:
            with _transaction(connection):
                _keep_to(connection, statement.loses)
                connection.execute(statement.sql.encode())
        else:
            connection.execute(statement.sql.encode())
        note(number, "observed")

    def _no_lock(self, error: psycopg.Error, done: int, began: float) -> Performed:
        if done:
            return Performed(output=_said(error, done), exit_code=1, seconds=time.monotonic() - began)
        raise BusyError(
            "repair.locked",
            f"Other sessions kept the plan from a lock that it needs, {len(PAUSES) + 1} times for "
            f"{LOCK_MILLISECONDS // 1000} s each, so nothing was changed: {_said(error, 0)}",
            "Wait until their transactions have ended, or end them; then run again.",
        )


@contextmanager
def _transaction(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """BEGIN and COMMIT; ROLLBACK after an error. An error of COMMIT itself is raised, and leaves it in doubt."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _keep_to(connection: psycopg.Connection[Any], losses: Sequence[Loss]) -> None:
    """Locks what is about to lose rows, and counts again: no more may be lost than a person has agreed to.

    Raises:
        NotAsRehearsedError: there is more to be lost by now.
    """
    for loss in losses:
        connection.execute(locking(loss.name).encode())
        connection.execute("SET LOCAL row_security = off")  # a policy would hide rows, and now makes the count fail
        row = connection.execute(counting(loss.name).encode()).fetchone()
        connection.execute("SET LOCAL row_security TO DEFAULT")
        if loss.rows is not None and row is not None and row[0] > loss.rows:
            raise NotAsRehearsedError(
                why=f"{loss.name} has {row[0]} rows by now, and had {loss.rows} when the plan was made"
            )


def _hold(left: Sequence[Difference]) -> None:
    if left:
        raise NotAsRehearsedError(why=f"production would not be as rehearsed: {some(left)}")


def _said(error: Exception, done: int) -> str:
    said = str(error).strip().splitlines()[0]
    if isinstance(error, psycopg.Error):
        said = f"{error.sqlstate} {error.diag.message_primary or said}"
    before = f" The {done} before it were run." if done else ""
    return f"{said}.{before}"
