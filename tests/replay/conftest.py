"""One scratch server for the whole session, as one run of the program has it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from recovery.replay.history import HistoryReplay
from recovery.replay.scratch import ScratchServer, embedded
from recovery.sql.script import Script
from states.facts import Replay

Connection = psycopg.Connection[Any]
#: Histories by their scripts and their schema.
Kept = dict[tuple[tuple[str, ...], str], HistoryReplay]


@pytest.fixture(scope="session")
def server() -> Iterator[ScratchServer]:
    """A running server of the embedded wheel."""
    with embedded() as running:
        yield running


class Replaying:
    """Histories and scripts given as SQL; names and checksums are made up."""

    def __init__(self, server: ScratchServer, kept: Kept) -> None:
        self._server = server
        self._kept = kept
        self._histories: list[HistoryReplay] = []

    def history(self, *scripts: str, schema: str = "public") -> HistoryReplay:
        """A history of these scripts, called m1, m2 and so on, that nobody else has."""
        replay = self._replayed(scripts, schema)
        self._histories.append(replay)
        return replay

    def _replayed(self, scripts: tuple[str, ...], schema: str) -> HistoryReplay:
        replay = HistoryReplay(self._server, schema)
        replay.extend(Script(f"m{number}", str(number), text) for number, text in enumerate(scripts, 1))
        return replay

    def steps(self, script: str, *base: str, schema: str = "public") -> Replay:
        """The steps of a script on top of a history; they leave it as it was, so that the same base serves again."""
        history = self._kept.get((base, schema))
        if history is None:
            history = self._kept[base, schema] = self._replayed(base, schema)
        return history.steps(Script("failed", "checksum", script))

    def close(self) -> None:
        """Drops all their databases."""
        for history in self._histories:
            history.close()


@pytest.fixture(scope="module")
def kept(server: ScratchServer) -> Iterator[Kept]:  # noqa: ARG001 - it must outlive them
    """Histories that a module's scripts are replayed on."""
    histories: Kept = {}
    yield histories
    for history in histories.values():
        history.close()


@pytest.fixture
def replaying(server: ScratchServer, kept: Kept) -> Iterator[Replaying]:
    """Replays of small histories, whose databases are dropped afterwards."""
    histories = Replaying(server, kept)
    yield histories
    histories.close()


@pytest.fixture(scope="module")
def database(server: ScratchServer) -> Iterator[Connection]:
    """A database with one table, as a superuser: every kind of object can be made in it."""
    name = server.create()
    with server.connect(name, superuser=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text, v varchar(10))")
        yield connection
    server.drop(name)


@pytest.fixture
def transaction(database: Connection) -> Iterator[Connection]:
    """The same, inside a transaction that is undone."""
    database.execute("BEGIN")
    yield database
    database.execute("ROLLBACK")
