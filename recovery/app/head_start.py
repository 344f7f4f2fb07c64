"""Starts the scratch server and Prisma's target proof while the rest of the program is being loaded. Imports little."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.replay.embedded import Embedded

if TYPE_CHECKING:
    from recovery.prisma.sentinel import Sentinel


class Ahead:
    """A head start: a scratch server that is starting, and on request the proof of which database Prisma works on.

    A failure to start either is not reported here: the work that needs it meets the failure again.

    Attributes:
        server: the starting scratch server; stopped by `close`, or by the workshop that takes it over.
        sentinel: the proof that was begun; None if it was not asked for, could not be begun, or was taken over.
    """

    def __init__(
        self,
        cwd: Path,
        environ: Mapping[str, str],
        *,
        schema: Path | None = None,
        config: Path | None = None,
        prisma: bool = False,
    ) -> None:
        """Starts the work in the background.

        Args:
            cwd: the working directory, as in `Session`.
            environ: environment variables.
            schema: the option of that name in `Options`.
            config: the option of that name in `Options`.
            prisma: the project's Prisma will be needed, so begin the proof too.
        """
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
        self.server: Future[Embedded] = self._thread.submit(Embedded)
        self.sentinel: Sentinel | None = None
        if prisma:
            with suppress(Exception):  # the work that needs the proof meets the failure again
                self.sentinel = _begun(cwd, environ, schema, config)

    def close(self) -> None:
        """Stops everything that was started and not taken over."""
        if self.sentinel is not None:
            self.sentinel.close()
        with suppress(Exception):  # the work that needs the server meets the failure again
            self.server.result().stop()
        self._thread.shutdown()


def _begun(cwd: Path, environ: Mapping[str, str], schema: Path | None, config: Path | None) -> "Sentinel":
    # Imported here, so that the server's start does not wait for them.
    from recovery.config import load  # noqa: PLC0415
    from recovery.prisma.project import find_configured  # noqa: PLC0415
    from recovery.prisma.sentinel import sentinel  # noqa: PLC0415

    settings = load(config, cwd)
    begun = sentinel(find_configured(settings, cwd, schema), settings, environ)
    begun.begin()
    return begun
