"""The throw-away server: where it comes from, what it may do, and that nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from recovery.errors import PreflightError, UnreachableError
from recovery.replay import embedded as running
from recovery.replay import scratch
from recovery.replay.embedded import Embedded
from recovery.replay.room import ScratchError
from recovery.replay.scratch import ScratchServer, embedded

REPOSITORY = Path(__file__).parents[2]
#: Stopping a server takes tens of milliseconds; on a starved machine this is how long it may take.
GONE_WITHIN_SECONDS = 30.0

CHILD = """
import os, signal
from recovery.replay.scratch import embedded
with embedded() as server:
    with server.connect(server.create(), superuser=True) as connection:
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    print(os.path.dirname(row[0]), flush=True)
    signal.pause()
"""


def folder_of(server: ScratchServer) -> Path:
    """The folder that the server lives in."""
    with psycopg.connect(conninfo_of(server)) as connection:
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    assert row is not None
    return Path(row[0]).parent


def conninfo_of(server: ScratchServer) -> str:
    """Its address as a superuser, who is not the role that scripts run as."""
    with server.connect("template1", superuser=True) as connection:
        info = connection.info
        return make_conninfo("", host=info.host, user=info.user, dbname="template1")


def test_it_starts_and_leaves_nothing() -> None:
    """The server answers inside the block; after it, its folder is gone and nobody answers."""
    with embedded() as server:
        folder, conninfo = folder_of(server), conninfo_of(server)
        assert folder.is_dir()
        assert server.version >= 18_00_00
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)


HASTY = """
from pathlib import Path
from recovery.replay.embedded import Embedded
server = Embedded()
watchdog = server._watchdog.pid
children = Path(f"/proc/{watchdog}/task/{watchdog}/children")
def begun():
    try:
        return any(Path(f"/proc/{child}/comm").read_text() == "postgres\\n" for child in children.read_text().split())
    except OSError:  # what copies its data has just ended
        return False
while not begun():
    pass
server.stop()
print(server.folder)
"""


def test_it_can_be_ended_while_it_starts() -> None:
    """A command that is refused at once ends its server before that answers to signals."""
    done = subprocess.run([sys.executable, "-c", HASTY], capture_output=True, text=True, timeout=60, check=True)
    assert not Path(done.stdout.strip()).exists()


def test_an_error_in_the_block_leaves_nothing_either() -> None:
    """The server is gone however the block ends."""
    folders = []

    def fail() -> None:
        with embedded() as server:
            folders.append(folder_of(server))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert folders
    assert not folders[0].exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_nothing(number: signal.Signals) -> None:
    """The server and its folder are gone soon after the process that started it was killed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True, env=environment) as child:
        try:
            assert child.stdout is not None
            folder = Path(child.stdout.readline().strip())
            assert folder.is_dir()
            server = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        finally:
            child.send_signal(number)
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder in which servers are started; another user may enter it."""
    with tempfile.TemporaryDirectory(prefix="servers-") as made:
        Path(made).chmod(0o711)
        monkeypatch.setattr("recovery.replay.embedded._MEMORY", f"{made}/none")
        monkeypatch.setattr("tempfile.tempdir", made)
        yield Path(made)


def test_what_a_killed_server_left_is_removed_by_the_next(place: Path) -> None:
    """Not even its watchdog was left to tidy up; a living server's folder, and a young one without a lock, stay."""
    young, old = place / "prisma-recovery-young", place / "prisma-recovery-old"
    for folder in (young, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    with embedded() as living:
        assert not old.exists()
        dead = Embedded()
        deadline = time.monotonic() + scratch.START_TIMEOUT_SECONDS
        while not (dead.folder / "data" / "postmaster.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(dead._watchdog.pid, signal.SIGKILL)  # noqa: SLF001 - nothing else gives its process
        dead.stop()
        deadline = time.monotonic() + GONE_WITHIN_SECONDS
        while dead.folder.exists() and time.monotonic() < deadline:
            with embedded():
                assert folder_of(living).is_dir()
        assert not dead.folder.exists()
        assert young.exists()


def test_a_server_that_ends_at_its_start_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words are shown, and nobody waits for it to answer."""
    monkeypatch.setitem(running._OPTIONS, "shared_buffers", "much")  # noqa: SLF001
    began = time.monotonic()
    with pytest.raises(ScratchError, match='invalid value for parameter "shared_buffers"'), embedded():
        pass
    assert time.monotonic() - began < scratch.START_TIMEOUT_SECONDS / 2


def test_a_full_folder_is_one_sentence(tmp_path: Path) -> None:
    """What `cp` says of each of a thousand files is said once."""
    server = Embedded()
    server.stop()
    server.folder = tmp_path
    (tmp_path / "log").write_text("cp: error writing 'a': No space left on device\n" * 800)
    assert server.log() == "cp: error writing 'a': No space left on device"


def test_scripts_run_as_a_role_without_power(server: ScratchServer) -> None:
    """The role owns its database, and can neither leave it nor touch the server's files or roles."""
    name = server.create()
    with server.connect(name) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,"
            " EXISTS (SELECT FROM pg_roles o WHERE pg_has_role(r.oid, o.oid, 'MEMBER')"
            " AND (o.rolname LIKE 'pg\\_%' AND o.rolname <> 'pg_database_owner' OR o.rolsuper OR o.rolcreaterole))"
            " FROM pg_roles r WHERE rolname = current_user"
        ).fetchone()
        assert row == (False,) * 6
        connection.execute("CREATE TABLE t (id int)")
        for forbidden in (
            "CREATE ROLE other",
            "CREATE DATABASE other",
            "ALTER SYSTEM SET work_mem = '1MB'",
            "COPY t TO '/tmp/never-written'",
            "COPY t FROM PROGRAM 'true'",
            "SELECT pg_read_file('postgresql.conf')",
            "SELECT lo_import('/etc/hostname')",
            "CREATE EXTENSION file_fdw",
            "CREATE EXTENSION dblink",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())
    server.drop(name)


def test_a_statement_has_a_time_limit(server: ScratchServer) -> None:
    """No statement of a script can keep the program for ever."""
    name = server.create()
    with server.connect(name) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)
    server.drop(name)


def test_two_at_once() -> None:
    """Two servers of one process don't meet: each has its own folder and its own databases."""
    with embedded() as one, embedded() as two:
        assert folder_of(one) != folder_of(two)
        for server, table in ((one, "first"), (two, "second")):
            with server.connect(server.create()) as connection:
                connection.execute(f"CREATE TABLE {table} ()")
                tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
                assert tables == [(table,)]


def test_prepared_once_by_whoever_is_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that start together on a fresh machine all get a server; the cache is made once and whole."""
    monkeypatch.setenv("PRISMA_RECOVERY_CACHE", str(tmp_path / "cache"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])}
    program = CHILD.replace("signal.pause()", "pass")
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) for _ in range(2)
    ]
    assert [(bool(child.communicate(timeout=120)[0]), child.returncode) for child in children] == [(True, 0)] * 2
    assert not [path.name for path in (tmp_path / "cache").iterdir() if path.name.count("-") > 1]


def test_copies_are_alike_and_apart(server: ScratchServer) -> None:
    """A database made from a template has what it had, and changes apart from it; a dropped one is gone."""
    base = server.create()
    with server.connect(base) as connection:
        connection.execute("CREATE TABLE t ()")
    copy = server.create(base)
    with server.connect(copy) as connection:
        connection.execute("DROP TABLE t")
    with server.connect(base) as connection:
        assert connection.execute("SELECT to_regclass('t') IS NOT NULL").fetchone() == (True,)
    server.drop(copy)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        server.connect(copy)
    server.drop(base)


def test_a_named_server_is_used_and_tidied(server: ScratchServer) -> None:
    """A scratch URL of another server than the target's works, and keeps none of its databases."""
    conninfo = conninfo_of(server)
    count = "SELECT count(*) FROM pg_database"
    with psycopg.connect(conninfo) as connection:
        before = connection.execute(count).fetchone()
        with scratch.at(conninfo, "1") as named:
            with named.connect(named.create()) as inside:
                inside.execute("CREATE TABLE t ()")
            assert connection.execute(count).fetchone() != before
        assert connection.execute(count).fetchone() == before


@pytest.mark.parametrize("known", [True, False])
def test_the_targets_own_server_is_refused(server: ScratchServer, *, known: bool) -> None:
    """A scratch URL with the target's system identifier, or where that can't be compared, is refused untouched."""
    conninfo = conninfo_of(server)
    identifier = server.system_identifier()
    assert identifier is not None
    assert identifier.isdigit()
    with (
        pytest.raises(PreflightError) as refused,
        scratch.at(conninfo, identifier if known else None),
    ):
        pytest.fail("a database could have been made")
    assert refused.value.code == "scratch.is_target"
    assert ("own server" in refused.value.fact) == known


def test_a_server_that_hides_who_it_is_is_refused(server: ScratchServer) -> None:
    """Where the role may not read the identifier, the server could be the target: it is refused."""
    address = conninfo_to_dict(conninfo_of(server))
    with server.connect("template1", superuser=True) as connection:
        connection.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        try:
            with (
                pytest.raises(PreflightError, match="can't be shown"),
                scratch.at(make_conninfo("", **{**address, "user": "replay"}), "1"),
            ):
                pytest.fail("a database could have been made")
        finally:
            connection.execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    """A scratch URL where nobody listens is said so, with what to do."""
    with pytest.raises(UnreachableError) as refused, scratch.at(make_conninfo("", host=str(tmp_path)), "1"):
        pytest.fail("nobody listens there")
    assert refused.value.code == "scratch.unreachable"
    assert refused.value.remedy
