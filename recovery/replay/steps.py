"""Runs a script statement by statement in the scratch database, to find its steps S₀ … Sₙ and its footprint."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg

from recovery.postgres import catalog
from recovery.replay.preconditions import demands
from recovery.sql.names import PARTS, quoted
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
        path: every schema that was in the search path at some time.
        ended: why the run ended early; None if every statement ran.
    """

    snapshots: list[dict[Key, str]]
    skipped: frozenset[int]
    fills: dict[int, tuple[tuple[Key, str], ...]]
    path: tuple[str, ...]
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

    def ended(why: str | None) -> _Run:
        return _Run(snapshots, frozenset(skipped), fills, path, why)

    path = _search_path(connection)
    for statement in parsed:
        if statement.forbidden:
            return ended(f"statement {statement.index} is not executed: it {statement.forbidden}")
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
        if statement.fills:
            fills[statement.index] = _filled(connection, statement.fills, snapshots[-2], snapshots[-1])
    return ended(None)


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
    return tuple((key, known[key]) for key in new) if complete else ()


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
                way.fills.get(statement.index, ()),
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
    )


def _visibility(statement: Parsed, way: _Run) -> tuple[Visibility, str]:
    """Whether the schema shows that a statement ran, and the reason if it does not."""
    if statement.index >= len(way.snapshots):
        # RULES E15: the steps before it still decide absence, but not of rows that it may have written or deleted.
        return Visibility.UNREACHED if statement.additive else Visibility.OPEN, way.ended or ""
    seen = _differ(way.snapshots[statement.index - 1], way.snapshots[statement.index])
    if statement.rows:
        return Visibility.ROWS if seen and statement.own_rows else Visibility.OPEN, statement.rows
    if seen:
        return Visibility.SEEN, ""
    if statement.inert:
        return Visibility.INERT, statement.inert
    if statement.index in way.skipped:
        return Visibility.INERT, "PostgreSQL skipped it when it was replayed"
    return Visibility.OPEN, "its effect can't be seen in the schema"


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
