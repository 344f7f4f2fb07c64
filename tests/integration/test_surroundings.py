"""Roles and extensions that a history needs: verdicts on migrations that work with them, on a real server."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from recovery.replay.scratch import ScratchServer
from recovery.replay.workshop import Workshop
from states.evidence import Decision, Verdict
from tests.integration.rules.production import APPLIED, DRIFTED, NOT_APPLIED, UNDECIDABLE, Production, verdict
from tests.staging import Server, start
from tests.staging.failures import LEDGER

#: The way a dump begins, and the ends that it has.
DUMP = """
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET row_security = off;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;
COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';
CREATE TABLE public.d (id integer NOT NULL, v text);
ALTER TABLE public.d OWNER TO postgres;
CREATE SEQUENCE public.d_id_seq AS integer OWNED BY public.d.id;
ALTER SEQUENCE public.d_id_seq OWNER TO postgres;
ALTER TABLE ONLY public.d ALTER COLUMN id SET DEFAULT nextval('public.d_id_seq'::regclass);
ALTER TABLE ONLY public.d ADD CONSTRAINT d_pkey PRIMARY KEY (id);
GRANT ALL ON TABLE public.d TO postgres;
GRANT SELECT ON TABLE public.d TO dump_anon;
GRANT USAGE ON SCHEMA public TO dump_anon;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO dump_anon;
"""


def role(production: Production, *names: str) -> None:
    """Makes roles on production's server, which the tests of this module share."""
    for name in names:
        production.run(
            f"DO $$ BEGIN CREATE ROLE {name}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"  # not two at once
        )


@pytest.mark.parametrize(
    "script",
    [
        "GRANT SELECT, INSERT ON t TO app_user;",
        "CREATE TABLE g (id int); GRANT ALL ON g TO app_user, postgres; GRANT USAGE ON SEQUENCE s TO app_user;",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t FOR SELECT TO app_user USING (a > 0);",
        "CREATE SCHEMA theirs AUTHORIZATION app_user;",
        "SET ROLE app_user; RESET ROLE; CREATE TABLE g (id int);",
    ],
)
def test_what_a_script_gives_to_a_role_is_compared(production: Production, script: str) -> None:
    """The scratch server has no such role of its own; what the role may do is seen all the same (E8)."""
    role(production, "app_user")
    production.failed(script)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    assert verdict(production.judge()) == APPLIED


def test_a_privilege_that_is_not_the_one_stated_is_a_difference(production: Production) -> None:
    """E8: a GRANT counts where the script states it."""
    role(production, "app_user")
    production.failed("CREATE TABLE g (id int); GRANT SELECT, INSERT ON g TO app_user;")
    production.run("CREATE TABLE g (id int); GRANT SELECT, DELETE ON g TO app_user;")
    evidence = production.judge()
    assert verdict(evidence) == DRIFTED
    assert [d.property for d in evidence.differences] == ["privileges of app_user"]


def test_a_role_that_production_lacks_too_made_the_script_fail(production: Production) -> None:
    """The script is replayed to its end, and production shows nothing of it."""
    production.failed("CREATE TABLE g (id int); GRANT SELECT ON g TO nobody_made_this_one;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE TABLE g (id int)")
    assert production.judge().verdict.value == "partial"


def test_a_block_asks_for_a_role_as_it_does_in_production(production: Production) -> None:
    """What depends on a role that production has happens in the scratch database too."""
    role(production, "block_reader")
    script = (
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'block_reader') THEN"
        " CREATE TABLE for_reader (id int); END IF; END $$"
    )
    production.finished("20260102_block", script)
    production.failed("ALTER TABLE for_reader ADD COLUMN b int;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE for_reader ADD COLUMN b int")
    assert verdict(production.judge()) == APPLIED


def test_default_privileges_do_not_count(production: Production) -> None:
    """E8: what a table's maker gives away by default is no difference, whoever made it."""
    role(production, "app_user", "somebody")
    production.finished("20260102_defaults", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app_user")
    production.failed("CREATE TABLE g (id int)")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("GRANT CREATE ON SCHEMA public TO somebody; SET ROLE somebody; CREATE TABLE g (id int)")
    assert verdict(production.judge()) == APPLIED
    production.run("DROP TABLE g; CREATE TABLE g (id int)")
    assert verdict(production.judge()) == APPLIED


def test_a_dump_as_the_first_migration_is_replayed(production: Production) -> None:
    """Owners, privileges, remarks and extensions that only a superuser may make don't keep its tables away."""
    role(production, "dump_anon")
    dump = DUMP.replace("CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;", "")
    production.run(dump)
    production.row("20260102_dump", production.file("20260102_dump", DUMP), finished=True, steps=0)
    production.failed("ALTER TABLE d ADD COLUMN b int; DROP TABLE IF EXISTS gone;")
    evidence = production.judge()
    assert verdict(evidence) == NOT_APPLIED
    assert not any("may work on the same objects" in reason for reason in evidence.reasons)
    production.run("ALTER TABLE d ADD COLUMN b int")
    assert verdict(production.judge()) == APPLIED


EXTENSIONS = {
    "citext": "CREATE TABLE x (a citext UNIQUE, b citext[] NOT NULL DEFAULT '{}');",
    "vector": (
        "CREATE TABLE x (a vector(1536) NOT NULL, b vector); CREATE INDEX i ON x USING hnsw (a vector_cosine_ops)"
        " WITH (m = 16); CREATE INDEX j ON x USING ivfflat (a vector_l2_ops) WITH (lists = 100);"
    ),
    "hstore": "CREATE TABLE x (a hstore DEFAULT ''); CREATE INDEX i ON x USING gin (a);",
    "pg_trgm": "CREATE TABLE x (a text); CREATE INDEX i ON x USING gin (a gin_trgm_ops);",
    "earthdistance": "CREATE TABLE x (a earth); CREATE INDEX i ON x USING gist (a);",
    "moddatetime": (
        "CREATE TABLE x (a timestamp); CREATE TRIGGER g BEFORE UPDATE ON x FOR EACH ROW"
        " EXECUTE FUNCTION moddatetime(a);"
    ),
}


@pytest.mark.parametrize("name", EXTENSIONS)
@pytest.mark.parametrize("when", ["before", "within"])
def test_what_an_extension_brings_is_replayed(production: Production, name: str, when: str) -> None:
    """Whether the failed migration itself creates it or one before, and whether only a superuser may."""
    create = f"CREATE EXTENSION IF NOT EXISTS {name} CASCADE;"
    script = EXTENSIONS[name]
    if when == "before":
        production.finished("20260102_extension", create)
    else:
        script = f"{create} {script}"
    production.failed(script)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    assert verdict(production.judge()) == APPLIED


def test_an_extension_that_reaches_beyond_the_database_is_not_created(production: Production) -> None:
    """E15, although the role could be allowed to."""
    production.failed("CREATE TABLE x (id int); CREATE EXTENSION file_fdw;")
    production.run("CREATE TABLE x (id int)")
    evidence = production.judge()
    assert evidence.decision is Decision.OPERATOR
    assert any("reaches other servers or files" in reason for reason in evidence.reasons)


#: The scratch server has none of these at all.
LACKING = {
    "pgcrypto": (
        "CREATE TABLE x (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), a bytea DEFAULT digest('a', 'sha1'));"
        " CREATE INDEX i ON x (encode(a, 'hex')); ALTER TABLE x ADD COLUMN h text DEFAULT crypt('a', gen_salt('bf'));"
    ),
    "uuid-ossp": "CREATE TABLE x (id uuid DEFAULT uuid_generate_v4(), n uuid DEFAULT uuid_generate_v1mc());",
}


@pytest.fixture(scope="module")
def older() -> Iterator[Server]:
    """A server with all of PostgreSQL's own extensions."""
    with start(13) as server:
        yield server


@pytest.mark.parametrize("name", LACKING)
@pytest.mark.parametrize("when", ["before", "within"])
def test_what_an_extension_that_is_stood_in_for_brings_is_replayed(
    older: Server,
    scratch_server: ScratchServer,
    tmp_path: Path,
    name: str,
    when: str,
) -> None:
    """From production's catalog where production has it; by what is known of it where the failed script brings it."""
    workshop = Workshop(lambda: nullcontext(scratch_server), "public")
    there = Production(older, tmp_path / "migrations", workshop)
    older.create_database(there.database)
    there.run(LEDGER)
    create = f'CREATE EXTENSION IF NOT EXISTS "{name}";'
    script = LACKING[name]
    if when == "before":
        there.finished("20260102_extension", create)
    else:
        script = f"{create} {script}"
    there.failed(script)
    try:
        assert verdict(there.judge()) == NOT_APPLIED
        there.run(script)
        assert verdict(there.judge()) == APPLIED
    finally:
        workshop.close()
        older.drop_database(there.database)


def test_a_finished_migration_whose_file_is_gone_leaves_it_to_a_person(production: Production) -> None:
    """E1: what it made is not in the steps, so they prove nothing."""
    production.run("CREATE TABLE gone (id int)")
    production.row("20260102_gone", "0" * 64, finished=True, steps=1)
    production.failed("ALTER TABLE t ADD COLUMN b int")
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any("20260102_gone" in reason for reason in evidence.reasons)


@pytest.mark.parametrize(("table", "expected"), [("t", NOT_APPLIED), ("v", UNDECIDABLE)])
def test_a_finished_migration_whose_file_was_edited_is_replayed_as_it_is_now(
    production: Production,
    table: str,
    expected: tuple[Verdict, Decision],
) -> None:
    """E1: and named; where it may bear on the failed one, that is left to a person."""
    production.finished("20260102_edited", "CREATE TABLE v (id int)")
    production.file("20260102_edited", "CREATE TABLE v (id int); -- a remark")
    production.failed(f"ALTER TABLE {table} ADD COLUMN b int")
    evidence = production.judge()
    assert verdict(evidence) == expected
    assert any("20260102_edited" in reason for reason in evidence.reasons)


def test_what_was_rolled_back_is_not_in_the_base(production: Production) -> None:
    """E1: only finished migrations are, although the file of the other is there."""
    checksum = production.file("20260102_withdrawn", "CREATE TABLE v (id int)")
    production.row("20260102_withdrawn", checksum, finished=False, steps=0)
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '20260102_withdrawn'")
    production.failed("CREATE TABLE IF NOT EXISTS v (id int)")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE TABLE v (id int)")
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize("statement", ["CREATE ROLE made_by_script", "ALTER ROLE postgres SET work_mem = '1MB'"])
def test_a_statement_on_roles_ends_the_failed_script_and_costs_the_history_nothing_else(
    production: Production,
    statement: str,
) -> None:
    """E15: it is not executed; a migration of the base is replayed without it, the failed one up to it."""
    script = f"CREATE TABLE v (id int); {statement}; CREATE TABLE w (id int)"
    production.run("CREATE TABLE v (id int); CREATE TABLE w (id int)")
    production.row("20260102_roles", production.file("20260102_roles", script), finished=True, steps=1)
    production.failed("ALTER TABLE w ADD COLUMN b int")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("DROP TABLE v, w; DELETE FROM _prisma_migrations WHERE finished_at IS NULL")
    production.run("DELETE FROM _prisma_migrations WHERE migration_name = '20260102_roles'")
    production.failed(script, "20260111_failed")
    production.run("CREATE TABLE v (id int)")
    evidence = production.judge("20260111_failed")
    assert evidence.decision is Decision.OPERATOR
    assert any("changes roles of the whole server" in reason for reason in evidence.reasons)
