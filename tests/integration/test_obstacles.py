"""Whether a script would fail again: said beforehand, and then tried for real."""

import re
from collections.abc import Iterator
from itertools import chain, count, repeat

import psycopg
import pytest

from recovery.evidence.obstacles.finding import Obstacles, find
from recovery.postgres.connect import connect
from recovery.postgres.url import parse
from recovery.prisma.logs import cause
from recovery.sql.statements import parse as parse_script
from tests.acceptance import scene
from tests.staging import Server, start

ROLE = "deployer"
BASE = """
CREATE TYPE "Role" AS ENUM ('ADMIN', 'USER', 'GUEST');
CREATE DOMAIN filled AS int DEFAULT 7;
CREATE TABLE "User" (
    id int PRIMARY KEY, email text, nick text, age int, role "Role", code text, born date, "Odd ""Name" int
);
INSERT INTO "User" VALUES
    (1, 'a', 'N', 20, 'ADMIN', '1', '2000-01-01', 1), (2, 'a', 'n', 30, 'GUEST', 'x1', '2000-01-01', 1),
    (3, 'b', NULL, -1, NULL, NULL, '2000-01-01', 2), (4, NULL, NULL, NULL, 'USER', '4', '2000-01-01', 3);
CREATE TABLE "Post" (id int PRIMARY KEY, author int, editor bigint, a int, b int);
INSERT INTO "Post" VALUES (1, 1, 2, 1, 1), (2, 9, NULL, 1, NULL), (3, NULL, NULL, NULL, 5);
CREATE TABLE pair (x int, y int, PRIMARY KEY (x, y));
INSERT INTO pair VALUES (1, 1);
CREATE TABLE hollow (id int, a int);
CREATE FUNCTION own(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE TYPE other AS ENUM ('GUEST');
CREATE FUNCTION cast_other(text) RETURNS other LANGUAGE sql AS $$ SELECT 'GUEST'::other $$;
CREATE CAST (text AS other) WITH FUNCTION cast_other(text);
CREATE TABLE parent (id int, a int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1, 1), (1, 1);
CREATE TABLE bill (
    id int PRIMARY KEY, sum int, tax int, half int GENERATED ALWAYS AS (tax / 2) STORED, ruled int, held int,
    spared int, told int, CONSTRAINT bill_spared CHECK (spared > 0)
);
CREATE INDEX bill_spared_idx ON bill (spared);
CREATE TABLE part (id int PRIMARY KEY, bill int CONSTRAINT part_bill REFERENCES bill (id));
CREATE VIEW sums AS SELECT sum FROM bill;
CREATE MATERIALIZED VIEW "Sums 2" AS SELECT sum + 1 AS more FROM bill;
CREATE RULE quiet AS ON UPDATE TO bill WHERE NEW.ruled > 5 DO INSTEAD NOTHING;
CREATE POLICY mine ON bill USING (held = 1);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER telling BEFORE UPDATE OF told ON bill FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TABLE divided (id int) PARTITION BY LIST (id);
CREATE TABLE spoken (id int, word text, kind text);
"""
_OF_ITS_OWN = re.compile("CONCURRENTLY|BEGIN|COMMIT")
#: Of a server, the database that others are copied from. Where nothing stays, it is looked at itself.
PREPARED = "obstacles"
_numbers = count(1)


@pytest.fixture(scope="module", params=[18, 13])
def postgres(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The newest and the oldest version, with a role that may do little."""
    server = scene.server() if request.param == 18 else start(request.param)
    with server.connect() as connection:
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
        connection.execute(f"CREATE ROLE {ROLE} LOGIN")
    server.create_database(PREPARED)
    run(server, PREPARED, BASE)
    yield server
    server.drop_database(PREPARED)
    if request.param != 18:
        server.stop()


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """A database of a test's own. It is gone at the end, and so is what the role owns in it."""
    name = f"obstacles_{next(_numbers)}"
    postgres.create_database(name, PREPARED)
    yield name
    postgres.drop_database(name)


def run(server: Server, database: str, script: str, user: str = "postgres") -> str:
    """Runs a script as Prisma's native engine does, whole; the kind of what made it fail, or empty."""
    with psycopg.connect(server.url(database, user), autocommit=True) as connection:
        return ran(connection, script)


def ran(connection: psycopg.Connection, script: str) -> str:
    """Runs a script; the kind of what made it fail, or empty."""
    try:
        connection.execute(script.encode())
    except psycopg.Error as error:
        return cause(f"Database error code: {error.sqlstate}\n\nDatabase error:\nERROR: {error}").kind
    return ""


def tried(server: Server, script: str) -> str:
    """As `run`, on the database that others are copied from, and undone."""
    with psycopg.connect(server.url(PREPARED)) as connection:
        said = ran(connection, script)
        connection.rollback()
    return said


def failing(server: Server, script: str) -> tuple[int, str]:
    """The number of the first statement that fails, each run by itself, and the kind of why; 0 for none. Nothing stays.

    What ends a transaction, or may stand in none, is run on a database of its own.
    """
    statements = [each.sql for each in parse_script(script)]
    database = PREPARED
    if own := bool(_OF_ITS_OWN.search(script)):
        database = f"obstacles_{next(_numbers)}"
        server.create_database(database, PREPARED)
    try:
        with psycopg.connect(server.url(database), autocommit=own) as connection:
            found = next(
                ((at, said) for at, each in enumerate(statements, 1) if (said := ran(connection, each))), (0, "")
            )
            connection.rollback()
    finally:
        if own:
            server.drop_database(database)
    return found


def obstacles(
    server: Server, database: str, *scripts: str, user: str = "postgres", schema: str = "public"
) -> Obstacles:
    """What stands in the way of the last script."""
    with connect(parse(server.url(database, user)), read_only=True) as connection:
        return find(connection, schema, scripts)


def listed(server: Server, database: str, query: str) -> int:
    """How many rows a query lists, in a session as psql opens it."""
    with server.connect(database) as connection:
        return len(connection.execute(query.encode()).fetchall())


WILL_FAIL = [
    ('CREATE UNIQUE INDEX i ON "User" (email)', "duplicates", 1, "1 value of (email) occurs more than once"),
    ('CREATE UNIQUE INDEX i ON "User" (lower(nick))', "duplicates", 1, "(lower(nick))"),
    ('CREATE UNIQUE INDEX i ON "User" (email, born) WHERE age > 0', "duplicates", 1, "(email, born)"),
    ('CREATE UNIQUE INDEX i ON "User" ("Odd ""Name")', "duplicates", 1, '("Odd ""Name")'),
    ('CREATE UNIQUE INDEX i ON "User" (born) WHERE role <> \'USER\'::"Role"', "duplicates", 1, "born"),
    ('CREATE UNIQUE INDEX CONCURRENTLY i ON "User" (email)', "duplicates", 1, "email"),
    ('CREATE UNIQUE INDEX IF NOT EXISTS i ON "User" (email)', "duplicates", 1, "email"),
    ('ALTER TABLE "User" ADD CONSTRAINT u UNIQUE (email)', "duplicates", 1, 'public."User"'),
    (
        'ALTER TABLE "Post" DROP CONSTRAINT "Post_pkey", ADD PRIMARY KEY (editor)',
        "nulls",
        2,
        "without a value of editor",
    ),
    ('ALTER TABLE "Post" DROP CONSTRAINT "Post_pkey"; ALTER TABLE "Post" ADD PRIMARY KEY (a)', "duplicates", 1, "(a)"),
    ('ALTER TABLE "Post" ADD FOREIGN KEY (a, b) REFERENCES pair (y, x) MATCH FULL, ADD CHECK (b < 5)', "check", 1, ""),
    ('ALTER TABLE "User" ALTER COLUMN email SET NOT NULL', "nulls", 1, "there is 1 row"),
    ("ALTER TABLE \"User\" ALTER nick SET DEFAULT 'x', ALTER nick SET NOT NULL", "nulls", 2, "there are 2 rows"),
    ('ALTER TABLE "User" ADD COLUMN fresh int NOT NULL', "nulls", 4, "new column fresh"),
    ('ALTER TABLE "User" DROP COLUMN age, ADD COLUMN age text NOT NULL', "nulls", 4, "new column age"),
    ("CREATE TYPE k AS ENUM ('A'); ALTER TABLE \"User\" ADD COLUMN fresh k NOT NULL", "nulls", 4, "fresh"),
    (
        'ALTER TABLE "Post" ADD CONSTRAINT f FOREIGN KEY (author) REFERENCES "User" (id) ON DELETE CASCADE',
        "foreign_key",
        1,
        'whose (author) is not in public."User"',
    ),
    ('ALTER TABLE "Post" ADD FOREIGN KEY (author, a) REFERENCES pair (x, y)', "foreign_key", 1, "(author, a)"),
    ('ALTER TABLE "User" ADD CONSTRAINT c CHECK (age >= 0)', "check", 1, "(age >= 0) is false"),
    ("ALTER TABLE \"User\" ADD CHECK (code ~ '^[0-9]{1,9}$' OR code LIKE 'y%')", "check", 1, "{1,9}"),
    ('ALTER TABLE "User" ADD CHECK ("User".age <> -1)', "check", 1, "is false"),
    ("ALTER TABLE \"User\" ADD CHECK (length(code) < 2 AND role IN ('ADMIN', 'GUEST'))", "check", 2, "is false"),
    ('CREATE EXTENSION "nowhere"', "missing_extension", None, "nowhere"),
    ("CREATE EXTENSION IF NOT EXISTS plpgsql_check VERSION '2'", "missing_extension", None, "plpgsql_check 2"),
    (
        (
            "BEGIN; CREATE TYPE \"Role_new\" AS ENUM ('ADMIN', 'USER');"
            ' ALTER TABLE "User" ALTER COLUMN role DROP DEFAULT;'
            ' ALTER TABLE "User" ALTER COLUMN role TYPE "Role_new" USING (role::text::"Role_new");'
            ' ALTER TYPE "Role" RENAME TO "Role_old"; ALTER TYPE "Role_new" RENAME TO "Role"; COMMIT;'
        ),
        "cast",
        1,
        "1 value of role in public.",
    ),
    ('ALTER TABLE "User" ALTER COLUMN email TYPE "Role" USING email::"Role"', "cast", 2, "2 values of email"),
    ('ALTER TABLE "User" ALTER COLUMN code TYPE VARCHAR(1)', "cast", 1, "varchar(1)"),
    ('CREATE TABLE fresh (id int); ALTER TABLE "User" ALTER email SET NOT NULL', "nulls", 1, "email"),
    ("SET lock_timeout = '5s'; SELECT 1; CREATE UNIQUE INDEX i ON public.\"User\" (email)", "duplicates", 1, "email"),
    ('ALTER TABLE "User" ADD COLUMN fresh int; CREATE UNIQUE INDEX i ON "User" (email)', "duplicates", 1, "email"),
]


@pytest.mark.parametrize(("script", "kind", "number", "said"), WILL_FAIL)
def test_what_is_said_to_fail_fails(postgres: Server, script: str, kind: str, number: int | None, said: str) -> None:
    """Each obstacle is of the kind of the error that PostgreSQL then gives, and its query lists what was counted."""
    found = obstacles(postgres, PREPARED, script)
    assert found.untested == ()
    obstacle = next(each for each in found.obstacles if each.kind == kind)
    assert (obstacle.kind, obstacle.count) == (kind, number)
    assert said in obstacle.fact
    assert listed(postgres, PREPARED, obstacle.query) == (number or 0)
    assert failing(postgres, script) == (obstacle.statement, kind)


#: What stands in the way is an object that is missing, there already, or dependent on what is changed.
ON_OBJECTS = [
    (
        "ALTER TABLE bill ALTER sum TYPE numeric",
        "dependent_objects",
        'materialized view public."Sums 2", view public.sums',
    ),
    (
        "ALTER TABLE bill DROP COLUMN sum",
        "dependent_objects",
        "depend on sum of public.bill, so PostgreSQL refuses to drop",
    ),
    ("ALTER TABLE bill ALTER ruled TYPE bigint", "dependent_objects", "rule quiet on public.bill"),
    ("ALTER TABLE bill DROP ruled", "dependent_objects", "rule quiet on public.bill"),
    ("ALTER TABLE bill ALTER held TYPE bigint", "dependent_objects", "policy mine on public.bill"),
    ("ALTER TABLE bill DROP COLUMN held", "dependent_objects", "policy mine on public.bill"),
    ("ALTER TABLE bill ALTER told TYPE bigint", "dependent_objects", "trigger telling on public.bill"),
    ("ALTER TABLE bill DROP COLUMN IF EXISTS told", "dependent_objects", "trigger telling on public.bill"),
    ("ALTER TABLE bill DROP COLUMN id", "dependent_objects", "constraint part_bill on public.part depends on id"),
    ("CREATE INDEX CONCURRENTLY i ON divided (id)", "not_supported", "public.divided is partitioned"),
    ("DROP TABLE bill", "dependent_objects", "public.sums"),
    ("DROP VIEW sums; DROP TABLE bill, hollow", "dependent_objects", "part_bill"),
    ("DROP TABLE parent", "dependent_objects", "table public.child depends on public.parent"),
    (
        "DROP VIEW sums; ALTER TABLE bill ALTER sum TYPE numeric",
        "dependent_objects",
        'materialized view public."Sums 2"',
    ),
    ("DROP INDEX nowhere", "missing_object", "it needs public.nowhere, which is not there"),
    ('CREATE TABLE fresh (id int PRIMARY KEY); DROP INDEX "spoken_idx"', "missing_object", "public.spoken_idx"),
    ("DROP TABLE hollow, nowhere", "missing_object", "public.nowhere"),
    ("CREATE INDEX i ON elsewhere.jobs (at DESC)", "missing_object", "elsewhere.jobs"),
    ("ALTER TABLE nowhere ADD COLUMN b int", "missing_object", "public.nowhere"),
    ("ALTER TABLE hollow DROP COLUMN b", "missing_object", "the column b of public.hollow"),
    ("ALTER TABLE hollow ALTER b SET DEFAULT 1", "missing_object", "the column b of public.hollow"),
    ("ALTER TABLE hollow RENAME b TO c", "missing_object", "the column b of public.hollow"),
    ("ALTER TABLE part DROP CONSTRAINT part_owner", "missing_object", "the constraint part_owner of public.part"),
    ("ALTER TABLE hollow ADD b nothing", "missing_object", "the type public.nothing"),
    ("CREATE TABLE fresh (a nothing[])", "missing_object", "the type public.nothing"),
    ("CREATE TABLE fresh (a int REFERENCES nowhere (id))", "missing_object", "public.nowhere"),
    ("ALTER TABLE hollow ADD FOREIGN KEY (a) REFERENCES nowhere (id)", "missing_object", "public.nowhere"),
    ("CREATE TABLE elsewhere.fresh (id int)", "missing_object", "the schema elsewhere"),
    ("DROP TYPE nothing", "missing_object", "the type public.nothing"),
    ("ALTER TYPE nothing ADD VALUE 'A'", "missing_object", "the type public.nothing"),
    ("INSERT INTO nowhere VALUES (1)", "missing_object", "public.nowhere"),
    ("WITH x AS (SELECT 1) UPDATE nowhere SET a = 1", "missing_object", "public.nowhere"),
    ("CREATE VIEW fresh AS SELECT 1 FROM nowhere", "missing_object", "public.nowhere"),
    (
        "CREATE TRIGGER x BEFORE INSERT ON hollow FOR EACH ROW EXECUTE FUNCTION nothing()",
        "missing_object",
        "the function public.nothing",
    ),
    ('CREATE TABLE "User" (id int)', "object_exists", 'it makes public."User", which is already there'),
    ("CREATE INDEX bill_spared_idx ON hollow (a)", "object_exists", "public.bill_spared_idx"),
    ("CREATE VIEW sums AS SELECT 1", "object_exists", "public.sums"),
    ("CREATE TYPE \"Role\" AS ENUM ('X')", "object_exists", 'the type public."Role"'),
    ("ALTER TYPE \"Role\" ADD VALUE 'USER'", "object_exists", "the label 'USER' of public.\"Role\""),
    ("ALTER TABLE hollow ADD COLUMN a text", "object_exists", "the column a of public.hollow"),
    (
        "ALTER TABLE part ADD CONSTRAINT part_bill FOREIGN KEY (id) REFERENCES hollow (id)",
        "object_exists",
        "the constraint part_bill of public.part",
    ),
    ("CREATE SCHEMA public", "object_exists", "the schema public"),
    ("ALTER TABLE hollow RENAME TO bill", "object_exists", "public.bill"),
]


@pytest.mark.parametrize(("script", "kind", "said"), ON_OBJECTS)
def test_objects_that_stand_in_the_way_are_named(postgres: Server, script: str, kind: str, said: str) -> None:
    """PostgreSQL refuses that statement for that reason; the query lists what is in the way, or nothing if it lacks."""
    obstacle = next(each for each in obstacles(postgres, PREPARED, script).obstacles if each.kind == kind)
    assert said in obstacle.fact
    assert obstacle.count is None
    assert bool(listed(postgres, PREPARED, obstacle.query)) == (kind != "missing_object")
    assert failing(postgres, script) == (obstacle.statement, kind)


def test_a_generated_column_keeps_the_type_of_what_it_is_made_of(postgres: Server, database: str) -> None:
    """Before version 15 PostgreSQL calls it an error in the syntax, and lets the generated column go with the other."""
    script = "ALTER TABLE bill ALTER tax TYPE bigint"
    (found,) = obstacles(postgres, database, script).obstacles
    assert "table column public.bill.half depends on tax of public.bill" in found.fact
    assert run(postgres, database, script) == ("dependent_objects" if postgres.version > "15" else "syntax")
    script = "ALTER TABLE bill DROP COLUMN tax"
    kinds = [each.kind for each in obstacles(postgres, database, script).obstacles]
    assert "".join(kinds) == run(postgres, database, script)


def test_an_invalid_index_is_to_be_dropped_first(postgres: Server, database: str) -> None:
    """A concurrent build that failed leaves one behind, under the name that the next attempt needs."""
    script = 'CREATE UNIQUE INDEX CONCURRENTLY "Odd idx" ON "User" (email)'
    assert run(postgres, database, script) == "duplicates"
    found = next(each for each in obstacles(postgres, database, script).obstacles if each.kind == "object_exists")
    drop = 'DROP INDEX CONCURRENTLY public."Odd idx"'
    assert f"invalid index of a build that failed ({drop} removes it)" in found.fact
    assert run(postgres, database, script) == "object_exists"
    assert run(postgres, database, drop) == ""
    assert run(postgres, database, script) == "duplicates"


def test_what_is_concurrent_stands_in_no_transaction_block(postgres: Server, database: str) -> None:
    """Between BEGIN and COMMIT it is refused; after COMMIT it is not."""
    for script in (
        "BEGIN; CREATE INDEX CONCURRENTLY i ON hollow (a); COMMIT",
        "BEGIN; DROP INDEX CONCURRENTLY bill_pkey",
    ):
        (found,) = obstacles(postgres, database, script).obstacles
        assert (found.kind, found.statement) == ("not_in_transaction", 2)
        assert run(postgres, database, script) == "not_in_transaction"
    after = "BEGIN; SELECT 1; COMMIT; CREATE INDEX CONCURRENTLY i ON hollow (a)"
    assert obstacles(postgres, database, after) == Obstacles()


@pytest.mark.parametrize(
    ("script", "since"),
    [
        ("CREATE OR REPLACE TRIGGER x BEFORE UPDATE ON bill FOR EACH ROW EXECUTE FUNCTION tell()", "14"),
        ("CREATE FUNCTION fresh() RETURNS int LANGUAGE sql RETURN 1", "14"),
        ("MERGE INTO hollow USING parent ON hollow.id = parent.id WHEN MATCHED THEN DELETE", "15"),
        ("CREATE UNIQUE INDEX i ON hollow (a) NULLS NOT DISTINCT", "15"),
        ("CREATE TABLE fresh (a int, UNIQUE NULLS NOT DISTINCT (a))", "15"),
        ("CREATE TABLE fresh (a text COMPRESSION pglz)", "14"),
    ],
)
def test_syntax_that_the_server_is_too_old_for(postgres: Server, script: str, since: str) -> None:
    """The server's version is named, and the one that the syntax is known from."""
    found = obstacles(postgres, PREPARED, script).obstacles
    old = postgres.version < since
    assert [each.kind for each in found] == ["syntax"] * old
    assert all(f"from PostgreSQL {since} on" in each.fact for each in found)
    assert (tried(postgres, script) == "syntax") == old


def test_what_a_publication_lists_keeps_its_type(postgres: Server, database: str) -> None:
    """From PostgreSQL 15 on a publication can name columns, and ask for rows by them."""
    if postgres.version < "15":
        assert run(postgres, database, "CREATE PUBLICATION p FOR TABLE spoken (id, word)") == "syntax"
        return
    run(postgres, database, "ALTER TABLE spoken ADD PRIMARY KEY (id)")
    run(postgres, database, "CREATE PUBLICATION p FOR TABLE spoken (id, word) WHERE (id > 5)")
    for script in (
        "ALTER TABLE spoken ALTER word TYPE varchar",
        "ALTER TABLE spoken DROP COLUMN word",
        "ALTER TABLE spoken ALTER id TYPE bigint",
    ):
        (found,) = obstacles(postgres, database, script).obstacles
        assert (found.kind, "in publication p depends on" in found.fact) == ("dependent_objects", True)
        assert run(postgres, database, script) == "dependent_objects"
    for script in ("ALTER TABLE spoken ALTER kind TYPE varchar", "ALTER TABLE spoken DROP COLUMN kind"):
        assert obstacles(postgres, database, script) == Obstacles()
        assert run(postgres, database, script) == ""


def test_a_function_in_standard_sql_keeps_the_columns_that_it_names(postgres: Server, database: str) -> None:
    """From PostgreSQL 14 on PostgreSQL knows what such a function uses."""
    made = run(postgres, database, "CREATE FUNCTION first() RETURNS text BEGIN ATOMIC SELECT word FROM spoken; END")
    if postgres.version < "14":
        assert made == "syntax"
        return
    for script in ("ALTER TABLE spoken ALTER word TYPE varchar", "ALTER TABLE spoken DROP COLUMN word"):
        (found,) = obstacles(postgres, database, script).obstacles
        assert (found.kind, "function public.first()" in found.fact) == ("dependent_objects", True)
        assert run(postgres, database, script) == "dependent_objects"


WILL_SUCCEED = [
    # Dependent objects that are dropped first, go away with it, or are made anew by PostgreSQL.
    'DROP VIEW sums; DROP MATERIALIZED VIEW "Sums 2"; ALTER TABLE bill ALTER sum TYPE numeric',
    'DROP VIEW sums; DROP MATERIALIZED VIEW "Sums 2"; ALTER TABLE bill DROP COLUMN sum',
    "ALTER TABLE bill DROP COLUMN sum CASCADE; ALTER TABLE bill ADD COLUMN sum int",
    "DROP TABLE bill CASCADE; CREATE TABLE bill (id int); CREATE INDEX bill_spared_idx ON bill (id)",
    "ALTER TABLE bill DROP COLUMN half, ALTER tax TYPE bigint",
    "ALTER TABLE bill DROP COLUMN half; ALTER TABLE bill DROP COLUMN tax",
    "DROP RULE quiet ON bill; ALTER TABLE bill DROP COLUMN ruled",
    "DROP POLICY mine ON bill; ALTER TABLE bill ALTER held TYPE bigint",
    "DROP TRIGGER telling ON bill; ALTER TABLE bill DROP COLUMN told",
    "ALTER TABLE part DROP CONSTRAINT part_bill; ALTER TABLE bill DROP COLUMN id",
    "ALTER TABLE bill DROP COLUMN spared",
    "ALTER TABLE bill ALTER spared TYPE bigint",
    "DROP TABLE part; ALTER TABLE bill DROP CONSTRAINT bill_pkey",
    'DROP VIEW sums; DROP MATERIALIZED VIEW "Sums 2"; DROP TABLE part, bill',
    "DROP TABLE child, parent",
    # What the script makes itself, under a name of its own or of PostgreSQL's choice, or asks for only if it is there.
    "CREATE TABLE fresh (id serial PRIMARY KEY, u int UNIQUE); DROP SEQUENCE fresh_id_seq CASCADE;",
    "CREATE TABLE fresh (id int PRIMARY KEY, u int); ALTER INDEX fresh_pkey RENAME TO p; ALTER TABLE fresh DROP u",
    "CREATE TABLE fresh (id int, CONSTRAINT odd UNIQUE (id)); ALTER TABLE fresh DROP CONSTRAINT odd",
    "ALTER TABLE spoken ADD CONSTRAINT odd UNIQUE (id); ALTER INDEX odd RENAME TO odder",
    "ALTER TABLE spoken ADD UNIQUE (id); ALTER TABLE spoken DROP CONSTRAINT spoken_id_key",
    "CREATE INDEX ON spoken (word); DROP INDEX spoken_word_idx",
    "CREATE TABLE fresh (id int CONSTRAINT odd UNIQUE); ALTER INDEX odd RENAME TO odder",
    "ALTER TABLE spoken ADD COLUMN extra int CONSTRAINT odd UNIQUE; ALTER TABLE spoken DROP CONSTRAINT odd",
    "ALTER TABLE spoken RENAME COLUMN word TO said; ALTER TABLE spoken DROP COLUMN said",
    "ALTER TABLE spoken ADD COLUMN extra int; ALTER TABLE spoken ALTER extra SET DEFAULT 3",
    "CREATE TABLE IF NOT EXISTS fresh (id int); CREATE INDEX fresh_idx ON fresh (id); INSERT INTO fresh VALUES (1)",
    "CREATE SCHEMA fresh; CREATE TABLE fresh.t (id int); ALTER TABLE fresh.t ADD COLUMN b int",
    "CREATE TYPE fresh AS ENUM ('A'); CREATE TABLE t (a fresh, b fresh[]); DROP TABLE t; DROP TYPE fresh",
    "DROP TABLE IF EXISTS nowhere; DROP INDEX IF EXISTS nowhere; ALTER TABLE IF EXISTS nowhere DROP COLUMN b",
    "ALTER TABLE hollow DROP COLUMN IF EXISTS b, DROP CONSTRAINT IF EXISTS c, ADD COLUMN IF NOT EXISTS a int",
    "ALTER TABLE part DROP CONSTRAINT part_bill, ADD CONSTRAINT part_bill FOREIGN KEY (bill) REFERENCES bill (id)",
    "DROP INDEX bill_spared_idx; CREATE INDEX bill_spared_idx ON bill (held)",
    "ALTER TABLE bill DROP COLUMN spared; CREATE INDEX bill_spared_idx ON bill (held)",
    "ALTER TABLE hollow RENAME TO hollowed; CREATE TABLE hollow (id int)",
    "CREATE TEMP TABLE bill (id int); DROP TABLE bill",
    "CREATE OR REPLACE VIEW sums AS SELECT sum FROM bill",
    "WITH nowhere AS (SELECT 1 AS a) INSERT INTO hollow SELECT a, a FROM nowhere",
    "CREATE VIEW fresh AS WITH nowhere AS (SELECT 1 AS a) SELECT a FROM nowhere, pg_class",
    "CREATE EXTENSION IF NOT EXISTS plpgsql; ALTER TABLE spoken ADD COLUMN other jsonb, ADD COLUMN n numeric(4, 2)",
    "ALTER TYPE \"Role\" ADD VALUE IF NOT EXISTS 'USER'; CREATE SCHEMA IF NOT EXISTS public",
    'CREATE UNIQUE INDEX i ON "User" (nick)',
    'CREATE UNIQUE INDEX i ON "User" (email, nick)',
    'CREATE UNIQUE INDEX i ON "User" (email) WHERE age > 20',
    'CREATE UNIQUE INDEX IF NOT EXISTS "User_pkey" ON "User" (email)',
    'CREATE UNIQUE INDEX i ON "User" (own(id))',
    "CREATE UNIQUE INDEX i ON parent (id)",
    'ALTER TABLE "User" ADD UNIQUE (nick)',
    'ALTER TABLE "User" ALTER COLUMN born SET NOT NULL',
    'ALTER TABLE "User" ADD COLUMN fresh int NOT NULL DEFAULT 0',
    'ALTER TABLE "User" ADD COLUMN fresh serial NOT NULL',
    'ALTER TABLE "User" ADD COLUMN fresh int NOT NULL GENERATED ALWAYS AS IDENTITY',
    'ALTER TABLE "User" ADD COLUMN fresh int NOT NULL GENERATED ALWAYS AS (id * 2) STORED',
    'ALTER TABLE "User" ADD COLUMN fresh filled NOT NULL',
    'ALTER TABLE "User" ADD COLUMN IF NOT EXISTS email text NOT NULL',
    "ALTER TABLE IF EXISTS nowhere ALTER email SET NOT NULL",
    "ALTER TABLE hollow ADD COLUMN fresh int NOT NULL",
    "ALTER TABLE hollow ALTER a SET NOT NULL, ADD UNIQUE (a), ADD CHECK (a > 1)",
    'ALTER TABLE "Post" ADD FOREIGN KEY (editor) REFERENCES "User" (id)',
    'ALTER TABLE "Post" ADD FOREIGN KEY (author) REFERENCES "User" (id) NOT VALID',
    'ALTER TABLE "Post" ADD FOREIGN KEY (a, b) REFERENCES pair (x, y)',
    'ALTER TABLE "User" ADD CHECK (age >= -1)',
    'ALTER TABLE "User" ADD CHECK (age >= 0) NOT VALID',
    'ALTER TABLE "User" ADD CHECK (own(age) > -2)',
    "CREATE EXTENSION IF NOT EXISTS plpgsql VERSION '9.9'",
    (
        "CREATE TYPE n AS ENUM ('ADMIN', 'USER', 'GUEST', 'MORE');"
        'ALTER TABLE "User" ALTER COLUMN role TYPE n USING (role::text::n)'
    ),
    'ALTER TABLE "User" ALTER COLUMN code TYPE VARCHAR(2)',
    'ALTER TABLE "User" ALTER COLUMN role TYPE text USING role::text',
    'ALTER TABLE "User" ALTER COLUMN email TYPE other USING email::other',
    # What an earlier statement mends.
    'DELETE FROM "User" WHERE id = 2; CREATE UNIQUE INDEX i ON "User" (email)',
    'UPDATE "User" SET email = id::text; ALTER TABLE "User" ALTER email SET NOT NULL, ADD UNIQUE (email)',
    'DO $$ BEGIN DELETE FROM "User" WHERE id = 2; END $$; CREATE UNIQUE INDEX i ON "User" (email)',
    'TRUNCATE "User"; ALTER TABLE "User" ADD COLUMN fresh int NOT NULL',
    'ALTER TABLE "User" ALTER email TYPE int USING id, ALTER email SET NOT NULL, ADD UNIQUE (email)',
    'ALTER TABLE "User" ALTER email TYPE int USING id; ALTER TABLE "User" ALTER email SET NOT NULL, ADD UNIQUE (email)',
    'ALTER TABLE "User" DROP COLUMN age; ALTER TABLE "User" ADD COLUMN age int; ALTER TABLE "User" ADD CHECK (age > 0)',
    'ALTER TABLE "User" DROP COLUMN email, ADD COLUMN email int, ADD CONSTRAINT c UNIQUE (email)',
    (
        'ALTER TABLE "User" RENAME email TO mail; ALTER TABLE "User" RENAME nick TO email;'
        'CREATE UNIQUE INDEX i ON "User" (email)'
    ),
    'ALTER TABLE "User" RENAME TO old; CREATE TABLE "User" (email text); CREATE UNIQUE INDEX i ON "User" (email)',
    'DROP TABLE "User"; CREATE TABLE "User" (email text); ALTER TABLE "User" ADD COLUMN b int NOT NULL',
    "CREATE TABLE hollower (a int); ALTER TABLE hollower ADD b int NOT NULL; CREATE UNIQUE INDEX i ON hollower (a)",
    'CREATE TEMP TABLE "User" (email text); CREATE UNIQUE INDEX i ON "User" (email)',
    'CREATE SCHEMA s; CREATE TABLE s."User" (email text); SET search_path = s;CREATE UNIQUE INDEX i ON "User" (email)',
    "SELECT set_config('search_path', 'nowhere', false); CREATE TABLE IF NOT EXISTS public.q (id int);",
    'CREATE INDEX i ON "User" (nick); CREATE UNIQUE INDEX IF NOT EXISTS i ON "User" (email)',
]


@pytest.mark.parametrize("script", WILL_SUCCEED)
def test_what_succeeds_is_not_said_to_fail(postgres: Server, script: str) -> None:
    """The closely related harmless case is none, for each kind: PostgreSQL runs the script to its end."""
    assert obstacles(postgres, PREPARED, script) == Obstacles()
    assert tried(postgres, script) == ""


def test_what_is_not_sure_is_not_said(postgres: Server, database: str) -> None:
    """A script that fails for what can't be asked surely has no obstacle: no function, no sort order is guessed at."""
    for script in (
        'ALTER TABLE "User" ADD CHECK (own(age) > 0)',
        'ALTER TABLE "User" ADD CHECK (age > 0 AND now() > born)',
        'CREATE UNIQUE INDEX i ON "User" (email COLLATE "C")',
        'ALTER TABLE "User" ADD CHECK (nothing > 0)',
        'CREATE UNIQUE INDEX i ON "User" (nothing)',
        "this is not SQL",
    ):
        assert obstacles(postgres, database, script) == Obstacles(), script
        assert run(postgres, database, script) != "", script


def test_values_that_a_type_does_not_take_are_found_where_the_server_can_tell(postgres: Server, database: str) -> None:
    """From PostgreSQL 16 on a value can be tried without an error; before, nothing is said, and the script fails."""
    script = 'ALTER TABLE "User" ALTER COLUMN code TYPE INTEGER USING code::integer'
    found = obstacles(postgres, database, script).obstacles
    assert [(each.kind, each.count) for each in found] == ([("cast", 1)] if postgres.version > "16" else [])
    assert [listed(postgres, database, each.query) for each in found] == [1] * len(found)
    assert run(postgres, database, script) == "cast"
    run(postgres, database, "UPDATE \"User\" SET code = '2' WHERE code = 'x1'")
    assert obstacles(postgres, database, script) == Obstacles()
    assert run(postgres, database, script) == ""


def test_a_migration_that_is_deployed_before_it_can_mend_it(postgres: Server, database: str) -> None:
    """What a pending migration that sorts before it may change is not held against it; what it leaves alone is."""
    unique = 'CREATE UNIQUE INDEX i ON "User" (email)'
    assert obstacles(postgres, database, 'DELETE FROM "User" WHERE id = 2', unique) == Obstacles()
    assert obstacles(postgres, database, "-- (", "?", unique) == Obstacles()
    (found,) = obstacles(postgres, database, "CREATE TABLE more (id int)", unique).obstacles
    assert (found.kind, found.statement) == ("duplicates", 1)


def test_names_are_those_of_the_schema_in_the_url(postgres: Server, database: str) -> None:
    """Bare names, types of casts among them, lead to the schema of the URL; and the query needs no search path."""
    run(
        postgres,
        database,
        "CREATE SCHEMA app; CREATE TYPE app.kind AS ENUM ('A'); CREATE TABLE app.\"User\" (k app.kind)",
    )
    run(postgres, database, "INSERT INTO app.\"User\" VALUES ('A'), ('A')")
    script = "CREATE UNIQUE INDEX i ON \"User\" (k) WHERE k = 'A'::kind"
    (found,) = obstacles(postgres, database, script, schema="app").obstacles
    assert listed(postgres, database, found.query) == 1
    assert obstacles(postgres, database, script) == Obstacles()
    assert run(postgres, database, f"SET search_path = app; {script}") == "duplicates"


@pytest.mark.parametrize(
    ("script", "granted", "said"),
    [
        ("CREATE TABLE fresh (id int)", f"GRANT CREATE ON SCHEMA closed TO {ROLE}", "in schema closed"),
        ("CREATE TYPE fresh AS ENUM ('A')", f"GRANT CREATE ON SCHEMA closed TO {ROLE}", "in schema closed"),
        ("CREATE SCHEMA IF NOT EXISTS fresh", f"GRANT CREATE ON DATABASE {{}} TO {ROLE}", "create schemas"),
        ("CREATE SCHEMA IF NOT EXISTS closed", f"GRANT CREATE ON DATABASE {{}} TO {ROLE}", "create schemas"),
        ("ALTER TABLE theirs ADD COLUMN b int", f"ALTER TABLE closed.theirs OWNER TO {ROLE}", "does not own"),
        (
            "ALTER TABLE theirs ADD COLUMN IF NOT EXISTS id int; ALTER TABLE theirs ADD COLUMN b int",
            f"ALTER TABLE closed.theirs OWNER TO {ROLE}",
            "does not own",
        ),
        (
            "CREATE EXTENSION citext",
            f"GRANT CREATE ON DATABASE {{}} TO {ROLE}",
            "takes the right CREATE on the database",
        ),
        ("CREATE INDEX i ON mine (id)", f"GRANT CREATE ON SCHEMA closed TO {ROLE}", "in schema closed"),
        (
            "ALTER TABLE mine ADD FOREIGN KEY (id) REFERENCES theirs (id)",
            f"GRANT REFERENCES (id) ON closed.theirs TO {ROLE}",
            "may not make foreign keys to closed.theirs",
        ),
    ],
)
def test_a_right_that_is_missing_is_said_until_it_is_there(
    postgres: Server, database: str, script: str, granted: str, said: str
) -> None:
    """The role of the URL lacks a right: PostgreSQL refuses the script. With the right it runs."""
    run(
        postgres,
        database,
        "CREATE SCHEMA closed; CREATE TABLE closed.theirs (id int PRIMARY KEY); CREATE TABLE closed.mine (id int);"
        f"GRANT USAGE ON SCHEMA closed TO {ROLE}; ALTER TABLE closed.mine OWNER TO {ROLE};",
    )
    found = obstacles(postgres, database, script, user=ROLE, schema="closed")
    (obstacle,) = (each for each in found.obstacles if each.kind == "privileges")
    assert said in obstacle.fact
    assert obstacle.count is None
    assert listed(postgres, database, obstacle.query) == 1
    real = f"SET search_path = closed; {script}"
    assert run(postgres, database, real, ROLE) == "privileges"
    run(postgres, database, granted.format(database))
    assert obstacles(postgres, database, script, user=ROLE, schema="closed").obstacles == ()
    assert run(postgres, database, real, ROLE) == ""


def test_a_right_that_the_script_gives_itself_is_not_missed(postgres: Server, database: str) -> None:
    """After a GRANT nothing is said about rights."""
    run(postgres, database, f'GRANT CREATE ON SCHEMA public TO {ROLE}; ALTER TABLE "User" OWNER TO {ROLE}')
    script = 'GRANT SELECT ON "User" TO PUBLIC; ALTER TABLE "Post" ADD COLUMN b2 int'
    assert obstacles(postgres, database, script, user=ROLE) == Obstacles()


def test_a_thousand_are_enough_to_count(postgres: Server, database: str) -> None:
    """More rows than that are not counted: the fact says at least."""
    run(postgres, database, "INSERT INTO hollow SELECT NULL, NULL FROM generate_series(1, 1200)")
    (found,) = obstacles(postgres, database, "ALTER TABLE hollow ALTER a SET NOT NULL").obstacles
    assert found.count == 1000
    assert "at least 1000 rows" in found.fact


def test_what_cannot_be_read_or_not_in_time_is_said_and_is_no_obstacle(postgres: Server, database: str) -> None:
    """A lock, a missing right, row security, or too little time: untested, by the number of the statement."""
    script = 'SELECT 1; CREATE UNIQUE INDEX i ON "User" (email)'
    url = parse(postgres.url(database))
    with connect(url, read_only=True) as connection:
        connection.execute("SET lock_timeout = 50")
        with postgres.connect(database) as other, other.transaction():
            other.execute('LOCK TABLE "User"')
            found = find(connection, "public", [script])
        assert found.obstacles == ()
        assert "statement 2" in found.untested[0]
        assert "lock" in found.untested[0]
        ticks = chain((0.0,), repeat(61.0))
        found = find(connection, "public", [script], clock=lambda: next(ticks))
        assert found.obstacles == ()
        assert "no time" in found.untested[0]
        run(postgres, database, "INSERT INTO hollow SELECT g, -g FROM generate_series(1, 300000) g")
        found = find(connection, "public", ["CREATE UNIQUE INDEX i ON hollow (a, id)"], seconds=0.001)
        assert found.obstacles == ()
        assert "was ended" in found.untested[-1]
        assert len(find(connection, "public", [script]).obstacles) == 1
    run(postgres, database, f'ALTER TABLE "User" OWNER TO {ROLE}; ALTER TABLE "User" FORCE ROW LEVEL SECURITY')
    run(postgres, database, f'ALTER TABLE "User" ENABLE ROW LEVEL SECURITY; GRANT CREATE ON SCHEMA public TO {ROLE}')
    found = obstacles(postgres, database, script, user=ROLE)
    assert found.obstacles == ()
    assert "may not read" in found.untested[0]
    found = obstacles(postgres, database, 'CREATE UNIQUE INDEX i ON "Post" (a)', user=ROLE)
    assert [each.kind for each in found.obstacles] == ["privileges"]
    assert "may not read" in found.untested[0]


def test_nothing_is_changed_and_nothing_stays(postgres: Server, database: str) -> None:
    """The session is left as it was: no transaction, and its own search path."""
    with connect(parse(postgres.url(database)), read_only=True) as connection:
        before = connection.execute("SHOW search_path").fetchone()
        find(connection, "elsewhere", ['ALTER TABLE public."User" ALTER email SET NOT NULL, ADD CHECK (1 / 0 = 1)'])
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert connection.execute("SHOW search_path").fetchone() == before
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)


def test_an_extension_for_superusers_is_said_unless_the_server_may_delegate_it(postgres: Server, database: str) -> None:
    """A platform with a mechanism of its own has a role that stands for a superuser; then nothing is certain."""
    script = "CREATE EXTENSION IF NOT EXISTS pageinspect"
    run(postgres, database, f"GRANT CREATE ON DATABASE {database} TO {ROLE}; GRANT CREATE ON SCHEMA public TO {ROLE}")
    (obstacle,) = obstacles(postgres, database, script, user=ROLE).obstacles
    assert (obstacle.kind, "that takes a superuser" in obstacle.fact) == ("privileges", True)
    assert run(postgres, database, script, ROLE) == "privileges"
    assert obstacles(postgres, database, script) == Obstacles()
    run(postgres, database, "CREATE ROLE some_superuser")
    try:
        assert obstacles(postgres, database, script, user=ROLE) == Obstacles()
    finally:
        run(postgres, database, "DROP ROLE some_superuser")
    run(postgres, database, script)
    assert obstacles(postgres, database, script, user=ROLE) == Obstacles()
