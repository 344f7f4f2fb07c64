"""Causes from the ledger's logs, of both engines."""

import pytest
from psycopg import errors

from recovery.prisma.logs import advice, cause, engine, message, refused
from states.facts import Cause

NATIVE = """A migration failed to apply. New migrations cannot be applied before the error is recovered from.

Migration name: 20260217000000_add_tokens

Database error code: {code}

Database error:
ERROR: {said}

DbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E{code}), message: "x", detail: None }}
"""
SCRIPTED = "Database error: Error querying the database: ERROR: {said}\n   0: sql_schema_connector::apply_script\n"

KNOWN = [
    ("42P07", "object_exists", False, 'relation "x" already exists'),
    ("42701", "object_exists", False, 'column "a" of relation "x" already exists'),
    ("42710", "object_exists", False, 'type "Kind" already exists'),
    ("42710", "object_exists", False, 'constraint "x_fkey" for relation "x" already exists'),
    ("42P06", "object_exists", False, 'schema "s" already exists'),
    ("25001", "not_in_transaction", False, "CREATE INDEX CONCURRENTLY cannot run inside a transaction block"),
    ("23505", "duplicates", False, 'could not create unique index "x_key"'),
    ("23502", "nulls", False, 'column "a" of relation "x" contains null values'),
    ("23503", "foreign_key", False, 'insert or update on table "x" violates foreign key constraint "x_fkey"'),
    ("23514", "check", False, 'check constraint "c" of relation "x" is violated by some row'),
    ("22P02", "cast", False, 'invalid input syntax for type integer: "a"'),
    ("42804", "cast", False, 'column "a" cannot be cast automatically to type integer'),
    ("40P01", "deadlock", True, "deadlock detected"),
    ("55P03", "lock_timeout", True, "canceling statement due to lock timeout"),
    ("57014", "statement_timeout", True, "canceling statement due to statement timeout"),
    ("42501", "privileges", False, "permission denied for schema public"),
    ("42501", "privileges", False, "must be owner of table x"),
    ("55P04", "unsafe_enum_value", False, 'unsafe use of new value "C" of enum type "Kind"'),
    ("42P01", "missing_object", False, 'relation "x" does not exist'),
    ("42703", "missing_object", False, 'column "a" of relation "x" does not exist'),
    ("42883", "missing_object", False, "function gen_random_uuid() does not exist"),
    ("42704", "missing_object", False, 'type "vector" does not exist'),
    ("0A000", "missing_extension", False, 'extension "vector" is not available'),
    ("58P01", "missing_extension", False, 'could not open extension control file "/x.control": No such file'),
    (
        "25P02",
        "in_failed_transaction",
        False,
        "current transaction is aborted, commands ignored until end of transaction block",
    ),
    ("42601", "syntax", False, 'syntax error at or near "CREAT"'),
    ("2BP01", "dependent_objects", False, "cannot drop type x because other objects depend on it"),
    ("53100", "disk_full", False, 'could not extend file "base/1/2": No space left on device'),
    ("25006", "read_only", False, "cannot execute CREATE TABLE in a read-only transaction"),
    ("57P01", "connection_lost", True, "terminating connection due to administrator command"),
    ("57P05", "connection_lost", True, "terminating connection due to idle-session timeout"),
    ("25P03", "connection_lost", True, "terminating connection due to idle-in-transaction timeout"),
    ("40001", "write_conflict", True, "could not serialize access due to concurrent update"),
    ("53200", "out_of_memory", False, "out of shared memory"),
    ("53200", "out_of_memory", False, "out of memory"),
    ("23514", "check", False, 'no partition of relation "x" found for row'),
    ("23514", "check", False, 'new row for relation "x" violates partition constraint'),
    (
        "23001",
        "foreign_key",
        False,
        'update or delete on table "x" violates RESTRICT setting of foreign key constraint "c"',
    ),
    ("54000", "limit_exceeded", False, 'index row size 2712 exceeds btree version 4 maximum 2704 for index "i"'),
    ("22021", "bad_value", False, 'invalid byte sequence for encoding "UTF8": 0x00'),
    ("0A000", "dependent_objects", False, "cannot alter type of a column used by a view or rule"),
    ("53300", "too_many_connections", True, "sorry, too many clients already"),
]


@pytest.mark.parametrize(("code", "kind", "transient", "said"), KNOWN)
def test_both_engines_give_the_same_cause(code: str, kind: str, said: str, *, transient: bool) -> None:
    """The native engine writes the code; from the other's sentence the same code is inferred."""
    expected = Cause(code, kind, transient)
    for logs in (NATIVE.format(code=code, said=said), SCRIPTED.format(said=said)):
        assert cause(logs) == expected
        assert message(logs) == said
    assert advice(expected)


EXTERNAL = """external connector error
{said}
   0: sql_schema_connector::apply_migration::apply_script
           with migration_name="20260217000000_add_tokens"
             at schema-engine/connectors/sql-schema-connector/src/apply_migration.rs:113
"""


@pytest.mark.parametrize(
    ("code", "kind", "transient", "said"),
    [
        ("23505", "duplicates", False, "Unique constraint failed: i"),
        ("23502", "nulls", False, "Null constraint failed: "),
        ("23503", "foreign_key", False, "Foreign key constraint failed: t_id_fkey"),
        ("22001", "cast", False, "The value provided for column Unavailable is too long."),
        ("22003", "cast", False, "Value out of range error. integer out of range"),
        ("42P01", "missing_object", False, "No such table: no"),
        ("42703", "missing_object", False, "Error accessing result set, column not found: zz of relation t"),
        ("3D000", "missing_object", False, "Database does not exist: x"),
        ("28P01", "login_refused", False, "Authentication failed for user x"),
        ("53300", "too_many_connections", True, "Too many DB connections opened"),
        (None, "write_conflict", True, "Transaction write conflict"),
        (None, "connection_lost", True, "Connection terminated unexpectedly"),
        (None, "connection_lost", True, "Error querying the database: Connection terminated unexpectedly"),
        (None, "connection_lost", True, "Error in connector: db error: unexpected EOF during handshake"),
        (
            "22P02",
            "cast",
            False,
            "Error in the underlying connector (WASM_ERROR): Error: unknown variant `InvalidInputValue`, expected …",
        ),
    ],
)
def test_what_the_javascript_engine_says_in_its_own_words(
    code: str | None, kind: str, said: str, *, transient: bool
) -> None:
    """Where it has a word of its own for PostgreSQL's error, that word is read, and only where the engine says it."""
    assert cause(EXTERNAL.format(said=said)) == Cause(code, kind, transient)
    assert cause(SCRIPTED.format(said=f'syntax error at or near "x"\n{said}')).kind == "syntax"
    assert cause(f"something else\n{said}").kind == "unknown"


@pytest.mark.parametrize(
    ("code", "kind", "transient"),
    [
        ("08006", "connection_lost", True),
        ("0A000", "not_supported", False),
        ("22011", "bad_value", False),
        ("P0001", "raised", False),
        ("XX000", "server_error", False),
        ("ZZ123", "other_error", False),
    ],
)
def test_a_code_is_enough(code: str, kind: str, *, transient: bool) -> None:
    """A code tells the kind where the sentence tells nothing."""
    assert cause(NATIVE.format(code=code, said="etwas anderes")) == Cause(code, kind, transient)


@pytest.mark.parametrize(
    "logs",
    [
        None,
        "",
        "External error id#0",
        SCRIPTED.format(said="Relation »x« existiert bereits"),
        "External error id#0\nP1001",
        "relation x already exists, says nobody",
        SCRIPTED.format(said='note: relation "x" already exists, or so'),
    ],
)
def test_what_is_not_said_is_unknown(logs: str | None) -> None:
    """Without a code, and without a sentence that is PostgreSQL's own, the cause is unknown."""
    assert cause(logs) == Cause(None, "unknown", transient=False)


CODES = sorted(
    {each.sqlstate for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.Error)}
    - {None},
    key=str,
)


def test_every_code_of_postgresql_has_a_kind() -> None:
    """By itself or by its class; the sentence is the server's, in any language, and is never said to be missing."""
    assert len(CODES) > 200
    for code in CODES:
        found = cause(NATIVE.format(code=code, said="etwas anderes"))
        assert (found.sqlstate, found.said) == (code, "etwas anderes"), code
        assert found.kind not in ("unknown", "other_error"), code
        assert "does not tell" not in advice(found), code


@pytest.mark.parametrize(
    ("logs", "kind"),
    [
        ("Error: P1001\n\nCan't reach database server at `db.example.com:5432`", "connection_lost"),
        ("P1017\nServer has closed the connection.", "connection_lost"),
        ("Error in connector: Error { kind: Closed, cause: None }", "connection_lost"),
        (
            'db error\nError { kind: Io, cause: Some(Os { kind: ConnectionReset, message: "Connection reset" }) }',
            "connection_lost",
        ),
        (EXTERNAL.format(said="read ECONNRESET"), "connection_lost"),
        (
            (
                "Error: P1002\nThe database server at `h:5432` was reached but timed out.\n"
                "Context: Timed out trying to acquire a postgres advisory lock (SELECT pg_advisory_lock(72707369))."
            ),
            "lock_timeout",
        ),
        ("Error: P1002\nThe database server at `h:5432` was reached but timed out.", "connection_lost"),
    ],
)
def test_where_no_answer_came_that_is_the_cause(logs: str, kind: str) -> None:
    """The engine's own words are quoted, and a statement is never taken to have been refused."""
    found = cause(logs)
    assert (found.kind, found.transient, found.sqlstate) == (kind, True, None)
    assert found.said
    assert refused(logs) is None
    assert cause(SCRIPTED.format(said=f'syntax error at or near "x"\n{logs}')).kind == "syntax"


def test_a_sentence_in_another_language_is_quoted() -> None:
    """The JavaScript engine gives no code, so the kind is unknown; what the server said is not."""
    found = cause("external connector error\nError querying the database: FEHLER: Relation »x« existiert bereits\n")
    assert (found.kind, found.said) == ("unknown", "Relation »x« existiert bereits")
    assert "does not tell" not in advice(found)


def test_a_code_inside_the_script_is_not_the_cause() -> None:
    """A statement quoted in the logs does not speak for the server."""
    logs = SCRIPTED.format(said='syntax error at or near "Database error code: 42P07"')
    assert cause(logs).sqlstate == "42601"


def test_a_schema_without_a_ledger_is_recognised() -> None:
    """P3005 is Prisma's own error, without a code of PostgreSQL."""
    assert cause("Error: P3005\n\nThe database schema is not empty.").kind == "schema_not_empty"


def test_the_debug_form_alone_is_enough() -> None:
    """Where only the debug form of the error is there, it gives code and sentence."""
    logs = r'DbError { severity: "ERROR", code: SqlState(E42P07), message: "relation \"x\" already exists" }'
    assert cause(logs) == Cause("42P07", "object_exists", transient=False)
    assert message(logs) == 'relation "x" already exists'


def test_the_engine_is_told_by_the_form_of_its_logs() -> None:
    """The native one writes code and error on lines of their own; the other one a sentence of its driver's."""
    assert engine(NATIVE.format(code="42P07", said='relation "x" already exists')) == "native"
    assert engine(SCRIPTED.format(said='relation "x" already exists')) == "javascript"
    assert {engine(logs) for logs in (None, "", "ERROR: no", "Database error code: 42P07")} == {"unknown"}
