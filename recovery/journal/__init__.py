"""The journal: what a recovery intended, did and saw, in the order in which it happened.

Append-only. Before an effect its intent is appended, after it what was observed; so a run that was
killed at any instant is resumed from its events and from the world, and from nothing else.
"""

from typing import Any, Protocol

import msgspec


class JournalEvent(msgspec.Struct, frozen=True):
    """One thing that happened in a run.

    Attributes:
        run: identifier of the run.
        seq: 1 for the first event of its run, without gaps.
        time: when it was appended, ISO 8601 in UTC, by the clock of the machine that appended it.
        kind: what happened, as `effect.intended`.
        state: where the recovery stood.
        payload: facts, as JSON; never a secret.
    """

    run: str
    seq: int
    time: str
    kind: str
    state: str
    payload: dict[str, Any]


class Journal(Protocol):
    """Events of one target: a system identifier, a database and a schema (RULES F10).

    Rows of other targets in the same store are invisible. A journal object remembers how far it has
    read or written each run, and appends right behind that: an event that somebody else appended in
    between is a lost race, never something to write past unseen.
    """

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """Append an event to `run`; it is durable when this returns.

        Raises:
            JournalError: `journal.conflict` if another writer has appended to `run` since this
                object last read or wrote it; `journal.unwritable`, `journal.locked`, `journal.corrupt`.
                The event is not recorded then, and what it announces must not be done.
            UnreachableError: `journal.unreachable`: whether the event is recorded is not known, and what it
                announces must not be done. Whoever reads the run next sees what is there.
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
