"""The history before a failed migration, as the scratch database holds it."""

import pytest

from recovery.replay.history import HistoryReplay
from recovery.replay.scratch import STATEMENT_TIMEOUT_SECONDS, ScratchServer
from recovery.sql.script import Script
from tests.replay.conftest import Replaying


def tables(history: HistoryReplay) -> set[str]:
    """The tables of all schemas, the ledger apart."""
    return {
        obj.removeprefix("table ")
        for obj, prop in history.snapshot()
        if prop == "exists" and obj.startswith("table ") and not obj.endswith("._prisma_migrations")
    }


def test_the_order_given_is_the_order_replayed(replaying: Replaying) -> None:
    """Migrations are replayed in the order that the ledger finished them, not by name (E1)."""
    history = replaying.history("CREATE TABLE a (id int)", "ALTER TABLE a RENAME TO b", "CREATE TABLE a (id int)")
    assert tables(history) == {"public.a", "public.b"}
    assert history.skipped == []
    assert [script.migration for script in history.applied] == ["m1", "m2", "m3"]


def test_the_ledger_is_there(replaying: Replaying) -> None:
    """Scripts that touch Prisma's own table find it."""
    history = replaying.history(
        "ALTER TABLE _prisma_migrations ENABLE ROW LEVEL SECURITY", "DELETE FROM _prisma_migrations"
    )
    assert history.skipped == []


@pytest.mark.parametrize(
    ("script", "number"),
    [
        ("CREATE TABLE half (id int); ALTER TABLE missing ADD COLUMN a int", 2),
        ("BEGIN; CREATE TABLE half (id int); COMMIT; SELECT 1 / 0", 4),
        ("BEGIN; SELECT 1 / 0; CREATE TABLE half (id int); COMMIT", 2),
        ("BEGIN; SET LOCAL lock_timeout = 0; ALTER TABLE missing ADD COLUMN a int; CREATE TABLE half (); COMMIT", 3),
        ("CREATE TABLE half (id int); CREATE INDEX CONCURRENTLY i ON half (id); SELECT 1 / 0", 3),
        ("SELECT create_hypertable('a', 'at', chunk_time_interval => 1); CREATE TABLE half (id int)", 1),
    ],
)
def test_only_the_statement_that_cannot_run_is_left_out(replaying: Replaying, script: str, number: int) -> None:
    """It is named with PostgreSQL's reason, and the rest of its script is replayed (E26)."""
    history = replaying.history("CREATE TABLE a (id int)", script, "ALTER TABLE a ADD COLUMN b int; CREATE TABLE c ()")
    assert tables(history) == {"public.a", "public.half", "public.c"}
    assert ("table public.a", "column b") in history.snapshot()
    (note,) = history.skipped
    assert (note.migration, note.statement, note.failed) == ("m2", number, True)
    assert note.reason.startswith("it fails when replayed: ")


@pytest.mark.parametrize(
    "bad",
    [
        "CREATE TABLE half (id int); this is not SQL",
        "CREATE TABLE half (id int); DO $$ BEGIN CREATE TABLE a_part (); COMMIT; PERFORM 1 / 0; END $$",
        (
            "BEGIN; CREATE TABLE half (id int); ALTER TABLE half ADD UNIQUE (id) DEFERRABLE INITIALLY DEFERRED;"
            " INSERT INTO half VALUES (1), (1); COMMIT"
        ),
    ],
)
def test_what_cannot_be_replayed_is_undone_and_named(replaying: Replaying, bad: str) -> None:
    """Where a failure takes more with it, or may leave something, nothing of the migration stays (E1)."""
    history = replaying.history("CREATE TABLE a (id int)", bad, "ALTER TABLE a ADD COLUMN b int; CREATE TABLE c ()")
    assert tables(history) == {"public.a", "public.c"}
    assert ("table public.a", "column b") in history.snapshot()
    assert len(history.skipped) == 1
    assert (history.skipped[0].migration, history.skipped[0].statement) == ("m2", None)
    assert history.skipped[0].reason


def test_forbidden_statements_are_left_out(replaying: Replaying) -> None:
    """Only the statement that reaches beyond the database is left out, and is named (E15)."""
    history = replaying.history("CREATE TABLE a (); CREATE ROLE other; CREATE TABLE b ()")
    assert tables(history) == {"public.a", "public.b"}
    assert len(history.skipped) == 1
    assert str(history.skipped[0]).startswith("m1, statement 2: ")


@pytest.mark.parametrize(
    "leak",
    [
        "SET search_path = s",
        "SELECT set_config('search_path', 's', false)",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SET default_transaction_read_only = on",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET check_function_bodies = off",
        "CREATE TEMP TABLE a (x int)",
        "CREATE TEMPORARY TABLE a (x int)",
        "BEGIN; SET search_path = s; COMMIT",
        "BEGIN; SET LOCAL search_path = s",
    ],
)
def test_the_session_of_one_migration_ends_with_it(replaying: Replaying, leak: str) -> None:
    """Neither settings nor temporary tables of one migration reach the next."""
    history = replaying.history(
        "CREATE SCHEMA s; CREATE TABLE a (id int)", leak, "ALTER TABLE a ADD COLUMN b int; CREATE TABLE c ()"
    )
    assert history.skipped == []
    assert ("table public.a", "column b") in history.snapshot()
    assert tables(history) == {"public.a", "public.c"}


def test_a_script_may_set_its_own_search_path(replaying: Replaying) -> None:
    """Within a migration its settings hold."""
    history = replaying.history(
        "CREATE SCHEMA s; SET search_path = s; CREATE TABLE a (); SET search_path = public; CREATE TABLE b ()"
    )
    assert tables(history) == {"s.a", "public.b"}


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE a (id int); CREATE INDEX CONCURRENTLY i ON a (id); CREATE INDEX j ON a (id)",
        "CREATE TABLE a (id int);\n--ä\nCREATE INDEX CONCURRENTLY i ON a (id);\nCREATE INDEX j ON a (id);",
    ],
)
def test_what_runs_in_no_transaction_is_replayed_piecewise(replaying: Replaying, script: str) -> None:
    """A file that can't run as a whole is replayed statement by statement."""
    history = replaying.history(script)
    assert history.skipped == []
    assert {("index public.i", "exists"), ("index public.j", "exists")} <= history.snapshot().keys()


def test_a_transaction_left_open_is_undone(replaying: Replaying) -> None:
    """BEGIN without COMMIT leaves nothing, as in production: PostgreSQL undoes it all when the session ends."""
    history = replaying.history("CREATE TABLE a (); BEGIN; CREATE TABLE b ()", "CREATE TABLE c ()")
    assert history.skipped == []
    assert tables(history) == {"public.c"}


@pytest.mark.parametrize("last", ["CREATE INDEX CONCURRENTLY i ON a (id)", "VACUUM a"])
def test_a_script_that_commits_by_itself_is_not_run_twice(replaying: Replaying, last: str) -> None:
    """What a failed try as a whole has committed doesn't stand in the way of the next, statement by statement."""
    history = replaying.history(f"BEGIN; CREATE TABLE a (id int); COMMIT; {last}")
    assert history.skipped == []
    assert tables(history) == {"public.a"}


def test_a_transaction_left_open_is_undone_statement_by_statement(replaying: Replaying) -> None:
    """The same holds where the script had to be replayed in pieces."""
    history = replaying.history("CREATE TABLE a (id int); VACUUM a; BEGIN; CREATE TABLE b ()")
    assert tables(history) == {"public.a"}


def test_a_comment_is_a_migration_too(replaying: Replaying) -> None:
    """Empty scripts are replayed like any other."""
    history = replaying.history("", "-- nothing", "CREATE TABLE a ()")
    assert history.skipped == []
    assert tables(history) == {"public.a"}


def test_it_grows(replaying: Replaying) -> None:
    """A history takes on more migrations later, also after one that was replayed on a copy."""
    history = replaying.history("CREATE TABLE a (id int)")
    for number, text in enumerate(["CREATE INDEX CONCURRENTLY i ON a (id); SELECT 1", "CREATE TABLE b ()"]):
        history.extend([Script(f"later{number}", "x", text)])
    assert tables(history) == {"public.a", "public.b"}
    assert ("index public.i", "exists") in history.snapshot()


def test_histories_are_apart(replaying: Replaying) -> None:
    """Two histories on one server don't meet."""
    one, two = replaying.history("CREATE TABLE a ()"), replaying.history("CREATE TABLE b ()", schema="other")
    assert (tables(one), tables(two)) == ({"public.a"}, {"other.b"})


def test_statements_keep_their_time_limit(replaying: Replaying, server: ScratchServer) -> None:
    """Whatever a migration sets, the next has the limit again: no statement keeps the program for ever."""
    limit = f"current_setting('statement_timeout') = '{STATEMENT_TIMEOUT_SECONDS // 60}min'"
    check = f"DO $$ BEGIN ASSERT {limit}; END $$"
    assert server.version
    assert replaying.history("SET statement_timeout = 0", check, check).skipped == []


def test_default_privileges_of_the_history_show_on_nothing(replaying: Replaying) -> None:
    """They would be privileges that no script states, on whatever the failed script makes (E8)."""
    history = replaying.history(
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor; CREATE TABLE a ()", "CREATE TABLE b ()"
    )
    assert tables(history) == {"public.a", "public.b"}
    assert not [prop for _, prop in history.snapshot() if prop == "privileges of pg_monitor"]
    assert [(note.migration, note.statement) for note in history.skipped] == [("m1", 1)]


def test_an_index_that_fails_to_be_built_concurrently_leaves_nothing(replaying: Replaying) -> None:
    """Its invalid rest is undone like anything else that failed (E1)."""
    history = replaying.history(
        "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1)",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON a (id)",
        "CREATE INDEX j ON a (id)",
    )
    assert [note.migration for note in history.skipped] == ["m2"]
    assert {obj for obj, prop in history.snapshot() if obj.startswith("index public.") and prop == "exists"} >= {
        "index public.j"
    }
    assert ("index public.i", "exists") not in history.snapshot()


@pytest.mark.parametrize(
    "lost",
    ["GRANT SELECT ON a TO nobody_here", "ALTER TABLE a OWNER TO pg_monitor", "COMMENT ON EXTENSION plpgsql IS 'x'"],
)
def test_a_statement_about_a_role_or_a_remark_that_cannot_run_costs_itself_only(
    replaying: Replaying, lost: str
) -> None:
    """The rest of the migration is replayed (E1)."""
    history = replaying.history(f"CREATE TABLE a (); {lost}; CREATE TABLE b ()")
    assert tables(history) == {"public.a", "public.b"}
    assert [(note.migration, note.statement) for note in history.skipped] == [("m1", 2)]


@pytest.mark.parametrize("lost", ["ALTER TABLE a ADD COLUMN x int, OWNER TO pg_monitor", "ALTER SYSTEM RESET work_mem"])
def test_what_does_more_than_change_an_owner_is_a_gap(replaying: Replaying, lost: str) -> None:
    """It may have run in production, and changed what is compared; what never runs here may not (E26)."""
    history = replaying.history(f"CREATE TABLE a (); {lost}")
    assert tables(history) == {"public.a"}
    assert [note.failed for note in history.skipped] == ["TABLE" in lost]


SURPRISES = [
    "CREATE TABLE a (id int, e text)",
    "BEGIN; CREATE TYPE e1 AS ENUM ('x'); COMMIT; CREATE TABLE b (e e1)",
    "ALTER TYPE e1 ADD VALUE 'y'",
    "ALTER TABLE b ALTER e SET DEFAULT 'y'",
    "BEGIN; CREATE TYPE e2 AS ENUM ('x'); ALTER TABLE b ALTER e DROP DEFAULT; COMMIT",
    "BEGIN; ALTER TABLE b ALTER e TYPE e2 USING e::text::e2; COMMIT",
    "BEGIN; DROP TYPE e1; ALTER TYPE e2 RENAME TO e1; COMMIT",
    "CREATE INDEX CONCURRENTLY i ON a (id)",
    "CREATE INDEX CONCURRENTLY j ON a (id); DROP INDEX CONCURRENTLY i",
    "SET search_path = pg_catalog; BEGIN; CREATE TABLE public.c (); COMMIT",
    "CREATE TABLE d (); ALTER TYPE e1 ADD VALUE 'z'; ALTER TABLE b ALTER e SET DEFAULT 'z'",
    "BEGIN; CREATE TEMP TABLE a (x int); COMMIT",
    "ALTER TABLE a ADD COLUMN last int; BEGIN; CREATE TABLE never ()",
    "DO $$ BEGIN CREATE TABLE in_block (); COMMIT; CREATE TABLE after_it (); END $$",
]
#: Leaves nothing behind, but could have: from there on, a copy is made before each migration that could.
FAILS = "BEGIN; CREATE TABLE half (id int); COMMIT; DROP TABLE half; SELECT 1 / 0"


def test_with_and_without_copies_a_history_ends_the_same(replaying: Replaying) -> None:
    """Whether it had to be started over or not, and wherever."""
    plain = replaying.history(*SURPRISES)
    assert plain.skipped == []
    expected = plain.snapshot()
    for position in (0, 6, len(SURPRISES)):
        history = replaying.history(*SURPRISES[:position], FAILS, *SURPRISES[position:])
        assert [note.migration for note in history.skipped] == [f"m{position + 1}"]
        assert history.snapshot() == expected
        assert len(history.applied) == len(SURPRISES) + 1
