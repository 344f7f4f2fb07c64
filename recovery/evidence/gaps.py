"""Whether what of the history could not be replayed may matter to a failed migration (RULES E26)."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recovery.sql.script import Script
from recovery.sql.statements import Parsed, ScriptError, parse, tree
from recovery.sql.tree import enum_name, functions, of
from states.comparison import unquoted
from states.facts import Note

_WORD = re.compile(r"[^\W\d][\w$]*")
_LAST_PART = re.compile(r'(?:"(?:[^"]|"")*"|[^."]+)\Z')
#: Statements that are not executed in a scratch database, and that may make or change what a migration works on. The
#: others are about roles, settings, other servers, or rows.
_NOT_EXECUTED = {
    "create_foreign_table_stmt",
    "import_foreign_schema_stmt",
    "drop_owned_stmt",
    "create_function_stmt",
    "create_extension_stmt",
    "do_stmt",
    "select_stmt",
}
#: Statements with a text of which only a part is read.
_WITH_A_BODY = {"do_stmt", "create_function_stmt"}
#: Statements that leave the schema as it is, apart from what a function or a trigger may do.
_ROWS_ONLY = {"insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "truncate_stmt", "copy_stmt"}
#: Functions of PostgreSQL's that change no schema.
_CHANGES_NO_SCHEMA = {
    *("setval", "nextval", "currval", "lastval", "set_config", "current_setting", "pg_get_serial_sequence", "version"),
    *("count", "max", "min", "sum", "coalesce", "greatest", "least", "now", "pg_sleep", "pg_notify"),
}


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a statement may work on.

    Attributes:
        names: bare names of the objects; None for any.
        words: every word of its text.
        depends: bare names of the objects on which it may depend what it does; other words may be among them.
        written: for a table that is made or gets a foreign key, the one table that is changed: what the statement does
            to it does not depend on the others that it names. Empty if any named object may be changed.
        still: it changes nothing in the schema.
    """

    names: frozenset[str] | None
    words: frozenset[str]
    depends: frozenset[str] = frozenset()
    written: str = ""
    still: bool = False


def may_matter(base: Sequence[Script], notes: Iterable[Note], objects: Collection[str | None]) -> tuple[str, ...]:
    """The migrations and statements that were left out of a replay and may have worked on one of these objects.

    What was left out may have changed what it names, and what later statements make of that.

    Args:
        base: the history, in its order.
        notes: on what was left out of its replay.
        objects: qualified names, as in a snapshot.
    """
    wanted = {_bare(name) for name in objects if name}
    left: dict[str, set[int | None]] = {}
    for note in notes:
        left.setdefault(note.migration, set()).add(note.statement)
    if not left.keys() & {script.migration for script in base}:
        return ()
    failed = {(note.migration, note.statement) for note in notes if note.failed}
    parts = [(script.migration, _parts(script.text)) for script in base]
    found = []
    for place, (migration, statements) in enumerate(parts):
        numbers = left.get(migration, set())
        if None in numbers:
            lost = [reach for _, reach in statements] if statements is not None else [_ANYTHING]
            if _meets(lost, (part for _, part in parts[place + 1 :]), 0, wanted):
                found.append(migration)
            continue
        for number in sorted(each for each in numbers if each is not None):
            if statements is None:
                continue
            statement, reach = statements[number - 1]
            if (migration, number) not in failed:
                if statement.node not in _NOT_EXECUTED:
                    continue
                reach = _Reach(reach.words, reach.words)
            if _meets([reach], (part for _, part in parts[place:]), number, wanted):
                found.append(f"{migration}, statement {number}")
    return tuple(found)


_ANYTHING = _Reach(None, frozenset())
_Part = Sequence[tuple[Parsed, _Reach]] | None


def _meets(lost: Sequence[_Reach], later: Iterable[_Part], after: int, wanted: Collection[str]) -> bool:
    """Whether what was left out, or what later statements made of it, may be one of the wanted objects.

    Args:
        lost: what was left out may work on.
        later: the statements of the script that it belongs to, and of those after it.
        after: how many statements of the first of these come before what follows it.
        wanted: bare names.
    """
    if not wanted:
        return False
    names = set[str]()
    for reach in lost:
        if reach.names is None:
            return True
        names |= reach.names
    for place, part in enumerate(later):
        if not names.isdisjoint(wanted):
            return True
        if part is None:
            return True
        for _, reach in part[after if place == 0 else 0 :]:
            if reach.still:
                continue
            if reach.names is None:
                if not reach.words.isdisjoint(names):
                    return True
            elif not reach.depends.isdisjoint(names) and (not reach.written or reach.written in names):
                names |= reach.names
    return not names.isdisjoint(wanted)


def _parts(text: str) -> _Part:
    """The statements of a script, each with what it may work on; None if the script can't be parsed."""
    try:
        return [
            (statement, _reach(statement, body)) for statement, (_, body) in zip(parse(text), tree(text), strict=True)
        ]
    except ScriptError:
        return None


def _reach(statement: Parsed, body: Any) -> _Reach:
    words = _words(statement.sql)
    if statement.inert:
        return _Reach(frozenset(), words, still=True)
    if statement.node in _ROWS_ONLY:
        names = frozenset(name.name for name in statement.names)
        return _Reach(names, words, still=True)
    if statement.node == "select_stmt" and not body.HasField("into_clause"):
        if functions(body) <= _CHANGES_NO_SCHEMA:
            return _Reach(frozenset(), words, still=True)
        return _Reach(_by_arguments(body), words, words)
    if statement.opaque:
        return _Reach(None, words)
    names = frozenset(name.name for name in statement.names)
    # What a condition or a body asks about is not among the names.
    depends = words if statement.node in _WITH_A_BODY else names
    return _Reach(names, words, depends, _written(statement, body))


def _by_arguments(body: Any) -> frozenset[str] | None:
    """The names in the constants that a SELECT gives to functions; None if these may work on anything else.

    An extension's function works on what it is told to: a table's name, or statements to be run.
    """
    if any(True for _ in of(body, "RangeVar")) or any(True for _ in of(body, "RangeFunction")):
        return None
    if any(True for _ in of(body, "ColumnRef")) or any(True for _ in of(body, "SubLink")):
        return None
    texts = [each.sval.sval for each in of(body, "A_Const") if each.WhichOneof("val") == "sval"]
    return frozenset(word for text in texts for word in _words(text)) or None


def _written(statement: Parsed, body: Any) -> str:
    """The one table that a statement changes, whatever the others that it names are like; empty if not known."""
    if statement.node == "create_stmt":
        copies = body.inh_relations or body.HasField("partbound") or any(True for _ in of(body, "TableLikeClause"))
        typed = body.HasField("of_typename")
        return "" if copies or typed or body.if_not_exists else str(body.relation.relname)
    if statement.node == "alter_table_stmt" and enum_name(body, "objtype") == "OBJECT_TABLE":
        plain = all(_adds_a_constraint(item.alter_table_cmd) for item in body.cmds)
        return str(body.relation.relname) if plain else ""
    return ""


def _adds_a_constraint(command: Any) -> bool:
    return enum_name(command, "subtype") == "AT_AddConstraint" and not command.missing_ok


def _words(text: str) -> frozenset[str]:
    words = _WORD.findall(text)
    return frozenset((*words, *(word.lower() for word in words)))


def _bare(qualified: str) -> str:
    found = _LAST_PART.search(qualified)
    return unquoted(found[0] if found else qualified)
