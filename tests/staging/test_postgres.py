import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.staging import postgres

SECONDS = 30


def wait_for_end(pidfd: int) -> bool:
    """True once the process has ended; it need not be a child of ours."""
    ended, _, _ = select.select([pidfd], [], [], SECONDS)
    return bool(ended)


@pytest.mark.parametrize("version", [13, 18])
def test_a_version_starts_and_answers_over_tcp_and_socket(version: int) -> None:
    """A server has the requested version, over TCP and over the socket, and leaves nothing when stopped."""
    with postgres.start(version) as server:
        for url in (server.url(), server.dsn):
            with psycopg.connect(url) as connection:
                assert connection.info.server_version // 10_000 == version
        folder, pidfd = server.folder, os.pidfd_open(server.pid)
    try:
        assert wait_for_end(pidfd)
    finally:
        os.close(pidfd)
    assert not folder.exists()
    assert "ready to accept connections" in server.log()


def test_the_server_is_gone_when_its_starter_is_killed() -> None:
    """SIGKILL to the process that started a server ends the server and removes its folder."""
    program = (
        "import sys; from tests.staging.postgres import start; server = start();"
        "print(server.pid, server.folder, flush=True); sys.stdin.read()"
    )
    checkout = Path(postgres.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        pid, folder = starter.stdout.readline().split(maxsplit=1)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        watched = [os.pidfd_open(int(pid)), os.pidfd_open(int(fields[1]))]
        try:
            assert Path(folder.strip()).is_dir()
            starter.send_signal(signal.SIGKILL)
            assert all(wait_for_end(pidfd) for pidfd in watched)
        finally:
            for pidfd in watched:
                os.close(pidfd)
        assert not Path(folder.strip()).exists()


def test_a_password_is_demanded_over_tcp() -> None:
    """A server started with a password lets in those who know it, and nobody else."""
    with postgres.start(password="s3cret/&") as server:  # noqa: S106
        psycopg.connect(server.url()).close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url(), password="guess")  # noqa: S106


def test_a_port_taken_in_between_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """If another process takes the free port before the server does, another port is tried."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        offered = iter([port])
        free_port = postgres._free_port  # noqa: SLF001
        monkeypatch.setattr(postgres, "_free_port", lambda: next(offered, None) or free_port())
        with postgres.start() as server:
            assert server.port != port
            psycopg.connect(server.url()).close()


def test_a_server_that_does_not_start_says_why() -> None:
    """If a server does not start, the error holds the server's log."""
    with pytest.raises(postgres.ServerError, match="no_such_setting"):
        postgres.start(settings={"no_such_setting": "1"})


def test_an_unknown_version_is_refused() -> None:
    """An unknown version is refused, and the error lists the known ones."""
    with pytest.raises(ValueError, match=r"PostgreSQL 9 .* 13, 14, 15, 16, 17, 18"):
        postgres.start(9)


def test_a_database_is_copied_from_a_template() -> None:
    """A database made from a template has the template's contents."""
    with postgres.start() as server:
        server.create_database("one")
        with server.connect("one") as connection:
            connection.execute("CREATE TABLE here AS SELECT 42 AS answer")
        server.create_database("two", "one")
        with psycopg.connect(server.url("two")) as connection:
            assert connection.execute("SELECT answer FROM here").fetchone() == (42,)
        assert server.has_database("two")
        server.drop_database("two")
        assert not server.has_database("two")
