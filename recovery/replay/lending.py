"""Scratch servers that are kept, and lent to one workshop after the other: starting one takes a while."""

import contextlib
import shutil
from collections.abc import Iterator
from threading import Lock

import psycopg

from recovery.replay import scratch
from recovery.replay.scratch import ScratchServer


class ScratchPool:
    """Embedded servers, as many as workshops use at the same time. Can be used from any thread.

    What a workshop leaves on a server is removed before the next one gets it: databases, and stand-ins for extensions.
    Roles stay, without rights.
    """

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._free: list[ScratchServer] = []
        self._servers = contextlib.ExitStack()
        self._lock = Lock()

    @contextlib.contextmanager
    def lend(self) -> Iterator[ScratchServer]:
        """A server that nobody else uses until the end of the block.

        Raises:
            ScratchError: as of `scratch.embedded`.
        """
        with self._lock:
            server = self._free.pop() if self._free else None
        if server is None:
            context = scratch.embedded()
            server = context.__enter__()
            with self._lock:
                self._servers.push(context)
        yield server
        # After an error it is not known what is left there, so it is not lent again.
        with contextlib.suppress(psycopg.Error, OSError):
            server.clear()
            if server.standins is not None:
                for left in server.standins.iterdir():
                    shutil.rmtree(left)
            with self._lock:
                self._free.append(server)

    def close(self) -> None:
        """Stops all servers."""
        with self._lock:
            self._servers.close()
            self._free.clear()
