"""The scratch server, started beside everything else: it is ready when it is first needed."""

import contextlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import psycopg

from recovery import events
from recovery.replay import roles, standins
from recovery.replay.embedded import ScratchError
from recovery.replay.history import HistoryReplay
from recovery.replay.scratch import ScratchServer
from recovery.sql.script import Script

T = TypeVar("T")

#: Seconds between two words on how far a replay is.
TELL_SECONDS = 0.25


class Workshop:
    """A scratch server and the histories replayed on it, on one thread of its own.

    Everything that touches the scratch server runs there, one thing at a time, in the order asked for.
    """

    def __init__(self, open_server: Callable[[], AbstractContextManager[ScratchServer]], schema: str) -> None:
        """Begins to start the server and returns at once.

        Args:
            open_server: how to get one.
            schema: the target's, for the histories.
        """
        self._open = open_server
        self._schema = schema
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scratch")
        self._context: AbstractContextManager[ScratchServer] | None = None
        self._history: HistoryReplay | None = None
        self._stood_in = False
        self._told = 0.0
        #: Told now and then how far a replay is, from the workshop's thread.
        self.emit: events.Sink = events.nobody
        self.standins: tuple[standins.StandIn, ...] = ()
        self.roles = roles.Roles()
        self._server: Future[ScratchServer] = self._thread.submit(self._start)

    def _start(self) -> ScratchServer:
        self._context = self._open()
        return self._context.__enter__()

    @property
    def server(self) -> ScratchServer:
        """The server, waited for."""
        return self._server.result()

    def stand_in(self, production: psycopg.Connection[Any], scripts: Iterable[str]) -> None:
        """Makes stand-ins for roles and extensions that the scratch server lacks, before the first replay.

        Args:
            production: where they are read.
            scripts: texts of the history.
        """
        if self._stood_in or self.server.standins is None:
            return
        texts = tuple(scripts)
        self.roles = roles.read(production, texts)
        self.server.enroll(self.roles)
        self.standins = standins.read(production, self.server.extensions(), texts)
        standins.write(self.server.standins, self.standins, self.server.extension_files())
        self._stood_in = True

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Does `work` on the workshop's thread; its future raises ScratchError if the scratch server failed it."""
        return self._thread.submit(_told, work)

    def history(self, scripts: list[Script], of: int | None = None) -> HistoryReplay:
        """The history of exactly these scripts: the last one grown, where it is the beginning of this one.

        Call it on the workshop's thread only.

        Args:
            scripts: in their order.
            of: how many it will have been grown to in the end; None: these are all.
        """
        if self._history is None or self._history.applied != scripts[: len(self._history.applied)]:
            if self._history is not None:
                self._history.close()
            self._history = HistoryReplay(self.server, self._schema)
        began = time.monotonic()
        for script in scripts[len(self._history.applied) :]:
            self._tell(len(self._history.applied), of or len(scripts), script.migration, began)
            self._history.extend([script])
        return self._history

    def _tell(self, done: int, total: int, migration: str, began: float) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            with contextlib.suppress(Exception):  # whoever listens is no reason to end a replay
                self.emit(events.Progressed(events.Task.REPLAY, round(now - began, 1), done, total, migration))

    def close(self) -> None:
        """Ends the server; waits for work under way."""
        if self._context is not None or not self._server.done():
            self._thread.submit(self._stop).result()
        self._thread.shutdown()

    def _stop(self) -> None:
        if self._history is not None:
            self._history.release()
        if self._context is not None:
            self._context.__exit__(None, None, None)


def _told(work: Callable[[], T]) -> T:
    try:
        return work()
    except psycopg.Error as error:
        raise ScratchError(
            "scratch.failed",
            f"The scratch server failed while the history was replayed: {str(error).strip()}. Nothing was changed.",
            "Run again; if it stays so, name another throw-away server as [scratch] url.",
        ) from error
