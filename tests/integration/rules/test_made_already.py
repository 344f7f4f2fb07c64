"""RULES E27: two branches made the same thing, and the second one failed on what the first had made."""

import pytest

from states.evidence import Decision
from tests.integration.rules.production import APPLIED, UNDECIDABLE, Production, verdict
from tests.integration.rules.test_known_not_done import refused

COLUMN = "ALTER TABLE t ADD region text;"
ZONE = "CREATE TABLE zone (id int, CONSTRAINT zone_pkey PRIMARY KEY (id));"
COLUMN_LOGS = refused('column "region" of relation "t" already exists', "42701")
#: A script, and PostgreSQL's error where it was run before.
MADE = [
    pytest.param(COLUMN + ZONE, COLUMN_LOGS, id="column and table"),
    pytest.param(ZONE + COLUMN, refused('relation "zone" already exists', "42P07"), id="table and column"),
    pytest.param(
        "CREATE TABLE zone (id serial PRIMARY KEY);",
        refused('relation "zone" already exists', "42P07"),
        id="table with its sequence",
    ),
    pytest.param("CREATE TYPE e AS ENUM ('p');", refused('type "e" already exists', "42710"), id="type"),
    pytest.param("CREATE INDEX ia ON t (a);", refused('relation "ia" already exists', "42P07"), id="index"),
    pytest.param("CREATE SCHEMA app;", refused('schema "app" already exists', "42P06"), id="schema"),
    pytest.param(
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);",
        refused('constraint "c" for relation "t" already exists', "42710"),
        id="constraint",
    ),
]


@pytest.mark.parametrize(("script", "logs"), MADE)
def test_what_another_branch_made_is_applied(production: Production, script: str, logs: str) -> None:
    """E27: all of it is there; marked rolled back, it would fail again for ever."""
    production.before(script)
    production.failed(script + "\n-- of the other branch", logs=logs)
    evidence = production.judge()
    assert verdict(evidence) == APPLIED
    assert any("20260102_before made that before it" in reason for reason in evidence.reasons)


@pytest.mark.parametrize(("first", "second"), [(COLUMN, ZONE), (ZONE, COLUMN)])
def test_each_may_have_been_made_by_another_migration(production: Production, first: str, second: str) -> None:
    """E27: one branch made the column, a second one the table."""
    production.before(first)
    production.finished("20260103_other", second)
    production.failed(COLUMN + ZONE, logs=COLUMN_LOGS)
    assert verdict(production.judge()) == APPLIED


def test_what_is_there_otherwise_is_for_a_person(production: Production) -> None:
    """E27: the other branch made it of another type, and the application of this one can't use it."""
    production.before("ALTER TABLE t ADD region varchar(9);")
    production.failed(COLUMN, logs=COLUMN_LOGS)
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_only_half_is_there_is_for_a_person(production: Production) -> None:
    """E27: the other branch made the column only; run again it fails, and marked applied the table is missing."""
    production.before(COLUMN)
    production.failed(COLUMN + ZONE, logs=COLUMN_LOGS)
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any("fails on the history" in reason for reason in evidence.reasons)


def test_what_a_later_statement_makes_again_is_never_run_again(production: Production) -> None:
    """E27: nothing of its first statement is there, and it fails at its second, each time."""
    production.before(COLUMN)
    production.failed(ZONE + COLUMN, logs=COLUMN_LOGS)
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_was_undone_since_is_for_a_person(production: Production) -> None:
    """E27: the history says that it is there, and somebody dropped it."""
    production.before(COLUMN)
    production.failed(COLUMN, logs=COLUMN_LOGS)
    production.run("ALTER TABLE t DROP region")
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize(
    "more",
    [
        "UPDATE t SET a = 2;",
        "ALTER TABLE t DROP COLUMN IF EXISTS a;",
        "ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE t ADD b int DEFAULT 1;",
    ],
)
def test_a_script_that_does_more_than_add_is_for_a_person(production: Production, more: str) -> None:
    """E27: the other branch's rows are there; nobody knows whether this one's are the same ones."""
    production.before("-- of another branch\n" + COLUMN + more)
    production.failed(COLUMN + more, logs=COLUMN_LOGS)
    assert verdict(production.judge()) == UNDECIDABLE


RENUMBERED = COLUMN + "ALTER TABLE t ADD flag boolean NOT NULL DEFAULT false;" + ZONE


@pytest.mark.parametrize("kept", ["folder", "git", "elsewhere"])
def test_a_finished_migration_with_another_name_is_found_by_its_checksum(production: Production, kept: str) -> None:
    """E27: its folder was renumbered, or is only kept somewhere else."""
    production.before(RENUMBERED)
    if kept == "git":
        (production.folder / "20260102_before").rename(production.folder / "20260103_after")
        production.commit()
        (production.folder / "20260103_after" / "migration.sql").unlink()
        (production.folder / "20260103_after").rmdir()
    else:
        moved = production.folder.parent / "old" / "deep"
        moved.mkdir(parents=True)
        (production.folder / "20260102_before" / "migration.sql").rename(moved / "any name.sql")
        (production.folder / "20260102_before").rmdir()
        production.elsewhere = (moved.parent,) if kept == "elsewhere" else ()
    script = RENUMBERED if kept == "folder" else "ALTER TABLE t ADD c int;"
    production.failed(script, logs=COLUMN_LOGS if kept == "folder" else None)
    if kept != "folder":
        production.run(script)
    assert verdict(production.judge()) == APPLIED


def test_a_script_that_is_nowhere_to_be_found_decides_nothing(production: Production) -> None:
    """E27: the counterpart of the above."""
    production.before(RENUMBERED)
    (production.folder / "20260102_before" / "migration.sql").unlink()
    (production.folder / "20260102_before").rmdir()
    production.failed("ALTER TABLE t ADD c int;", logs=None)
    production.run("ALTER TABLE t ADD c int;")
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(RENUMBERED + "UPDATE t SET a = 2;", id="rows"),
        pytest.param("UPDATE t SET a = a + 1;" + RENUMBERED, id="rows before what fails"),
        pytest.param("ALTER TABLE t ALTER a SET DEFAULT 5;" + RENUMBERED, id="a statement before what fails"),
    ],
)
def test_the_same_script_with_more_than_additions_is_for_a_person(production: Production, script: str) -> None:
    """E27: the attempt may have done some of it a second time."""
    production.before(script)
    production.failed(script, logs=COLUMN_LOGS)
    assert verdict(production.judge()) == UNDECIDABLE


def test_the_same_script_that_was_only_stamped_is_for_a_person(production: Production) -> None:
    """E27: Prisma never saw the stamped one run, so nobody knows how the rows were filled."""
    production.run(RENUMBERED)
    production.row("20260102_before", production.file("20260102_before", RENUMBERED), finished=True, steps=0)
    production.failed(RENUMBERED, logs=COLUMN_LOGS)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_new_name_that_was_only_stamped_is_not_run_twice(production: Production) -> None:
    """E27: the finished migration was renumbered, and marked as applied by its new name."""
    production.before(RENUMBERED)
    production.row("20260103_new", production.file("20260103_new", RENUMBERED), finished=True, steps=0)
    production.failed("ALTER TABLE zone ADD c int;", logs=None)
    production.run("ALTER TABLE zone ADD c int;")
    assert verdict(production.judge()) == APPLIED


def test_what_was_overtaken_is_not_applied(production: Production) -> None:
    """E10 holds here too."""
    production.before(COLUMN)
    production.failed(COLUMN, logs=COLUMN_LOGS)
    production.finished("20260120_later", "ALTER TABLE t ADD z int")
    assert verdict(production.judge()) == UNDECIDABLE
