"""Runs the statements of a script one after another in the scratch database, and notes what each does."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from recovery.postgres import catalog, traces
from recovery.replay import rows_only
from recovery.replay.again import Reader
from recovery.replay.fills import Foreign, filled, not_immutable
from recovery.replay.rows_only import Reach, RowsOnly
from recovery.replay.running import execute
from recovery.sql.names import PARTS, Name, quoted
from recovery.sql.statements import Parsed
from states.comparison import column_of, is_next_value, qualified_name
from states.facts import Key, Snapshot

#: Notices that IF [NOT] EXISTS found nothing to do; the scratch server's messages are in English (lc_messages).
_SKIPPED = re.compile(r"already exists, skipping|does not exist, skipping|is already a member|already a label")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a script, as a transaction or statement by statement.

    Attributes:
        snapshots: the whole schema before the script, and after each statement that ran.
        skipped: indexes of the statements that PostgreSQL skipped (IF [NOT] EXISTS).
        fills: for a statement's index, the columns that it added and the values with which it filled existing rows.
        moves: for a statement's index, the columns and tables whose rows it kept under another name or type, by the
            names that they have at the end.
        stated: indexes of the statements that say what columns are, and found them so.
        drops: for a statement's index, the columns that it dropped, by the names that their tables have at the end,
            and the tables.
        gone: for each of these tables, the names of its columns.
        places: of the tables of moved and dropped columns, the columns in their order at the end.
        stood: if rows matter, the same of the tables that the script names, before its first statement.
        path: every schema that was in the search path at some time.
        foreign: functions that statements call for every row, and that are not PostgreSQL's own and immutable.
        filled: of the columns that it adds to tables that were there, the values of rows that were there already.
        ended: why the run ended early; None if every statement ran.
        on_rows: statements that turned out to work on rows when the script ran where there are some, with the reason.
        otherwise: statements that ran in another way than they are written, with the reason.
    """

    snapshots: list[dict[Key, str]]
    skipped: frozenset[int]
    fills: dict[int, tuple[tuple[Key, str], ...]]
    moves: dict[int, tuple[Key, ...]]
    stated: frozenset[int]
    drops: dict[int, tuple[Key, ...]]
    gone: dict[str, frozenset[str]]
    places: dict[str, tuple[str, ...]]
    stood: dict[str, tuple[str, ...]]
    path: tuple[str, ...]
    foreign: Foreign
    filled: dict[Key, str]
    ended: str | None
    on_rows: Mapping[int, str] = field(default_factory=dict)
    otherwise: Mapping[int, str] = field(default_factory=dict)


#: Statements that can give a column or a table another place or name, or take it away.
_ALTERING = ("alter_table_stmt", "rename_stmt", "alter_object_schema_stmt", "drop_stmt", "do_stmt")


@contextmanager
def _notices(connection: psycopg.Connection[Any]) -> Iterator[list[str]]:
    messages: list[str] = []

    def keep(diagnostic: psycopg.errors.Diagnostic) -> None:
        messages.append(diagnostic.message_primary or "")

    connection.add_notice_handler(keep)
    try:
        yield messages
    finally:
        connection.remove_notice_handler(keep)


def walk(
    connection: psycopg.Connection[Any],
    parsed: Sequence[Parsed],
    *,
    together: bool = False,
    first: dict[Key, str] | None = None,
) -> Run:
    """Runs the statements until one fails.

    PostgreSQL refuses SET TRANSACTION ISOLATION LEVEL after any query of the transaction. So nothing is asked between
    the beginning of a transaction and the first statement that may change something.

    Args:
        connection: to the database at S₀, in no transaction; nothing is committed that the script does not commit.
        parsed: the statements.
        together: whether they run as one transaction, which the caller ends.
        first: the schema at S₀; None if it is yet to be read.
    """
    return _Walk(connection, parsed, first).through(together=together)


class _Walk:
    """A run in progress, with what was noted so far; see `Run`."""

    def __init__(
        self, connection: psycopg.Connection[Any], parsed: Sequence[Parsed], first: dict[Key, str] | None
    ) -> None:
        self._connection = connection
        self._parsed = parsed
        self._snapshots = [catalog.read(connection) if first is None else first]
        self._skipped: set[int] = set()
        self._stated: set[int] = set()
        self._fills: dict[int, tuple[tuple[Key, str], ...]] = {}
        self._moved: dict[int, list[tuple[int, str, int]]] = {}
        self._dropped: dict[int, list[tuple[int, str, int]]] = {}
        self._gone: dict[int, dict[str, frozenset[str]]] = {}
        self._otherwise: dict[int, str] = {}
        self._reaching: dict[int, str] = {}
        self._foreign = not_immutable(
            connection,
            frozenset[str]().union(*(each.work.computes for each in parsed)),
            frozenset[str]().union(*(each.work.checked for each in parsed)),
        )
        self._path = _search_path(connection)
        newest = connection.execute("SELECT coalesce(max(oid), 0)::bigint FROM pg_catalog.pg_class").fetchone()
        self._newest = int(newest[0]) if newest else 0
        self._reader = Reader(connection, self._snapshots[0], self._newest)
        self._stood = _stood(connection, parsed, self._snapshots[0])

    def through(self, *, together: bool) -> Run:
        if together:
            self._connection.execute("BEGIN")
        rows, reach = RowsOnly(self._connection, self._parsed), Reach(self._connection, self._newest)
        for place, statement in enumerate(self._parsed):
            if place + 1 < len(self._snapshots):
                continue  # it was run along with those before it
            if statement.forbidden:
                # Only what could not run is left out (RULES E26), so that what the others make is compared.
                self._snapshots.append(self._snapshots[-1])
            elif rows.at(place):
                ahead = rows.ahead(place)
                reach.before(ahead)
                if len(ahead) == 1 or not rows.run(ahead):
                    ahead = (statement,)
                    if failure := self._fails(statement):
                        return self._ended(failure)
                self._reaching |= reach.after(ahead)
                self._snapshots.extend([rows_only.read_again(self._connection, self._snapshots[-1])] * len(ahead))
            else:
                reach.before((statement,))
                with _notices(self._connection) as messages:
                    if failure := self._fails(statement):
                        return self._ended(failure)
                self._look(statement, messages)
                self._reaching |= reach.after((statement,))
        return self._ended(None)

    def _fails(self, statement: Parsed) -> str:
        """Runs a statement, and returns why it failed; empty if it did not."""
        try:
            self._otherwise[statement.index] = execute(self._connection, statement)
        except psycopg.Error as error:
            reason = error.diag.message_primary or str(error)
            return f"statement {statement.index} fails when replayed: {error.sqlstate} {reason}"
        return ""

    def _look(self, statement: Parsed, messages: Sequence[str]) -> None:
        """Notes what a statement did that ran just now, and sent these messages."""
        connection, snapshots, index = self._connection, self._snapshots, statement.index
        skips = sum(1 for message in messages if _SKIPPED.search(message))
        if statement.skippable and skips >= statement.actions and _found(statement, self._path, snapshots[-1]):
            self._skipped.add(index)
        if statement.moves_path:
            self._path = tuple(dict.fromkeys((*self._path, *_search_path(connection))))
        # An inert statement needs no snapshot, except for the end of a transaction, where ON COMMIT takes effect.
        same = statement.inert and (statement.opens or not statement.control)
        snapshots.append(snapshots[-1] if same else self._reader.after(statement, snapshots[-1], self._path))
        before, after = snapshots[-2:]
        if statement.stating and before == after and _found(statement, self._path, after, ("column",)):
            self._stated.add(index)
        columns = statement.work.fills | with_a_domains_default(statement, after)
        # Rows that it writes in another way are proven by no default.
        if columns and (statement.work.fills or statement.work.moves or not statement.work.why):
            self._fills[index] = filled(connection, columns, before, after)
        if statement.work.moves:
            self._moved[index] = [_numbered(connection, *each) for each in statement.work.moves]
        if tables := _tables_gone(before, after):
            self._gone[index] = tables
        if lost := _columns_gone(before, after):
            self._dropped[index] = [(_oid(connection, obj), prop, 0) for obj, prop in lost]

    def _filled(self) -> dict[Key, str]:
        first, last = self._snapshots[0], self._snapshots[-1]
        new = {(obj, prop) for obj, prop in last.keys() - first.keys() if column_of(prop) == prop}
        added = {key for key in new if (key[0], "exists") in first}
        known = catalog.read_filled(self._connection, {obj for obj, _ in added if obj.startswith("table ")})
        return {key: value for key, value in known.items() if key in added}

    def _ended(self, why: str | None) -> Run:
        # After an error nothing more can be asked in the transaction; what was moved is then not known.
        asked = () if why else (self._moved, self._dropped)
        (moves, drops), places = _at_the_end(self._connection, asked) if asked else (({}, {}), {})
        for index, tables in self._gone.items():
            drops[index] = (*drops.get(index, ()), *((obj, "exists") for obj in tables))
        return Run(
            self._snapshots,
            frozenset(self._skipped),
            self._fills,
            moves,
            frozenset(self._stated),
            drops,
            {obj: columns for tables in self._gone.values() for obj, columns in tables.items()},
            places,
            self._stood,
            self._path,
            self._foreign,
            {} if why else self._filled(),
            why,
            on_rows=self._reaching,
            otherwise={index: how for index, how in self._otherwise.items() if how},
        )


def _stood(
    connection: psycopg.Connection[Any], parsed: Sequence[Parsed], before: Snapshot
) -> dict[str, tuple[str, ...]]:
    """The columns of the tables that a script alters, in their order, if it also does something to rows."""
    if not any(statement.work.why or statement.work.moves for statement in parsed):
        return {}
    names = {quoted(name.name) for each in parsed if each.node in _ALTERING for name in each.names}
    tables = (obj for obj, prop in before if prop == "exists" and obj.startswith("table "))
    return traces.places(connection, [obj for obj in tables if (qualified_name(obj) or "").rpartition(".")[2] in names])


def differ(before: Snapshot, after: Snapshot) -> bool:
    """Whether the schema differs. A sequence's next value alone shows that rows were written, but not which."""
    return (
        before is not after
        and before != after
        and any(not is_next_value(key) for key, _ in before.items() ^ after.items())
    )


def columns_of(snapshot: Snapshot) -> dict[str, frozenset[str]]:
    """The columns of each table, as `column x`."""
    found: dict[str, set[str]] = {}
    for obj, prop in snapshot:
        if obj.startswith("table ") and column_of(prop) == prop:
            found.setdefault(obj, set()).add(prop)
    return {obj: frozenset(columns) for obj, columns in found.items()}


def _tables_gone(before: Snapshot, after: Snapshot) -> dict[str, frozenset[str]]:
    """The tables that a step drops, with their columns. One that it only renames is there with the same columns."""
    gone = {obj for obj, prop in before.keys() - after.keys() if prop == "exists" and obj.startswith("table ")}
    if not gone:
        return {}
    new = [columns for obj, columns in columns_of(after).items() if (obj, "exists") not in before]
    return {obj: columns for obj, columns in columns_of(before).items() if obj in gone and columns not in new}


def _columns_gone(before: Snapshot, after: Snapshot) -> list[Key]:
    """The columns that a step drops, or gives another name, in tables that stay."""
    gone = ((obj, prop) for obj, prop in before.keys() - after.keys() if column_of(prop) == prop)
    return sorted((obj, prop) for obj, prop in gone if obj.startswith("table ") and (obj, "exists") in after)


def with_a_domains_default(statement: Parsed, snapshot: Snapshot) -> frozenset[str]:
    """The columns that a statement adds, and that a default of their type fills."""
    domains = {
        qualified.rpartition(".")[2]
        for (obj, prop), value in snapshot.items()
        if prop == "kind" and value == "domain" and (obj, "default") in snapshot and (qualified := qualified_name(obj))
    }
    return frozenset(column for column, kind in statement.work.typed if quoted(kind) in domains)


_NUMBERS = """
SELECT c.oid::bigint, coalesce((SELECT a.attnum FROM pg_catalog.pg_attribute a
                                WHERE a.attrelid = c.oid AND a.attname = %(column)s AND NOT a.attisdropped), 0)
FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass(%(table)s)
"""
_PLACES = """
SELECT c.oid::bigint, format('table %%I.%%I', n.nspname, c.relname),
       ARRAY(SELECT CASE WHEN a.attisdropped THEN '' ELSE a.attname END
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s::oid[]) AND c.relkind IN ('r', 'p')
"""


def _numbered(connection: psycopg.Connection[Any], table: Name, column: str) -> tuple[int, str, int]:
    """The oid of a table, and the number of a column of it, or "exists" for the table; oid 0 if there is none."""
    name = f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)
    row = connection.execute(_NUMBERS, {"table": name, "column": column}).fetchone()
    if not row or (column and not row[1]):
        return 0, "", 0
    return int(row[0]), "" if column else "exists", int(row[1])


def _oid(connection: psycopg.Connection[Any], obj: str) -> int:
    """The oid of a table as a snapshot names it; 0 if there is none."""
    row = connection.execute(_NUMBERS, {"table": obj.removeprefix("table "), "column": ""}).fetchone()
    return int(row[0]) if row else 0


def _at_the_end(
    connection: psycopg.Connection[Any], asked: Sequence[Mapping[int, list[tuple[int, str, int]]]]
) -> tuple[list[dict[int, tuple[Key, ...]]], dict[str, tuple[str, ...]]]:
    """Properties of tables by the names at the end, and the columns of these tables; without what is not known wholly.

    Args:
        connection: to the database after the script.
        asked: for statements' indexes, oids of tables, each with a property of it or the number of a column.
    """
    oids = sorted({oid for each in asked for keys in each.values() for oid, _, _ in keys})
    found = connection.execute(_PLACES, (oids,)).fetchall() if oids else []
    tables = {oid: (obj, tuple(columns)) for oid, obj, columns in found}

    def named(oid: int, prop: str, number: int) -> Key | None:
        obj, columns = tables.get(oid, ("", ()))
        if number and columns:
            prop = f"column {quoted(columns[number - 1])}" if columns[number - 1] else ""
        return (obj, prop) if obj and prop else None

    known = []
    for each in asked:
        keys = {index: tuple(named(*key) for key in those) for index, those in each.items()}
        known.append({index: tuple(key for key in those if key) for index, those in keys.items() if None not in those})
    return known, dict(tables.values())


def _found(
    statement: Parsed, path: Sequence[str], snapshot: Snapshot, parts: Sequence[str] = tuple(PARTS.values())
) -> bool:
    """Whether the tables whose parts a statement names are in the snapshot, so that they are compared too.

    A table that is not, such as an extension's, could have the part in production, and nobody would see it.
    """
    named = [name for name in statement.names if (name.properties or "").split(" ")[0] in parts]
    there = {qualified_name(obj) for obj, prop in snapshot if prop == "exists"} if named else set[str | None]()
    return all(
        any(f"{quoted(schema)}.{quoted(name.name)}" in there for schema in ((name.schema,) if name.schema else path))
        for name in named
    )


def _search_path(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    row = connection.execute("SELECT current_schemas(false)::text[]").fetchone()
    return tuple(row[0]) if row else ()
