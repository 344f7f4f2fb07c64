"""The journal: an append-only record of what recoveries intended, did and saw, in order.

An effect's intent is appended before the effect, its observed outcome after it. So a run that was killed at any
instant can be resumed from its events and a new look at production, and from nothing else.
"""

from typing import Any, Protocol

import msgspec


class JournalEvent(msgspec.Struct, frozen=True):
    """One event of a run.

    Attributes:
        run: identifier of the run.
        seq: number of the event in its run; from 1, without gaps.
        time: when it was appended, ISO 8601 in UTC, by the clock of the machine that appended it.
        kind: what happened, for example `effect.intended`.
        state: the state of the machine in which it happened.
        payload: the facts, as JSON; never a secret.
    """

    run: str
    seq: int
    time: str
    kind: str
    state: str
    payload: dict[str, Any]


class Journal(Protocol):
    """The events of one target, which is a system identifier, a database and a schema (RULES F10).

    Other targets' events in the same store are invisible. A journal object remembers the last event of each run that
    it read or wrote, and appends only directly after that one: if another writer appended in between, it raises
    `journal.conflict`.
    """

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """Append an event to `run`; it is durable when this returns.

        Raises:
            JournalError: `journal.conflict` if another writer has appended to `run` since this
                object last read or wrote it; `journal.unwritable`, `journal.locked`, `journal.corrupt`.
                The event is not recorded then, and the act that it announces must not be done.
            UnreachableError: `journal.unreachable`: whether the event is recorded is not known, and the act that it
                announces must not be done. The next reader of the run sees whether it is.
            TypeError: the payload is not JSON.
        """

    def events(self, run: str) -> tuple[JournalEvent, ...]:
        """The events of `run` in their order; empty for an unknown run.

        Raises:
            JournalError: `journal.corrupt` if a row cannot be read or is missing.
            UnreachableError: `journal.unreachable`.
        """

    def runs(self) -> tuple[str, ...]:
        """Identifiers of this target's runs, oldest first."""

    def close(self) -> None:
        """Release the store. Nothing is lost by not calling it."""
