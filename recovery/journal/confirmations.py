"""The targets whose identity earlier runs confirmed, read from the journal, so that a different server is noticed."""

from dataclasses import dataclass

from recovery.journal.run_record import Kind
from recovery.journal.stores import Store
from states.facts import Outcome

_CONFIRMED = (Outcome.HELD, Outcome.WAIVED)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A target whose identity one run confirmed.

    Attributes:
        place: host, port, database and schema, as in a URL.
        system_identifier: PostgreSQL's system identifier of the server at that time; None if it could not be read.
        run: identifier of the run.
        time: when it was confirmed, ISO 8601 in UTC, by the clock of the machine that ran it.
    """

    place: str
    system_identifier: str | None
    run: str
    time: str


def confirmations(store: Store) -> tuple[Confirmation, ...]:
    """Every confirmation in the store, the latest last. Only reads.

    A journal's target holds the server's system identifier, a run's first event the URL, and its `preflight.checked`
    whether `target.identity` held or was waived.

    Raises:
        JournalError, UnreachableError: the journal can't be read.
    """
    found = []
    for target, run, events in store.everything():
        identifier = target.split("/")[0]
        started = next((event.payload.get("target", "") for event in events if event.kind == Kind.STARTED), "")
        for event in events:
            outcome = event.payload.get("target.identity", {}).get("outcome") if event.kind == Kind.CHECKED else None
            if outcome in _CONFIRMED:
                known = identifier if identifier.isdigit() else None
                found.append(Confirmation(place(started), known, run, event.time))
    return tuple(sorted(found, key=lambda each: each.time))


def confirmed(store: Store) -> tuple[str, ...]:
    """The URLs, without passwords, of all targets whose identity was ever confirmed. Only reads.

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


def place(url: str) -> str:
    """Host, port, database and schema of a URL. The role is left out: another role makes it no other database."""
    return url.partition("://")[2].rpartition("@")[2]
