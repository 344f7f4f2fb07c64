"""A ledger that somebody edited by hand: it is read as Prisma would read it, or refused with row and column."""

import re

import pytest

from recovery.errors import PreflightError
from recovery.postgres import target as targets
from states.facts import Row
from tests.integration.rules.production import APPLIED, FAILED, FIRST, NOT_APPLIED, UNDECIDABLE, Production, verdict

RAN = "ALTER TABLE t ADD b int;"
EDITED = "UPDATE _prisma_migrations SET {} WHERE migration_name = '" + FIRST + "'"
CHANGED = "ALTER TABLE _prisma_migrations {}"


def rows(production: Production) -> tuple[Row, ...]:
    target = production.target()
    try:
        return target.rows()
    finally:
        target.close()


def refusal(production: Production) -> PreflightError:
    """The refusal with which the ledger is read."""
    with pytest.raises(PreflightError) as refused:
        rows(production)
    assert "Nothing was" in refused.value.fact
    return refused.value


@pytest.mark.parametrize("column", ["checksum", "migration_name", "started_at", "applied_steps_count"])
def test_a_null_where_prisma_writes_a_value_is_refused_with_its_row(production: Production, column: str) -> None:
    """The column is named, and the row by its id."""
    (first,) = rows(production)
    production.run(CHANGED.format(f"ALTER {column} DROP NOT NULL"))
    production.run(EDITED.format(f"{column} = NULL"))
    found = refusal(production)
    assert found.code == "ledger.edited"
    assert f"no {column} in the row with the id '{first.id}'" in found.fact
    assert column in found.remedy


def test_a_row_without_an_id_is_named_by_its_migration(production: Production) -> None:
    """A row that has no id is the first, the second … by the time at which it was begun."""
    production.run(CHANGED.format("DROP CONSTRAINT _prisma_migrations_pkey, ALTER id DROP NOT NULL"))
    production.run(EDITED.format("id = NULL"))
    found = refusal(production)
    assert (found.code, f"no id in row 1 by started_at (of '{FIRST}')" in found.fact) == ("ledger.edited", True)


def test_one_id_for_two_rows_is_refused(production: Production) -> None:
    """What is known of a row is kept by its id."""
    production.run(CHANGED.format("DROP CONSTRAINT _prisma_migrations_pkey"))
    production.run("INSERT INTO _prisma_migrations SELECT * FROM _prisma_migrations")
    found = refusal(production)
    assert (found.code, "more than one row with the id" in found.fact) == ("ledger.edited", True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("finished_at = 'infinity'", "finished_at 'infinity'"),
        ("started_at = '0044-03-15 BC'", "started_at '0044-03-15 00:00:00 BC'"),
        ("rolled_back_at = '12026-01-01'", "rolled_back_at '12026-01-01 00:00:00'"),
        ("applied_steps_count = -1", "applied_steps_count below 0"),
    ],
)
def test_what_prisma_cannot_have_written_is_refused(production: Production, change: str, said: str) -> None:
    """An infinite time would be read as none: a finished migration as one that is not."""
    production.run(EDITED.format(change))
    found = refusal(production)
    assert (found.code, said in found.fact) == ("ledger.edited", True)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER id TYPE uuid USING id::uuid",
        "ALTER id TYPE text, ALTER checksum TYPE char(64), ALTER migration_name TYPE text",
        (
            "ALTER started_at TYPE timestamp USING started_at AT TIME ZONE 'UTC',"
            " ALTER finished_at TYPE timestamp USING finished_at AT TIME ZONE 'UTC'"
        ),
        "ALTER applied_steps_count TYPE bigint",
        "ADD remark text NOT NULL DEFAULT ''",
    ],
)
def test_other_types_that_hold_the_same_change_nothing(production: Production, change: str) -> None:
    """A wider column, an id as a uuid, a time in UTC without its zone."""
    production.failed(RAN)
    before = rows(production)
    production.run(CHANGED.format(change))
    assert rows(production) == before
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(RAN)
    assert verdict(production.judge()) == APPLIED


def test_an_attempt_without_logs_is_judged_by_an_id_of_type_uuid_too(production: Production) -> None:
    """Its traces are looked for by the id of its row."""
    production.failed("ALTER TABLE t ADD b int; UPDATE t SET b = 1;", logs=None)
    before = production.judge()
    production.run(CHANGED.format("ALTER id TYPE uuid USING id::uuid"))
    after = production.judge()
    assert (after.verdict, after.statements, after.reasons) == (before.verdict, before.statements, before.reasons)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP started_at", "no column started_at"),
        ("ALTER started_at TYPE date", "column started_at of public._prisma_migrations is of the type date"),
        ("ALTER finished_at TYPE text", "column finished_at of public._prisma_migrations is of the type text"),
        (
            "ALTER applied_steps_count DROP DEFAULT, ALTER applied_steps_count TYPE text",
            "column applied_steps_count of public._prisma_migrations is of the type text",
        ),
        ("ALTER logs TYPE jsonb USING NULL", "column logs of public._prisma_migrations is of the type jsonb"),
        ("ALTER id TYPE integer USING 1", "column id of public._prisma_migrations is of the type integer"),
    ],
)
def test_a_table_that_prisma_cannot_read_is_refused_with_the_column(
    production: Production, change: str, said: str
) -> None:
    """Nothing is guessed of what such a column means."""
    production.run(CHANGED.format(change))
    found = refusal(production)
    assert (found.code, said in found.fact) == ("ledger.unknown_shape", True)


def test_a_view_in_the_ledgers_place_is_refused(production: Production) -> None:
    """Its rows have no age, and Prisma cannot lock it."""
    production.run(CHANGED.format("RENAME TO kept"))
    production.run("CREATE VIEW _prisma_migrations AS SELECT * FROM kept")
    assert refusal(production).code == "ledger.unknown_shape"


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc/passwd", ".", "", "a\nb"])
def test_a_name_that_is_no_folder_is_a_migration_that_the_checkout_lacks(production: Production, name: str) -> None:
    """A name of the ledger is looked for in the folder, and nowhere else."""
    production.failed(RAN)
    with production.server.connect(production.database) as connection:
        connection.execute("UPDATE _prisma_migrations SET migration_name = %s WHERE migration_name = %s", (name, FIRST))
    history = production.scripts().history(rows(production))
    assert history.missing_locally == (name,)
    # Its script is known by its checksum. By its name, it may have come later than the one that failed.
    after = name > FAILED
    assert verdict(production.judge()) == (UNDECIDABLE if after else NOT_APPLIED)
    assert FAILED in history.failed


def test_a_server_that_is_too_old_is_refused_by_its_version(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's version and the oldest that can be read are named."""
    monkeypatch.setattr(targets, "OLDEST", 99_00_00)
    found = refusal(production)
    assert found.code == "database.too_old"
    assert re.search(r"is PostgreSQL \d+\.\d+, and this tool can read PostgreSQL 99 and later only", found.fact)


@pytest.mark.parametrize(("version", "name"), [(17_00_04, "17.4"), (9_06_24, "9.6.24"), (13_00_00, "13.0")])
def test_a_version_is_named_as_people_write_it(version: int, name: str) -> None:
    """Before PostgreSQL 10, a version had three parts."""
    assert targets.number_of(version) == name
