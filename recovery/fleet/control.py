"""The control database: which run of the fleet there is, where each of its targets stands, and which workers live.

It holds names and labels of targets, never their URLs: each worker finds these by itself. All of it is in the schema
`prisma_recovery_fleet`, to be looked into by SQL. A worker lives as long as a session of its own holds its lock there.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from recovery.errors import UnreachableError, UsageError
from recovery.postgres.connect import connect, said
from recovery.postgres.url import DatabaseUrl
from states.fleet import Limits, Outcome, Status, Wave

#: First number of our advisory locks in the control database; the second is the worker's, or that of the leader.
LOCKS = 0x50524C
LEADER = 0
_CREATE = """
BEGIN;
SELECT pg_advisory_xact_lock(5264972);
CREATE SCHEMA IF NOT EXISTS prisma_recovery_fleet;
CREATE TABLE IF NOT EXISTS prisma_recovery_fleet.run (
    run text PRIMARY KEY,
    began timestamptz NOT NULL DEFAULT clock_timestamp(),
    plan jsonb NOT NULL,
    asked_to_stop boolean NOT NULL DEFAULT false,
    stop text NOT NULL DEFAULT '',
    ended boolean NOT NULL DEFAULT false
);
CREATE TABLE IF NOT EXISTS prisma_recovery_fleet.target (
    run text NOT NULL REFERENCES prisma_recovery_fleet.run ON DELETE CASCADE,
    position integer NOT NULL,
    name text NOT NULL,
    wave text NOT NULL,
    found text NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    passed integer NOT NULL DEFAULT 0,
    taken_over integer NOT NULL DEFAULT 0,
    rests_until timestamptz,
    recovery text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    said text NOT NULL DEFAULT '',
    worker text NOT NULL DEFAULT '',
    changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run, name)
);
CREATE TABLE IF NOT EXISTS prisma_recovery_fleet.worker (
    executor text PRIMARY KEY,
    lock integer NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMIT;
"""
_ALIVE = """
SELECT w.executor FROM prisma_recovery_fleet.worker w
JOIN pg_catalog.pg_locks l ON l.locktype = 'advisory' AND l.classid = %s AND l.objid = w.lock::oid AND l.granted
WHERE l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""
_TARGETS = """
SELECT name, wave, found, status, attempts, passed, taken_over, recovery, code, said, worker, changed,
       coalesce(rests_until > clock_timestamp(), false) AS resting
FROM prisma_recovery_fleet.target WHERE run = %s ORDER BY position
"""
_RUN = """
SELECT run, began, plan, asked_to_stop, stop, ended, clock_timestamp() AS now
FROM prisma_recovery_fleet.run ORDER BY began DESC, run DESC LIMIT 1
"""


class RunPlan(msgspec.Struct, frozen=True):
    """What a run of the fleet was begun with.

    Attributes:
        limits: how carefully it goes on.
        yes: every change that the evidence decides is agreed to.
        assume: assumptions that decisions may rest on.
        waive: checks of preflight that are waived, each as `NAME=REASON`.
    """

    limits: Limits
    yes: bool = False
    assume: tuple[str, ...] = ()
    waive: tuple[str, ...] = ()


class RunRow(msgspec.Struct, frozen=True):
    """A run of the fleet, and the time of the control database."""

    run: str
    began: datetime
    plan: RunPlan
    asked_to_stop: bool
    stop: str
    ended: bool
    now: datetime


class TargetRow(msgspec.Struct, frozen=True):
    """Where a target stands in a run; see `FleetTargetStanding`."""

    name: str
    wave: str
    found: str
    status: str
    attempts: int
    passed: int
    taken_over: int
    recovery: str
    code: str
    said: str
    worker: str
    changed: datetime
    resting: bool

    @property
    def stands(self) -> Status:
        """The status."""
        return Status(self.status)


class Control:
    """A connection to the control database. For one thread; made anew after it broke."""

    def __init__(self, url: DatabaseUrl, name: str = "prisma-recovery fleet") -> None:
        """Connects, and makes the schema if it is missing.

        Raises:
            UnreachableError, PreflightError: it can't be reached.
            UsageError: `fleet.control_refused`.
        """
        self._url = url
        self._name = name
        self._lock: int | None = None
        self._executor = ""
        self._connection = self._connect()
        try:
            with self.answering():
                self._connection.execute(_CREATE)
        except psycopg.errors.InsufficientPrivilege as error:
            self._connection.close()
            raise UsageError(
                "fleet.control_refused",
                f"The role may not make or use the schema prisma_recovery_fleet in the control database: "
                f"{error.diag.message_primary}. Nothing was done.",
                "Let its owner run: GRANT CREATE ON DATABASE … TO this role; or name another control database.",
            ) from error

    def _connect(self) -> psycopg.Connection[Any]:
        return connect(self._url, read_only=False, name=self._name)

    def close(self) -> None:
        """Closes the connection; with it goes the worker's lock."""
        self._connection.close()

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Turns a broken connection into an error that a person can act on; the next call connects anew.

        Raises:
            UnreachableError: `fleet.control_lost`.
        """
        try:
            if self._connection.closed or self._connection.broken:
                self._connection = self._connect()
                if self._lock is not None:
                    self.live(self._executor, self._lock)
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._connection.close()
            raise UnreachableError(
                "fleet.control_lost",
                f"The control database {self._url.host}:{self._url.port} stopped answering: {said(self._url, error)}.",
                "Make sure that it is up, and run again: what was done is in the journals, and is not repeated.",
            ) from error

    def live(self, executor: str, lock: int) -> None:
        """Registers a worker, which lives from now on as long as this connection."""
        self._executor, self._lock = executor, lock
        self._connection.execute("SELECT pg_advisory_lock(%s, %s)", (LOCKS, lock))
        # A machine that is gone without a word must not be taken for a living worker for hours.
        self._connection.execute("SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5")
        self._connection.execute(
            "INSERT INTO prisma_recovery_fleet.worker (executor, lock) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (executor, lock),
        )

    def lead(self) -> bool:
        """Whether this worker hands out the work: it does from then on, until its connection ends."""
        with self.answering():
            held = "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid = %s"
            held += " AND objid = %s AND pid = pg_backend_pid() AND granted)"
            if self._one(held, (LOCKS, LEADER)):
                return True
            return bool(self._one("SELECT pg_try_advisory_lock(%s, %s)", (LOCKS, LEADER)))

    def _one(self, query: str, values: Sequence[object] = ()) -> Any:  # noqa: ANN401 - as the server gives it
        row = self._connection.execute(query.encode(), values).fetchone()
        return row[0] if row else None

    def alive(self) -> frozenset[str]:
        """The workers that live."""
        with self.answering():
            return frozenset(name for (name,) in self._connection.execute(_ALIVE, (LOCKS,)))

    def run(self) -> RunRow | None:
        """The newest run; None if there is none."""
        with self.answering():
            row = self._connection.execute(_RUN).fetchone()
        if row is None:
            return None
        return RunRow(row[0], row[1], msgspec.convert(row[2], RunPlan), *row[3:])

    def targets(self, run: str) -> tuple[TargetRow, ...]:
        """Where each target of a run stands, in the order in which they are handed out."""
        with self.answering(), self._connection.cursor(row_factory=class_row(TargetRow)) as cursor:
            cursor.execute(_TARGETS, (run,))
            return tuple(cursor)

    def begin(
        self,
        run: str,
        plan: RunPlan,
        waves: Sequence[Wave],
        found: Mapping[str, Outcome],
        stands: Mapping[str, Status],
        said_of: Mapping[str, tuple[str, str]],
    ) -> None:
        """Records a new run with all its targets, at once.

        Args:
            run: its id.
            plan: what it is begun with.
            waves: the waves.
            found: what a look found of each target.
            stands: where each target stands at the beginning.
            said_of: code and words on targets that need any.
        """
        with self.answering(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO prisma_recovery_fleet.run (run, plan) VALUES (%s, %s)",
                (run, Jsonb(msgspec.to_builtins(plan))),
            )
            ordered = [(name, wave.name) for wave in waves for name in wave.targets]
            cursor.executemany(
                "INSERT INTO prisma_recovery_fleet.target (run, position, name, wave, found, status, code, said)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (run, at, name, wave, found[name].value, stands[name].value, *said_of.get(name, ("", "")))
                    for at, (name, wave) in enumerate(ordered)
                ],
            )

    def go_on(self, run: str, plan: RunPlan) -> None:
        """Lets a run go on with another plan."""
        query = "UPDATE prisma_recovery_fleet.run SET plan = %s, asked_to_stop = false, stop = '', ended = false"
        with self.answering():
            self._connection.execute(query + " WHERE run = %s", (Jsonb(msgspec.to_builtins(plan)), run))

    def handed_out(self, run: str, name: str) -> int:
        """Records that a target is handed out; the number of this attempt."""
        query = (
            "UPDATE prisma_recovery_fleet.target SET status = 'at_work', attempts = attempts + 1, worker = '',"
            " changed = clock_timestamp() WHERE run = %s AND name = %s RETURNING attempts"
        )
        with self.answering():
            return int(self._one(query, (run, name)))

    def taken(self, run: str, name: str, executor: str) -> None:
        """Records which worker is at work on a target."""
        query = "UPDATE prisma_recovery_fleet.target SET worker = %s WHERE run = %s AND name = %s"
        with self.answering():
            self._connection.execute(query, (executor, run, name))

    def taken_over(self, run: str, name: str) -> None:
        """Counts that a target is taken over from a worker that died."""
        query = "UPDATE prisma_recovery_fleet.target SET taken_over = taken_over + 1 WHERE run = %s AND name = %s"
        with self.answering():
            self._connection.execute(query, (run, name))

    def settle(  # noqa: PLR0913 - the columns of the row
        self, run: str, name: str, status: Status, *, passed: int, rests: float, recovery: str, code: str, told: str
    ) -> None:
        """Records where a target stands after its recovery."""
        query = (
            "UPDATE prisma_recovery_fleet.target SET status = %s, passed = %s, recovery = %s, code = %s, said = %s,"
            " rests_until = clock_timestamp() + make_interval(secs => %s), changed = clock_timestamp()"
            " WHERE run = %s AND name = %s"
        )
        with self.answering():
            self._connection.execute(query, (status.value, passed, recovery, code, told, rests, run, name))

    def stopped(self, run: str, why: str, *, ended: bool) -> None:
        """Records why nothing more is handed out, and whether all that was has ended."""
        query = (
            "UPDATE prisma_recovery_fleet.run SET stop = %s, ended = %s WHERE run = %s AND (stop, ended) <> (%s, %s)"
        )
        with self.answering():
            self._connection.execute(query, (why, ended, run, why, ended))

    def ask_to_stop(self, run: str) -> None:
        """Asks that nothing more be handed out."""
        with self.answering():
            self._connection.execute("UPDATE prisma_recovery_fleet.run SET asked_to_stop = true WHERE run = %s", (run,))

    def retry(self, run: str, names: Sequence[str]) -> None:
        """Lets targets be handed out again, and the run go on."""
        query = (
            "UPDATE prisma_recovery_fleet.target SET status = 'waiting', passed = 0, rests_until = NULL, code = '',"
            " said = '', changed = clock_timestamp() WHERE run = %s AND name = ANY(%s)"
        )
        again = "UPDATE prisma_recovery_fleet.run SET asked_to_stop = false, stop = '', ended = false WHERE run = %s"
        with self.answering(), self._connection.transaction():
            self._connection.execute(query, (run, list(names)))
            self._connection.execute(again, (run,))


def waves_of(targets: Sequence[TargetRow]) -> tuple[Wave, ...]:
    """The waves of a run, in order."""
    names: dict[str, list[str]] = {}
    for each in targets:
        names.setdefault(each.wave, []).append(each.name)
    return tuple(Wave(name, tuple(of)) for name, of in names.items())
