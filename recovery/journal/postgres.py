"""The journal in a schema of its own in PostgreSQL, for machines that share it or do not last (CI, containers)."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

import msgspec

from recovery.errors import JournalError
from recovery.journal import JournalEvent
from recovery.journal.postgres_schema import SCHEMA, Link
from recovery.journal.seal import seal
from recovery.postgres.url import DatabaseUrl

# Each statement is a transaction of its own, and safe to run twice: `Link.run` repeats one whose connection broke.
_APPEND = f"""
INSERT INTO {SCHEMA}.event (target, run, seq, time, kind, state, payload, writer, digest)
SELECT %(target)s, %(run)s, %(seq)s, %(time)s, %(kind)s, %(state)s, %(payload)s, %(writer)s, %(digest)s
 WHERE %(seq)s::integer - 1 = (
   SELECT coalesce(max(e.seq), 0) FROM {SCHEMA}.event e WHERE e.target = %(target)s AND e.run = %(run)s)
ON CONFLICT (target, run, seq) DO NOTHING
RETURNING digest
"""  # noqa: S608 - constant
_THERE = f"SELECT digest FROM {SCHEMA}.event WHERE target = %s AND run = %s AND seq = %s"  # noqa: S608 - constant
_LAST = f"SELECT coalesce(max(seq), 0) FROM {SCHEMA}.event WHERE target = %s AND run = %s"  # noqa: S608 - constant
_EVENTS = f"""
SELECT run, seq, time, kind, state, payload::text, writer, digest
  FROM {SCHEMA}.event WHERE target = %s AND run = %s ORDER BY seq
"""  # noqa: S608 - constant
_RUNS = f"SELECT run FROM {SCHEMA}.event WHERE target = %s GROUP BY run ORDER BY min(position)"  # noqa: S608 - constant
_TARGETS = f"SELECT target, run FROM {SCHEMA}.event GROUP BY target, run ORDER BY min(position)"  # noqa: S608 - constant


def _utc_now() -> datetime:
    return datetime.now(UTC)


class PostgresJournal:
    """A `Journal` in the schema `prisma_recovery` of a database. Made by `open` or `find`; for one thread.

    If the connection is lost during an append, the append is repeated; if the first one was committed, the second one
    finds its event there and adds none.
    """

    def __init__(self, link: Link, target: str, clock: Callable[[], datetime] = _utc_now) -> None:
        self._link = link
        self._target = target
        self._clock = clock
        self._writer = secrets.token_hex(8)
        self._last: dict[str, int] = {}

    @classmethod
    def open(cls, url: DatabaseUrl, target: str, *, clock: Callable[[], datetime] = _utc_now) -> Self:
        """Open the journal in the database at `url` for `target`, and make its schema if it is missing.

        Raises:
            JournalError: `journal.newer_version`, `journal.corrupt`, `journal.locked`, `journal.refused`,
                `journal.not_permitted`, `journal.unwritable`.
            UnreachableError: `journal.unreachable`.
        """
        link = Link(url, writing=True)
        try:
            link.make()
        except BaseException:
            link.close()
            raise
        return cls(link, target, clock)

    @classmethod
    def find(cls, url: DatabaseUrl, target: str) -> Self | None:
        """The journal in the database at `url`, for reading only; None if there is none. Makes nothing.

        Raises:
            JournalError, UnreachableError: as `open`.
        """
        link = Link(url, writing=False)
        found = False
        try:
            found = link.made()
        finally:
            if not found:
                link.close()
        return cls(link, target) if found else None

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """See `Journal.append`."""
        known = msgspec.json.decode(msgspec.json.encode(payload))
        # json.dumps writes ASCII, which a database of any encoding can store.
        encoded = json.dumps(known, separators=(",", ":"))
        time = self._clock().astimezone(UTC).isoformat()
        before = self._last[run] if run in self._last else self._stored(run)
        values = {"run": run, "seq": before + 1, "time": time, "kind": kind, "state": state, "payload": encoded}
        digest = seal(self._target, *values.values(), self._writer)
        named = {**values, "target": self._target, "writer": self._writer, "digest": digest}
        written = self._link.run(_APPEND, **named) or self._link.run(_THERE, self._target, run, before + 1)
        if written != [(digest,)]:
            raise JournalError(
                "journal.conflict",
                f"Another process has written to run {run} in the journal {self._link}; "
                "nothing was recorded, and nothing more was done.",
                "Let the other recovery end, then run again: it goes on from where that one stops.",
            )
        self._last[run] = before + 1
        return JournalEvent(run, before + 1, time, kind, state, known)

    def events(self, run: str) -> tuple[JournalEvent, ...]:
        """See `Journal.events`."""
        events = tuple(self._read(row) for row in self._link.run(_EVENTS, self._target, run))
        if [event.seq for event in events] != list(range(1, len(events) + 1)):
            raise self._link.corrupt(f"run {run} has lost an event")
        self._last[run] = len(events)
        return events

    def runs(self) -> tuple[str, ...]:
        """See `Journal.runs`."""
        return tuple(row[0] for row in self._link.run(_RUNS, self._target))

    def close(self) -> None:
        """See `Journal.close`."""
        self._link.close()

    def _stored(self, run: str) -> int:
        return int(self._link.run(_LAST, self._target, run)[0][0])

    def _read(self, row: tuple[Any, ...]) -> JournalEvent:
        run, seq, time, kind, state, payload, writer, digest = row
        if seal(self._target, run, seq, time, kind, state, payload, writer) != digest:
            raise self._link.corrupt(f"event {seq} of run {run} is not as it was written")
        return JournalEvent(run, seq, time, kind, state, msgspec.json.decode(payload, type=dict[str, Any]))


def all_runs(link: Link) -> tuple[tuple[str, str], ...]:
    """Target and identifier of every run in the journals at `link`, oldest first; the schema must exist.

    Raises:
        JournalError, UnreachableError: as `PostgresJournal.open`.
    """
    return tuple((target, run) for target, run in link.run(_TARGETS))
