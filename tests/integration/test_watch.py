"""What a look at a command at work sees, on a real server; and that it waits for nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psycopg
import pytest

from recovery import events
from recovery.effects.watch import Watch
from recovery.postgres.target import Target
from tests.acceptance.scene import eventually
from tests.integration.rules.production import Production

NAME = "prisma-recovery effect test"


@pytest.fixture
def target(production: Production) -> Iterator[Target]:
    """The production."""
    found = production.target()
    yield found
    found.close()


@contextmanager
def at_work(production: Production, statement: str) -> Iterator[None]:
    """A session of the command's name that runs a statement until it is let."""
    with production.server.connect(production.database) as connection:
        connection.execute(f"SET application_name = '{NAME}'")
        thread = Thread(target=connection.execute, args=(statement,))
        thread.start()
        try:
            yield
        finally:
            thread.join()


def test_a_look_names_migration_lock_and_session(production: Production, target: Target) -> None:
    """One of two is through, the other waits for a table that an idle transaction has read."""
    production.finished("20260102_a", "CREATE TABLE a (id int)")
    production.row("20260103_b", "x", finished=False, steps=0)
    watch = Watch(target, NAME, ("20260102_a", "20260103_b"), events.nobody)
    looking = target.working("prisma-recovery watch")
    with production.server.connect(production.database) as holder:
        holder.autocommit = False
        holder.execute("SELECT * FROM t")
        pid = holder.info.backend_pid
        with at_work(production, "ALTER TABLE t ADD COLUMN b int"):
            eventually(lambda: bool(watch.look(looking).blocked_by))
            seen = watch.look(looking)
            holder.rollback()
    assert (seen.done, seen.total, seen.migration) == (1, 2, "20260103_b")
    assert seen.waits_for == "AccessExclusiveLock on public.t"
    (blocker,) = seen.blocked_by
    assert blocker.startswith(f"pid {pid} (")
    assert "idle in transaction since" in blocker
    assert watch.look(looking).blocked_by == ()
    looking.close()


def test_watching_waits_for_nobody_and_holds_nothing(production: Production, target: Target) -> None:
    """A command that has locked the ledger itself is not waited for: no look, no error, and no transaction of ours."""
    told = Event()
    watch = Watch(target, NAME, ("20260103_b",), lambda _: told.set(), interval=0.01)
    with production.server.connect(production.database) as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE _prisma_migrations IN ACCESS EXCLUSIVE MODE")
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'prisma-recovery watch'"
        with production.server.connect(production.database) as other, watch:
            eventually(lambda: other.execute(query).fetchone() == (1,))
            eventually(lambda: other.execute(f"{query} AND xact_start IS NULL").fetchone() == (1,))
            assert not told.is_set()
            holder.rollback()
            assert told.wait(30)


def test_a_listener_that_fails_only_ends_the_watching(target: Target) -> None:
    """What a sink raises reaches neither the command nor standard error."""
    called = Event()

    def broken(_: events.Event) -> None:
        called.set()
        raise BrokenPipeError

    watch = Watch(target, NAME, (), broken, interval=0.01)
    with watch:
        assert called.wait(30)
        eventually(lambda: not watch.running)


def test_nothing_is_told_once_the_command_has_ended(target: Target) -> None:
    """Behind the end of a command nobody is told of it any more, whatever the server still has to say."""
    seen: list[events.Event] = []
    told = Event()

    def listen(event: events.Event) -> None:
        seen.append(event)
        told.set()

    watch = Watch(target, NAME, (), listen, interval=0.01)
    with watch:
        assert told.wait(30)
    count = len(seen)
    eventually(lambda: not watch.running)
    assert len(seen) == count


def test_a_server_that_is_gone_is_not_asked_again(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no connection is to be had, the watching ends, and that is all."""

    def refuse(_: str) -> psycopg.Connection[object]:
        raise psycopg.OperationalError("no")

    monkeypatch.setattr(target, "working", refuse)
    watch = Watch(target, NAME, (), events.nobody, interval=0.01)
    with watch:
        eventually(lambda: not watch.running)
