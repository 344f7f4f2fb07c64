"""RULES E27: a stamped squash in the place of the migrations that it was made from, whose folders are gone."""

import shutil
from contextlib import closing

import pytest

from recovery.evidence.pending import PendingInvestigator
from tests.integration.rules.production import (
    APPLIED,
    FIRST,
    FIRST_SCRIPT,
    NOT_APPLIED,
    UNDECIDABLE,
    Production,
    verdict,
)

SQUASH = "000_squashed"
SECOND = "20260102_second"
SECOND_SCRIPT = "ALTER TABLE t ADD b text; CREATE INDEX t_b ON t (b); CREATE TABLE u (id int PRIMARY KEY);"
#: What the two make.
WHOLE = (
    "CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE SEQUENCE s; CREATE INDEX t_b ON t (b);"
    "CREATE TABLE u (id int PRIMARY KEY);"
)
SCRIPT = "ALTER TABLE t ADD c int; CREATE INDEX t_c ON t (c);"


def squashed(production: Production, script: str = WHOLE, name: str = SQUASH, *, git: bool = False) -> None:
    """Two deployed migrations, then deleted for a squash that is marked as applied; `git` still has them."""
    production.finished(SECOND, SECOND_SCRIPT)
    if git:
        production.commit()
    for gone in (FIRST, SECOND):
        shutil.rmtree(production.folder / gone)
    production.row(name, production.file(name, script), finished=True, steps=0)


@pytest.mark.parametrize("git", [False, True], ids=["no git", "git"])
@pytest.mark.parametrize(
    "script",
    [
        SCRIPT,
        "ALTER TABLE t DROP COLUMN a",
        "CREATE TABLE v (id int REFERENCES t (id))",
        "CREATE INDEX IF NOT EXISTS t_b ON t (b); ALTER TABLE t ADD c int",
        "CREATE SCHEMA app; CREATE TABLE app.t (id int)",
    ],
)
def test_a_squash_that_production_shows_is_the_history(production: Production, script: str, *, git: bool) -> None:
    """Whether the failed one is wholly there or not at all, no person is needed."""
    squashed(production, git=git)
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    evidence = production.judge()
    assert verdict(evidence) == APPLIED
    assert any(f"{SECOND}: its script was not found; {SQUASH} takes its place" in r for r in evidence.reasons) != git


def test_what_is_kept_is_replayed_after_the_squash(production: Production) -> None:
    """A migration that was deployed before the stamp and kept sorts after the squash."""
    production.finished("20260103_kept", "CREATE TABLE kept (id int)")
    squashed(production)
    production.failed("ALTER TABLE kept ADD c int", logs=None)
    assert verdict(production.judge()) == NOT_APPLIED


def test_what_the_squash_lacks_elsewhere_does_not_matter(production: Production) -> None:
    """The failed one does not name it."""
    squashed(production, WHOLE.replace("CREATE TABLE u (id int PRIMARY KEY)", "CREATE TABLE u (id bigint)"))
    production.failed(SCRIPT, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED


@pytest.mark.parametrize("git", [False, True], ids=["no git", "git"])
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(WHOLE.replace("a int", "a bigint"), id="a column is another"),
        pytest.param(WHOLE.replace(", b text", ", b text, d int"), id="a column more"),
        pytest.param(WHOLE.replace("CREATE INDEX t_b ON t (b);", ""), id="an index less"),
        pytest.param(WHOLE + "ALTER TABLE t ADD CHECK (a > 0);", id="a constraint more"),
        pytest.param(WHOLE + "SELECT of_an_extension('t');", id="it can't be replayed wholly"),
    ],
)
def test_a_squash_that_makes_its_tables_otherwise_decides_nothing(
    production: Production, wrong: str, *, git: bool
) -> None:
    """Production, or what it stands for, does not show it."""
    squashed(production, wrong, git=git)
    production.failed(SCRIPT, logs=None)
    assert verdict(production.judge()) == UNDECIDABLE
    production.run(SCRIPT)
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert evidence.differences == ()


@pytest.mark.parametrize(
    "by_a_lost_one",
    [
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a = 5; RETURN NEW; END';"
            "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"
        ),
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        (
            "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''g''; END';"
            "CREATE EVENT TRIGGER g ON ddl_command_end EXECUTE FUNCTION f()"
        ),
    ],
)
def test_what_only_a_lost_migration_made_decides_nothing(production: Production, by_a_lost_one: str) -> None:
    """A squash is made from the schema of Prisma, which knows none of these."""
    production.run(by_a_lost_one)
    squashed(production)
    production.failed(SCRIPT, logs=None)
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD c int; UPDATE t SET a = 1;",
        (
            "DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'gone') THEN ALTER TABLE t ADD d int; END IF;"
            " END $$; ALTER TABLE t ADD c int;"
        ),
        "ALTER TABLE t ADD c int DEFAULT 5;",
    ],
)
def test_a_script_that_the_schema_does_not_show_wholly_is_for_a_person(production: Production, script: str) -> None:
    """What it does may depend on what is lost."""
    squashed(production)
    production.failed(script, logs=None)
    production.run("ALTER TABLE t ADD c int DEFAULT 5" if "DEFAULT" in script else "ALTER TABLE t ADD c int")
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_migration_that_was_lost_after_the_stamp_decides_nothing(production: Production) -> None:
    """The squash does not stand for it."""
    squashed(production)
    production.finished("20260103_lost", "ALTER TABLE t ADD x int")
    shutil.rmtree(production.folder / "20260103_lost")
    production.failed(SCRIPT, logs=None)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_stamp_among_others_is_no_squash(production: Production) -> None:
    """A migration that sorts before it is kept, so it is not the beginning of the history."""
    production.finished("000_earlier", "CREATE TABLE earlier (id int)")
    squashed(production, name="001_stamped")
    production.failed(SCRIPT, logs=None)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_script_that_ran_is_no_squash(production: Production) -> None:
    """It came after what it would stand for."""
    production.run("DROP TABLE t; DROP SEQUENCE s")
    shutil.rmtree(production.folder / FIRST)
    production.finished(SQUASH, FIRST_SCRIPT)
    production.failed("ALTER TABLE t ADD c int", logs=None)
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize("git", [False, True], ids=["no git", "git"])
def test_the_proof_begins_with_the_squash(production: Production, *, git: bool) -> None:
    """Whether what it was made from is found or not, production is compared with what the squash makes."""
    squashed(production, git=git)
    production.finished("20260104_later", SCRIPT)
    proof = production.prove(["20260104_later"])
    assert (set(proof.proven), proof.differing, proof.unprovable) == ({SQUASH, "20260104_later"}, (), ())
    production.run("ALTER TABLE t DROP COLUMN b")
    assert [each.migration for each in production.prove(["20260104_later"]).differing] == [SQUASH]


@pytest.mark.parametrize("git", [False, True], ids=["no git", "git"])
def test_what_is_pending_is_compared_on_the_squash(production: Production, *, git: bool) -> None:
    """A pending migration that somebody ran by hand is known to be there."""
    squashed(production, git=git)
    production.file("20260104_later", SCRIPT)
    production.run(SCRIPT)
    with closing(production.target()) as target:
        rows = target.rows()
        one = PendingInvestigator(target, production.scripts(), production.workshop, lambda _: None)
        (found,) = one.compare(("20260104_later",), rows).found
    assert verdict(found.evidence) == APPLIED
