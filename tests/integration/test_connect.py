"""Connecting to a database that is asleep: waited for, within a limit."""

from collections.abc import Iterator
from threading import Thread

import pytest

from recovery.errors import UnreachableError
from recovery.postgres import connect
from recovery.postgres.target import Target
from recovery.postgres.url import DatabaseUrl, parse
from tests.journal.wire import Wire
from tests.staging import Server


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """What stands before a compute, and wakes it."""
    with Wire(server.host, server.port) as one:
        yield one


def url(wire: Wire) -> DatabaseUrl:
    """Through it."""
    return parse(f"postgresql://postgres@127.0.0.1:{wire.port}/postgres")


def test_a_compute_that_wakes_up_is_waited_for(wire: Wire) -> None:
    """A connection that is kept until the compute is there, is."""
    wire.awake.clear()
    target = Target(url(wire), "the test")
    thread = Thread(target=target.reading)
    thread.start()
    assert wire.knocked.wait(60)
    wire.awake.set()
    thread.join()
    assert target.identity.database == "postgres"
    target.close()


def test_a_compute_that_is_not_there_yet_is_tried_again(wire: Wire) -> None:
    """Three refusals are borne."""
    wire.refusals = 3
    connect.connect(url(wire), read_only=True).close()
    assert wire.refusals == 0


def test_a_compute_that_never_wakes_up(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up after so many seconds."""
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(connect, "ATTEMPTS", 2)
    wire.awake.clear()
    with pytest.raises(UnreachableError) as caught:
        connect.connect(url(wire), read_only=True)
    assert caught.value.code == "database.unreachable"
    wire.awake.set()


def test_a_compute_that_refuses(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up after so many attempts."""
    monkeypatch.setattr(connect, "ATTEMPTS", 2)
    wire.refusals = 100
    with pytest.raises(UnreachableError) as caught:
        connect.connect(url(wire), read_only=True)
    assert (caught.value.code, wire.refusals) == ("database.unreachable", 98)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            'connection failed: connection to server at "127.0.0.1", port 9 failed: Connection refused\n\tIs it?',
            "refused",
        ),
        ('connection to server at "h" (10.0.0.1), port 5432 failed: FATAL:  no such user', "no such user"),
        ('connection to server on socket "/run/.s" failed: No such file', "No such file"),
        ("failed to resolve host 'x'", "failed to resolve host 'x'"),
    ],
)
def test_the_address_is_said_once(said: str, reason: str) -> None:
    """The sentence around it has the address, so of libpq's only the reason is left."""
    assert connect.said(parse("postgresql://a@h/d"), OSError(said)).removeprefix("Connection ") == reason
