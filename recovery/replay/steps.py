"""Runs a script statement by statement in the scratch database, to find its steps S₀ … Sₙ and its footprint."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg

from recovery.postgres import catalog
from recovery.replay.preconditions import demands
from recovery.sql.names import PARTS, Name, quoted
from recovery.sql.statements import Parsed
from states.comparison import column_of, is_next_value, is_remark, qualified_name
from states.facts import Key, Note, Replay, Snapshot, Statement, Visibility

#: Notices that IF [NOT] EXISTS found nothing to do; the scratch server's messages are in English (lc_messages).
_SKIPPED = re.compile(r"already exists, skipping|does not exist, skipping|is already a member|already a label")


#: Properties of an extension that CREATE EXTENSION may state.
_STATED = ("schema", "version")

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a script, as a transaction or statement by statement.

    Attributes:
        snapshots: the whole schema before the script, and after each statement that ran.
        skipped: indexes of the statements that PostgreSQL skipped (IF [NOT] EXISTS).
        fills: for a statement's index, the columns that it added and the values with which it filled existing rows.
        moves: for a statement's index, the columns and tables whose rows it kept under another name or type, by the
            names that they have at the end.
        places: of the tables of these, the columns in their order at the end.
        path: every schema that was in the search path at some time.
        foreign: functions that statements call for every row, and that are not PostgreSQL's own and immutable.
        ended: why the run ended early; None if every statement ran.
    """

    snapshots: list[dict[Key, str]]
    skipped: frozenset[int]
    fills: dict[int, tuple[tuple[Key, str], ...]]
    moves: dict[int, tuple[Key, ...]]
    places: dict[str, tuple[str, ...]]
    path: tuple[str, ...]
    foreign: frozenset[str]
    ended: str | None


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


def _walk(connection: psycopg.Connection[Any], parsed: Sequence[Parsed]) -> _Run:
    snapshots = [catalog.read(connection)]
    skipped: set[int] = set()
    fills: dict[int, tuple[tuple[Key, str], ...]] = {}
    moved: dict[int, list[tuple[int, int]]] = {}

    def ended(why: str | None) -> _Run:
        # After an error nothing more can be asked in the transaction; what was moved is then not known.
        moves, places = ({}, {}) if why else _at_the_end(connection, moved)
        return _Run(snapshots, frozenset(skipped), fills, moves, places, path, foreign, why)

    foreign = _not_immutable(connection, frozenset[str]().union(*(each.work.computes for each in parsed)))
    path = _search_path(connection)
    for statement in parsed:
        if statement.forbidden:
            # Only what could not run is left out (RULES E26), so that what the others make is compared.
            snapshots.append(snapshots[-1])
            continue
        with _notices(connection) as messages:
            try:
                connection.execute(statement.sql.encode())
            except psycopg.Error as error:
                reason = error.diag.message_primary or str(error)
                return ended(f"statement {statement.index} fails when replayed: {error.sqlstate} {reason}")
        skips = sum(1 for message in messages if _SKIPPED.search(message))
        if statement.skippable and skips >= statement.actions and _found(statement, path, snapshots[-1]):
            skipped.add(statement.index)
        if statement.inert:  # SET, or a SELECT of set_config
            path = tuple(dict.fromkeys((*path, *_search_path(connection))))
        # An inert statement needs no snapshot, except for the end of a transaction, where ON COMMIT takes effect.
        same = statement.inert and not statement.control
        snapshots.append(snapshots[-1] if same else catalog.read(connection))
        columns = statement.work.fills | _with_a_domains_default(statement, snapshots[-1])
        # Rows that it writes in another way are proven by no default.
        if columns and (statement.work.fills or statement.work.moves or not statement.work.why):
            fills[statement.index] = _filled(connection, columns, snapshots[-2], snapshots[-1])
        if statement.work.moves:
            moved[statement.index] = [_numbers(connection, *each) for each in statement.work.moves]
    return ended(None)


def _with_a_domains_default(statement: Parsed, snapshot: Snapshot) -> frozenset[str]:
    """The columns that a statement adds, and that a default of their type fills."""
    domains = {
        qualified.rpartition(".")[2]
        for (obj, prop), value in snapshot.items()
        if prop == "kind" and value == "domain" and (obj, "default") in snapshot and (qualified := qualified_name(obj))
    }
    return frozenset(column for column, kind in statement.work.typed if quoted(kind) in domains)


_IMMUTABLE = """
SELECT proname FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY(%s)
GROUP BY proname HAVING bool_and(provolatile = 'i' OR prokind = 'a')
"""


def _not_immutable(connection: psycopg.Connection[Any], names: frozenset[str]) -> frozenset[str]:
    """Of these functions, those that are not PostgreSQL's own, or may give another value the next time."""
    if not names:
        return names
    return names - {name for (name,) in connection.execute(_IMMUTABLE, (sorted(names),))}


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


def _numbers(connection: psycopg.Connection[Any], table: Name, column: str) -> tuple[int, int]:
    """The oid of a table, and the number of a column of it, or 0 for the table as a whole; oid 0 if there is none."""
    name = f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)
    row = connection.execute(_NUMBERS, {"table": name, "column": column}).fetchone()
    return (int(row[0]), int(row[1])) if row and (row[1] or not column) else (0, 0)


def _at_the_end(
    connection: psycopg.Connection[Any], moved: Mapping[int, list[tuple[int, int]]]
) -> tuple[dict[int, tuple[Key, ...]], dict[str, tuple[str, ...]]]:
    """What was moved, by the names at the end, and the columns of these tables; without what is not known wholly."""
    oids = sorted({oid for each in moved.values() for oid, _ in each})
    found = connection.execute(_PLACES, (oids,)).fetchall() if oids else []
    tables = {oid: (obj, tuple(columns)) for oid, obj, columns in found}
    moves: dict[int, tuple[Key, ...]] = {}
    for index, each in moved.items():
        if all(oid in tables and (not number or tables[oid][1][number - 1]) for oid, number in each):
            moves[index] = tuple(
                (tables[oid][0], f"column {quoted(tables[oid][1][number - 1])}" if number else "exists")
                for oid, number in each
            )
    return moves, dict(tables.values())


def _found(statement: Parsed, path: Sequence[str], snapshot: Snapshot) -> bool:
    """Whether the tables of the parts that a statement drops are in the snapshot, so that they are compared too.

    A table that is not, such as an extension's, could have the part in production, and nobody would see it.
    """
    named = [name for name in statement.names if (name.properties or "").split(" ")[0] in PARTS.values()]
    there = {qualified_name(obj) for obj, prop in snapshot if prop == "exists"} if named else set[str | None]()
    return all(
        any(f"{quoted(schema)}.{quoted(name.name)}" in there for schema in ((name.schema,) if name.schema else path))
        for name in named
    )


def _filled(
    connection: psycopg.Connection[Any], columns: frozenset[str], before: Snapshot, after: Snapshot
) -> tuple[tuple[Key, str], ...]:
    """The values with which a step's new columns were filled; empty if the server does not know all of them.

    A column that was there before does not count: another statement may have filled it.
    """
    wanted = {f"column {quoted(column)}" for column in columns}
    new = sorted(key for key in after.keys() - before.keys() if key[1] in wanted)
    known = catalog.read_filled(connection, {obj for obj, _ in new})
    complete = {prop for _, prop in new} == wanted and all(key in known for key in new)
    # A default that calls a function, such as the time of day, fills other values at another time.
    called = {
        key
        for key in new
        if "(" in after.get((key[0], f"{key[1]} default"), "")
        or "CURRENT" in after.get((key[0], f"{key[1]} default"), "")
    }
    return tuple((key, "" if key in called else known[key]) for key in new) if complete else ()


def _search_path(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    row = connection.execute("SELECT current_schemas(false)::text[]").fetchone()
    return tuple(row[0]) if row else ()


def run(
    parsed: Sequence[Parsed],
    checksum: str,
    in_transaction: Connect,
    on_a_copy: Connect,
    skipped_base: tuple[Note, ...],
) -> Replay:
    """Runs a script in every way in which Prisma may have run it, and keeps the run that got furthest.

    A script without transaction control ran as one transaction, or statement by statement (Prisma 7.4 and the
    JavaScript engine). Some statements run in one of these ways only: CREATE INDEX CONCURRENTLY needs to be outside a
    transaction, LOCK inside one.

    Args:
        parsed: the script's statements.
        checksum: SHA-256 of the script.
        in_transaction: opens a connection to the database at S₀; its transaction is rolled back at the end.
        on_a_copy: opens a connection to a copy of that database, which is dropped at the end.
        skipped_base: notes on migrations of the base that could not be replayed.
    """
    best: _Run | None = None
    if not any(statement.control for statement in parsed):
        with in_transaction() as connection:
            connection.execute("BEGIN")
            best = _walk(connection, parsed)
    if best is None or best.ended is not None:
        with on_a_copy() as connection:
            alone = _walk(connection, parsed)
        if best is None or len(alone.snapshots) > len(best.snapshots):
            best = alone
    return _replay(parsed, checksum, best, skipped_base)


def _replay(parsed: Sequence[Parsed], checksum: str, way: _Run, skipped_base: tuple[Note, ...]) -> Replay:
    snapshots = way.snapshots
    statements = []
    asked = demands(parsed, snapshots, way.path)
    for statement in parsed:
        visibility, why = _visibility(statement, way)
        fills, moves = way.fills.get(statement.index, ()), way.moves.get(statement.index, ())
        if visibility is Visibility.OPEN:
            fills, moves = (), ()  # it may do more than that
        elif statement.node == "rename_stmt" and any(_looks_alike(key, snapshots) for key in moves):
            visibility = Visibility.OPEN
        makes, needs = asked[statement.index - 1] if statement.index <= len(asked) else (frozenset(), frozenset())
        statements.append(
            Statement(
                statement.index,
                statement.sql,
                visibility,
                why,
                statement.atomic,
                statement.conditional,
                makes,
                needs,
                fills,
                moves,
            )
        )
    first = {obj for obj, prop in snapshots[0] if prop == "exists"}
    later = {obj for snapshot in snapshots[1:] for obj, prop in snapshot if prop == "exists"}
    footprint, named = _named(parsed, way)
    footprint |= changed_keys(snapshots)
    return Replay(
        checksum=checksum,
        statements=tuple(statements),
        steps=tuple({key: snapshot[key] for key in footprint if key in snapshot} for snapshot in snapshots),
        footprint=frozenset(footprint),
        created=frozenset(later - first),
        added=added_columns(snapshots[0], snapshots[1:]),
        named=named,
        ended=way.ended,
        skipped=skipped_base,
        places=way.places,
    )


def _looks_alike(moved: Key, snapshots: Sequence[Snapshot]) -> bool:
    """Whether something of that name and type was there before the script, so that the schema shows no move."""
    obj, prop = moved
    first, last = snapshots[0], snapshots[-1]
    kind = (obj, f"{prop} type")
    return moved in first and first.get(kind) == last.get(kind)


def _visibility(statement: Parsed, way: _Run) -> tuple[Visibility, str]:
    """Whether the schema shows that a statement ran, and the reason if it does not."""
    work = statement.work
    if statement.forbidden:
        unreached = statement.additive and statement.node != "alter_table_stmt"
        return Visibility.UNREACHED if unreached else Visibility.OPEN, f"not executed: it {statement.forbidden}"
    if statement.index >= len(way.snapshots):
        # RULES E15: the steps before it still decide absence, but not of rows that it may have written or deleted, nor
        # of a column or constraint, which no name of an object shows (RULES E26, E28).
        unreached = statement.additive and statement.node != "alter_table_stmt"
        return Visibility.UNREACHED if unreached else Visibility.OPEN, way.ended or ""
    before, after = way.snapshots[statement.index - 1], way.snapshots[statement.index]
    if statement.index in way.skipped:
        return Visibility.INERT, "PostgreSQL skipped it when it was replayed"
    if anywhere := _by_the_base(statement, before, way.foreign):
        return Visibility.OPEN, anywhere
    if work.why:
        elsewhere = work.sure_if_no_trigger is not None and _fires(work.sure_if_no_trigger, before)
        own = (work.own or work.moves) and not elsewhere
        return Visibility.ROWS if own else Visibility.OPEN, work.why
    if _with_a_domains_default(statement, after):
        return Visibility.ROWS, "it adds a column that the default of its type fills"
    if _differ(before, after):
        return Visibility.SEEN, ""
    if statement.inert:
        return Visibility.INERT, statement.inert
    return Visibility.OPEN, "its effect can't be seen in the schema"


def _by_the_base(statement: Parsed, snapshot: Snapshot, foreign: frozenset[str]) -> str:
    """Why a statement may write any rows through what it calls, or what runs with it; empty if it does not.

    A function of the project's own may stand in for one of PostgreSQL's, and an event trigger runs with any statement.
    """
    if statement.inert:
        return ""
    if called := sorted(statement.work.computes & foreign):
        return f"it calls {called[0]}, which may do more than give a value"
    for obj, _ in snapshot:
        kind, _, rest = obj.partition(" ")
        if kind == "event" and rest.startswith("trigger "):
            return "an event trigger runs with it"
        if kind == "function" and statement.calls and (name := qualified_name(obj)):
            bare = name.rpartition(".")[2].strip('"')
            if bare in statement.calls:
                return f"it calls {bare}, of which the project has a function of its own"
    return ""


def _fires(table: Name, snapshot: Snapshot) -> bool:
    """Whether a table of that name has a trigger or a rule."""
    return any(
        prop.startswith(("trigger ", "rule "))
        and (name := qualified_name(obj)) is not None
        and name.rpartition(".")[2] == quoted(table.name)
        for obj, prop in snapshot
    )


def _differ(before: Snapshot, after: Snapshot) -> bool:
    """Whether the schema differs. A sequence's next value alone shows that rows were written, but not which."""
    return before != after and any(not is_next_value(key) for key, _ in before.items() ^ after.items())


def changed_keys(snapshots: Sequence[Snapshot]) -> set[Key]:
    """Every property that a step changes.

    Of an object or a column that a step drops, only its existence counts: the script does not depend on its other
    properties. A sequence's next value counts only where a step makes the sequence: rows change it, too.
    """
    keys: set[Key] = set()
    for before, after in pairwise(snapshots):
        if before is after:
            continue
        for key in before.keys() | after.keys():
            if before.get(key) == after.get(key):
                continue
            obj, prop = key
            object_dropped = (obj, "exists") in before and (obj, "exists") not in after
            if object_dropped and prop != "exists":
                continue
            if is_next_value(key) and (obj, "exists") in before:
                continue
            if obj.startswith("extension ") and (obj, "exists") not in before and is_remark(key):
                continue  # it came with the extension; if the script states it, `_named` adds it
            if _column_dropped(before, after, obj, prop):
                continue
            keys.add(key)
    return keys


def added_columns(before: Snapshot, later: Sequence[Snapshot]) -> frozenset[Key]:
    """Columns that later snapshots add to objects which were there before."""
    return frozenset(
        (obj, prop)
        for snapshot in later
        for obj, prop in snapshot
        if column_of(prop) == prop and (obj, prop) not in before and (obj, "exists") in before
    )


def _column_dropped(before: Snapshot, after: Snapshot, obj: str, prop: str) -> bool:
    column = column_of(prop)
    return column not in (None, prop) and (obj, column) in before and (obj, column) not in after


def _named(parsed: Sequence[Parsed], way: _Run) -> tuple[set[Key], frozenset[str]]:
    """The properties and the qualified names of the objects that the script names (RULES E9).

    They belong to the footprint even if no step of the replay changes them.
    """
    existing: dict[str, set[str]] = {}
    properties: dict[str, set[str]] = {}
    for snapshot in {id(s): s for s in way.snapshots}.values():
        for obj, prop in snapshot:
            properties.setdefault(obj, set()).add(prop)
            if prop == "exists" and (qualified := qualified_name(obj)):
                existing.setdefault(qualified, set()).add(obj)
    keys: set[Key] = set()
    named: set[str] = set()
    for statement in parsed:
        for name in statement.names:
            if name.schema is None:
                plain = (f"schema {quoted(name.name)}", f"extension {quoted(name.name)}")
                keys.update((obj, "exists") for obj in plain if obj in properties)
                if name.properties in _STATED and plain[1] in properties:
                    keys.add((plain[1], name.properties))
            for schema in (name.schema,) if name.schema else way.path:
                qualified = f"{quoted(schema)}.{quoted(name.name)}"
                named.add(qualified)
                for obj in existing.get(qualified, ()):
                    keys.add((obj, "exists"))
                    if name.properties == "":
                        keys.update((obj, prop) for prop in properties[obj])
                    elif name.properties is not None:
                        wanted = name.properties
                        keys.add((obj, wanted))
                        keys.update((obj, p) for p in properties[obj] if p.startswith(wanted + " "))
    return keys, frozenset(named)
