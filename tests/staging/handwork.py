"""Brings a schema to another state as a person would: by plain statements, other than the script's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from recovery.postgres import catalog
from tests.staging.truth import Snapshot

#: How often failed statements are tried again, since statements depend on each other.
ROUNDS = 5
_DROPS = {
    "table": "TABLE",
    "view": "VIEW",
    "materialized view": "MATERIALIZED VIEW",
    "index": "INDEX",
    "sequence": "SEQUENCE",
    "type": "TYPE",
    "function": "FUNCTION",
    "procedure": "PROCEDURE",
    "schema": "SCHEMA",
    "extension": "EXTENSION",
}
_KINDS = sorted(_DROPS, key=len, reverse=True)


def words_of(prop: str) -> list[str]:
    """The words of `column "a b" type`; a quoted name is one word."""
    return re.findall(r'"(?:[^"]|"")*"|\S+', prop)


def kind_of(obj: str) -> tuple[str, str]:
    """The kind and the name of an object, as `index public.x`."""
    for kind in _KINDS:
        if obj.startswith(kind + " "):
            return kind, obj[len(kind) + 1 :]
    return obj.partition(" ")[0], obj.partition(" ")[2]


def bring(
    connection: psycopg.Connection[Any],
    scope: catalog.Scope,
    now: Snapshot,
    wanted: Snapshot,
    *,
    default_later: bool = False,
) -> list[str] | None:
    """Brings some objects of a schema to another state, and returns the plain statements that did it.

    A nullable column is added with its default, which fills the existing rows; with `default_later` it gets its default
    by a second statement, which leaves them null.

    None if the objects did not reach that state: a dropped function or an enum's value, for example, can't be undone.
    """
    ran = []
    for _ in range(ROUNDS):
        statements = list(_steps_to(now, wanted, default_later=default_later))
        for statement in statements:
            try:
                connection.execute(statement.encode())
            except psycopg.Error:
                connection.execute("ROLLBACK")
            else:
                ran.append(statement)
        now = catalog.read(connection, scope)
        if now == wanted:
            return ran
        if not statements:
            return None
    return None


def _steps_to(now: Snapshot, wanted: Snapshot, *, default_later: bool) -> Iterator[str]:
    differing = {key for key in now.keys() | wanted.keys() if now.get(key) != wanted.get(key)}
    here = {obj for obj, prop in now if prop == "exists"}
    there = {obj for obj, prop in wanted if prop == "exists"}
    for obj, prop in sorted(differing):
        kind, name = kind_of(obj)
        if kind == "table" and obj in here and obj in there and prop.startswith("constraint ") and (obj, prop) in now:
            yield f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {words_of(prop)[1]}"
    for obj in sorted(here - there):
        kind, name = kind_of(obj)
        if kind in _DROPS:
            cascade = " CASCADE" if kind in ("table", "view", "type", "schema") else ""
            yield f"DROP {_DROPS[kind]} IF EXISTS {name}{cascade}"
    for obj in sorted(there - here, key=_in_order):
        yield from _made(obj, lambda prop, obj=obj: wanted.get((obj, prop)), wanted)  # type: ignore[misc]
    for obj, prop in sorted(differing):
        kind, name = kind_of(obj)
        if obj in there and (obj in here or prop.startswith(("constraint ", "trigger ", "policy ", "row "))):
            later = default_later and (obj, prop) not in now and wanted.get((obj, f"{prop} nullability")) == "null"
            at_first = {**wanted, (obj, f"{prop} default"): ""} if later else wanted
            yield from _changed(kind, name, obj, prop, now, at_first)


def _in_order(obj: str) -> tuple[int, str]:
    order = ("schema", "extension", "type", "sequence", "table", "function", "index", "view", "materialized view")
    kind = kind_of(obj)[0]
    return (order.index(kind) if kind in order else len(order), obj)


def _made(obj: str, value: Callable[[str], str | None], wanted: Snapshot) -> Iterator[str]:
    kind, name = kind_of(obj)
    match kind:
        case "table":
            columns = [prop for o, prop in wanted if o == obj and len(words_of(prop)) == 2 and prop[:7] == "column "]
            body = ", ".join(_column(words_of(prop)[1], prop, value) for prop in sorted(columns, reverse=True))
            yield f"CREATE TABLE {name} ({body})"
        case "index":
            yield _index(name, value)
        case "type" if value("kind") == "enum":
            yield f"CREATE TYPE {name} AS ENUM ({value('labels')})"
        case "view" | "materialized view":
            yield f"CREATE {_DROPS[kind]} {name} AS {value('definition')}"
        case "schema":
            yield f"CREATE SCHEMA {name}"
        case "extension":
            yield f"CREATE EXTENSION {name}"
        case "sequence":
            yield f"CREATE SEQUENCE {name} AS {value('type')}"


def _column(column: str, prop: str, value: Callable[[str], str | None]) -> str:
    kind, default, identity = value(f"{prop} type"), value(f"{prop} default"), value(f"{prop} identity")
    text = f"{column} {kind}"
    if default and default.startswith("nextval("):
        text = f"{column} {'bigserial' if kind == 'bigint' else 'smallserial' if kind == 'smallint' else 'serial'}"
    elif default:
        text += f" DEFAULT {default}"
    if identity:
        text += f" GENERATED {identity.upper()} AS IDENTITY"
    return text + (" NOT NULL" if value(f"{prop} nullability") == "not null" else "")


def _index(name: str, value: Callable[[str], str | None]) -> str:
    unique = "UNIQUE " if (value("unique") or "").startswith("yes") else ""
    predicate = f" WHERE {value('predicate')}" if value("predicate") else ""
    include = f" INCLUDE ({value('include')})" if value("include") else ""
    bare = words_of(name.replace(".", " ", 1))[-1]
    on = f"{value('table')} USING {value('method')} ({value('columns')})"
    return f"CREATE {unique}INDEX {bare} ON {on}{include}{predicate}"


def _changed(kind: str, name: str, obj: str, prop: str, now: Snapshot, wanted: Snapshot) -> Iterator[str]:
    old, new = now.get((obj, prop)), wanted.get((obj, prop))
    match (kind, *words_of(prop)):
        case ("table", "column", column):
            if new is None:
                yield f"ALTER TABLE {name} DROP COLUMN IF EXISTS {column} CASCADE"
            else:
                yield f"ALTER TABLE {name} ADD COLUMN {_column(column, prop, lambda p: wanted.get((obj, p)))}"
        case ("table", "column", column, word) if (obj, f"column {column}") in now and (
            obj,
            f"column {column}",
        ) in wanted:
            yield from _column_changed(f"ALTER TABLE {name} ALTER COLUMN {column}", column, word, new)
        case ("table", "constraint", constraint) if new is not None:
            yield f"ALTER TABLE {name} ADD CONSTRAINT {constraint} {new}"
        case ("table" | "view", "trigger", trigger):
            if old is not None:
                yield f"DROP TRIGGER IF EXISTS {trigger} ON {name}"
            if new is not None:
                yield new
        case ("table", "policy", policy) if new is None:
            yield f"DROP POLICY IF EXISTS {policy} ON {name}"
        case ("table", "row", "security") if new in ("enabled", "disabled"):
            yield f"ALTER TABLE {name} {'ENABLE' if new == 'enabled' else 'DISABLE'} ROW LEVEL SECURITY"
        case ("view", "definition"):
            yield f"CREATE OR REPLACE VIEW {name} AS {new}"
        case ("type", "labels"):
            yield from _labels(name, (old or "").split(", "), (new or "").split(", "))
        case ("index", _) if prop != "exists":
            yield f"DROP INDEX IF EXISTS {name}"


def _labels(name: str, old: list[str], new: list[str]) -> Iterator[str]:
    for position, label in enumerate(new):
        if label not in old:
            yield f"ALTER TYPE {name} ADD VALUE {label} " + (
                f"AFTER {new[position - 1]}" if position else f"BEFORE {old[0]}"
            )


def _column_changed(alter: str, column: str, word: str, new: str | None) -> Iterator[str]:
    match word:
        case "type":
            yield f"{alter} DROP DEFAULT"
            yield f"{alter} TYPE {new} USING {column}::text::{new}"
        case "nullability":
            yield f"{alter} {'SET' if new == 'not null' else 'DROP'} NOT NULL"
        case "default":
            yield f"{alter} DROP DEFAULT" if new is None else f"{alter} SET DEFAULT {new}"
