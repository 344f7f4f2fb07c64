"""What takes long to start, begun while the rest of the program is still being loaded. Imports little."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from recovery import config as configuration
from recovery.config import Config, inherited
from recovery.errors import RecoveryError
from recovery.prisma import project
from recovery.prisma.cli import PrismaCli
from recovery.prisma.project import Project, find_launcher
from recovery.prisma.sentinel import Sentinel, fingerprint, lasting, proven
from recovery.replay.embedded import Embedded, cache_folder


def sentinel(known: Project, config: Config, environ: Mapping[str, str]) -> Sentinel:
    """The proof of where the project's Prisma goes, not begun.

    Raises:
        PreflightError: `prisma.unsupported`.
        UsageError: there is no Prisma to be started.
    """
    launcher, environment = find_launcher(known, config.prisma.command), inherited(environ)
    cli = PrismaCli(known, launcher, environment)
    key = fingerprint(known, launcher, environment) if lasting(known) else None
    return Sentinel(cache_folder(), key, lambda stopped: proven(cli, stopped=stopped))


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
            with suppress(RecoveryError):
                settings = configuration.load(config, cwd)
                begun = sentinel(project.find_configured(settings, cwd, schema), settings, environ)
                begun.begin()
                self.sentinel = begun

    def close(self) -> None:
        """Ends what nobody has taken."""
        if self.sentinel is not None:
            self.sentinel.close()
        with suppress(RecoveryError):
            self.server.result().stop()
        self._thread.shutdown()
