"""Finds a statement's preconditions: objects that must be there for it to succeed, and objects that must not."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from recovery.sql.names import quoted
from recovery.sql.statements import Parsed
from states.comparison import name_of, taken_apart
from states.facts import Key, Snapshot

_LAST = re.compile(r'("(?:[^"]|"")+"|[^".]+)\Z')
_ON_TABLES = ("alter_table_stmt", "index_stmt", "create_trig_stmt")

#: Statements with OR REPLACE: what is there already is replaced, not skipped.
_REPLACING = ("view_stmt", "create_function_stmt", "create_trig_stmt", "rule_stmt", "define_stmt")


class Demands(NamedTuple):
    """The preconditions of a statement.

    Attributes:
        makes: properties that must be absent before it, or it is sure to fail.
        needs: properties that must be there, or it is sure to fail.
        skips: properties of which it makes none that is there already, and does not fail either.
    """

    makes: frozenset[Key] = frozenset()
    needs: frozenset[Key] = frozenset()
    skips: frozenset[Key] = frozenset()


def demands(parsed: Sequence[Parsed], snapshots: Sequence[Snapshot], path: Sequence[str]) -> list[Demands]:
    """The preconditions of each replayed statement.

    Only certain ones: none of a conditional statement, none on an object whose name PostgreSQL chooses, and none on an
    object that an earlier statement may have made or dropped in production although it did not in the replay.

    Args:
        parsed: the script's statements.
        snapshots: the schema before the script, and after each statement that was replayed.
        path: the schemas of unqualified names.
    """
    found: list[Demands] = []
    doubtful: set[str] = set()
    unsure = len(path) != 1
    for statement, before, after in zip(parsed, snapshots, snapshots[1:], strict=False):
        names = {f"{quoted(name.schema)}.{quoted(name.name)}" for name in statement.names if name.schema}
        names |= {f"{schema}.{quoted(name.name)}" for name in statement.names if not name.schema for schema in path}
        plain = {quoted(name.name) for name in statement.names if not name.schema}
        unsure = unsure or statement.opaque or "search_path" in statement.sql.lower()
        if statement.guarded and statement.node not in _REPLACING:
            found.append(Demands(skips=frozenset(_made(before, after))))
        elif unsure or statement.guarded or statement.control or statement.inert:
            found.append(Demands())
        else:
            makes = {key for key in _made(before, after) if _says(statement, key)}
            needs = set(_needed(statement, names, before, after))
            found.append(Demands(*(frozenset(k for k in keys if _about(k) not in doubtful) for keys in (makes, needs))))
        unsure = unsure or "cascade" in statement.sql.lower()
        if statement.guarded:
            doubtful |= names | plain
    return found


def _about(key: Key) -> str:
    """The name of a property's object, as a statement names it."""
    return name_of(key[0])


def _part(prop: str) -> str:
    """The kind of the part whose existence or definition a property is; empty if it is none."""
    found = taken_apart(prop)
    return "" if found.detail or found.kind == "attribute" else found.kind


def _made(before: Snapshot, after: Snapshot) -> Iterator[Key]:
    if before is after:
        return
    for obj, prop in after.keys() - before.keys():
        if prop == "exists" or (_part(prop) and (obj, "exists") in before):
            yield obj, prop


def _says(statement: Parsed, key: Key) -> bool:
    """Whether the statement's text holds the name. If not, PostgreSQL chose it, and could choose another one."""
    part = _part(key[1])
    last = _LAST.search(_about(key))
    name = key[1].removeprefix(f"{part} ") if part else last[1] if last else ""
    return bool(name) and name.strip('"').replace('""', '"').lower() in statement.sql.replace('""', '"').lower()


def _needed(statement: Parsed, names: set[str], before: Snapshot, after: Snapshot) -> Iterator[Key]:
    if statement.node in _ON_TABLES:
        yield from (key for name in names if (key := (f"table {name}", "exists")) in before)
    if statement.node == "drop_stmt":
        yield from (key for key in before.keys() - after.keys() if key[1] == "exists" and _about(key) in names)
    if statement.node == "alter_table_stmt":
        for obj, prop in before.keys() - after.keys():
            kind = _part(prop)
            dropped = kind == "column" or (kind == "constraint" and "constraint" in statement.sql.lower())
            if dropped and (obj, "exists") in after and _about((obj, prop)) in names:
                yield from ((obj, prop),) if _says(statement, (obj, prop)) else ()
