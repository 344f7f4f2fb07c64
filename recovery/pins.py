"""The database that a recovery was confirmed on, kept: a server under the same name that is another one is noticed."""

from dataclasses import dataclass

from recovery.journal.open import Store
from recovery.memory import Kind
from recovery.postgres.url import DatabaseUrl
from states.facts import Outcome

_CONFIRMED = (Outcome.HELD, Outcome.WAIVED)


@dataclass(frozen=True, slots=True)
class Pin:
    """The last confirmation of a target.

    Attributes:
        system_identifier: of the server's data directory then.
        time: when, ISO 8601 in UTC, by the clock of the machine that ran it.
    """

    system_identifier: str
    run: str
    time: str


def pinned(store: Store, url: DatabaseUrl) -> Pin | None:
    """The server on which host, port, database and schema of `url` were last confirmed; None if they never were.

    The journal says it: its target holds the server's identifier, its run's first event the URL, and
    `preflight.checked` whether the identity held or was taken on. Makes nothing.

    Raises:
        JournalError, UnreachableError: the journal can't be read.
    """
    last: Pin | None = None
    for target, run, events in store.everything():
        identifier = target.split("/")[0]
        if not identifier.isdigit():  # it could not be read then
            continue
        started = next((event.payload.get("target", "") for event in events if event.kind == Kind.STARTED), "")
        if _place(started) != _place(str(url)):
            continue
        for event in events:
            outcome = event.payload.get("target.identity", {}).get("outcome") if event.kind == Kind.CHECKED else None
            if outcome in _CONFIRMED and (last is None or event.time >= last.time):
                last = Pin(identifier, run, event.time)
    return last


def confirmed(store: Store) -> tuple[str, ...]:
    """The URLs, without passwords, of all targets whose identity was ever confirmed. Makes nothing.

    Raises:
        JournalError, UnreachableError: the journal can't be read.
    """
    found: dict[str, None] = {}
    for _, _, events in store.everything():
        url = next((event.payload.get("target", "") for event in events if event.kind == Kind.STARTED), "")
        checked = (event.payload.get("target.identity", {}) for event in events if event.kind == Kind.CHECKED)
        if url and any(check.get("outcome") in _CONFIRMED for check in checked):
            found[url] = None
    return tuple(found)


def _place(url: str) -> str:
    """Host, port, database and schema, without the user: another role is no other database."""
    return url.partition("://")[2].rpartition("@")[2]
