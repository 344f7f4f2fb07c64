"""Every kind of schema statement from end to end: absent, in place, and there but otherwise (RULES E4, E8)."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from recovery.evidence.investigator import Investigator
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.prisma.migrations import read
from recovery.prisma.scripts import Scripts
from states.evidence import Evidence, Verdict
from tests import staging
from tests.integration.rules.production import SharedWorkshop
from tests.staging import Server
from tests.staging.failures import LEDGER

TABLE = "CREATE TABLE t (id int PRIMARY KEY, a text, v varchar(10));"
FUNCTION = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'"
TRIGGER = "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
PARENT = "CREATE TABLE p (id int, at date) PARTITION BY RANGE (id);"
ENUM = "CREATE TYPE e AS ENUM ('x', 'y');"
DOMAIN = "CREATE DOMAIN d AS int;"
SEQUENCE = "CREATE SEQUENCE s;"
COMPOSITE = "CREATE TYPE o AS (x int);"
VIEW = "CREATE VIEW w AS SELECT a FROM t;"

#: What the history makes besides the table, the failed script, and what somebody did instead of it.
KINDS = [
    ("CREATE SCHEMA x;", "COMMENT ON SCHEMA x IS 'c'", "COMMENT ON SCHEMA x IS 'd'"),
    ("CREATE EXTENSION citext;", "ALTER TABLE t ADD e citext", "ALTER TABLE t ADD e text"),
    ("", "CREATE EXTENSION citext", "CREATE TYPE citext AS ENUM ()"),
    ("CREATE SCHEMA x;", "CREATE EXTENSION citext SCHEMA x", "CREATE EXTENSION citext SCHEMA public"),
    ("", "CREATE TABLE u (id int, b text NOT NULL)", "CREATE TABLE u (id int, b text)"),
    ("", "CREATE UNLOGGED TABLE u (id int)", "CREATE TABLE u (id int)"),
    (PARENT, "CREATE TABLE q PARTITION OF p FOR VALUES FROM (1) TO (5)", "CREATE TABLE q PARTITION OF p DEFAULT"),
    ("", "CREATE TABLE u (more int) INHERITS (t)", "CREATE TABLE u (more int, LIKE t)"),
    ("", "ALTER TABLE t ADD COLUMN n numeric(5, 2)", "ALTER TABLE t ADD COLUMN n numeric(6, 2)"),
    ("", "ALTER TABLE t ADD n int GENERATED ALWAYS AS (id + 1) STORED", "ALTER TABLE t ADD n int DEFAULT 1"),
    (
        "",
        "ALTER TABLE t ADD n timestamp(3) NOT NULL DEFAULT (now() AT TIME ZONE 'utc')",
        "ALTER TABLE t ADD n timestamp(3) NOT NULL DEFAULT now()",
    ),
    ("", "ALTER TABLE t ALTER a SET DEFAULT 'x'", "ALTER TABLE t ALTER a SET DEFAULT 'y'"),
    ("", "ALTER TABLE t ALTER a TYPE varchar(20)", "ALTER TABLE t ALTER a TYPE varchar(30)"),
    ("", "ALTER TABLE t ALTER a SET NOT NULL, ALTER v SET NOT NULL", "ALTER TABLE t ALTER a SET NOT NULL"),
    ("", 'ALTER TABLE t ADD n text COLLATE "POSIX"', 'ALTER TABLE t ADD n text COLLATE "C"'),
    ("", "ALTER TABLE t ALTER a SET STORAGE EXTERNAL", "ALTER TABLE t ALTER a SET STORAGE MAIN"),
    ("", "ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t DROP COLUMN a"),
    ("", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ALTER TABLE t FORCE ROW LEVEL SECURITY"),
    ("", "ALTER TABLE t REPLICA IDENTITY FULL", "ALTER TABLE t REPLICA IDENTITY NOTHING"),
    ("", "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0)", "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0) NOT VALID"),
    (
        "",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (trim(v) <> '')",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (trim(a) <> '')",
    ),
    (
        "CREATE TABLE u (id int);",
        "ALTER TABLE u ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES t ON DELETE CASCADE",
        "ALTER TABLE u ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES t",
    ),
    (
        "",
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a) DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)",
    ),
    ("", "CREATE INDEX i ON t (a DESC, v) WHERE id > 0", "CREATE INDEX i ON t (a DESC, v)"),
    ("", "CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX i ON t (v)"),
    ("", "CREATE UNIQUE INDEX i ON t (lower(a))", "CREATE INDEX i ON t (lower(a))"),
    (
        'CREATE TABLE u (a text COLLATE "C");',
        'CREATE UNIQUE INDEX i ON u (a COLLATE "default")',
        "CREATE UNIQUE INDEX i ON u (a)",
    ),
    ("", "CREATE INDEX i ON t (a bpchar_ops)", "CREATE INDEX i ON t (a)"),
    # what is called like a property, or needs quotes
    ("", "CREATE TABLE u (id int)", "CREATE TABLE u (id int, comment text NOT NULL)"),
    ("", "CREATE TABLE u (id int)", 'CREATE TABLE u (id int, "x comment" text NOT NULL)'),
    ("", "CREATE TABLE u (id int)", 'CREATE TABLE u (id int, "privileges of x" text NOT NULL)'),
    (
        "",
        "CREATE TABLE u (id int)",
        "CREATE TABLE u (id int); CREATE RULE comment AS ON DELETE TO u DO INSTEAD NOTHING",
    ),
    ("", "CREATE TABLE u (id int)", "CREATE TABLE u (id int CONSTRAINT comment CHECK (id > 0))"),
    ("", 'CREATE TABLE "a.b" ("x type" int)', 'CREATE TABLE "a.b" ("x type" int, statistics int NOT NULL)'),
    (
        "",
        'ALTER TABLE t ADD "comment" text, ADD "x type" int',
        'ALTER TABLE t ADD "comment" varchar(3), ADD "x type" int',
    ),
    (
        'CREATE TABLE "c (d" (" ""e"" statistics" int);',
        'ALTER TABLE "c (d" ALTER " ""e"" statistics" TYPE bigint',
        'ALTER TABLE "c (d" ALTER " ""e"" statistics" TYPE numeric',
    ),
    # operators, casts, text search
    (
        "CREATE FUNCTION f(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';",
        "CREATE OPERATOR @@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = f)",
        "CREATE OPERATOR @@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = f, RESTRICT = eqsel)",
    ),
    (ENUM, "CREATE CAST (e AS text) WITH INOUT AS ASSIGNMENT", "CREATE CAST (e AS text) WITH INOUT"),
    (
        "",
        "CREATE TEXT SEARCH CONFIGURATION x (COPY = english)",
        "CREATE TEXT SEARCH CONFIGURATION x (COPY = german)",
    ),
    (
        "",
        "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple, ACCEPT = false)",
        "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple)",
    ),
    (ENUM, "ALTER TYPE e ADD VALUE 'z'", "ALTER TYPE e ADD VALUE 'z' BEFORE 'x'"),
    ("", ENUM, "CREATE TYPE e AS ENUM ('y', 'x')"),
    ("", "CREATE DOMAIN d AS int CHECK (VALUE > 0)", "CREATE DOMAIN d AS int CHECK (VALUE > 1)"),
    (
        DOMAIN,
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0)",
        "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID",
    ),
    ("", 'CREATE TYPE o AS (x int, y text COLLATE "POSIX")', "CREATE TYPE o AS (x int, y text)"),
    (COMPOSITE, "ALTER TYPE o ADD ATTRIBUTE y int", "ALTER TYPE o ADD ATTRIBUTE y bigint"),
    ("", "CREATE TYPE r AS RANGE (SUBTYPE = int)", "CREATE TYPE r AS RANGE (SUBTYPE = bigint)"),
    ("", "CREATE SEQUENCE s INCREMENT 5", "CREATE SEQUENCE s INCREMENT 6"),
    ("", "CREATE SEQUENCE s START WITH 1000", "CREATE SEQUENCE s; ALTER SEQUENCE s START WITH 1000"),
    (
        "",
        "CREATE TABLE u (id int GENERATED ALWAYS AS IDENTITY (START 5))",
        "CREATE TABLE u (id int GENERATED ALWAYS AS IDENTITY); ALTER TABLE u ALTER id SET START 5",
    ),
    (SEQUENCE, "ALTER SEQUENCE s OWNED BY t.id", "ALTER SEQUENCE s CYCLE; ALTER SEQUENCE s OWNED BY t.a"),
    (
        "",
        "CREATE VIEW w WITH (security_barrier) AS SELECT id FROM t WHERE a <> 'x'",
        "CREATE VIEW w AS SELECT id FROM t WHERE a <> 'x'",
    ),
    (
        "",
        "CREATE MATERIALIZED VIEW m AS SELECT id FROM t WITH NO DATA",
        "CREATE MATERIALIZED VIEW m AS SELECT id FROM t WHERE id > 0 WITH NO DATA",
    ),
    ("", FUNCTION, "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"),
    (
        FUNCTION + ";",
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 3'",
    ),
    ("", "CREATE PROCEDURE pr() LANGUAGE sql AS 'SELECT 1'", "CREATE PROCEDURE pr() LANGUAGE sql AS 'SELECT 2'"),
    (
        "",
        "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int)",
        "CREATE AGGREGATE g(int) (SFUNC = int4mi, STYPE = int)",
    ),
    (
        TRIGGER,
        "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf()",
        "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tf()",
    ),
    (
        TRIGGER + PARENT + "CREATE TABLE q PARTITION OF p DEFAULT;",
        "CREATE TRIGGER g AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION tf()",
        "CREATE TRIGGER g AFTER INSERT ON q FOR EACH ROW EXECUTE FUNCTION tf()",
    ),
    (
        TRIGGER + "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf();",
        "ALTER TABLE t DISABLE TRIGGER g",
        "ALTER TABLE t ENABLE ALWAYS TRIGGER g",
    ),
    ("", "CREATE POLICY y ON t FOR SELECT USING (a = current_user)", "CREATE POLICY y ON t FOR SELECT USING (true)"),
    ("", "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING"),
    ("", "CREATE STATISTICS z ON id, a FROM t", "CREATE STATISTICS z ON id, v FROM t"),
    ("", "CREATE PUBLICATION b FOR TABLE t", "CREATE PUBLICATION b"),
    ("", "CREATE COLLATION n (locale = 'POSIX')", "CREATE COLLATION n (locale = 'C')"),
    ("", "COMMENT ON TABLE t IS 'c'", "COMMENT ON TABLE t IS 'd'"),
    (FUNCTION + ";", "COMMENT ON FUNCTION f IS 'c'", "COMMENT ON FUNCTION f IS 'd'"),
    (ENUM, "COMMENT ON TYPE e IS 'c'", "COMMENT ON TYPE e IS 'd'"),
    ("", "COMMENT ON CONSTRAINT t_pkey ON t IS 'c'", "COMMENT ON CONSTRAINT t_pkey ON t IS 'd'"),
    ("", "GRANT SELECT, INSERT ON t TO pg_monitor", "GRANT SELECT ON t TO pg_monitor"),
    ("", "GRANT ALL ON t TO pg_monitor", "GRANT SELECT ON t TO pg_monitor"),
    ("", "GRANT SELECT (a) ON t TO pg_monitor", "GRANT UPDATE (a) ON t TO pg_monitor"),
    (SEQUENCE, "GRANT USAGE ON SEQUENCE s TO pg_monitor", "GRANT SELECT ON SEQUENCE s TO pg_monitor"),
    ("CREATE SCHEMA x;", "GRANT USAGE ON SCHEMA x TO pg_monitor", "GRANT CREATE ON SCHEMA x TO pg_monitor"),
    (
        FUNCTION + ";",
        "GRANT EXECUTE ON FUNCTION f TO pg_monitor",
        "GRANT EXECUTE ON FUNCTION f TO pg_monitor WITH GRANT OPTION",
    ),
    (DOMAIN, "GRANT USAGE ON DOMAIN d TO pg_monitor", "GRANT USAGE ON DOMAIN d TO pg_monitor WITH GRANT OPTION"),
    (
        "GRANT SELECT, UPDATE ON t TO pg_monitor;",
        "REVOKE UPDATE ON t FROM pg_monitor",
        "REVOKE SELECT ON t FROM pg_monitor",
    ),
]

_numbers = count(1)


OLDEST, NEWEST = 13, 18
#: All kinds are tried on the oldest server, which differs from the one that scripts are replayed on; on the newest one,
#: which is of the same version as that, one in so many.
SHARE_ON_NEWEST = 4


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[int], Server]]:
    """Gives the server of a version, which is started once, whatever the order of the tests."""
    with ExitStack() as running:
        yield cache(lambda version: running.enter_context(staging.start(version, settings={"wal_level": "logical"})))


@pytest.fixture(params=[OLDEST, NEWEST])
def production(request: pytest.FixtureRequest, servers: Callable[[int], Server]) -> Server:
    """The oldest and the newest server."""
    return servers(request.param)


class Case:
    """A history of one migration, and a second one that failed."""

    def __init__(self, server: Server, workshop: SharedWorkshop, folder: Path, base: str, script: str) -> None:
        self.server = server
        self._folder = folder
        self._workshop = workshop
        self._scripts = {"1_base": TABLE + base, "2_failed": script}
        for name, text in self._scripts.items():
            (folder / name).mkdir()
            (folder / name / "migration.sql").write_text(text)

    def judge(self, *done: str, base: str | None = None) -> Evidence:
        """The evidence on a database on which these scripts ran after the base."""
        database = f"kinds_{next(_numbers)}"
        self.server.create_database(database)
        with self.server.connect(database) as connection:
            connection.execute(LEDGER)
            for each in (base or self._scripts["1_base"], *done):
                connection.execute(each.encode())
            for number, (name, text) in enumerate(self._scripts.items()):
                checksum = hashlib.sha256(text.encode()).hexdigest()
                connection.execute(
                    "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, logs,"
                    " applied_steps_count) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s)",
                    (
                        checksum,
                        name,
                        "2026-01-02",
                        None if number else "2026-01-01",
                        "x" if number else None,
                        1 - number,
                    ),
                )
            # The server may see this session a moment longer, and one that last wrote the ledger counts as at work.
            connection.execute("SELECT 1")
        target = Target(parse(self.server.url(database)), "the test")
        try:
            scripts = Scripts(self._folder, read(self._folder), None)
            return Investigator(target, scripts, self._workshop).classify("2_failed").evidence
        finally:
            target.close()
            self.server.drop_database(database)

    def verdicts(self, script: str, otherwise: str) -> list[Verdict]:
        """Where nothing of it is in; where the script ran; where something else was done instead."""
        return [self.judge(*done).verdict for done in ((), (script,), (otherwise,))]


@pytest.mark.parametrize(
    ("production", "base", "script", "otherwise"),
    [
        pytest.param(version, *kind, id=f"{version}-{kind[1][:50]}")
        for version, kinds in ((OLDEST, KINDS), (NEWEST, KINDS[::SHARE_ON_NEWEST]))
        for kind in kinds
    ],
    indirect=["production"],
)
def test_absent_in_place_and_otherwise(
    production: Server, workshop: SharedWorkshop, tmp_path: Path, base: str, script: str, otherwise: str
) -> None:
    """Nothing of it in: not applied. Done: applied. Done in another way: drifted. None of these is open."""
    case = Case(production, workshop, tmp_path, base, script)
    assert case.verdicts(script, otherwise) == [Verdict.NOT_APPLIED, Verdict.APPLIED, Verdict.DRIFTED]


SUPABASE = (
    "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO pg_monitor; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS"
    " FROM PUBLIC; ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO pg_monitor;"
)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE u (id int)",
        FUNCTION,
        "CREATE TABLE u (id int); GRANT SELECT ON u TO pg_signal_backend",
        f"{FUNCTION}; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC",
        f"{FUNCTION}; GRANT EXECUTE ON FUNCTION f TO pg_signal_backend",
    ],
)
def test_default_privileges_and_owners_never_count(
    production: Server, workshop: SharedWorkshop, tmp_path: Path, script: str
) -> None:
    """E8: whatever default privileges added, and whoever owns it, only the role that a script names is compared."""
    case = Case(production, workshop, tmp_path, "", script)
    assert case.judge(SUPABASE, script).verdict is Verdict.APPLIED
    assert case.judge(SUPABASE).verdict is Verdict.NOT_APPLIED


def test_a_grant_that_the_script_states_counts_on_what_it_creates(
    production: Server, workshop: SharedWorkshop, tmp_path: Path
) -> None:
    """E8: the object is there, and the named role may not use it as the script says."""
    script = f"{FUNCTION}; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC; GRANT EXECUTE ON FUNCTION f TO pg_monitor"
    case = Case(production, workshop, tmp_path, "", script)
    assert case.judge(FUNCTION).verdict is Verdict.PARTIAL
    assert case.judge(f"{FUNCTION}; GRANT EXECUTE ON FUNCTION f TO pg_monitor").verdict is Verdict.DRIFTED
    assert case.judge(script).verdict is Verdict.APPLIED


def test_a_multirange_that_is_called_otherwise(server: Server, workshop: SharedWorkshop, tmp_path: Path) -> None:
    """The name of a range's multirange counts, on a server that has multiranges."""
    case = Case(server, workshop, tmp_path, "", "CREATE TYPE r AS RANGE (SUBTYPE = float8, MULTIRANGE_TYPE_NAME = rs)")
    plain = "CREATE TYPE r AS RANGE (SUBTYPE = float8)"
    named = "CREATE TYPE r AS RANGE (SUBTYPE = float8, MULTIRANGE_TYPE_NAME = rs)"
    assert case.verdicts(named, plain) == [Verdict.NOT_APPLIED, Verdict.APPLIED, Verdict.DRIFTED]


@pytest.mark.parametrize(
    "use", ["SELECT nextval('s')", "SELECT setval('s', 77)", "SELECT nextval('s'); ALTER SEQUENCE s CACHE 1"]
)
def test_a_sequence_that_production_uses_is_no_difference(
    production: Server, workshop: SharedWorkshop, tmp_path: Path, use: str
) -> None:
    """E8: the application has taken numbers from the sequence that the script made; its definition is the script's."""
    script = "CREATE SEQUENCE s START WITH 1000"
    case = Case(production, workshop, tmp_path, "", script)
    assert case.judge(script, use).verdict is Verdict.APPLIED
    assert case.judge(script, use, "ALTER SEQUENCE s START WITH 5").verdict is Verdict.DRIFTED


def test_a_sequence_that_the_script_finds_may_give_any_number(
    production: Server, workshop: SharedWorkshop, tmp_path: Path
) -> None:
    """E8: somebody set a sequence of the history long ago; what the script does to it is compared, and no more."""
    script = "ALTER SEQUENCE s INCREMENT 5; CREATE SEQUENCE IF NOT EXISTS s"
    case = Case(production, workshop, tmp_path, SEQUENCE, script)
    set_before = f"{TABLE}{SEQUENCE} SELECT setval('s', 500, false)"
    assert case.judge("ALTER SEQUENCE s INCREMENT 5", base=set_before).verdict is Verdict.APPLIED
    assert case.judge(base=set_before).verdict is Verdict.NOT_APPLIED


def test_a_sequence_that_an_open_statement_may_have_set_gives_any_number(
    production: Server, workshop: SharedWorkshop, tmp_path: Path
) -> None:
    """E18: a replay has no rows, so it can't tell to which number the script sets the sequence in production."""
    script = "CREATE SEQUENCE s; SELECT setval('s', (SELECT coalesce(max(id), 0) + 1 FROM t), false)"
    case = Case(production, workshop, tmp_path, "", script)
    evidence = case.judge("INSERT INTO t VALUES (41)", script)
    assert evidence.verdict is Verdict.UNDECIDABLE
    assert evidence.differences == ()
