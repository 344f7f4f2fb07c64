"""Whether a script would fail again: said beforehand, and then tried for real."""

from collections.abc import Iterator
from itertools import count

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
"""
_numbers = count(1)
_servers: dict[int, Server] = {}


@pytest.fixture(scope="module", params=[18, 13])
def postgres(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The newest and the oldest version, with a role that may do little."""
    server = scene.server() if request.param == 18 else start(request.param)
    with server.connect() as connection:
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
        connection.execute(f"CREATE ROLE {ROLE} LOGIN")
    yield server
    if request.param != 18:
        server.stop()


@pytest.fixture
def database(postgres: Server) -> str:
    name = f"obstacles_{next(_numbers)}"
    postgres.create_database(name)
    run(postgres, name, BASE)
    return name


def run(server: Server, database: str, script: str, user: str = "postgres") -> str:
    """Runs a script as Prisma's native engine does, whole; the kind of what made it fail, or empty."""
    with psycopg.connect(server.url(database, user), autocommit=True) as connection:
        try:
            connection.execute(script.encode())
        except psycopg.Error as error:
            return cause(f"Database error code: {error.sqlstate}\n\nDatabase error:\nERROR: {error}").kind
    return ""


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
def test_what_is_said_to_fail_fails(
    postgres: Server, database: str, script: str, kind: str, number: int | None, said: str
) -> None:
    """Each obstacle is of the kind of the error that PostgreSQL then gives, and its query lists what was counted."""
    found = obstacles(postgres, database, script)
    assert found.untested == ()
    obstacle = next(each for each in found.obstacles if each.kind == kind)
    assert (obstacle.kind, obstacle.count) == (kind, number)
    assert said in obstacle.fact
    assert listed(postgres, database, obstacle.query) == (number or 0)
    failing = (run(postgres, database, each.sql) for each in parse_script(script))
    assert next((at, said) for at, said in enumerate(failing, 1) if said) == (obstacle.statement, kind)


WILL_SUCCEED = [
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
def test_what_succeeds_is_not_said_to_fail(postgres: Server, database: str, script: str) -> None:
    """The closely related harmless case is none, for each kind: PostgreSQL runs the script to its end."""
    assert obstacles(postgres, database, script) == Obstacles()
    assert run(postgres, database, script) == ""


def test_what_is_not_sure_is_not_said(postgres: Server, database: str) -> None:
    """A script that fails for what can't be asked surely has no obstacle: no function, no sort order is guessed at."""
    for script in (
        'ALTER TABLE "User" ADD CHECK (own(age) > 0)',
        'ALTER TABLE "User" ADD CHECK (age > 0 AND now() > born)',
        'CREATE UNIQUE INDEX i ON "User" (email COLLATE "C")',
        'ALTER TABLE "Post" ADD FOREIGN KEY (author) REFERENCES nowhere (id)',
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
        ticks = iter((0.0, 61.0, 61.0, 61.0))
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
