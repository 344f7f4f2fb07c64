"""What a deploy would do to production's tables, as a rehearsal shows: each case staged on a real server."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from recovery.app.observer import Observer
from recovery.preflight.expectation import Expectation
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack
from states.rehearsals import LockedTable, Rehearsal
from tests.integration.rules.production import FAILED, Production

P1, P2, P3 = "20260201_one", "20260202_two", "20260203_three"


@pytest.fixture
def observer(production: Production) -> Iterator[Observer]:
    with closing(production.target()) as target:
        yield Observer(target, production.folder, production.workshop, Expectation(), lambda _: None)


def rehearsed(observer: Observer, *effects: Effect) -> list[Rehearsal]:
    """What is pending, and is to be marked before."""
    return [*observer.rehearse(effects)]


def told(found: Rehearsal) -> list[tuple[str, str, int, tuple[int, ...]]]:
    """The locks, without sizes."""
    return [(each.table, each.lock, each.statement, each.rewrites) for each in found.locks]


def size(production: Production, table: str) -> int:
    with production.server.connect(production.database) as connection:
        row = connection.execute("SELECT pg_total_relation_size(%s)", (table,)).fetchone()
    assert row is not None
    return int(row[0])


def test_locks_and_rewrites_are_seen_with_the_size_in_production(production: Production, observer: Observer) -> None:
    """The table is large in production only; a table that is made just before belongs to nobody yet."""
    production.before("CREATE TABLE big (id int, n int); CREATE TABLE other (id int PRIMARY KEY)")
    production.run("INSERT INTO big SELECT i, i FROM generate_series(1, 20000) i")
    production.file(
        P1, "CREATE TABLE own (id int); CREATE INDEX big_n ON big (n); ALTER TABLE big ALTER n TYPE bigint;"
    )
    production.file(
        P2,
        "ALTER TABLE own ADD COLUMN x int; UPDATE big SET id = 1; TRUNCATE t;"
        "ALTER TABLE big RENAME TO bigger; ALTER TABLE bigger ADD FOREIGN KEY (id) REFERENCES other;",
    )
    first, second = rehearsed(observer, Deploy((P1, P2)))
    large = size(production, "big")
    assert large > 500_000
    assert first.locks == (LockedTable("public.big", "AccessExclusiveLock", 3, (3,), large),)
    assert told(second) == [
        ("public.big", "AccessExclusiveLock", 4, ()),
        ("public.t", "AccessExclusiveLock", 3, ()),
        ("public.other", "ShareRowExclusiveLock", 5, ()),
    ]
    assert second.locks[0].bytes == large, "it is there by its old name still"
    assert (first.fails, first.untold, first.obstacles) == ("", (), ())
    assert first.server_version.partition(".")[0].isdigit()


def test_a_partitioned_table_is_as_large_as_its_partitions(production: Production, observer: Observer) -> None:
    """The table itself has no rows."""
    production.before(
        "CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)"
    )
    production.run("INSERT INTO p SELECT 1 FROM generate_series(1, 5000)")
    production.file(P1, "ALTER TABLE p ADD COLUMN x int;")
    (found,) = rehearsed(observer, Deploy((P1,)))
    assert {each.table: each.bytes for each in found.locks} == {
        "public.p": size(production, "p1"),
        "public.p1": size(production, "p1"),
    }


def test_what_no_transaction_may_hold_is_told(production: Production, observer: Observer) -> None:
    """CREATE INDEX CONCURRENTLY lets rows be written; of others no lock can be seen, and it is said so."""
    production.before("CREATE INDEX ti ON t (a)")
    production.file(P1, "CREATE INDEX CONCURRENTLY t2 ON t (a);")
    production.file(P2, "DROP INDEX CONCURRENTLY ti;")
    first, second = rehearsed(observer, Deploy((P1, P2)))
    assert told(first) == [("public.t", "ShareUpdateExclusiveLock", 1, ())]
    assert second.locks == ()
    assert second.untold == ("Statement 1 runs in no transaction, so its locks can't be seen.",)


@pytest.mark.parametrize(
    ("script", "untold"),
    [
        (
            "CREATE ROLE somebody; ALTER TABLE t ADD b int;",
            "Statement 1 changes roles of the whole server, so it was not run.",
        ),
        (
            "DO $$ BEGIN EXECUTE format('ALTER TABLE t ADD %I int', 'b'); END $$;",
            "Statement 1 may work on other tables where there are rows, and lock these.",
        ),
        (
            "ALTER TABLE t DROP COLUMN a CASCADE;",
            "Statement 1 drops with CASCADE, and only production knows what goes too.",
        ),
    ],
)
def test_what_a_copy_can_not_show_is_said(production: Production, observer: Observer, script: str, untold: str) -> None:
    """Nothing is guessed; what was seen is told all the same."""
    production.file(P1, script)
    (found,) = rehearsed(observer, Deploy((P1,)))
    assert (told(found)[0][:2], found.untold) == (("public.t", "AccessExclusiveLock"), (untold,))


def test_what_would_fail_is_told(production: Production, observer: Observer) -> None:
    """A row of production that stands in the way; a script that fails on its schema; and what would come after it."""
    production.run("INSERT INTO t VALUES (2, NULL)")
    production.file(P1, "ALTER TABLE t ALTER a SET NOT NULL;")
    production.file(P2, "ALTER TABLE t DROP COLUMN nothing;")
    production.file(P3, "CREATE TABLE x ();")
    first, second, third = rehearsed(observer, Deploy((P1, P2, P3)))
    assert [each.fact for each in first.obstacles] == ["there is 1 row of public.t without a value of a"]
    assert second.fails.startswith("statement 1 fails in the rehearsal: 42703")
    assert third.untold == (f"It was not rehearsed, because {P2}, before it, fails in the rehearsal.",)
    assert third.server_version == ""


def test_what_production_has_already_is_not_rehearsed(production: Production, observer: Observer) -> None:
    """The copy is not what production is there; the one behind it stands on both."""
    production.file(P1, "ALTER TABLE t ADD b int; CREATE TABLE x ();")
    production.file(P2, "ALTER TABLE t ALTER a TYPE bigint;")
    production.run("CREATE TABLE x ()")
    first, second = rehearsed(observer, Deploy((P1, P2)))
    assert first.untold == ("It was not rehearsed, because production may have something of it already.",)
    assert told(second) == [("public.t", "AccessExclusiveLock", 1, (1,))]


def test_failed_ones_come_before_what_is_pending(production: Production, observer: Observer) -> None:
    """One is to be marked applied, so it is not run; one rolled back, so it is; and then what is pending."""
    production.failed("ALTER TABLE t ADD done int;", name="20260103_done")
    production.run("ALTER TABLE t ADD done int")
    production.failed("ALTER TABLE t ADD c int;")
    production.file(P1, "ALTER TABLE t ALTER done TYPE bigint; ALTER TABLE t ALTER c TYPE bigint;")
    marks = MarkApplied("20260103_done"), MarkRolledBack(FAILED)
    again, pending = rehearsed(observer, *marks, Deploy((FAILED, P1)))
    assert told(again) == [("public.t", "AccessExclusiveLock", 1, ())]
    assert told(pending) == [("public.t", "AccessExclusiveLock", 1, (1, 2))]


def test_nothing_pending_is_nothing_to_rehearse(observer: Observer) -> None:
    """The scratch server is not even asked."""
    assert rehearsed(observer) == []
