"""What takes long to start, begun while the rest of the program is still being loaded. Imports little."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.replay.embedded import Embedded

if TYPE_CHECKING:
    from recovery.prisma.sentinel import Sentinel


class Ahead:
    """A scratch server that is starting, and with Prisma the proof of where it goes.

    What can't be begun is told later, by the work that needs it.

    Attributes:
        server: ended by `close`, and by the workshop that takes it.
        sentinel: None where there is none to be begun.
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
        """Begins, and returns at once.

        Args:
            cwd: as `Session` takes it; the further ones are its options.
            environ: environment variables.
            schema: see there.
            config: see there.
            prisma: the project's Prisma will be needed.
        """
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
        self.server: Future[Embedded] = self._thread.submit(Embedded)
        self.sentinel: Sentinel | None = None
        if prisma:
            with suppress(Exception):  # whatever it is, it is met again there
                self.sentinel = _begun(cwd, environ, schema, config)

    def close(self) -> None:
        """Ends what nobody has taken."""
        if self.sentinel is not None:
            self.sentinel.close()
        with suppress(Exception):  # why it could not be started is said by the work that needs it
            self.server.result().stop()
        self._thread.shutdown()


def _begun(cwd: Path, environ: Mapping[str, str], schema: Path | None, config: Path | None) -> "Sentinel":
    # The server must not wait until these are loaded.
    from recovery.config import load  # noqa: PLC0415
    from recovery.prisma.project import find_configured  # noqa: PLC0415
    from recovery.prisma.sentinel import sentinel  # noqa: PLC0415

    settings = load(config, cwd)
    begun = sentinel(find_configured(settings, cwd, schema), settings, environ)
    begun.begin()
    return begun
