"""Runs the scratch server and all replays on a background thread, so that the server is ready when it is needed."""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, TypeVar

import psycopg

from recovery import events
from recovery.replay import roles, standins, surroundings
from recovery.replay.history import HistoryReplay
from recovery.replay.room import ScratchError, lacked
from recovery.replay.scratch import ScratchServer
from recovery.replay.surroundings import Surroundings
from recovery.sql.script import Script
from recovery.sql.targets import targets

T = TypeVar("T")

#: Seconds between two progress events of a replay.
TELL_SECONDS = 0.25


class Workshop:
    """A scratch server, and the history that is replayed on it, on a thread of their own.

    The server is started and replays run on that thread, one task at a time, in the order of submission.

    Attributes:
        emit: receives progress events, on that thread.
        standins: the stand-ins for extensions that were made.
        roles: the roles that were made.
        around: what is there before a history.
    """

    def __init__(
        self,
        open_server: Callable[[], AbstractContextManager[ScratchServer]],
        schema: str,
        init: Sequence[Script] = (),
    ) -> None:
        """Starts the server on the thread, and does not wait for it.

        Args:
            open_server: opens a server, and closes it at the end of the block.
            schema: the schema of the target's URL, in which scripts run.
            init: scripts to be run before a history.
        """
        self._open = open_server
        self._schema = schema
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="scratch")
        self._context: AbstractContextManager[ScratchServer] | None = None
        self._history: HistoryReplay | None = None
        self._stood_in = False
        self._told = 0.0
        self.emit: events.Sink = events.nobody
        self.standins: tuple[standins.StandIn, ...] = ()
        self.roles = roles.Roles()
        self.around = Surroundings(init=tuple(init))
        self._server: Future[ScratchServer] = self._thread.submit(self._start)

    def _start(self) -> ScratchServer:
        self._context = self._open()
        return self._context.__enter__()

    @property
    def server(self) -> ScratchServer:
        """The server. Waits until it has started."""
        return self._server.result()

    def stand_in(self, production: psycopg.Connection[Any], scripts: Iterable[str]) -> None:
        """Makes the roles and the stand-ins for extensions that the scratch server lacks, and finds what else there is.

        Call it before a replay. Later calls do nothing. No file and no role is made on a server that the user named.

        Args:
            production: the server from whose catalog they are read.
            scripts: texts of the whole history, of all attempts, and of what is pending.
        """
        if self._stood_in:
            return
        texts = (*scripts, *(each.text for each in self.around.init))
        made = cache(lambda: targets(texts, self._schema))
        if self.server.standins is not None:
            self.roles = roles.read(production, texts)
            self.server.enroll(self.roles)
            available = self.server.extensions()
            self.standins = standins.read(production, available, texts, lambda: made().called)
            standins.write(self.server.standins, self.standins, self.server.extension_files())
        outside = surroundings.read(production, texts, self._schema, made)
        self.around = Surroundings(outside, self.around.init)
        self._stood_in = True

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Runs `work` on the workshop's thread. The future raises ScratchError if the scratch server fails."""
        return self._thread.submit(_told, work)

    def history(self, scripts: list[Script], of: int | None = None) -> HistoryReplay:
        """Replays a history of exactly these scripts. The previous history is extended if it is the beginning of this.

        Call it on the workshop's thread only.

        Args:
            scripts: the scripts in their order.
            of: the total that progress is reported against, if later calls will extend the history; None for these
                scripts alone.
        """
        if self._history is None or self._history.applied != scripts[: len(self._history.applied)]:
            if self._history is not None:
                self._history.close()
            self._history = HistoryReplay(self.server, self._schema, self.around)
        began = time.monotonic()
        for script in scripts[len(self._history.applied) :]:
            self._tell(len(self._history.applied), of or len(scripts), script.migration, began)
            self._history.extend([script])
        return self._history

    def _tell(self, done: int, total: int, migration: str, began: float) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            with contextlib.suppress(Exception):  # a failing listener must not end a replay
                self.emit(events.Progressed(events.Task.REPLAY, round(now - began, 1), done, total, migration))

    def close(self) -> None:
        """Stops the server, after the tasks that were submitted before."""
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
        raise lacked(error) or ScratchError(
            "scratch.failed",
            f"The scratch server failed while the history was replayed: {str(error).strip()}. Nothing was changed.",
            "Run again; if it fails again, name another throw-away server as [scratch] url.",
        ) from error
