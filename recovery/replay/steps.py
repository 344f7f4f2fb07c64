"""Runs a script statement by statement in the scratch database, to find its steps S₀ … Sₙ and its footprint."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import psycopg

from recovery.replay.fills import Foreign
from recovery.replay.preconditions import Demands, demands
from recovery.replay.walk import Run, columns_of, differ, walk, with_a_domains_default
from recovery.replay.witnesses import BRANCHES, Witnesses, unlike
from recovery.sql.names import Name, quoted
from recovery.sql.statements import Parsed
from states.comparison import column_of, is_next_value, is_remark, qualified_name
from states.facts import Key, Note, Replay, Snapshot, Statement, Visibility

#: Properties of an extension that CREATE EXTENSION may state.
_STATED = ("schema", "version")

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]


@dataclass(frozen=True, slots=True)
class _Own:
    """What a snapshot has that may run along with any statement: an event trigger, and functions, by bare names."""

    event_trigger: bool
    functions: frozenset[str]


def _own(snapshot: Snapshot) -> _Own:
    objects = {obj for obj, prop in snapshot if prop == "exists"}
    functions = (qualified_name(obj) for obj in objects if obj.startswith("function "))
    return _Own(
        any(obj.startswith("event trigger ") for obj in objects),
        frozenset(name.rpartition(".")[2].strip('"') for name in functions if name),
    )


def run(
    parsed: Sequence[Parsed],
    checksum: str,
    in_transaction: Connect,
    on_a_copy: Connect,
    with_witnesses: Callable[[bool], AbstractContextManager[tuple[psycopg.Connection[Any], Witnesses] | None]],
    skipped_base: tuple[Note, ...],
    standins: frozenset[str] = frozenset(),
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
        with_witnesses: opens a connection to where there are rows in the tables that the script can reach; None if it
            can reach none. If the script runs as one transaction, that has begun.
        skipped_base: notes on migrations of the base that could not be replayed.
        standins: objects that are stood in for.
    """
    best: Run | None = None
    together = not any(statement.control for statement in parsed)
    if together:
        with in_transaction() as connection:
            best = walk(connection, parsed, together=True)
    if best is None or best.ended is not None:
        with on_a_copy() as connection:
            alone = walk(connection, parsed, first=None if best is None else best.snapshots[0])
        if best is None or len(alone.snapshots) > len(best.snapshots):
            best, together = alone, False
    with with_witnesses(together) as found:
        if found is not None:
            connection, witnesses = found
            ran = parsed[: len(best.snapshots) - 1]
            on_rows = unlike(connection, ran, witnesses, best.snapshots[-1])
            best = replace(best, on_rows={**best.on_rows, **on_rows})
    return _replay(parsed, checksum, best, skipped_base, standins)


def _replay(
    parsed: Sequence[Parsed], checksum: str, way: Run, skipped_base: tuple[Note, ...], standins: frozenset[str]
) -> Replay:
    snapshots = way.snapshots
    statements = []
    distinct = {id(snapshot): snapshot for snapshot in snapshots}
    own = {number: _own(snapshot) for number, snapshot in distinct.items()}
    asked = demands(parsed, snapshots, way.path)
    for statement in parsed:
        visibility, why = _visibility(statement, way, own)
        fills, moves = way.fills.get(statement.index, ()), way.moves.get(statement.index, ())
        if visibility is Visibility.OPEN:
            fills, moves = (), ()  # it may do more than that
        elif statement.node == "rename_stmt" and any(_looks_alike(key, snapshots) for key in moves):
            visibility = Visibility.OPEN
        makes, needs, skips = asked[statement.index - 1] if statement.index <= len(asked) else Demands()
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
                way.drops.get(statement.index, ()),
                skips,
                _called(statement.work.sure_if_no_trigger, snapshots[0]),
                _over(statement, parsed, distinct.values()) if why == statement.work.why else "",
            )
        )
    first = {obj for obj, prop in snapshots[0] if prop == "exists"}
    later = {obj for snapshot in distinct.values() for obj, prop in snapshot if prop == "exists"}
    footprint, named = _named(parsed, way, standins)
    footprint |= changed_keys(snapshots)
    steps = {
        number: {key: snapshot[key] for key in footprint if key in snapshot} for number, snapshot in distinct.items()
    }
    return Replay(
        checksum=checksum,
        statements=tuple(statements),
        steps=tuple(steps[id(snapshot)] for snapshot in snapshots),
        footprint=frozenset(footprint),
        created=frozenset(later - first),
        added=added_columns(snapshots[0], distinct.values()),
        named=named,
        ended=way.ended,
        skipped=skipped_base,
        places=way.places,
        stood=way.stood,
        gone=way.gone,
        filled=way.filled,
        alike=frozenset(
            obj
            for snapshot in (distinct.values() if way.gone else ())
            for obj, columns in columns_of(snapshot).items()
            if columns in way.gone.values()
        ),
        branches=BRANCHES in way.on_rows.values(),
    )


def _looks_alike(moved: Key, snapshots: Sequence[Snapshot]) -> bool:
    """Whether something of that name and type was there before the script, so that the schema shows no move."""
    obj, prop = moved
    first, last = snapshots[0], snapshots[-1]
    kind = (obj, f"{prop} type")
    return moved in first and first.get(kind) == last.get(kind)


def _visibility(statement: Parsed, way: Run, own: Mapping[int, _Own]) -> tuple[Visibility, str]:
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
    if statement.index in way.otherwise:
        return Visibility.OPEN, way.otherwise[statement.index]
    if statement.index in way.on_rows:
        return Visibility.OPEN, way.on_rows[statement.index]
    if statement.index in way.skipped and work.why and statement.node in ("drop_stmt", "alter_table_stmt"):
        # Something of that name may have been there in production, and be there still instead of what is made later.
        return Visibility.ROWS, work.why
    if statement.index in way.skipped:
        return Visibility.INERT, "PostgreSQL skipped it when it was replayed"
    if statement.index in way.stated:
        return Visibility.INERT, "its columns are so without it"
    if anywhere := _by_the_base(statement, own[id(before)], way.foreign):
        return Visibility.OPEN, anywhere
    if work.why:
        elsewhere = work.sure_if_no_trigger is not None and _fires(work.sure_if_no_trigger, before)
        elsewhere = elsewhere or any(_was_there(*each, way.snapshots[0]) for each in work.sure_if_absent)
        alone = (work.own or work.moves) and not elsewhere
        return Visibility.ROWS if alone else Visibility.OPEN, work.why
    if with_a_domains_default(statement, after):
        return Visibility.ROWS, "it adds a column that the default of its type fills"
    if differ(before, after):
        return Visibility.SEEN, ""
    if statement.inert:
        return Visibility.INERT, statement.inert
    return Visibility.OPEN, "its effect can't be seen in the schema"


#: Statements whose expressions PostgreSQL writes down, and evaluates not before a later statement uses what they make.
_ONLY_WRITTEN_DOWN = {"create_policy_stmt", "alter_policy_stmt", "create_trig_stmt", "view_stmt"}


def _by_the_base(statement: Parsed, base: _Own, foreign: Foreign) -> str:
    """Why a statement may write any rows through what it calls, or what runs with it; empty if it does not.

    A function of the project's own may stand in for one of PostgreSQL's, and an event trigger runs with any statement.
    """
    if statement.inert:
        return ""
    if called := sorted((statement.work.computes & foreign.computes) | (statement.work.checked & foreign.checked)):
        return f"it calls {called[0]}, which may do more than give a value"
    if base.event_trigger:
        return "an event trigger runs with it"
    calls = statement.calls if statement.node not in _ONLY_WRITTEN_DOWN else frozenset[str]()
    if own := sorted(calls & base.functions):
        return f"it calls {own[0]}, of which the project has a function of its own"
    return ""


def _called(table: Name | None, snapshot: Snapshot) -> frozenset[str]:
    """The tables of that name."""
    if table is None:
        return frozenset()
    objects = (obj for obj, prop in snapshot if prop == "exists" and obj.startswith("table "))
    return frozenset(obj for obj in objects if (qualified_name(obj) or "").rpartition(".")[2] == quoted(table.name))


def _was_there(table: Name, column: str, snapshot: Snapshot) -> bool:
    """Whether a table of that name was there, or that column of it."""
    prop = f"column {quoted(column)}" if column else "exists"
    return any((obj, prop) in snapshot for obj in _called(table, snapshot))


def _fires(table: Name, snapshot: Snapshot) -> bool:
    """Whether a table of that name has a trigger or a rule."""
    return any(
        prop.startswith(("trigger ", "rule "))
        and (name := qualified_name(obj)) is not None
        and name.rpartition(".")[2] == quoted(table.name)
        for obj, prop in snapshot
    )


def _over(statement: Parsed, parsed: Sequence[Parsed], snapshots: Collection[Snapshot]) -> str:
    """The table that is there all the time, and whose rows alone a statement changes; empty if there is none.

    Not where another statement works on rows and names the table: it may carry elsewhere what this one wrote.
    """
    table = statement.work.over
    if table is None:
        return ""
    others = (each for each in parsed if each.work.why and each.work.over != table)
    if any(name.name == table.name for each in others for name in each.names):
        return ""
    found = {
        obj
        for snapshot in snapshots
        for obj, prop in snapshot
        if prop == "exists" and (qualified_name(obj) or "").rpartition(".")[2] == quoted(table.name)
    }
    if len(found) != 1 or any(_fires(table, snapshot) for snapshot in snapshots):
        return ""
    (obj,) = found
    return obj if obj.startswith("table ") and all((obj, "exists") in snapshot for snapshot in snapshots) else ""


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


def added_columns(before: Snapshot, later: Iterable[Snapshot]) -> frozenset[Key]:
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


def _named(parsed: Sequence[Parsed], way: Run, standins: frozenset[str]) -> tuple[set[Key], frozenset[str]]:
    """The properties and the qualified names of the objects that the script names (RULES E9).

    They belong to the footprint even if no step of the replay changes them. Of an object that is stood in for, only the
    parts that a statement names: no script changes the rest of it, and the stand-in lacks most of that.
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
                    if name.properties == "" and obj not in standins:
                        keys.update((obj, prop) for prop in properties[obj])
                    elif name.properties:
                        wanted = name.properties
                        keys.add((obj, wanted))
                        keys.update((obj, p) for p in properties[obj] if p.startswith(wanted + " "))
    return keys, frozenset(named)
