"""A PostgreSQL of our own for the control database, where none was named: for workers on one machine.

It is the embedded server, with a data directory that stays: in the cache folder, one for each project. The first
process that needs it starts it, and the last one that leaves stops it. If all of them are killed it stays, and the next
finds it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from recovery.errors import RecoveryError, UnreachableError
from recovery.files import cache_folder
from recovery.postgres.url import DatabaseUrl, parse
from recovery.replay.embedded import FIRST, SUPERUSER, Wheel

#: Longest path of a socket's folder: PostgreSQL allows 107 bytes, its own name included.
_SOCKET_PATH = 85
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "unix_socket_permissions": "0700",
}


class OwnControl:
    """The control database's own server, held open by this process until `close`.

    Attributes:
        url: where it is.
    """

    def __init__(self, home: Path) -> None:
        """Starts the server, unless another process has.

        Args:
            home: the project's folder, by which the server is known.

        Raises:
            UnreachableError: `fleet.own_control`.
        """
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        self._folder = cache_folder() / "control" / digest
        self._users: int | None = None
        try:
            self._wheel = Wheel()
            self._folder.mkdir(parents=True, exist_ok=True)
            sockets = self._folder / "socket"
            if len(bytes(sockets)) > _SOCKET_PATH:
                sockets = Path(tempfile.gettempdir()) / f"prisma-recovery-control-{os.geteuid()}-{digest}"
            self._sockets = sockets
            with _Locked(self._folder / "starting"):
                self._users = os.open(self._folder / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._make()
                self._start()
        except (OSError, subprocess.SubprocessError) as error:
            why = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
            raise self._not_started(why) from error
        self.url: DatabaseUrl = parse(f"postgresql://{SUPERUSER}@localhost/{FIRST}?host={sockets}")

    def _make(self) -> None:
        if not self._sockets.exists():
            self._sockets.mkdir(mode=0o700)
            self._wheel.own(self._sockets)
        if (self._folder / "data").exists():
            return
        with tempfile.TemporaryDirectory(dir=self._folder) as made:
            subprocess.run(["cp", "-a", self._wheel.data(), Path(made) / "data"], check=True, capture_output=True)
            (Path(made) / "data").rename(self._folder / "data")

    def _start(self) -> None:
        if self._pg_ctl("status").returncode == 0:
            return
        log = self._folder / "log"
        log.touch(mode=0o600)
        self._wheel.own(log)
        options = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
        done = self._pg_ctl("start", "-w", "-l", str(log), "-o", f"-k '{self._sockets}' {options}")
        if done.returncode != 0:
            raise self._not_started(" ".join(log.read_text(errors="replace").strip().splitlines()[-1:]))

    def _pg_ctl(self, *arguments: str) -> subprocess.CompletedProcess[Any]:
        return subprocess.run(
            [self._wheel.home / "bin" / "pg_ctl", "-D", self._folder / "data", *arguments],
            **self._wheel.user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            start_new_session=True,  # so that ^C in the terminal does not reach the server
        )

    def _not_started(self, why: str) -> RecoveryError:
        return UnreachableError(
            "fleet.own_control",
            f"The embedded PostgreSQL for the fleet's control database, in {self._folder}, did not start: {why}. "
            "Nothing was done.",
            "Name a PostgreSQL for it: --control, or PRISMA_RECOVERY_CONTROL.",
        )

    def close(self) -> None:
        """Leaves the server, and stops it if nobody else uses it."""
        if self._users is None:
            return
        with _Locked(self._folder / "starting"):
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pass
            else:
                self._pg_ctl("stop", "-m", "fast", "-w")
            os.close(self._users)
            self._users = None

    def forget(self) -> None:
        """Removes what is kept, once the server is stopped. For tests."""
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._sockets, ignore_errors=True)


class _Locked:
    """Holds a file's lock, for which it waits."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
