"""A server for the whole process, and incidents staged on it."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from recovery.replay import scratch
from recovery.replay.scratch import ScratchServer
from tests.acceptance import scene as staged
from tests.acceptance.scene import Scene
from tests.integration.rules.production import Production, SharedWorkshop, begun
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


@pytest.fixture(scope="session")
def workshop(scratch_server: ScratchServer) -> Iterator[SharedWorkshop]:
    """One workshop for all."""
    shared = SharedWorkshop(lambda: nullcontext(scratch_server), "public")
    yield shared
    shared.close()


@pytest.fixture
def production(server: Server, workshop: SharedWorkshop, tmp_path: Path) -> Iterator[Production]:
    """With one finished migration: a table t with a row, and a sequence s. It is gone at the end."""
    one = begun(server, workshop, tmp_path)
    yield one
    server.drop_database(one.database)  # a server that keeps hundreds is a slow one to copy (`start_replica`)
