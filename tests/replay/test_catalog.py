"""Reading a snapshot: scopes, names, settings, and what is nobody's."""

from typing import Any

import psycopg
import pytest

from recovery.postgres import catalog
from recovery.postgres.catalog import Scope, scope_of
from recovery.replay.embedded import SUPERUSER

Connection = psycopg.Connection[Any]


def test_a_table_in_scope_brings_what_hangs_on_it(transaction: Connection) -> None:
    """A scope of one table reads its indexes too, whatever their names, and nothing of other tables."""
    transaction.execute("CREATE INDEX other ON t (a); CREATE TABLE u (id int); CREATE INDEX third ON u (id)")
    read = catalog.read(transaction, Scope(frozenset({("public", "t")})))
    assert {obj for obj, _ in read} == {"table public.t", "index public.t_pkey", "index public.other"}


def test_scopes_add_up(transaction: Connection) -> None:
    """Two scopes read together what each reads alone; an empty one reads nothing."""
    transaction.execute("CREATE TABLE u (id int); CREATE SCHEMA s")
    one, two = scope_of(["table public.t"]), scope_of(["table public.u", "schema s"])
    both = catalog.read(transaction, one | two)
    assert both == {**catalog.read(transaction, one), **catalog.read(transaction, two)}
    assert ("schema s", "exists") in both
    assert catalog.read(transaction, Scope()) == {}


NAMES = [
    "User",
    "order",
    'say "hi"',
    "ta.ble",
    "a (b)",
    "per%cent",
    "täble",
    "a'b",
    "back\\slash",
    "public.t",
    "{scope}",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_need_quotes(transaction: Connection, name: str) -> None:
    """Any name is read, alone as well as among all, and found again by the name in the snapshot."""
    quoted = '"' + name.replace('"', '""') + '"'
    transaction.execute(f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} ({quoted} int)".encode())
    full = catalog.read(transaction)
    objects = [obj for obj, prop in full if prop == "exists" and obj.startswith("table ") and obj != "table public.t"]
    assert objects == [f"table {quoted}.{quoted}"]
    assert full[objects[0], f"column {quoted}"] == "exists"
    wanted = {*objects, f"schema {quoted}"}
    scoped = {
        k: v for k, v in catalog.read(transaction, scope_of(wanted)).items() if k[1] != f"privileges of {SUPERUSER}"
    }
    assert scoped == {k: v for k, v in full.items() if k[0] in wanted}


def test_a_name_that_is_none() -> None:
    """What no snapshot calls an object is refused rather than read as nothing."""
    with pytest.raises(ValueError, match="not an object"):
        scope_of(["nothing"])


SETTINGS = "SELECT name, setting FROM pg_settings WHERE context = 'user' ORDER BY name"


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("path", ["public", '"$user", public', "pg_catalog, public", ""])
def test_the_session_is_left_as_it_was(database: Connection, path: str, *, inside: bool) -> None:
    """Settings, search path and transaction of the session are the same after reading."""
    database.execute("SELECT set_config('search_path', %s, false)", (path,))
    try:
        if inside:
            database.execute("BEGIN")
        before = database.execute(SETTINGS).fetchall()
        status = database.info.transaction_status
        assert catalog.read(database)
        assert database.execute(SETTINGS).fetchall() == before
        assert database.info.transaction_status == status
        if inside:
            database.execute("COMMIT")
            assert database.execute(SETTINGS).fetchall() == before
    finally:
        database.execute("ROLLBACK; RESET search_path")


#: Settings that change how PostgreSQL writes an expression down.
WRITING = [
    ("timezone", "Asia/Tokyo"),
    ("datestyle", "German"),
    ("intervalstyle", "sql_standard"),
    ("quote_all_identifiers", "on"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "escape"),
    ("search_path", "s"),
]


@pytest.mark.parametrize(("setting", "value"), WRITING)
def test_settings_of_a_database_change_no_value(transaction: Connection, setting: str, value: str) -> None:
    """The same schema reads alike whatever the session's settings: production's are its own (E13)."""
    transaction.execute(
        "CREATE SCHEMA s; CREATE TABLE s.w (at timestamptz DEFAULT '2020-01-02 03:04:05+00',"
        " long interval DEFAULT '1 day 2 hours', f float8 DEFAULT 0.1234567890123456::float8,"
        " b bytea DEFAULT '\\x00ff',"
        " d date CHECK (d > '2020-01-02'::date));"
        " CREATE VIEW s.y AS SELECT at, '1.23456789'::float8 AS f FROM s.w WHERE at > '2020-01-02 03:04:05+00'"
    )
    before = catalog.read(transaction)
    transaction.execute("SELECT set_config(%s, %s, true)", (setting, value))
    assert catalog.read(transaction) == before
    assert transaction.execute("SELECT current_setting(%s)", (setting,)).fetchone() != ("",)


def test_objects_of_extensions_and_sessions_are_nobodys(transaction: Connection) -> None:
    """An extension's functions and types, and temporary tables, are no part of a schema."""
    before = catalog.read(transaction)
    transaction.execute(
        "CREATE EXTENSION citext; CREATE TEMP TABLE tmp (id int PRIMARY KEY); CREATE TEMP VIEW tv AS SELECT 1"
    )
    after = catalog.read(transaction)
    assert {obj for obj, _ in after.keys() - before.keys()} == {"extension citext"}
    assert before.items() <= after.items()


def test_system_objects_are_nobodys(database: Connection) -> None:
    """A fresh database shows its table, its schema and nothing of the system's."""
    assert {obj for obj, _ in catalog.read(database)} == {"schema public", "table public.t", "index public.t_pkey"}
