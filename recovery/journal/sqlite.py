"""The journal in a SQLite file of the project, which is the default."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from recovery.errors import JournalError
from recovery.journal import JournalEvent
from recovery.journal.seal import seal
from recovery.journal.sqlite_file import ERRORS, connect, corrupt, create, explain, journal_file

_COLUMNS = "run, seq, time, kind, state, payload, digest"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqliteJournal:
    """A `Journal` in `.prisma-recovery/journal.sqlite3`. Made by `open` or `find`; for one thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path, target: str, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._path = path
        self._target = target
        self._clock = clock
        self._last: dict[str, int] = {}

    @classmethod
    def open(cls, folder: Path, target: str, *, clock: Callable[[], datetime] = _utc_now) -> Self:
        """Open the journal of the project in `folder` for `target`, and make it if it is missing.

        Raises:
            JournalError: `journal.unwritable`, `journal.newer_version`, `journal.corrupt`, `journal.locked`.
        """
        path = journal_file(folder)
        create(path)
        return cls(connect(path, writing=True), path, target, clock)

    @classmethod
    def find(cls, folder: Path, target: str) -> Self | None:
        """The journal of the project in `folder`, for reading only; None if there is none. Makes nothing.

        Raises:
            JournalError: as `open`.
        """
        path = journal_file(folder)
        if not _written(path):
            return None
        return cls(connect(path, writing=False), path, target, _utc_now)

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """See `Journal.append`."""
        encoded = msgspec.json.encode(payload).decode()
        time = self._clock().astimezone(UTC).isoformat()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                seq = self._next(run)
                values = (run, seq, time, kind, state, encoded)
                self._connection.execute(
                    f"INSERT INTO event (target, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
                    (self._target, *values, seal(self._target, *values)),
                )
                self._connection.execute("COMMIT")
            except BaseException:
                # After some errors, such as a full disk, SQLite has already rolled back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except ERRORS as error:
            raise explain(error, self._path) from error
        self._last[run] = seq
        return JournalEvent(run, seq, time, kind, state, msgspec.json.decode(encoded))

    def events(self, run: str) -> tuple[JournalEvent, ...]:
        """See `Journal.events`."""
        query = f"SELECT {_COLUMNS} FROM event WHERE target = ? AND run = ? ORDER BY seq"  # noqa: S608 - constant
        events = tuple(self._read(row) for row in self._select(query, self._target, run))
        if [event.seq for event in events] != list(range(1, len(events) + 1)):
            raise corrupt(self._path, f"run {run} has lost an event")
        self._last[run] = len(events)
        return events

    def runs(self) -> tuple[str, ...]:
        """See `Journal.runs`."""
        query = "SELECT run FROM event WHERE target = ? GROUP BY run ORDER BY min(position)"
        return tuple(row[0] for row in self._select(query, self._target))

    def close(self) -> None:
        """See `Journal.close`."""
        self._connection.close()

    def _next(self, run: str) -> int:
        """The number of the next event; called while the write lock is held."""
        (stored,) = self._connection.execute(
            "SELECT coalesce(max(seq), 0) FROM event WHERE target = ? AND run = ?", (self._target, run)
        ).fetchone()
        if stored != self._last.get(run, stored):
            raise JournalError(
                "journal.conflict",
                f"Another process has written to run {run} in the journal {self._path}; "
                "nothing was recorded, and nothing more was done.",
                "Let the other recovery end, then run again: it goes on from where that one stops.",
            )
        return int(stored) + 1

    def _select(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except ERRORS as error:
            raise explain(error, self._path) from error

    def _read(self, row: tuple[Any, ...]) -> JournalEvent:
        run, seq, time, kind, state, payload, digest = row
        if seal(self._target, run, seq, time, kind, state, payload) != digest:
            raise corrupt(self._path, f"event {seq} of run {run} is not as it was written")
        try:
            return JournalEvent(run, seq, time, kind, state, msgspec.json.decode(payload, type=dict[str, Any]))
        except msgspec.MsgspecError as error:
            raise corrupt(self._path, f"event {seq} of run {run} is not JSON") from error


def all_targets(folder: Path) -> dict[str, tuple[str, ...]]:
    """Targets in the journal of the project in `folder`, with their runs, oldest first. Makes nothing.

    Raises:
        JournalError: as `SqliteJournal.open`.
    """
    path = journal_file(folder)
    found: dict[str, tuple[str, ...]] = {}
    if not _written(path):
        return found
    connection = connect(path, writing=False)
    try:
        query = "SELECT target, run FROM event GROUP BY target, run ORDER BY min(position)"
        for target, run in connection.execute(query).fetchall():
            found[target] = (*found.get(target, ()), run)
    except ERRORS as error:
        raise explain(error, path) from error
    finally:
        connection.close()
    return found


def _written(path: Path) -> bool:
    """Whether there is a journal. A file is empty if the process that made it was killed before its first write."""
    return path.is_file() and path.stat().st_size > 0
