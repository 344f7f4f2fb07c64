"""A journal in memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from recovery.errors import JournalError
from recovery.journal import JournalEvent
from recovery.testing.ticks import Ticks


class MemoryJournal:
    """A `Journal` in memory.

    Args:
        target: key of the target.
        store: events by (target, run); two journals with the same store are two writers of one journal.
        clock: gives the time of an event.
        ticks: counts an instant before an event is durable, and one after it.
    """

    def __init__(
        self,
        target: str = "target",
        store: dict[tuple[str, str], list[bytes]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Ticks | None = None,
    ) -> None:
        self._target = target
        self._store = {} if store is None else store
        self._clock = clock
        self._ticks = ticks or Ticks()
        self._last: dict[str, int] = {}

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """See `Journal.append`."""
        self._ticks(f"before {kind}")
        before = len(self._store.get((self._target, run), []))
        if before != self._last.get(run, before):
            raise JournalError(
                "journal.conflict",
                f"Another process has written to run {run}; nothing was recorded.",
                "Run again.",
            )
        time = self._clock().astimezone(UTC).isoformat()
        # Encoded as in a real journal, so that a payload which is not JSON fails here too.
        encoded = msgspec.json.encode(JournalEvent(run, before + 1, time, kind, state, payload))
        self._store.setdefault((self._target, run), []).append(encoded)
        self._last[run] = before + 1
        self._ticks(f"after {kind}")
        return msgspec.json.decode(encoded, type=JournalEvent)

    def events(self, run: str) -> tuple[JournalEvent, ...]:
        """See `Journal.events`."""
        stored = self._store.get((self._target, run), [])
        self._last[run] = len(stored)
        return tuple(msgspec.json.decode(event, type=JournalEvent) for event in stored)

    def runs(self) -> tuple[str, ...]:
        """See `Journal.runs`."""
        return tuple(run for target, run in self._store if target == self._target)

    def close(self) -> None:
        """See `Journal.close`."""
