"""The steps of real scripts: what each statement shows, and what the footprint holds."""

import pytest

from recovery.postgres.catalog import read
from recovery.replay.scratch import ScratchServer
from recovery.sql.script import Script
from states.evidence import Verdict
from states.facts import Replay, Subject, Visibility
from states.verdict import judge
from tests.replay.conftest import Replaying
from tests.states.strategies import TARGET, UNKNOWN, row

BASE = "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TYPE e AS ENUM ('p'); CREATE SEQUENCE q;"
BASE += "CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (1); RETURN 1; END'"
COMMITTING = "CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN ALTER TABLE t ADD COLUMN b int; COMMIT; END'"
SEEN, ROWS, OPEN, INERT, UNREACHED = Visibility


def visibilities(replay: Replay) -> list[Visibility]:
    """Of each statement."""
    return [statement.visibility for statement in replay.statements]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("CREATE TABLE u (id int); CREATE INDEX i ON u (id)", [SEEN, SEEN]),
        ("CREATE TYPE f AS ENUM ('x'); ALTER TABLE t ADD COLUMN f f", [SEEN, SEEN]),
        ("ALTER TYPE e ADD VALUE 'q'", [SEEN]),
        ("ALTER TYPE e ADD VALUE 'q'; ALTER TABLE t ADD COLUMN c e DEFAULT 'q'", [SEEN, ROWS]),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", [SEEN]),
        ("CREATE INDEX CONCURRENTLY i ON t (a); ALTER TABLE t ADD COLUMN b int", [SEEN, SEEN]),
        ("LOCK TABLE t; ALTER TABLE t ADD COLUMN b int", [INERT, SEEN]),
        ("DO $$ BEGIN ALTER TABLE t ADD COLUMN b int; END $$", [SEEN]),
        ("DO $$ BEGIN PERFORM 1; END $$", [OPEN]),
        ("DO $$ BEGIN COMMIT; ALTER TABLE t ADD COLUMN b int; COMMIT; END $$", [OPEN]),
        ("CALL p()", [OPEN]),
        ("UPDATE t SET a = 'x'", [OPEN]),
        ("INSERT INTO t VALUES (1, 'x')", [OPEN]),
        ("CREATE TABLE u (id serial, a int); INSERT INTO u (a) VALUES (1)", [SEEN, Visibility.ROWS]),
        ("INSERT INTO t VALUES (nextval('q'), 'x')", [OPEN]),
        ("CREATE TABLE u (id serial); TRUNCATE u RESTART IDENTITY", [SEEN, OPEN]),
        ("DELETE FROM t", [OPEN]),
        ("TRUNCATE t", [OPEN]),
        ("SELECT setval('q', 7)", [OPEN]),
        ("ALTER SEQUENCE q RESTART WITH 7", [OPEN]),
        ("ANALYZE t", [INERT]),
        ("VACUUM t", [OPEN]),
        ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL", [INERT]),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS x; CREATE OR REPLACE VIEW v AS SELECT 1 AS x", [SEEN, OPEN]),
        ("ALTER TABLE t ADD COLUMN b int DEFAULT 1; ALTER TABLE t ALTER COLUMN b DROP DEFAULT", [ROWS, SEEN]),
        ("ALTER TABLE t ADD COLUMN b serial", [ROWS]),
        ("CREATE TABLE u AS SELECT * FROM t", [ROWS]),
        ("SELECT * INTO u FROM t", [ROWS]),
        ("CREATE TABLE u AS SELECT writes() FROM t", [OPEN]),
        ("ALTER TABLE t ADD COLUMN b int DEFAULT writes()", [OPEN]),
        ("ALTER TABLE t ADD COLUMN b int DEFAULT random(), ALTER COLUMN a TYPE int USING length(a)", [OPEN]),
        ("SET lock_timeout = '1s'; SELECT 1; ALTER TABLE t ADD COLUMN b int", [INERT, INERT, SEEN]),
        ("CREATE TABLE IF NOT EXISTS t (id int)", [INERT]),
        ("CREATE TABLE IF NOT EXISTS u (id int)", [SEEN]),
        ("DROP TABLE IF EXISTS missing", [INERT]),
        ("DROP TABLE IF EXISTS missing, t", [SEEN]),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a text", [INERT]),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a text, ADD COLUMN IF NOT EXISTS b int", [SEEN]),
        ("ALTER TYPE e ADD VALUE IF NOT EXISTS 'p'", [INERT]),
        ("CREATE SEQUENCE IF NOT EXISTS q", [INERT]),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a text, ALTER COLUMN a DROP NOT NULL", [OPEN]),
        ("DO $$ BEGIN CREATE TABLE IF NOT EXISTS t (id int); UPDATE t SET a = 'x'; END $$", [OPEN]),
        ("DROP TABLE t", [SEEN]),
        ("", []),
    ],
)
def test_what_is_seen(replaying: Replaying, script: str, expected: list[Visibility]) -> None:
    """A statement is seen if its own step changes the schema, inert if it can change nothing, else open (E4, E5)."""
    replay = replaying.steps(script, BASE, COMMITTING)
    assert visibilities(replay) == expected
    assert replay.complete
    assert replay.ended is None
    assert all(statement.why for statement in replay.statements if statement.visibility is not SEEN)


def test_steps_of_a_small_script(replaying: Replaying) -> None:
    """Each step holds what is there after it, of the footprint only."""
    replay = replaying.steps("ALTER TABLE t ADD COLUMN b int; CREATE TABLE u (id int); DROP TYPE e", BASE)
    table = ("table public.u", "exists")
    assert [step.get(("table public.t", "column b")) for step in replay.steps] == [None, "exists", "exists", "exists"]
    assert [step.get(table) for step in replay.steps] == [None, None, "yes", "yes"]
    assert [step.get(("type public.e", "exists")) for step in replay.steps] == ["yes", "yes", "yes", None]
    assert replay.created == {"table public.u"}
    assert all(step.keys() <= replay.footprint for step in replay.steps)
    assert ("table public.t", "column a") not in replay.footprint
    assert replay.checksum == "checksum"


def test_prismas_enum_rewrite(replaying: Replaying) -> None:
    """Prisma's way of removing an enum's value, with a transaction of its own, is followed step by step."""
    base = 'CREATE TYPE "E" AS ENUM (\'a\', \'b\'); CREATE TABLE "T" ("e" "E" DEFAULT \'a\')'
    script = """
        BEGIN;
        CREATE TYPE "E_new" AS ENUM ('a');
        ALTER TABLE "T" ALTER COLUMN "e" DROP DEFAULT;
        ALTER TABLE "T" ALTER COLUMN "e" TYPE "E_new" USING ("e"::text::"E_new");
        ALTER TYPE "E" RENAME TO "E_old";
        ALTER TYPE "E_new" RENAME TO "E";
        DROP TYPE "E_old";
        ALTER TABLE "T" ALTER COLUMN "e" SET DEFAULT 'a';
        COMMIT;
    """
    replay = replaying.steps(script, base)
    assert replay.complete
    assert visibilities(replay) == [INERT, SEEN, SEEN, Visibility.ROWS, *[SEEN] * 4, INERT]
    assert replay.statements[3].moves == (('table public."T"', "column e"),)
    assert replay.places == {'table public."T"': ("e",)}
    assert replay.steps[0]['type public."E"', "labels"] == "'a', 'b'"
    assert replay.steps[-1]['type public."E"', "labels"] == "'a'"
    assert ('type public."E_new"', "exists") not in replay.steps[-1]


def test_a_transaction_that_is_rolled_back(replaying: Replaying) -> None:
    """What a script undoes itself stands before and after alike, with something in between (E6)."""
    replay = replaying.steps("BEGIN; ALTER TABLE t ADD COLUMN b int; ROLLBACK", BASE)
    assert replay.steps[0] == replay.steps[1] == replay.steps[3]
    assert replay.steps[2] != replay.steps[0]


def test_what_a_dropped_object_had_is_nobodys_business(replaying: Replaying) -> None:
    """Of a dropped table or column only the existence is compared: production's may differ in the rest."""
    replay = replaying.steps("DROP TABLE t", BASE)
    assert {prop for obj, prop in replay.footprint if obj == "table public.t"} == {"exists"}
    replay = replaying.steps("ALTER TABLE t DROP COLUMN a", BASE)
    assert {prop for obj, prop in replay.footprint if prop.startswith("column")} == {"column a"}


def test_a_column_dropped_and_added_again(replaying: Replaying) -> None:
    """The same column before and after, and none in between: three steps, the first and last alike (E6)."""
    replay = replaying.steps("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a text", BASE)
    assert replay.steps[0] == replay.steps[2] != replay.steps[1]


CONDITIONAL = [
    ("CREATE TABLE IF NOT EXISTS t (id int)", ("table public.t", "column a type")),
    ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a text", ("table public.t", "column a type")),
    ("CREATE INDEX IF NOT EXISTS i ON t (a)", ("index public.i", "columns")),
    ("CREATE SEQUENCE IF NOT EXISTS q", ("sequence public.q", "increment")),
    ("ALTER TYPE e ADD VALUE IF NOT EXISTS 'p'", ("type public.e", "labels")),
    ('CREATE TABLE IF NOT EXISTS "user" (id int)', ('table public."user"', "column id type")),
    ('ALTER TABLE "user" ADD COLUMN IF NOT EXISTS "order" int', ('table public."user"', 'column "order" type')),
    ('CREATE TABLE IF NOT EXISTS "User" (id int)', ('table public."User"', "column id type")),
]


@pytest.mark.parametrize(("script", "key"), CONDITIONAL, ids=[case[0] for case in CONDITIONAL])
def test_skipped_statements_keep_their_object_in_sight(replaying: Replaying, script: str, key: tuple[str, str]) -> None:
    """What a skipped statement is about belongs to the footprint: production may not have it (E9)."""
    more = 'CREATE INDEX i ON t (a); CREATE TABLE "user" (id int, "order" int); CREATE TABLE "User" (id int)'
    replay = replaying.steps(script, BASE, more)
    assert visibilities(replay) == [INERT]
    assert key in replay.footprint
    assert replay.steps[0] == replay.steps[1]
    assert key in replay.steps[0]


@pytest.mark.parametrize("script", ["CREATE SCHEMA IF NOT EXISTS s", "CREATE EXTENSION IF NOT EXISTS citext"])
def test_skipped_schemas_and_extensions_keep_in_sight(replaying: Replaying, script: str) -> None:
    """A schema or extension that a skipped statement names belongs to the footprint as well (E9)."""
    replay = replaying.steps(script, script)
    assert visibilities(replay) == [INERT]
    assert len(replay.footprint) == 1
    assert replay.steps[0] == replay.steps[1] != {}


def test_named_objects(replaying: Replaying) -> None:
    """Every name of the script is known as production would show it, found in the search path or not."""
    replay = replaying.steps(
        'DROP TABLE IF EXISTS "Old"; INSERT INTO t SELECT 1; CREATE TABLE s2.u ()', BASE, "CREATE SCHEMA s2"
    )
    assert {'public."Old"', "public.t", "s2.u"} <= replay.named
    assert ("table public.t", "exists") in replay.footprint


def test_names_follow_the_scripts_own_search_path(replaying: Replaying) -> None:
    """A script that sets its search path names objects there."""
    replay = replaying.steps(
        "SET search_path = s2; CREATE TABLE IF NOT EXISTS u ()", "CREATE SCHEMA s2; CREATE TABLE s2.u ()"
    )
    assert "s2.u" in replay.named
    assert ("table s2.u", "exists") in replay.footprint


def test_another_schema_than_public(replaying: Replaying) -> None:
    """Scripts run in the schema that Prisma's URL names."""
    replay = replaying.steps("CREATE TABLE u (id int)", BASE, schema="My Schema")
    assert ('table "My Schema".u', "exists") in replay.steps[1]


@pytest.mark.parametrize(
    ("script", "reached", "reason"),
    [
        ("ALTER TABLE t ADD COLUMN b int; ALTER TABLE missing ADD COLUMN b int; DROP TABLE t", 1, "42P01"),
        ("ALTER TABLE t ADD COLUMN b int; ALTER TABLE t ADD COLUMN b int", 1, "42701"),
        ("SELECT 1 / 0", 0, "22012"),
        ("ALTER TABLE t OWNER TO nobody_here; DROP TABLE t", 0, "42704"),
    ],
)
def test_where_the_path_ends(replaying: Replaying, script: str, reached: int, reason: str) -> None:
    """A statement that fails ends the path; what follows is not reached, and why is said (E15)."""
    replay = replaying.steps(script, BASE)
    assert len(replay.steps) == reached + 1
    assert not replay.complete
    assert replay.ended is not None
    assert f"statement {reached + 1} " in replay.ended
    assert reason in replay.ended
    # Not even a column that it would add: no name of an object shows that it is absent (E28).
    expected = [OPEN for _ in replay.statements[reached:]]
    assert visibilities(replay)[reached:] == expected  # what may have cost or written rows is open
    assert all(statement.why for statement in replay.statements[reached:])


def test_a_script_of_no_way(replaying: Replaying) -> None:
    """A script that runs neither in a transaction nor outside ends at its furthest statement."""
    replay = replaying.steps("ALTER TABLE t ADD COLUMN b int; LOCK TABLE t; CREATE INDEX CONCURRENTLY i ON t (a)", BASE)
    assert not replay.complete
    assert len(replay.steps) == 3


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD COLUMN b int; DROP TYPE e",
        "CREATE INDEX CONCURRENTLY i ON t (a); INSERT INTO t VALUES (1)",
        "BEGIN; DROP TABLE t; COMMIT",
        "ALTER TABLE t ADD COLUMN b int; SELECT 1 / 0",
        "SET search_path = pg_catalog; SET ROLE NONE",
        "CREATE TEMP TABLE t (x int)",
        "BEGIN; DROP TABLE t",
    ],
)
def test_the_history_is_left_as_it_was(replaying: Replaying, server: ScratchServer, script: str) -> None:
    """Taking the steps of a script changes nothing: the same steps can be taken again, and others."""
    history = replaying.history(BASE)
    before, databases = history.snapshot(), list(server._databases)  # noqa: SLF001 - copies are dropped
    first = history.steps(Script("failed", "c", script))
    assert history.snapshot() == before
    assert history.steps(Script("failed", "c", script)) == first
    history.extend([Script("next", "n", "ALTER TABLE t ADD COLUMN z int")])
    assert history.snapshot().keys() - before.keys() >= {("table public.t", "column z")}
    assert history.skipped == []
    assert server._databases == databases  # noqa: SLF001 - as above


def test_steps_carry_what_the_base_skipped(replaying: Replaying) -> None:
    """Migrations that could not be replayed are named with the steps on top of them."""
    replay = replaying.steps("SELECT 1", "ALTER TABLE missing ADD COLUMN a int")
    assert len(replay.skipped) == 1
    assert replay.skipped[0].migration == "m1"


# Replay and verdict together, on real databases

WHOLE = """
    CREATE TYPE kind AS ENUM ('x', 'y');
    CREATE TABLE u (id int PRIMARY KEY, kind kind NOT NULL);
    CREATE UNIQUE INDEX u_kind ON u (kind);
    ALTER TABLE t ADD COLUMN u_id int REFERENCES u (id);
    CREATE MATERIALIZED VIEW mv AS SELECT id FROM u;
"""
PARTS = [part.strip() for part in WHOLE.split(";") if part.strip()]


@pytest.mark.parametrize("k", range(len(PARTS) + 1))
def test_a_database_in_which_k_statements_ran(replaying: Replaying, server: ScratchServer, k: int) -> None:
    """Wherever a script stopped, the verdict says so."""
    replay = replaying.steps(WHOLE, BASE)
    production = server.create()
    with server.connect(production) as connection:
        connection.execute(BASE)
        for part in PARTS[:k]:
            connection.execute(part.encode())
        seen = read(connection)
    server.drop(production)
    evidence = judge(Subject("m1", (row(checksum="checksum"),), (replay,), "checksum", seen), UNKNOWN, TARGET, ())
    verdicts = {0: Verdict.NOT_APPLIED, len(PARTS): Verdict.APPLIED}
    assert evidence.verdict is verdicts.get(k, Verdict.PARTIAL)
    assert evidence.progress.steps_in_place == (k, k)
