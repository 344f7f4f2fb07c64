"""RULES E7: when is a statement that no schema shows known not to have run?"""

from collections.abc import Callable

import pytest

from states.evidence import Decision, Evidence
from tests.integration.rules.production import (
    NOT_APPLIED,
    NOT_ATTEMPTED,
    STIRRED,
    UNDECIDABLE,
    Production,
    verdict,
)

ADD, FILL = "ALTER TABLE t ADD COLUMN b int;", "UPDATE t SET a = 2;"
NATIVE = (
    "A migration failed to apply.\n\nMigration name: m\n\nDatabase error code: {code}\n\nDatabase error:\n"
    "ERROR: {said}\n\n"
    'DbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E{code}), message: "…" }}\n'
)
SCRIPTED = "Database error: Error querying the database: ERROR: {said}\n   0: sql_schema_connector::apply_script\n"


def refused(said: str, code: str = "42701") -> str:
    """The native engine's logs."""
    return NATIVE.format(said=said, code=code)


@pytest.mark.parametrize("logs", [NATIVE, SCRIPTED])
def test_the_last_statement_of_a_script_that_was_refused_did_not_run(production: Production, logs: str) -> None:
    """The error came from it or from one before it, and a failure ends a script."""
    production.failed(ADD + FILL, logs=logs.format(said='column "a" contains null values', code="23502"))
    evidence = production.judge()
    assert verdict(evidence) == NOT_ATTEMPTED
    assert [s.state for s in evidence.statements] == ["absent", "absent"]
    assert any("Statement 2 did not run" in reason for reason in evidence.reasons)


def test_that_nobody_ran_it_by_hand_is_an_assumption(production: Production) -> None:
    """E21: the attempt did not write the rows, and a person may have. Who knows better says so, and is held to it."""
    production.failed(ADD + "UPDATE t SET a = 2;", logs=refused('column "a" contains null values', "23502"))
    unsure, sure = production.judge(), production.judge(assume=frozenset({"no_handwork"}))
    assert (verdict(unsure), verdict(sure)) == (NOT_ATTEMPTED, NOT_APPLIED)
    assert unsure.assumptions == sure.assumptions == ("no_handwork",)
    assert all(each.reasons[-1] == "This holds only if nobody ran statement 2 by hand." for each in (unsure, sure))
    assert unsure.evidence_digest != sure.evidence_digest


def test_what_only_writes_to_something_absent_was_run_by_nobody(production: Production) -> None:
    """E21: no assumption is needed where the rows would be in a table or column that is not there."""
    production.failed("CREATE TABLE z (id int); INSERT INTO z VALUES (1); ALTER TABLE t ADD b int; UPDATE t SET b = 1;")
    evidence = production.judge()
    assert (verdict(evidence), evidence.assumptions) == (NOT_APPLIED, ())
    production.run("ALTER TABLE t ADD b int; CREATE TABLE z (id int)")
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_trigger_carries_rows_elsewhere(production: Production) -> None:
    """E18: an UPDATE of a column that the script makes may fire a trigger, which writes where it likes."""
    production.before(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a = 5; RETURN NEW; END';"
        "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"
    )
    production.failed("ALTER TABLE t ADD b int; UPDATE t SET b = 1;", logs=None)
    production.run(STIRRED)
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    "logs",
    [
        None,
        "",
        refused("terminating connection due to administrator command", "57P01"),
        refused("current transaction is aborted, commands ignored until end of transaction block", "25P02"),
        "FATAL: terminating connection due to administrator command",
        "Error: P1001 Can't reach database server",
        "Error querying the database: Connection terminated unexpectedly",
        "External error id#0",
        '  3 -- ERROR: column "b" of relation "t" already exists',
        "Database error code: 42P07",
    ],
)
def test_without_postgresqls_own_refusal_nothing_is_known(production: Production, logs: str | None) -> None:
    """A connection that was lost, or nothing at all, is no proof: the script may have gone on."""
    production.run("CREATE SCHEMA later; ALTER TABLE t ADD COLUMN b int; ALTER TABLE t DROP COLUMN b")
    production.failed(ADD + FILL, logs=logs)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_statement_before_the_one_that_failed_may_have_run(production: Production) -> None:
    """Run one by one, the UPDATE was committed before the last statement failed; the column was dropped by hand."""
    script = FILL + ADD + "CREATE TABLE z (id int);"
    production.failed(script, logs=refused('relation "z" already exists', "42P07"))
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_name_in_the_error_tells_which_statement_it_was(production: Production) -> None:
    """The last statement can't say that the column is there: the UPDATE failed, or something before it did."""
    script = ADD + FILL + "CREATE TABLE z (id int);"
    production.failed(script, logs=refused('column "b" of relation "t" already exists'))
    evidence = production.judge()
    assert verdict(evidence) == NOT_ATTEMPTED
    assert any("which no statement after the 2nd can say" in reason for reason in evidence.reasons)


@pytest.mark.parametrize(
    "later",
    [
        "ALTER TABLE t DROP COLUMN IF EXISTS b; ALTER TABLE t ADD COLUMN b text;",
        'ALTER TABLE t RENAME COLUMN a TO "b";',
        "DO $$ BEGIN PERFORM 1; END $$;",
        "INSERT INTO t VALUES (5, 5);",
        "CREATE TABLE U&\"!0062\" UESCAPE '!' (id int);",
    ],
)
def test_the_name_tells_nothing_where_a_later_statement_can_have_said_it(production: Production, later: str) -> None:
    """It names the column too, or runs code that nobody can read: the UPDATE between the two may have run."""
    production.failed(ADD + FILL + later + "SELECT 1;", logs=refused('column "b" of relation "t" already exists'))
    assert production.judge().decision is Decision.OPERATOR


def test_what_is_missing_can_be_missed_by_a_trigger(production: Production) -> None:
    """The second UPDATE fires a trigger that misses what the first statement dropped; the first UPDATE has run."""
    production.finished("20260102_audit", "CREATE TABLE audit (id int)")
    script = "DROP TABLE audit;" + FILL + "UPDATE t SET a = 3; SELECT 1;"
    production.failed(script, logs=refused('relation "audit" does not exist', "42P01"))
    production.run("DROP TABLE audit;" + FILL + "CREATE TABLE audit (id int)")
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_block_that_can_commit_may_have_left_something_when_it_failed(production: Production) -> None:
    """E12: the error is the block's own, after its COMMIT."""
    block = "DO $$ BEGIN UPDATE t SET a = 2; {} RAISE 'no'; END $$;"
    for number, does in enumerate(("COMMIT;", "EXECUTE 'COM' || 'MIT';", "CALL p();", "PERFORM nextval('s');")):
        production.failed(ADD + block.format(does), f"20260110_{number}", logs=refused("no", "P0001"))
        production.run(STIRRED)
        assert verdict(production.judge(f"20260110_{number}")) == UNDECIDABLE
        production.run("DELETE FROM _prisma_migrations WHERE finished_at IS NULL")


def test_a_block_that_ends_no_transaction_left_nothing_when_it_failed(production: Production) -> None:
    """E12: it failed as one statement does, although what it would do to rows is not known."""
    block = "DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM t LOOP UPDATE t SET a = 2; END LOOP; END $$;"
    production.failed(block, logs=refused("division by zero", "22012"))
    assert verdict(production.judge()) == NOT_ATTEMPTED


def test_it_must_hold_for_every_attempt(production: Production) -> None:
    """Of two attempts only the later one is known to have been refused."""
    production.failed(ADD + FILL, logs=None)
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    production.failed(ADD + FILL, logs=refused('column "b" of relation "t" already exists'))
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_is_in_place_beside_a_statement_that_did_not_run_is_for_a_person(production: Production) -> None:
    """The column was made by hand, and the rows were not written: neither answer would be true, nor is it half."""
    production.run(ADD)
    production.failed(ADD + FILL, logs=refused('column "b" of relation "t" already exists'))
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert [s.state for s in evidence.statements] == ["in_place", "absent"]
    assert any("Statement 2 did not run" in reason for reason in evidence.reasons)


def test_a_script_of_data_alone_that_was_refused_did_not_run(production: Production) -> None:
    """One statement, and PostgreSQL refused it: a second run writes nothing twice."""
    production.failed(FILL, logs=refused("division by zero", "22012"))
    assert verdict(production.judge()) == NOT_ATTEMPTED


#: A script of which the JavaScript engine runs something else than a statement before it fails, and its error.
CUT = [
    pytest.param("UPDATE t SET a = 2 -- a bonus; see #123\nWHERE id = 7;", "see", id="comment in a statement"),
    pytest.param("UPDATE t SET a = 2;\n-- done; the next one drops it", "the", id="comment at the end"),
    pytest.param("UPDATE t SET a = 2;\n/* done; the next one drops it */", "/*", id="block comment at the end"),
]
#: Statements of which PostgreSQL refuses every part, and what it says.
REFUSED_WHOLE = [
    ("UPDATE t SET a = 2 /* all; rows */ WHERE id = 7;", 'unterminated /* comment at or near "/* all"'),
    ("UPDATE t SET a = length('a; b');", "canceling statement due to lock timeout"),
    ("DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN UPDATE t SET a = 2; END IF; END $$;", "division by zero"),
]


@pytest.mark.parametrize(("script", "said"), REFUSED_WHOLE)
def test_no_part_of_what_is_cut_within_a_string_or_a_body_can_run(
    production: Production, script: str, said: str
) -> None:
    """E24: whichever engine it was, the statement failed as a whole."""
    production.failed(script, logs=SCRIPTED.format(said=said))
    assert verdict(production.judge()) == NOT_ATTEMPTED
    production.run("DELETE FROM _prisma_migrations WHERE finished_at IS NULL")
    production.failed("UPDATE t SET a = 3 -- x; y\n;" + script, "20260111_more", logs=SCRIPTED.format(said=said))
    assert verdict(production.judge("20260111_more")) == UNDECIDABLE


@pytest.mark.parametrize(("script", "near"), CUT)
def test_where_a_semicolon_cuts_a_statement_only_the_native_engines_logs_prove(
    production: Production, script: str, near: str
) -> None:
    """E24: cut at every semicolon, a part of the script was committed, and what came after it was no statement."""
    said = f'syntax error at or near "{near}"'
    production.failed(script, logs=SCRIPTED.format(said=said))
    assert verdict(production.judge()) == UNDECIDABLE
    production.run("UPDATE _prisma_migrations SET logs = 'ERROR: ' || 'syntax error' WHERE finished_at IS NULL")
    assert verdict(production.judge()) == UNDECIDABLE
    with production.server.connect(production.database) as connection:
        native = refused("division by zero", "22012")
        connection.execute("UPDATE _prisma_migrations SET logs = %s WHERE finished_at IS NULL", (native,))
    assert verdict(production.judge()) == NOT_ATTEMPTED


def crashed(one: Production) -> None:
    """The script's row is there, and it is not known how far the script got; t was made between two rows."""
    one.finished("20260102_later", "CREATE TABLE later (id int)")
    one.failed(ADD + FILL, logs=None)


def test_a_column_that_was_never_there_proves_that_nothing_after_it_ran(production: Production) -> None:
    """Adding a column writes the table's row in the catalog, and that is older than the attempt."""
    crashed(production)
    evidence = production.judge()
    assert verdict(evidence) == NOT_ATTEMPTED
    assert any("was never in" in reason for reason in evidence.reasons)


def failed(one: Production, logs: str) -> None:
    """The attempt began after t was made between two rows, and its row was written again when it failed."""
    one.finished("20260102_later", "CREATE TABLE later (id int)")
    one.failed(ADD + FILL + "CREATE TABLE z (id int);", logs=None)
    with one.server.connect(one.database) as connection:
        connection.execute("UPDATE _prisma_migrations SET logs = %s WHERE finished_at IS NULL", (logs,))


@pytest.mark.parametrize("logs", [refused("division by zero", "22012"), "Error: P1001 Can't reach database server"])
def test_a_column_that_was_never_there_proves_it_of_an_attempt_with_logs_too(production: Production, logs: str) -> None:
    """E7: which statement failed, the logs do not tell. The column does: the first one, or nothing was committed."""
    failed(production, logs)
    evidence = production.judge()
    assert verdict(evidence) == NOT_ATTEMPTED
    assert any("was never in" in reason for reason in evidence.reasons)
    undo(production)
    assert verdict(production.judge(assume=frozenset({"no_handwork"}))) == UNDECIDABLE


def test_what_finished_while_an_attempt_ran_does_not_tell_when_it_began(production: Production) -> None:
    """E7: between the row before it and its failure lies the attempt, which may have run its UPDATE."""
    production.finished("20260102_later", "CREATE TABLE later (id int)")
    production.failed(ADD + FILL + "CREATE TABLE z (id int);", logs=None)
    undo(production)
    production.finished("20260111_beside", "CREATE TABLE beside (id int)")
    said = refused("division by zero", "22012")
    with production.server.connect(production.database) as connection:
        connection.execute("UPDATE _prisma_migrations SET logs = %s WHERE finished_at IS NULL", (said,))
    evidence = production.judge(assume=frozenset({"no_handwork"}))
    assert not any("was never in" in reason for reason in evidence.reasons)


def undo(one: Production) -> None:
    one.run(ADD + FILL + "ALTER TABLE t DROP COLUMN b;")


def undo_with_another_column_after_it(one: Production) -> None:
    one.run(ADD + FILL + "ALTER TABLE t ADD COLUMN by_hand int; ALTER TABLE t DROP COLUMN b;")


def make_the_table_anew(one: Production) -> None:
    one.run(ADD + FILL + "CREATE TABLE u AS TABLE t; DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int)")


def take_a_copy_of_before(one: Production) -> None:
    one.run(ADD + FILL + "DROP TABLE t; ALTER TABLE t_before RENAME TO t")
    one.run("ALTER INDEX t_before_pkey RENAME TO t_pkey")


def take_a_copy_of_before_in_another_schema(one: Production) -> None:
    one.run(ADD + FILL + "ALTER SCHEMA public RENAME TO broken; ALTER SCHEMA before RENAME TO public")
    one.run("ALTER TABLE broken._prisma_migrations SET SCHEMA public; ALTER SEQUENCE broken.s SET SCHEMA public")
    one.run("ALTER TABLE broken.later SET SCHEMA public")


def drop_in_an_older_transaction(one: Production) -> None:
    with one.server.connect(one.database) as old:
        old.execute("BEGIN")
        old.execute("SELECT pg_current_xact_id()")
        one.failed(ADD + FILL, logs=None)
        one.run(ADD + FILL)
        old.execute("ALTER TABLE t DROP COLUMN b")
        old.execute("ALTER TABLE t SET (fillfactor = 90)")
        old.execute("COMMIT")


@pytest.mark.parametrize(
    "undone",
    [
        undo,
        undo_with_another_column_after_it,
        make_the_table_anew,
        take_a_copy_of_before,
        take_a_copy_of_before_in_another_schema,
    ],
)
def test_where_the_column_may_have_been_there_nothing_is_proven(
    production: Production, undone: Callable[[Production], None]
) -> None:
    """The script ran, and the column was undone by hand, in one way or another: the UPDATE is in the rows."""
    production.run("CREATE TABLE t_before (LIKE t INCLUDING ALL); CREATE SCHEMA before")
    production.run("CREATE TABLE before.t (id int PRIMARY KEY, a int)")
    crashed(production)
    undone(production)
    evidence: Evidence = production.judge()
    assert evidence.decision is Decision.OPERATOR
    assert not any("was never in" in reason for reason in evidence.reasons)


def test_a_column_that_gets_its_name_from_another_leaves_no_trace(production: Production) -> None:
    """E7: a table's row is written when a column is added to it, and not when one is renamed."""
    production.finished("20260102_later", "CREATE TABLE later (id int)")
    production.failed("ALTER TABLE t RENAME a TO x; UPDATE t SET id = 2;", logs=None)
    production.run("ALTER TABLE t RENAME a TO x; UPDATE t SET id = 2; ALTER TABLE t RENAME x TO a")
    assert verdict(production.judge(assume=frozenset({"no_handwork"}))) == UNDECIDABLE


def test_a_transaction_that_began_before_the_attempt_may_have_written_after_it(production: Production) -> None:
    """Its number is lower than the attempt's, and it wrote later."""
    production.finished("20260102_later", "CREATE TABLE later (id int)")
    drop_in_an_older_transaction(production)
    assert verdict(production.judge()) == UNDECIDABLE


def test_in_a_restored_database_no_trace_is_no_proof(production: Production) -> None:
    """A dump takes no dropped columns along: all rows of the ledger were then written by one transaction."""
    crashed(production)
    undo(production)
    production.run(
        "CREATE TABLE t2 (id int PRIMARY KEY, a int); INSERT INTO t2 SELECT id, a FROM t; DROP TABLE t;"
        "ALTER TABLE t2 RENAME TO t; ALTER INDEX t2_pkey RENAME TO t_pkey"
    )
    production.run("CREATE TABLE l AS TABLE _prisma_migrations; TRUNCATE _prisma_migrations")
    production.run("INSERT INTO _prisma_migrations SELECT * FROM l; DROP TABLE l")
    assert verdict(production.judge()) == UNDECIDABLE


def test_in_a_database_copied_by_replication_an_old_table_is_no_proof(production: Production) -> None:
    """The script ran where the rows came from: its UPDATE came along, its column didn't, nor did anything since."""
    production.finished("20260102_later", "CREATE TABLE later (id int)")
    production.run("CREATE TABLE l AS TABLE _prisma_migrations; TRUNCATE _prisma_migrations")
    production.run("INSERT INTO _prisma_migrations SELECT * FROM l; DROP TABLE l")
    production.failed(ADD + FILL, logs=None)
    production.run(FILL)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_row_that_was_written_again_does_not_tell_when_its_attempt_began(production: Production) -> None:
    """The first attempt ran and was undone; then a row was finished, and the attempt's own marked rolled back."""
    crashed(production)
    undo(production)
    production.finished("20260104_after", "CREATE TABLE after (id int)")
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    production.failed(ADD + FILL, logs=refused("division by zero", "22012"))
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_label_of_an_enum_that_is_absent_proves_nothing(production: Production) -> None:
    """It can be taken away without one (`DELETE FROM pg_enum`), so that its absence proves nothing."""
    production.finished("20260102_enum", "CREATE TYPE e AS ENUM ('p')")
    production.finished("20260103_later", "CREATE TABLE later (id int)")
    production.failed("ALTER TYPE e ADD VALUE 'q';" + FILL, logs=None)
    production.run("ALTER TYPE e ADD VALUE 'q'")
    production.run("DELETE FROM pg_enum WHERE enumlabel = 'q'")
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_was_not_reached_does_not_hide_that_the_steps_before_it_are_absent(production: Production) -> None:
    """E15: a role can't be made in the scratch database, and the table before it is not in production."""
    production.failed("CREATE TABLE z (id int); CREATE ROLE beyond; CREATE TABLE y (id int);")
    assert verdict(production.judge()) == NOT_APPLIED


@pytest.mark.parametrize("later", [FILL, "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int;"])
def test_what_was_not_reached_and_may_have_cost_rows_stays_open(production: Production, later: str) -> None:
    """E15: it may have run, the table dropped since; a second run would write, or wipe, twice."""
    production.failed("CREATE TABLE z (id int); CREATE ROLE beyond;" + later)
    production.run(STIRRED)
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_cannot_run_in_the_scratch_database_is_left_out_alone(production: Production) -> None:
    """E26: what comes after it is compared. A role that is there already makes the next deploy fail, and no more."""
    production.failed("CREATE ROLE beyond; ALTER TABLE t ADD COLUMN z int;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE t ADD COLUMN z int")
    assert production.judge().decision is Decision.OPERATOR


#: The native engine's logs where PostgreSQL gave an error this context.
WHERE = (
    "A migration failed to apply.\n\nDatabase error code: {code}\n\nDatabase error:\nERROR: {said}\n\n"
    'DbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E{code}), message: "{message}", '
    "detail: None, hint: None, position: None, where_: {where}, schema: None }}\n"
)
NOT_THE_OWNER = "must be owner of table t"


def raised(said: str, code: str = "42501", where: str = "None") -> str:
    """The native engine's logs, with the context of the error."""
    return WHERE.format(said=said, code=code, message=said.replace('"', '\\"'), where=where)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("ALTER TABLE t ADD b int; CREATE TABLE z (id int); UPDATE t SET a = abs(a);", NOT_THE_OWNER),
        ("ALTER TABLE t ADD b int; DELETE FROM t; INSERT INTO t VALUES (9, 9); SELECT * FROM t;", NOT_THE_OWNER),
        ("CREATE INDEX i ON t (a); UPDATE t SET a = 4;", "must be owner of relation t"),
        (
            "ALTER TABLE t ADD b int; UPDATE t SET a = 3; CREATE TABLE z ();",
            'column "b" of relation "t" already exists',
        ),
        ("ALTER TYPE \"Mood\" ADD VALUE 'x'; UPDATE t SET a = 3;", 'must be owner of type "Mood"'),
    ],
)
def test_what_rows_can_not_raise_stopped_the_script_before_them(production: Production, script: str, said: str) -> None:
    """By itself no statement on rows asks who owns a table, and an error within a function has a context."""
    production.before("CREATE TYPE \"Mood\" AS ENUM ('w');")
    production.failed(script, logs=raised(said))
    assert verdict(production.judge()) == NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("before", "script", "logs"),
    [
        pytest.param(
            "",
            "ALTER TABLE t ADD b int; UPDATE t SET a = 3; CREATE TABLE z ();",
            raised(NOT_THE_OWNER, where=r'Some("PL/pgSQL function f() line 1 at SQL statement, where_: None, ")'),
            id="raised within a function",
        ),
        pytest.param(
            "",
            "ALTER TABLE t ADD b int; UPDATE t SET a = 3; CREATE TABLE z ();",
            refused(NOT_THE_OWNER, "42501"),
            id="the context is not recorded",
        ),
        pytest.param(
            "",
            "ALTER TABLE t ADD b int; UPDATE t SET a = 3; ALTER TABLE t ADD c int;",
            raised(NOT_THE_OWNER),
            id="a later statement on the table",
        ),
        pytest.param(
            "",
            "CREATE TABLE z (); UPDATE t SET a = 3; CREATE TABLE y ();",
            raised(NOT_THE_OWNER),
            id="no statement names it",
        ),
        pytest.param(
            "CREATE FUNCTION abs(text) RETURNS int LANGUAGE sql AS 'SELECT 1';",
            "ALTER TABLE t ADD b int; UPDATE t SET a = abs(a); CREATE TABLE z ();",
            raised(NOT_THE_OWNER),
            id="a function of another schema",
        ),
        pytest.param(
            "",
            "ALTER TABLE t ADD b int; UPDATE t SET a = 3; DO $$ BEGIN PERFORM 1; END $$;",
            raised(NOT_THE_OWNER),
            id="a block",
        ),
        pytest.param(
            "CREATE TABLE child () INHERITS (t);",
            "CREATE INDEX i ON child (a); UPDATE t SET a = 3; ALTER TABLE t ADD b int;",
            raised("must be owner of table child"),
            id="what is done to its parent is done to it",
        ),
    ],
)
def test_what_another_statement_may_have_raised_is_no_proof(
    production: Production, before: str, script: str, logs: str
) -> None:
    """Some statement after the first may have raised it, so the rows may be written."""
    production.before(before)
    production.failed(script, logs=logs)
    production.run(STIRRED)
    assert verdict(production.judge()) == UNDECIDABLE
