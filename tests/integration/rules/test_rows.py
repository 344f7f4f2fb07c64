"""What changes rows is open, seen in the schema or not (RULES E4, E5)."""

from collections.abc import Callable

import pytest

from states.evidence import Decision, Verdict
from tests.integration.rules.production import (
    APPLIED,
    DRIFTED,
    FAILED,
    NOT_APPLIED,
    NOT_ATTEMPTED,
    PARTIAL,
    STIRRED,
    UNDECIDABLE,
    Production,
    verdict,
)

INERT = [
    "SET lock_timeout = '5s'",
    "SET LOCAL statement_timeout = 0",
    "RESET lock_timeout",
    "LOCK TABLE t IN ACCESS EXCLUSIVE MODE",
    "SELECT 1",
    "SELECT set_config('lock_timeout', '5s', false)",
    "SHOW server_version",
    "ANALYZE t",
    "ANALYZE",
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


@pytest.mark.parametrize(
    "beginning",
    [
        "BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;",
        "BEGIN; SET LOCAL lock_timeout = '5s'; LOCK TABLE t; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;",
        "START TRANSACTION; SET TRANSACTION READ WRITE, ISOLATION LEVEL SERIALIZABLE;",
    ],
)
def test_a_transaction_of_its_own_isolation_is_replayed(production: Production, beginning: str) -> None:
    """E12: PostgreSQL refuses it after any query, and the replay asks none before it."""
    production.failed(f"{beginning} ALTER TABLE t ADD b int; ALTER TABLE t ADD c int; COMMIT;", logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE t ADD b int; ALTER TABLE t ADD c int")
    assert verdict(production.judge()) == APPLIED


def test_what_a_query_came_before_can_not_set_its_isolation(production: Production) -> None:
    """E12: it fails in the replay as it failed in production."""
    production.failed("BEGIN; SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; ALTER TABLE t ADD b int; COMMIT;")
    assert any("must be called before any query" in reason for reason in production.judge().reasons)


def test_switching_the_triggers_of_foreign_keys_does_not_end_a_replay(production: Production) -> None:
    """E26: only a superuser may; the rest is compared, and the switch itself is for a person."""
    production.before("CREATE TABLE u (id int REFERENCES t);")
    production.failed("ALTER TABLE u DISABLE TRIGGER ALL; ALTER TABLE u ADD b int; ALTER TABLE u ENABLE TRIGGER ALL;")
    production.run("ALTER TABLE u ADD b int")
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert [each.state for each in evidence.statements] == ["open", "in_place", "open"]


#: Not on the list, and on no list of data statements either.
UNLISTED = [
    "SELECT count(*) FROM t",
    "SELECT nextval('s')",
    "CREATE CAST (text AS point) WITH INOUT",
    "GRANT USAGE ON LANGUAGE sql TO PUBLIC",
    "SELECT lo_create(0)",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
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
    production.run(STIRRED)
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
    production.run(STIRRED)
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


#: A script that keeps rows under another name or type, and the same schema made by hand with other rows.
MOVED = [
    pytest.param(
        "ALTER TABLE t RENAME a TO b", "ALTER TABLE t DROP a; ALTER TABLE t ADD b int", id="renamed, the last one"
    ),
    pytest.param(
        "ALTER TABLE w RENAME p TO r", "ALTER TABLE w DROP p; ALTER TABLE w ADD r int", id="renamed, with one after it"
    ),
    pytest.param(
        "ALTER TABLE t ALTER a TYPE text", "ALTER TABLE t DROP a; ALTER TABLE t ADD a text", id="another type"
    ),
    pytest.param(
        "ALTER TABLE t RENAME TO u",
        "CREATE TABLE u (LIKE t INCLUDING ALL); DROP TABLE t; ALTER INDEX u_pkey RENAME TO t_pkey",
        id="a table",
    ),
]


@pytest.mark.parametrize(("script", "otherwise"), MOVED)
def test_what_is_in_its_old_place_has_its_rows(production: Production, script: str, otherwise: str) -> None:
    """E20: dropped and made anew it would stand elsewhere, and the script itself leaves it where it was."""
    production.before("CREATE TABLE w (id int, p int, q int)")
    production.run("INSERT INTO w VALUES (1, 1, 1)")
    production.failed(script)
    production.run(f"BEGIN; {otherwise}; COMMIT")
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize("script", [each.values[0] for each in MOVED], ids=[each.id for each in MOVED])
def test_the_script_itself_is_proven(production: Production, script: str) -> None:
    """E20: what the script, or the same by hand, leaves behind is proof enough."""
    production.before("CREATE TABLE w (id int, p int, q int)")
    production.run("INSERT INTO w VALUES (1, 1, 1)")
    production.failed(script)
    production.run(script)
    assert verdict(production.judge()) == APPLIED


def test_names_that_are_exchanged_show_in_no_schema(production: Production) -> None:
    """E19: each is there before and after; only the place of the columns tells, where it tells anything."""
    production.before("CREATE TABLE w (id int, p int, q int)")
    production.run("INSERT INTO w VALUES (1, 2, 3)")
    swap = "ALTER TABLE w RENAME p TO x; ALTER TABLE w RENAME q TO p; ALTER TABLE w RENAME x TO q;"
    production.failed(swap + "CREATE INDEX w_p ON w (p)")
    production.run("CREATE INDEX w_p ON w (p)")
    assert verdict(production.judge()) == UNDECIDABLE
    production.run(swap)
    production.run("DROP INDEX w_p")
    assert verdict(production.judge()) == UNDECIDABLE


def test_where_there_are_no_rows_none_can_be_wrong(production: Production) -> None:
    """E17: the default that rows lack is of no account in an empty table, unless rows are only hidden."""
    production.failed("ALTER TABLE t ADD b int DEFAULT 5")
    production.run("TRUNCATE t; ALTER TABLE t ADD b int; ALTER TABLE t ALTER b SET DEFAULT 5")
    assert verdict(production.judge()) == APPLIED
    production.run("INSERT INTO t VALUES (1, 1, NULL)")
    assert verdict(production.judge()) == UNDECIDABLE


def test_hidden_rows_are_rows(production: Production) -> None:
    """A policy that hides all rows from the role makes no table empty."""
    role = f"blind_{production.database}"
    production.before("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    production.run(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    production.failed("ALTER TABLE t ADD b int DEFAULT 5")
    production.run("ALTER TABLE t ADD b int; ALTER TABLE t ALTER b SET DEFAULT 5")
    production.user = role
    try:
        assert production.judge().decision is Decision.OPERATOR
    finally:
        production.run(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_default_of_the_time_of_day_is_any_that_was_kept(production: Production) -> None:
    """E20: it was another one when the column was added; a column that got its default later kept none."""
    production.failed("ALTER TABLE t ADD at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP")
    production.run("ALTER TABLE t ADD at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP")
    assert verdict(production.judge()) == APPLIED
    production.run("ALTER TABLE t DROP at; ALTER TABLE t ADD at timestamp; UPDATE t SET at = '2000-01-01'")
    production.run("ALTER TABLE t ALTER at SET NOT NULL, ALTER at SET DEFAULT CURRENT_TIMESTAMP")
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize("default", ["", " DEFAULT 7"], ids=["a plain domain", "a domain with a default"])
def test_a_default_of_the_type_counts(production: Production, default: str) -> None:
    """E18: a domain fills rows by its own default; without one, an added column holds nothing."""
    production.before(f"CREATE DOMAIN qty AS int{default}")
    production.failed("ALTER TABLE t ADD n qty")
    production.run("ALTER TABLE t ADD n int; ALTER TABLE t ALTER n TYPE qty")
    assert verdict(production.judge()) == (UNDECIDABLE if default else APPLIED)


def test_a_function_of_the_projects_own_may_write_rows(production: Production) -> None:
    """E18: an index calls it for every row, and a name of PostgreSQL's may be the project's, too."""
    production.before(
        "CREATE FUNCTION own(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n';"
        "CREATE FUNCTION lower(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n'"
    )
    for script in ("CREATE INDEX i ON t (own(a))", "CREATE INDEX i ON t (lower(a))"):
        production.run("DELETE FROM _prisma_migrations WHERE finished_at IS NULL; DROP INDEX IF EXISTS i")
        production.failed(script)
        production.run(script)
        assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD v tsvector GENERATED ALWAYS AS (to_tsvector('english', a::text)) STORED",
        "CREATE INDEX i ON t USING gin (to_tsvector('simple', a::text))",
    ],
)
def test_where_postgresql_takes_immutable_functions_only_one_form_of_them_is(
    production: Production, script: str
) -> None:
    """E18: of the forms of to_tsvector the one without a configuration is not immutable, and is refused there."""
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    assert verdict(production.judge()) == APPLIED


def test_elsewhere_every_form_of_a_function_has_to_be_immutable(production: Production) -> None:
    """E18: a check takes any function, and no name tells which form of it is called."""
    production.failed("ALTER TABLE t ADD CHECK (to_tsvector('english', a::text) IS NOT NULL)", logs=None)
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD b int DEFAULT 5, ADD CHECK (own(a) > 0)",
        "ALTER TABLE t ADD n qty, ADD s serial",
        "DO $$ BEGIN CREATE INDEX i ON t (lower(a)); END $$",
    ],
)
def test_a_proof_of_one_part_is_none_of_the_others(production: Production, script: str) -> None:
    """E19, E20: the kept default is of one column; what else the statement does to rows shows nowhere."""
    production.before(
        "CREATE DOMAIN qty AS int DEFAULT 7;"
        "CREATE FUNCTION own(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n';"
        "CREATE FUNCTION lower(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n'"
    )
    production.failed(script)
    production.run(script)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_statement_after_a_block_that_branches_is_no_proof_of_the_branch(production: Production) -> None:
    """E18: with rows the block does something else than in the replay, which has none."""
    production.failed(
        "DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN ALTER TABLE t RENAME a TO c; ALTER TABLE t RENAME c TO a;"
        " ELSE ALTER TABLE t ADD fresh int; END IF; END $$",
        logs=None,
    )
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_will_run_counts_too(production: Production) -> None:
    """E22: nothing of the old script is there; the file as it is now may have been run by hand."""
    production.failed("ALTER TABLE t ADD b int", logs=None)
    production.commit()
    production.file(FAILED, "CREATE TABLE IF NOT EXISTS plans (id int); UPDATE t SET a = a + 1")
    production.commit()
    assert verdict(production.judge()) == NOT_ATTEMPTED
    assert verdict(production.judge(assume=frozenset({"no_handwork"}))) == NOT_APPLIED
    production.run("CREATE TABLE IF NOT EXISTS plans (id int); UPDATE t SET a = a + 1")
    assert verdict(production.judge(assume=frozenset({"no_handwork"}))) == UNDECIDABLE


@pytest.mark.parametrize("column", ["c text DEFAULT 'x'", "c filled"])
def test_a_sequence_begins_where_the_script_says_beside_a_column_that_is_filled(
    production: Production, column: str
) -> None:
    """E20: the filled column proves that its statement ran, so nothing has used or set the sequence before it."""
    production.before("CREATE DOMAIN filled AS text DEFAULT 'd';")
    script = f"CREATE SEQUENCE z START WITH 1000; ALTER TABLE t ADD COLUMN {column};"
    production.failed(script, logs=None)
    production.run(script.replace(" START WITH 1000", "") + "ALTER SEQUENCE z START WITH 1000;")
    assert verdict(production.judge()) == DRIFTED
    production.run("ALTER SEQUENCE z RESTART;")
    assert verdict(production.judge()) == APPLIED


def test_a_sequence_begins_where_the_script_says_before_a_statement_that_did_not_run(production: Production) -> None:
    """What copies rows might set a sequence; where it did not run, it did not, and completing leaves the number."""
    script = "CREATE SEQUENCE z START WITH 1000; CREATE TABLE kept (LIKE t); INSERT INTO kept SELECT * FROM t;"
    production.failed(script, logs=None)
    production.run("CREATE SEQUENCE z; ALTER SEQUENCE z START WITH 1000;")
    assert verdict(production.judge()) != PARTIAL
    production.run("ALTER SEQUENCE z RESTART;")
    assert verdict(production.judge()) == PARTIAL


def test_an_index_that_is_made_again_is_no_row(production: Production) -> None:
    """E17: production has what the whole script leaves, whether it came to that or not. A column has rows (E6)."""
    production.before("CREATE INDEX i ON t (a);")
    script = "CREATE TABLE b (id int); DROP INDEX i; CREATE INDEX i ON t (a);"
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE TABLE b (id int);")
    assert verdict(production.judge()) == APPLIED


def test_a_column_that_is_made_again_is_rows(production: Production) -> None:
    """E6: production stands before and after it, and a second run would wipe the column."""
    production.before("ALTER TABLE t ADD COLUMN c int;")
    again = "ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c int;"
    production.failed(f"CREATE TABLE b (id int); {again}", logs=None)
    production.run("CREATE TABLE b (id int);")
    assert production.judge().decision.value == "operator"


#: Columns that exchange their names.
SWAP = ("a TO z", "b TO a", "z TO b")


@pytest.mark.parametrize(
    ("script", "back"),
    [
        # The table's name was taken back, and the columns have each other's still.
        (
            "ALTER TABLE t RENAME TO u;" + "".join(f"ALTER TABLE u RENAME {each};" for each in SWAP),
            "ALTER TABLE u RENAME TO t",
        ),
        # The column is there again, and what it held is not; the script would copy that.
        (
            "CREATE TABLE kept (LIKE t); INSERT INTO kept SELECT * FROM t; ALTER TABLE t DROP COLUMN a;",
            "DROP TABLE kept; ALTER TABLE t ADD COLUMN a int",
        ),
    ],
)
def test_what_was_taken_back_in_part_leaves_the_columns_in_another_place(
    production: Production, script: str, back: str
) -> None:
    """E19: the schema is as before the script, and a second run would not end as one does."""
    production.before("ALTER TABLE t ADD b int")
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    production.run(back)
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert "may have run and been taken back" in evidence.reasons[0]


def test_a_script_that_does_nothing_to_rows_asks_for_no_places(production: Production) -> None:
    """A column that it drops is dropped again, whatever it holds by now."""
    production.failed("ALTER TABLE t DROP COLUMN a;", logs=None)
    production.run("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int")
    assert verdict(production.judge()) == NOT_APPLIED


FILL_ALL = "UPDATE t SET a = 1 WHERE a IS NULL"


@pytest.fixture
def aged(production: Production) -> Production:
    """A production whose table t is older than its last finished migration."""
    production.finished("20260105_second", "")
    return production


@pytest.mark.parametrize("statement", [FILL_ALL, "DELETE FROM t WHERE a = 0"])
def test_an_update_of_a_table_without_rows_does_nothing(aged: Production, statement: str) -> None:
    """E20: done or not, production is the same; not where the table has a row."""
    aged.failed(f"{statement}; ALTER TABLE t ADD c int;", logs=None)
    assert aged.judge().decision is Decision.OPERATOR
    aged.run("DELETE FROM t")
    assert verdict(aged.judge()) == NOT_APPLIED
    aged.run("ALTER TABLE t ADD c int")
    assert verdict(aged.judge()) == APPLIED


def test_a_new_column_of_a_table_without_rows_has_no_values(aged: Production) -> None:
    """E20: the UPDATE that fills it is done or not, which is the same."""
    aged.failed("ALTER TABLE t ADD b int; UPDATE t SET b = 1;", logs=None)
    aged.run("ALTER TABLE t ADD b int")
    assert aged.judge().decision is Decision.OPERATOR
    aged.run("DELETE FROM t")
    assert verdict(aged.judge()) == APPLIED


def make_it_anew(one: Production) -> None:
    one.run("CREATE TABLE kept AS TABLE t; DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int)")


def fire_in_production(one: Production) -> None:
    one.run("DELETE FROM t; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    one.run("CREATE TRIGGER fires AFTER UPDATE ON t EXECUTE FUNCTION f()")


@pytest.mark.parametrize("first", [make_it_anew, fire_in_production])
def test_a_table_without_rows_may_have_lost_them(aged: Production, first: Callable[[Production], None]) -> None:
    """E20: it is another table; or a trigger wrote elsewhere."""
    aged.failed(f"{FILL_ALL}; ALTER TABLE t ADD c int;", logs=None)
    first(aged)
    assert aged.judge().decision is Decision.OPERATOR


def test_what_is_carried_elsewhere_was_written_before(aged: Production) -> None:
    """E20: the rows are gone, and their values are in another table."""
    carry = "INSERT INTO u SELECT * FROM t; DELETE FROM t; ALTER TABLE t ADD c int;"
    aged.finished("20260106_third", "CREATE TABLE u (id int, a int)")
    aged.failed(f"{FILL_ALL}; {carry}", logs=None)
    aged.run("DELETE FROM t")
    assert any(reason.startswith("Statement 1 is open") for reason in aged.judge().reasons)


EXCHANGED = (
    "ALTER TABLE w RENAME TO v; ALTER TABLE v RENAME p TO x; ALTER TABLE v RENAME q TO p; ALTER TABLE v RENAME x TO q;"
)
#: The history; the table with its columns in another order; a script; what somebody did instead; the row's steps.
ELSEWHERE = [
    pytest.param(
        "CREATE TABLE w (id int, q int, p int)",
        "CREATE TABLE w (id int, p int, q int)",
        "ALTER TABLE w RENAME p TO r",
        "ALTER TABLE w DROP p; ALTER TABLE w ADD r int",
        1,
        id="dropped and made again",
    ),
    pytest.param(
        "CREATE TABLE w (id int, c int, q int, p int); ALTER TABLE w DROP c",
        "CREATE TABLE w (id int, p int, q int)",
        "ALTER TABLE w RENAME p TO r",
        "ALTER TABLE w DROP p; ALTER TABLE w ADD r int",
        1,
        id="where the history dropped one",
    ),
    pytest.param(
        "CREATE TABLE w (id int, p int, q int)",
        "CREATE TABLE w (id int, q int, p int)",
        EXCHANGED,
        f"{EXCHANGED} ALTER TABLE v RENAME TO w",
        0,
        id="exchanged",
    ),
]


@pytest.mark.parametrize(("history", "made", "script", "by_hand", "steps"), ELSEWHERE)
def test_a_place_proves_nothing_where_the_history_did_not_make_the_table(
    production: Production, history: str, made: str, script: str, by_hand: str, steps: int
) -> None:
    """E20: `db push` or a restored dump left other places than the history; so p's place is no proof of its values."""
    production.run(f"{made}; INSERT INTO w VALUES (1, 2, 3)")
    production.row("20260102_before", production.file("20260102_before", history), finished=True, steps=steps)
    production.failed(script, logs=None)
    production.run(f"BEGIN; {by_hand}; COMMIT")
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize(
    ("script", "ran"),
    [("ALTER TABLE w RENAME p TO r;", True), ("ALTER TABLE w RENAME p TO r;", False), (EXCHANGED, False)],
    ids=["renamed", "not renamed", "not exchanged"],
)
def test_what_no_hand_touched_is_decided_in_any_order(production: Production, script: str, *, ran: bool) -> None:
    """E20: a column was dropped long ago, and the migrations before it were only marked: ages tell the rest."""
    production.run("CREATE TABLE w (id int, c int, p int, q int); ALTER TABLE w DROP c; INSERT INTO w VALUES (1, 2, 3)")
    history = "CREATE TABLE w (id int, c int, p int, q int); ALTER TABLE w DROP c"
    production.row("20260102_before", production.file("20260102_before", history), finished=True, steps=0)
    production.failed(script, logs=None)
    if ran:
        production.run(script)
    assert verdict(production.judge()) == (APPLIED if ran else NOT_APPLIED)


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS b int; UPDATE t SET b = a WHERE b IS NULL;",
        "CREATE TABLE IF NOT EXISTS n (id int); INSERT INTO n SELECT id FROM t;",
    ],
    ids=["column", "table"],
)
def test_rows_of_what_is_made_where_it_is_absent_can_be_nowhere(production: Production, script: str) -> None:
    """E20: production lacks the column or the table that the script makes IF NOT EXISTS, and so what it wrote there."""
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(script)
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    ("before", "script"),
    [
        (
            "ALTER TABLE t ADD b int",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS b int; UPDATE t SET b = a; CREATE TABLE z (id int);",
        ),
        (
            "CREATE TABLE n (id int)",
            "CREATE TABLE IF NOT EXISTS n (id int); INSERT INTO n SELECT id FROM t; CREATE TABLE z ();",
        ),
    ],
    ids=["column", "table"],
)
def test_rows_of_what_was_there_before_may_be_written(production: Production, before: str, script: str) -> None:
    """E20: IF NOT EXISTS found it there, so that a second run would write a second time."""
    production.before(before)
    production.failed(script, logs=None)
    assert verdict(production.judge()) == UNDECIDABLE
