"""The same schema reads alike on every server version (RULES E13)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from recovery.postgres import catalog
from recovery.postgres.catalog import scope_of
from recovery.replay.history import is_definition
from recovery.sql.spelling import respelled
from states.facts import Key
from tests import staging

BROAD = (Path(__file__).parent / "broad.sql").read_text("utf-8")
#: Of the newest server, which the scratch server is.
NEWEST = 18
#: Version 15 took CREATE on it from everybody. Extensions' versions are the servers', too.
OTHERWISE = {("schema public", "privileges of public")}

Snapshot = dict[Key, str]
_numbers = count(1)


Read = Callable[[int, str], tuple[int, Snapshot]]


@pytest.fixture(scope="module")
def snapshot() -> Iterator[Read]:
    """Tells a server's version and what a script made there, in a database of its own, once."""
    servers: dict[int, staging.Server] = {}
    with ExitStack() as running:

        @cache
        def read(version: int, script: str) -> tuple[int, Snapshot]:
            if version not in servers:
                servers[version] = running.enter_context(staging.start(version, settings={"wal_level": "logical"}))
                with servers[version].connect() as connection:
                    connection.execute("CREATE ROLE grantee")
            name = f"versions_{next(_numbers)}"
            servers[version].create_database(name)
            with servers[version].connect(name) as connection:
                return connection.info.server_version, made(connection, script)

        yield read


def made(connection: psycopg.Connection[Any], script: str) -> Snapshot:
    connection.execute(script.encode())
    found = catalog.read(connection)
    scoped = catalog.read(connection, scope_of({obj for obj, _ in found}))
    assert {key: value for key, value in scoped.items() if key in found} == found
    owners = {"privileges of postgres", "privileges of pg_database_owner"}
    assert {prop for _, prop in scoped.keys() - found.keys()} <= owners
    return {key: value for key, value in found.items() if key not in OTHERWISE and key[1] != "version"}


@pytest.mark.parametrize("version", [13, 14, 15, 16, 17])
def test_a_broad_schema_reads_alike(version: int, snapshot: Read) -> None:
    """Every kind of object, on an older server and on the newest: no property differs but views' definitions.

    What a server older than 14 writes in other words is told to be the same; views are re-created elsewhere.
    """
    number, old = snapshot(version, BROAD)
    new_number, new = snapshot(NEWEST, BROAD)
    respelt = respelled({key: (value,) for key, value in new.items()}, old, (number, new_number))
    differing = {
        key for key in old.keys() | new.keys() if {**old, **respelt}.get(key) != new.get(key) and not is_definition(key)
    }
    assert differing == set()
    assert bool(respelt) == (version == 13)


LATER = {
    14: "CREATE TABLE t (id int, a text COMPRESSION pglz); CREATE PROCEDURE p(OUT a int) BEGIN ATOMIC SELECT 1; END;"
    "CREATE STATISTICS s ON (lower(a)) FROM t; CREATE TYPE r AS RANGE (SUBTYPE = int, MULTIRANGE_TYPE_NAME = rs)",
    15: "CREATE UNLOGGED SEQUENCE q; CREATE TABLE t (id int, a text, UNIQUE NULLS NOT DISTINCT (a)); CREATE SCHEMA x;"
    "CREATE UNIQUE INDEX i ON t (id) NULLS NOT DISTINCT; CREATE VIEW v WITH (security_invoker) AS SELECT 1 AS a;"
    "CREATE PUBLICATION p FOR TABLE t (id) WHERE (id > 0); CREATE PUBLICATION q FOR TABLES IN SCHEMA x;"
    "ALTER TABLE t ADD PRIMARY KEY (id); CREATE TABLE u (i int,"
    " FOREIGN KEY (i) REFERENCES t ON DELETE SET NULL (i))",
    17: "CREATE COLLATION c (provider = builtin, locale = 'C.UTF-8'); CREATE TABLE t (a text COLLATE c);"
    "GRANT MAINTAIN ON t TO grantee",
}


@pytest.mark.parametrize(("since", "version"), [(s, v) for s in LATER for v in range(s, NEWEST)])
def test_what_came_later_reads_alike_where_it_is_known(since: int, version: int, snapshot: Read) -> None:
    """Kinds that older servers lack: the same on each server that has them."""
    assert snapshot(version, LATER[since])[1] == snapshot(NEWEST, LATER[since])[1]


NOT_NULL = [
    "CREATE TABLE t (id int CONSTRAINT named NOT NULL, a text NOT NULL, PRIMARY KEY (id))",
    "CREATE TABLE t (id int, a text); ALTER TABLE t ALTER a SET NOT NULL, ADD PRIMARY KEY (id)",
    "CREATE TABLE t (id int NOT NULL, a text NOT NULL); CREATE TABLE c () INHERITS (t); CREATE TABLE l (LIKE t)",
    "CREATE DOMAIN d AS text CONSTRAINT named NOT NULL; CREATE TABLE t (id int, a d NOT NULL)",
]


def test_not_null_is_the_same_with_a_constraint_and_without(snapshot: Read) -> None:
    """Version 18 keeps NOT NULL as a named constraint, older ones as the column's flag: nothing differs."""
    script = "; ".join(f"CREATE SCHEMA s{n}; SET search_path = s{n}; {each}" for n, each in enumerate(NOT_NULL))
    new = snapshot(NEWEST, script)[1]
    assert snapshot(13, script)[1] == new
    assert ("table s0.t", "column a nullability") in new
    assert not any("constraint named" in prop or "not_null" in prop for _, prop in new)
