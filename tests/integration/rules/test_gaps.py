"""RULES E26: a statement of the history that could not be replayed, and where that matters."""

import pytest

from tests.integration.rules.production import APPLIED, NOT_APPLIED, UNDECIDABLE, Production, verdict

TABLES = "CREATE TABLE metric (at int PRIMARY KEY, v float); CREATE TABLE plain (id int PRIMARY KEY);"
FUNCTION = "CREATE FUNCTION create_hypertable(regclass, name, chunk_time_interval int) RETURNS text LANGUAGE sql"
HYPERTABLE = "SELECT create_hypertable('{}', 'at', chunk_time_interval => 604800);"
SCRIPT = "ALTER TABLE plain ADD w text; CREATE INDEX plain_w ON plain (w);"


def history(production: Production, script: str) -> None:
    """A finished migration, one statement of which calls a function that only production has."""
    production.run(FUNCTION + " AS $$ SELECT 'x' $$")
    production.before(script)


@pytest.mark.parametrize("there", [False, True], ids=["absent", "in place"])
@pytest.mark.parametrize(
    "others",
    [
        "",
        "CREATE TABLE more (at int REFERENCES metric (at));",
        "ALTER TABLE plain ADD at int; ALTER TABLE plain ADD FOREIGN KEY (at) REFERENCES metric (at);",
        "CREATE INDEX more ON metric (v); INSERT INTO plain VALUES (1); SELECT setval('s', 4);",
    ],
)
def test_what_concerns_another_table_does_not_matter(production: Production, others: str, *, there: bool) -> None:
    """The failed migration works on another table, and the statement that was left out is named."""
    history(production, TABLES + HYPERTABLE.format("metric") + others)
    production.failed(SCRIPT, logs=None)
    if there:
        production.run(SCRIPT)
    evidence = production.judge()
    assert verdict(evidence) == (APPLIED if there else NOT_APPLIED)
    assert any("20260102_before, statement 3: it fails when replayed" in reason for reason in evidence.reasons)


@pytest.mark.parametrize(
    "gap",
    [
        pytest.param(HYPERTABLE.format("plain"), id="the table"),
        pytest.param(HYPERTABLE.format('public."plain"'), id="the table with its schema"),
        pytest.param(
            "SELECT create_hypertable('metric', 'alter table plain add x int', 1);", id="a statement on the table"
        ),
        pytest.param("SELECT create_hypertable(oid, 'at', 1) FROM pg_class WHERE relname = 'metric';", id="any table"),
        pytest.param("SELECT create_hypertable(NULL, NULL, 1);", id="no name"),
        pytest.param(HYPERTABLE.format("metric") + "CREATE VIEW plain_w AS SELECT * FROM metric;", id="through a view"),
        pytest.param(
            HYPERTABLE.format("metric") + "ALTER TABLE plain RENAME TO was; ALTER TABLE metric RENAME TO other;"
            "ALTER TABLE other RENAME TO plain;",
            id="through a name",
        ),
        pytest.param(
            HYPERTABLE.format("metric") + "DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'metric') THEN"
            " ALTER TABLE plain ADD x int; END IF; END $$;",
            id="through a condition",
        ),
        pytest.param(
            HYPERTABLE.format("metric") + "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS"
            " $$ BEGIN IF EXISTS (SELECT FROM metric) THEN ALTER TABLE plain ADD x int; END IF; END $$; SELECT f();",
            id="through a function",
        ),
        pytest.param(
            HYPERTABLE.format("metric")
            + "DO $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM metric; ALTER TABLE plain ADD x int; END $$;",
            id="through a block",
        ),
    ],
)
def test_what_may_concern_its_table_decides_nothing(production: Production, gap: str) -> None:
    """Neither that it is in production nor that it is not, and no difference is shown that the gap may have made."""
    production.run(FUNCTION + " AS $$ SELECT 'x' $$")
    production.before(TABLES + gap)
    production.failed(SCRIPT, logs=None)
    for more in ("", SCRIPT, "ALTER TABLE plain ALTER w TYPE varchar(9)"):
        if more and "RENAME" not in gap and "VIEW" not in gap:
            production.run(more)
        evidence = production.judge()
        assert verdict(evidence) == UNDECIDABLE
        assert evidence.differences == ()
        assert any("Could not be replayed before it" in reason for reason in evidence.reasons)


def test_a_table_that_could_not_be_replayed_decides_nothing_of_itself(production: Production) -> None:
    """The rest of its migration is replayed; what works on the table itself is for a person."""
    production.run("CREATE SCHEMA extensions; CREATE TYPE extensions.vector AS RANGE (subtype = int)")
    production.before("CREATE TABLE doc (id int, v extensions.vector); CREATE TABLE plain (id int);")
    production.failed("ALTER TABLE doc ADD w text", logs=None)
    production.run("ALTER TABLE doc ADD w text")
    assert verdict(production.judge()) == UNDECIDABLE


def test_rows_of_a_dump_are_passed_over_by_name(production: Production) -> None:
    """A stamped baseline that pg_dump wrote with data: its tables are replayed, and COPY is named."""
    script = (
        "\\restrict abc\nCREATE TABLE base (id int, note text);\nCOPY public.base (id, note) FROM stdin;\n"
        "1\tit's; one\n2\t\\N\n\\.\n\nCREATE TABLE more (id int);\nCOPY public.more (id) FROM stdin;\n\\.\n\n"
        "CREATE INDEX base_id ON base (id);\n\\unrestrict abc\n"
    )
    production.run(
        "CREATE TABLE base (id int, note text); CREATE TABLE more (id int); CREATE INDEX base_id ON base (id)"
    )
    production.row("20260102_before", production.file("20260102_before", script), finished=True, steps=0)
    production.failed("ALTER TABLE base ADD w text; DROP INDEX base_id; CREATE INDEX more_id ON more (id);", logs=None)
    evidence = production.judge()
    assert verdict(evidence) == NOT_APPLIED
    assert any("20260102_before, statement 2: not executed, it takes rows" in reason for reason in evidence.reasons)


@pytest.mark.parametrize(
    "line",
    ["\\restrict abc", "\\connect other", "\\set ON_ERROR_STOP on", "  \\echo it is done"],
)
def test_the_lines_of_psql_in_a_stamped_baseline_are_passed_over(production: Production, line: str) -> None:
    """What pg_dump wrote is replayed as psql would have run it."""
    script = (
        f"-- a dump\n\n{line}\nCREATE TABLE base (id int);\n{line}\nCREATE TABLE more (id int);\n\\unrestrict abc\n"
    )
    production.run("CREATE TABLE base (id int); CREATE TABLE more (id int)")
    production.row("20260102_before", production.file("20260102_before", script), finished=True, steps=0)
    production.failed("ALTER TABLE base ADD w text", logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE base ADD w text")
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize("line", ["\\i other.sql", "\\gexec", "\\if true", "\\x \\\\ SELECT 1;", "\\q"])
def test_other_lines_of_psql_decide_nothing(production: Production, line: str) -> None:
    """They run SQL from elsewhere, or leave some out."""
    script = f"CREATE TABLE base (id int);\n{line}\n"
    production.run("CREATE TABLE base (id int)")
    production.row("20260102_before", production.file("20260102_before", script), finished=True, steps=0)
    production.failed("ALTER TABLE t ADD w text", logs=None)
    assert verdict(production.judge()) == UNDECIDABLE
