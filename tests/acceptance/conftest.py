"""A server for the whole process, and incidents staged on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance import scene as staged
from tests.acceptance.scene import Scene
from tests.staging import Case, Server

Make = Callable[[Case], Scene]


@pytest.fixture(scope="session")
def server() -> Server:
    """A real PostgreSQL."""
    return staged.server()


@pytest.fixture
def make(tmp_path: Path, server: Server) -> Iterator[Make]:
    """Stages an incident, in a project and a database of its own."""
    yield from staged.scenes(tmp_path, server)
