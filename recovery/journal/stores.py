"""Where journals are kept: a file of the project, or a database that several machines share."""

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
    """The journals of several targets. `str` names it for people, without a secret.

    Attributes:
        shared: whoever else works on the target can see it, so what it doesn't hold wasn't done.
        secrets: what must not be shown of it.
    """

    shared: bool
    secrets: tuple[str, ...]

    def open(self, target: str) -> Journal:
        """The journal of `target`; the store is made if it is missing.

        Raises:
            JournalError, UnreachableError: it can't be opened.
        """

    def find(self, target: str) -> Journal | None:
        """The same to be read only; None if there is no store. Makes nothing.

        Raises:
            JournalError, UnreachableError: as `open`.
        """

    def everything(self) -> Iterator[tuple[str, str, tuple[JournalEvent, ...]]]:
        """Target, run and events of all runs, the oldest run of each target first. Makes nothing.

        Raises:
            JournalError, UnreachableError: as `open`.
        """


class FileStore:
    """A SQLite file in the project's folder."""

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
    """A schema of our own in a PostgreSQL database: the target, or any other."""

    shared = True

    def __init__(self, url: DatabaseUrl) -> None:
        """Opens nothing yet.

        Raises:
            UsageError: `journal.pooled`.
        """
        if url.pooled:
            raise UsageError(
                "journal.pooled",
                f"The journal's URL ({url.host}:{url.port}) is a transaction pooler's, behind which no setting of ours "
                "holds. Nothing was done.",
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
