"""What changes rows is open, seen in the schema or not (RULES E4, E5)."""

import pytest

from states.verdict import Decision, Verdict
from tests.integration.rules.production import APPLIED, NOT_APPLIED, UNDECIDABLE, Production, verdict

INERT = [
    "SET lock_timeout = '5s'",
    "SET LOCAL statement_timeout = 0",
    "RESET lock_timeout",
    "LOCK TABLE t IN ACCESS EXCLUSIVE MODE",
    "SELECT 1",
    "SELECT set_config('lock_timeout', '5s', false)",
    "SHOW server_version",
    "CREATE TABLE IF NOT EXISTS t (id int)",
    "DROP TABLE IF EXISTS nowhere",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int",
]


@pytest.mark.parametrize("statement", INERT)
def test_what_changes_nothing_leaves_nothing_open(production: Production, statement: str) -> None:
    """E4: the allow-list, and what PostgreSQL itself said it skipped."""
    production.failed(f"{statement};\nALTER TABLE t ADD b int;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE t ADD b int")
    assert verdict(production.judge()) == APPLIED


def test_transaction_control_leaves_nothing_open(production: Production) -> None:
    """E4: BEGIN and COMMIT change nothing themselves."""
    production.failed("BEGIN; ALTER TABLE t ADD b int; COMMIT;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE t ADD b int")
    assert verdict(production.judge()) == APPLIED


#: Not on the list, and on no list of data statements either.
UNLISTED = [
    "SELECT count(*) FROM t",
    "SELECT nextval('s')",
    "CREATE CAST (text AS point) WITH INOUT",
    "GRANT USAGE ON LANGUAGE sql TO PUBLIC",
    "SELECT lo_create(0)",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "ANALYZE t",
    "NOTIFY listeners",
    "PREPARE p AS UPDATE t SET a = 2; EXECUTE p",
    "CREATE TEMPORARY TABLE scratchpad AS SELECT * FROM t",
    "EXPLAIN ANALYZE UPDATE t SET a = 2",
]


@pytest.mark.parametrize("statement", UNLISTED)
@pytest.mark.parametrize("there", [False, True], ids=["absent", "in place"])
def test_whatever_is_not_on_the_list_is_open(production: Production, statement: str, *, there: bool) -> None:
    """E4: an allow-list, so that what nobody thought of asks a person."""
    production.failed(f"{statement};\nALTER TABLE t ADD b int;")
    if there:
        production.run("ALTER TABLE t ADD b int")
    assert verdict(production.judge()) == UNDECIDABLE


#: A script, and the same schema without its rows.
ROWS = [
    pytest.param(
        "ALTER TABLE t ADD b int NOT NULL DEFAULT 5; ALTER TABLE t ALTER b DROP DEFAULT",
        "ALTER TABLE t ADD b int; UPDATE t SET b = 0; ALTER TABLE t ALTER b SET NOT NULL",
        id="default, then none",
    ),
    pytest.param(
        "ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE public.t ALTER b SET DEFAULT 6",
        "ALTER TABLE t ADD b int DEFAULT 6",
        id="default, then another",
    ),
    pytest.param(
        "ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE t RENAME b TO c; ALTER TABLE t ALTER c DROP DEFAULT",
        "ALTER TABLE t ADD c int",
        id="default, then another name",
    ),
    pytest.param(
        "ALTER TABLE t ALTER a TYPE text USING a || ' items'", "ALTER TABLE t ALTER a TYPE text", id="computed using"
    ),
    pytest.param("CREATE TABLE backup AS SELECT * FROM t", "CREATE TABLE backup (id int, a int)", id="create table as"),
    pytest.param("SELECT * INTO backup FROM t", "CREATE TABLE backup (id int, a int)", id="select into"),
    pytest.param(
        "ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE t ADD b uuid; ALTER TABLE t ALTER b SET DEFAULT gen_random_uuid()",
        id="volatile default",
    ),
    pytest.param(
        "ALTER TABLE t ADD b int DEFAULT 5",
        "ALTER TABLE t ADD b int; ALTER TABLE t ALTER b SET DEFAULT 5",
        id="default",
    ),
    pytest.param(
        "ALTER TABLE t ADD n serial",
        "CREATE SEQUENCE t_n_seq AS int; ALTER TABLE t ADD n int; UPDATE t SET n = 9;"
        " ALTER TABLE t ALTER n SET NOT NULL; ALTER TABLE t ALTER n SET DEFAULT nextval('t_n_seq');"
        " ALTER SEQUENCE t_n_seq OWNED BY t.n",
        id="serial",
    ),
    pytest.param(
        "ALTER TABLE t ADD n int GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE t ADD n int; UPDATE t SET n = 9; ALTER TABLE t ALTER n SET NOT NULL;"
        " ALTER TABLE t ALTER n ADD GENERATED ALWAYS AS IDENTITY",
        id="identity",
    ),
]


@pytest.mark.parametrize(("script", "without_rows"), ROWS)
def test_rows_that_schema_statements_write_are_open(production: Production, script: str, without_rows: str) -> None:
    """E5: the schema is there, made by hand, and the rows are not."""
    production.failed(script)
    production.run(without_rows)
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert evidence.progress.steps_in_place[1] == evidence.progress.steps_total


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(each.values[0], UNDECIDABLE if each.id == "computed using" else NOT_APPLIED, id=each.id)
        for each in ROWS
    ],
)
def test_rows_are_gone_where_what_they_were_written_into_is(
    production: Production, script: str, expected: tuple[Verdict, Decision]
) -> None:
    """E5: rows in a table or column that is not there can't be written twice; a type may have been changed back."""
    production.failed(script)
    assert verdict(production.judge()) == expected


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD b int DEFAULT 5, ALTER a TYPE text USING a || ' items'",
        "ALTER TABLE t ADD b int DEFAULT bump()",
        "CREATE TABLE backup AS SELECT bump() FROM t",
    ],
)
def test_rows_elsewhere_are_not_gone_with_it(production: Production, script: str) -> None:
    """E5: what it makes may have been dropped again, and what it wrote elsewhere was not undone by that."""
    production.finished(
        "20260102_bump", "CREATE FUNCTION bump() RETURNS int LANGUAGE sql AS 'UPDATE t SET a = a + 1 RETURNING a'"
    )
    production.failed(script)
    assert verdict(production.judge()) == UNDECIDABLE


NO_ROWS = [
    "ALTER TABLE t ALTER a TYPE text USING a::text",
    "ALTER TABLE t ALTER a TYPE varchar(20) USING (a::text::varchar(20))",
    "ALTER TABLE t ALTER a TYPE bigint",
    "ALTER TABLE t ADD b int NOT NULL DEFAULT 5",
    "ALTER TABLE t ADD b timestamptz NOT NULL DEFAULT now()",
    "CREATE TABLE n (id serial, u uuid DEFAULT gen_random_uuid()); ALTER TABLE n ADD m serial",
    "CREATE TABLE backup AS SELECT * FROM t WITH NO DATA",
    "ALTER TABLE t ALTER a SET DEFAULT 5; ALTER TABLE t ALTER a DROP DEFAULT; ALTER TABLE t ADD b int",
]


@pytest.mark.parametrize("script", NO_ROWS)
def test_schema_statements_that_write_none_are_not(production: Production, script: str) -> None:
    """E5: a pure cast, a default that every row has, a table that has no rows."""
    production.failed(script)
    production.run(script)
    assert verdict(production.judge()) == APPLIED


#: Rows that a new column's default fills, as scripts and people write it.
FILLED = [
    "ALTER TABLE t ADD b int DEFAULT 5",
    "ALTER TABLE t ADD b int NOT NULL DEFAULT 5; ALTER TABLE t ALTER b DROP DEFAULT",
    "ALTER TABLE t ADD b int DEFAULT 5, ADD c text[] DEFAULT ARRAY[]::text[]; ALTER TABLE t ALTER b SET DEFAULT 6",
]


@pytest.mark.parametrize("script", FILLED)
def test_a_column_that_was_added_with_its_default_has_filled_rows(production: Production, script: str) -> None:
    """E5: PostgreSQL keeps what it was added with; a rewrite of the table forgets that, and a person is asked again."""
    production.failed(script)
    production.run(script)
    evidence = production.judge()
    assert verdict(evidence) == APPLIED
    assert "PostgreSQL recorded" in evidence.statements[0].proof
    production.run("VACUUM FULL t")
    again = production.judge()
    assert verdict(again) == UNDECIDABLE
    assert again.evidence_digest != evidence.evidence_digest


@pytest.mark.parametrize(
    ("script", "otherwise"),
    [
        ("ALTER TABLE t ADD b int DEFAULT 5", "ALTER TABLE t ADD b int DEFAULT 4; ALTER TABLE t ALTER b SET DEFAULT 5"),
        (
            "ALTER TABLE t ADD b int DEFAULT 5, ADD c int DEFAULT 6",
            "ALTER TABLE t ADD b int DEFAULT 5, ADD c int; ALTER TABLE t ALTER c SET DEFAULT 6",
        ),
        (
            "ALTER TABLE t ADD b int DEFAULT 5, ALTER a TYPE text USING a || ' items'",
            "ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE t ALTER a TYPE text",
        ),
    ],
)
def test_rows_that_were_filled_otherwise_stay_open(production: Production, script: str, otherwise: str) -> None:
    """E5: another value, another column, or rows that the same statement computes."""
    production.failed(script)
    production.run(otherwise)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_column_that_was_filled_before_the_script_proves_nothing_about_it(production: Production) -> None:
    """E5, E6: dropped and added anew it looks as before, and running that a second time would wipe it."""
    production.before("ALTER TABLE t ADD b int DEFAULT 5")
    production.failed("ALTER TABLE t DROP b, ADD b int DEFAULT 5")
    assert verdict(production.judge()) == UNDECIDABLE


#: First what was there before; a script that adds a column of the same name anew; and what was done by hand of it.
ANEW = [
    pytest.param(
        "ALTER TABLE t ADD b int DEFAULT 5; UPDATE t SET b = 77",
        "ALTER TABLE t DROP b; ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE t ALTER b DROP DEFAULT",
        "ALTER TABLE t ALTER b DROP DEFAULT",
        id="dropped",
    ),
    pytest.param(
        "ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE t ALTER b DROP DEFAULT",
        "ALTER TABLE t RENAME b TO c; ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE t ALTER b DROP DEFAULT",
        "ALTER TABLE t ADD c int",
        id="renamed before",
    ),
    pytest.param(
        "",
        "ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE t RENAME b TO c; ALTER TABLE t ADD b int DEFAULT 5",
        "ALTER TABLE t ADD c int; ALTER TABLE t ALTER c SET DEFAULT 5; ALTER TABLE t ADD b int DEFAULT 5",
        id="renamed between",
    ),
    pytest.param(
        "CREATE TABLE n (id int PRIMARY KEY, a int)",
        "ALTER TABLE t ADD b int DEFAULT 5; ALTER TABLE t RENAME TO o; ALTER TABLE n RENAME TO t;"
        " ALTER TABLE t ADD b int DEFAULT 5",
        "ALTER TABLE t ADD b int; ALTER TABLE t ALTER b SET DEFAULT 5; ALTER TABLE t RENAME TO o;"
        " ALTER TABLE n RENAME TO t; ALTER TABLE t ADD b int DEFAULT 5",
        id="another table",
    ),
]


@pytest.mark.parametrize(("before", "script", "by_hand"), ANEW)
def test_another_column_of_the_same_name_proves_nothing(
    production: Production, before: str, script: str, by_hand: str
) -> None:
    """E5: what PostgreSQL keeps is the column's that has the name now, whichever statement added that."""
    production.before(before)
    production.failed(script, logs=None)
    production.run(by_hand)
    assert verdict(production.judge()) == UNDECIDABLE
