"""One scratch server for the whole session, as one run of the program has it."""

from collections.abc import Iterator

import pytest

from recovery.replay.scratch import ScratchServer, embedded


@pytest.fixture(scope="session")
def server() -> Iterator[ScratchServer]:
    """A running server of the embedded wheel."""
    with embedded() as running:
        yield running
