"""The stores that keep journals: a file of the project, or a database that several machines share."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from recovery.errors import UsageError
from recovery.journal import Journal, JournalEvent
from recovery.journal.postgres import PostgresJournal, all_runs
from recovery.journal.postgres_schema import Link
from recovery.journal.sqlite import SqliteJournal, all_targets
from recovery.journal.sqlite_file import journal_file
from recovery.postgres.url import DatabaseUrl


class Store(Protocol):
    """A place that keeps the journals of several targets. `str` names it for people, without a secret.

    Attributes:
        shared: every machine that works on the target uses this store, so an act that it does not record was not done.
        secrets: texts that must never be shown, such as the store's URL.
    """

    shared: bool
    secrets: tuple[str, ...]

    def open(self, target: str) -> Journal:
        """The journal of `target`; makes the store if it is missing.

        Raises:
            JournalError, UnreachableError: the store can't be made or opened.
        """

    def find(self, target: str) -> Journal | None:
        """The journal of `target`, for reading only; None if there is no store. Makes nothing.

        Raises:
            JournalError, UnreachableError: as `open`.
        """

    def everything(self) -> Iterator[tuple[str, str, tuple[JournalEvent, ...]]]:
        """Target, run and events of each run in the store; each target's runs from the oldest. Makes nothing.

        Raises:
            JournalError, UnreachableError: as `open`.
        """


class FileStore:
    """A store in a SQLite file in the project's folder."""

    shared = False
    secrets: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        """Opens nothing yet."""
        self._folder = folder

    def __str__(self) -> str:
        return str(journal_file(self._folder))

    def open(self, target: str) -> Journal:
        """See `Store.open`."""
        return SqliteJournal.open(self._folder, target)

    def find(self, target: str) -> Journal | None:
        """See `Store.find`."""
        return SqliteJournal.find(self._folder, target)

    def everything(self) -> Iterator[tuple[str, str, tuple[JournalEvent, ...]]]:
        """See `Store.everything`."""
        for target, runs in all_targets(self._folder).items():
            journal = SqliteJournal.find(self._folder, target)
            if journal is None:
                continue
            with contextlib.closing(journal):
                for run in runs:
                    yield target, run, journal.events(run)


class PostgresStore:
    """A store in a schema of its own in a PostgreSQL database: the target, or any other."""

    shared = True

    def __init__(self, url: DatabaseUrl) -> None:
        """Opens nothing yet.

        Raises:
            UsageError: `journal.pooled`.
        """
        if url.pooled:
            raise UsageError(
                "journal.pooled",
                f"The journal's URL ({url.host}:{url.port}) is a transaction pooler's, through which our session's "
                "settings do not hold. Nothing was done.",
                url.past_the_pooler,
            )
        self._url = url
        self.secrets: tuple[str, ...] = (url.url,)

    def __str__(self) -> str:
        return str(Link(self._url, writing=False))

    def open(self, target: str) -> Journal:
        """See `Store.open`."""
        return PostgresJournal.open(self._url, target)

    def find(self, target: str) -> Journal | None:
        """See `Store.find`."""
        return PostgresJournal.find(self._url, target)

    def everything(self) -> Iterator[tuple[str, str, tuple[JournalEvent, ...]]]:
        """See `Store.everything`."""
        with contextlib.closing(Link(self._url, writing=False)) as link:
            for target, run in all_runs(link) if link.made() else ():
                yield target, run, PostgresJournal(link, target).events(run)
