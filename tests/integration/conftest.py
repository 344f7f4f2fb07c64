"""A server for the whole process, and incidents staged on it."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from recovery.replay import scratch
from recovery.replay.scratch import ScratchServer
from recovery.replay.workshop import Workshop
from tests.acceptance import scene as staged
from tests.acceptance.scene import Scene
from tests.integration.rules.production import LEDGER, Production
from tests.staging import Case, Server


@pytest.fixture(scope="session")
def server() -> Server:
    """A real PostgreSQL."""
    return staged.server()


@pytest.fixture
def make(tmp_path: Path, server: Server) -> Iterator[Callable[[Case], Scene]]:
    """Stages an incident, in a project and a database of its own."""
    yield from staged.scenes(tmp_path, server)


@pytest.fixture(scope="session")
def scratch_server() -> Iterator[ScratchServer]:
    """One scratch server for all."""
    with scratch.embedded() as running:
        yield running


@pytest.fixture
def production(server: Server, scratch_server: ScratchServer, tmp_path: Path) -> Iterator[Production]:
    """With one finished migration: a table t with a row, and a sequence s."""
    workshop = Workshop(lambda: nullcontext(scratch_server), "public")
    one = Production(server, tmp_path / "migrations", workshop)
    server.create_database(one.database)
    one.run(LEDGER)
    one.finished("20260101_first", "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE SEQUENCE s;")
    one.run("INSERT INTO t VALUES (1, 1)")
    yield one
    workshop.close()
