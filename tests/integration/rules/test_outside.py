"""What lies outside the history: what production has and no migration makes, in other schemas, and extensions."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from recovery.errors import UsageError
from recovery.replay.scratch import ScratchServer
from recovery.replay.workshop import Workshop
from recovery.sql.script import Script
from tests.integration.rules.production import APPLIED, NOT_APPLIED, UNDECIDABLE, Production, verdict

#: As a platform makes it: with more than a stand-in has.
AUTH = """
CREATE SCHEMA auth;
CREATE TYPE auth.level AS ENUM ('aal1', 'aal2');
CREATE TABLE auth.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL, level auth.level,
                         phone text DEFAULT '', CHECK (email <> ''));
CREATE UNIQUE INDEX users_email ON auth.users (email);
CREATE INDEX users_phone ON auth.users (phone);
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT current_setting('jwt.sub', true)::uuid $$;
CREATE FUNCTION auth.claims(OUT sub uuid, OUT role text) LANGUAGE sql AS $$ SELECT NULL::uuid, 'x' $$;
CREATE VIEW auth.people AS SELECT id, email FROM auth.users;
"""
PROFILE = "CREATE TABLE profile (id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE, bio text);"


@pytest.mark.parametrize("there", [False, True], ids=["absent", "in place"])
@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE post (id int PRIMARY KEY, author uuid NOT NULL REFERENCES auth.users (id));",
        "ALTER TABLE profile ADD email text REFERENCES auth.users (email);",
        (
            "ALTER TABLE profile ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY own ON profile USING (auth.uid() = id AND (SELECT auth.uid()) IS NOT NULL);"
        ),
        'ALTER TABLE "profile" ADD "level" "auth"."level" ;',
        "CREATE VIEW people AS SELECT p.email, (auth.claims()).role FROM auth.people p;",
        (
            "DO $$ BEGIN ALTER TABLE profile ADD CONSTRAINT again FOREIGN KEY (id) REFERENCES auth.users (id);"
            " EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        ),
        (
            "CREATE FUNCTION greet() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO public.profile (id) VALUES (NEW.id); RETURN NEW; END $$;"
            "DROP TRIGGER IF EXISTS greeting ON auth.users;"
            "CREATE TRIGGER greeting AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION greet();"
        ),
    ],
    ids=["key", "other key", "policy", "type", "view", "block", "trigger"],
)
def test_what_a_script_refers_to_is_stood_in_for(production: Production, script: str, *, there: bool) -> None:
    """The history replays, and the verdict is the one that it would have without a foreign schema."""
    production.run(AUTH)
    production.before(PROFILE)
    production.failed(script, logs=None)
    if there:
        production.run(script)
    evidence = production.judge()
    assert verdict(evidence) == (APPLIED if there else NOT_APPLIED), evidence.reasons
    assert not [reason for reason in evidence.reasons if "fails when replayed" in reason]


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE auth.users ADD COLUMN IF NOT EXISTS plan text DEFAULT 'free';",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE auth.users ADD plan text DEFAULT ''free'''; END $$;",
        "CREATE TABLE IF NOT EXISTS auth.users (id uuid PRIMARY KEY, email text, plan text DEFAULT 'free');",
        "CREATE SCHEMA IF NOT EXISTS auth; CREATE TABLE IF NOT EXISTS auth.users (id uuid, plan text);",
        "SET search_path = auth; ALTER TABLE users ADD COLUMN IF NOT EXISTS plan text DEFAULT 'free';",
        "ALTER TABLE IF EXISTS auth.users RENAME email TO plan;",
        "DROP VIEW IF EXISTS auth.people;",
        "CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS $$ SELECT gen_random_uuid() $$;",
    ],
)
def test_what_a_script_may_change_is_not(production: Production, script: str) -> None:
    """What production has of it now may be the script's own work: nothing is concluded from that."""
    production.run(AUTH + "ALTER TABLE auth.users ADD plan int;")
    production.failed("CREATE TABLE seen (id int); " + script, logs=None)
    production.run("CREATE TABLE seen (id int)")
    assert verdict(production.judge()) not in (APPLIED, NOT_APPLIED)


@pytest.mark.parametrize("filled", [True, False])
def test_the_default_of_a_domain_fills_rows(production: Production, *, filled: bool) -> None:
    """A column that was made otherwise looks the same, and its rows are not what the script would have made them."""
    production.run("CREATE SCHEMA ext; CREATE DOMAIN ext.score AS int DEFAULT 5")
    script = "ALTER TABLE t ADD score ext.score;"
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script if filled else "ALTER TABLE t ADD score int; ALTER TABLE t ALTER score TYPE ext.score")
    assert verdict(production.judge()) == (APPLIED if filled else UNDECIDABLE)


def test_no_function_is_called_that_production_names(production: Production) -> None:
    """Neither the default of a domain nor that of an argument runs anything on the scratch server."""
    production.run(
        "CREATE SCHEMA ext; CREATE DOMAIN ext.score AS int DEFAULT length('abcde');"
        "CREATE FUNCTION ext.mine(a int DEFAULT length('a')) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'"
    )
    production.failed("CREATE TABLE u (a ext.score); CREATE VIEW v AS SELECT ext.mine();", logs=None)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_function_that_is_called_for_what_it_does_is_no_stand_in(production: Production) -> None:
    """It would do nothing in the replay, and nobody would be told."""
    production.run(
        "CREATE SCHEMA audit; CREATE FUNCTION audit.enable(what text) RETURNS void LANGUAGE plpgsql AS"
        " $$ BEGIN EXECUTE format('ALTER TABLE %I ADD audited int', what); END $$"
    )
    production.before("CREATE TABLE plain (id int); SELECT audit.enable('plain');")
    production.failed("ALTER TABLE plain ADD COLUMN IF NOT EXISTS audited int", logs=None)
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any("audit.enable" in reason for reason in evidence.reasons)


def test_an_extension_that_was_installed_by_hand_is_there(production: Production) -> None:
    """In the schema in which production has it, with its types and operator classes."""
    production.run("CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE EXTENSION pg_trgm")
    production.before("CREATE TABLE person (email extensions.citext UNIQUE, name text)")
    script = "CREATE INDEX person_name ON person USING gin (name gin_trgm_ops)"
    production.failed(script, logs=None)
    evidence = production.judge()
    assert verdict(evidence) == NOT_APPLIED, evidence.reasons
    production.run(script)
    assert verdict(production.judge()) == APPLIED


def test_the_proof_shows_no_difference_of_a_stand_in(production: Production) -> None:
    """What no migration makes is neither proven nor missed."""
    production.run(AUTH)
    production.before(PROFILE)
    proof = production.prove(["20260102_before"])
    assert (proof.proven, proof.differing, proof.elsewhere, proof.unprovable) == (("20260102_before",), (), (), ())


@pytest.fixture
def given(production: Production, scratch_server: ScratchServer) -> Iterator[Production]:
    """A production whose project says what there is before the history; the platform's schema is gone from it."""
    script = Script(
        "init.sql", "a", "CREATE ROLE somebody; CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid UNIQUE);"
    )
    production.workshop = Workshop(lambda: nullcontext(scratch_server), "public", (script,))
    yield production
    production.workshop.close()


def test_a_script_is_run_before_the_history(given: Production) -> None:
    """What the project says goes before what production's catalog says; its text belongs to the digest."""
    given.run(AUTH + "DROP VIEW auth.people;")
    given.before(PROFILE)
    given.failed("ALTER TABLE profile ADD owner uuid REFERENCES auth.users (id)", logs=None)
    evidence = given.judge()
    assert verdict(evidence) == NOT_APPLIED
    given.workshop.around = type(given.workshop.around)(
        given.workshop.around.standins, (Script("init.sql", "b", given.workshop.around.init[0].text),)
    )
    assert given.judge().evidence_digest != evidence.evidence_digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "SELECT 1; CREATE TABLE auth.users (id uuid);",
            "Statement 2 of init.sql, which is run before the history, fails",
        ),
        ("CREATE TABEL x (id int);", "init.sql: The script is not SQL that PostgreSQL's parser accepts"),
    ],
)
def test_a_script_that_fails_is_an_error(
    production: Production, scratch_server: ScratchServer, tmp_path: Path, text: str, said: str
) -> None:
    """The statement is named, and nothing is classified on a history that lacks it."""
    production.failed("ALTER TABLE t ADD b int", logs=None)
    workshop = Workshop(lambda: nullcontext(scratch_server), "public", (Script("init.sql", "a", text),))
    broken = Production(production.server, tmp_path / "migrations", workshop, production.database)
    try:
        with pytest.raises(UsageError, match=said):
            broken.judge()
    finally:
        workshop.close()
