"""A PostgreSQL, and a database of its own for each test that asks for one."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.staging import Server, start

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A real PostgreSQL. It commits asynchronously unless a session demands otherwise."""
    with start() as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """URL of an empty database."""
    name = f"journal_{next(_numbers)}"
    server.create_database(name)
    yield server.url(name)
    server.drop_database(name)
