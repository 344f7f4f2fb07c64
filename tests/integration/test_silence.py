"""A server that is there and says nothing: every wait of ours has an end."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import psycopg
import pytest

from recovery.errors import UnreachableError
from recovery.postgres import bounded, connect
from recovery.postgres.connect import answering
from recovery.postgres.locks import RECOVERY_LOCK, SessionLock
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from tests.staging import Server

#: What ends at all ends long before.
SECONDS = 60


@contextmanager
def silent(connection: psycopg.Connection) -> Iterator[None]:
    """Its server process is stopped, and the socket stays open."""
    pid = connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def ends(act: Callable[[], object]) -> BaseException | None:
    """What it raises; it is beside the test, which would wait for ever with it."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - it is looked at
            raised.append(error)

    beside = Thread(target=work, daemon=True)
    beside.start()
    beside.join(SECONDS)
    assert not beside.is_alive(), "it waits without end"
    return raised[0] if raised else None


@pytest.fixture
def target(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A target whose answers may take two seconds."""
    monkeypatch.setattr(bounded, "ANSWER_SECONDS", 2.0)
    one = Target(parse(server.url()), "the test")
    yield one
    one.close()


def test_an_answer_that_does_not_come_ends_the_wait(target: Target) -> None:
    """It is told as a database that stopped answering, and the next question has a connection of its own."""

    def ask() -> None:
        with answering(target.url):
            target.reading().execute("SELECT 1")

    connection = target.reading()
    with silent(connection):
        error = ends(ask)
        assert isinstance(error, UnreachableError)
        assert error.code == "database.lost"
        assert connection.closed
        assert target.reading().execute("SELECT 1").fetchone() == (1,)


def test_a_lock_whose_session_is_silent_does_not_count_as_held(target: Target) -> None:
    """RULES F4: what can't be seen to be held isn't, and the wait for it has an end."""
    connection = target.working("prisma-recovery lock")
    lock = SessionLock(connection, RECOVERY_LOCK)
    assert lock.try_take()
    assert lock.held()
    held: list[bool] = []
    with silent(connection):
        assert ends(lambda: held.append(lock.held())) is None
    assert held == [False]


def test_a_socket_that_accepts_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting has an end too."""
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT_SECONDS", 2)  # libpq knows no shorter one
    monkeypatch.setattr(connect, "ATTEMPTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = parse(f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/app")
        error = ends(lambda: Target(url, "the test").reading())
    assert isinstance(error, UnreachableError)
    assert error.code == "database.unreachable"


def test_the_server_speaks_first() -> None:
    """It ends a statement of ours before we give up on it, so that nothing of ours goes on there unseen."""
    assert bounded.ANSWER_SECONDS * 1000 > connect.STATEMENT_TIMEOUT_MS
