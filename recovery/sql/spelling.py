"""Recognises equal expressions that servers of different versions write in different words (RULES E13).

Since version 14 PostgreSQL writes `now() AT TIME ZONE 'utc'` where version 13 writes `timezone('utc'::text, now())`,
and leaves out casts to text that it adds by itself.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from recovery.sql.parser import postgast
from recovery.sql.tree import strings, walk
from states.facts import Key

_NAME = r'(?:"(?:[^"]|"")*"|\S+)'
#: For each pattern of property names, a statement around the property's value, so that it can be parsed. The first one
#: that matches is used.
_STATEMENTS = (
    (r"(column .* )?default|predicate", "SELECT {}"),
    (rf"constraint {_NAME}", "ALTER TABLE t ADD CONSTRAINT c {}"),
    (r"columns", "CREATE INDEX ON t ({})"),
    (rf"policy {_NAME}", "CREATE POLICY p ON t {}"),
    (rf"trigger {_NAME}|definition", "{{}}"),
)
_GENERATED = re.compile(r"column .* generated\Z", re.DOTALL)

_SQL_SYNTAX = 14_00_00
#: Functions that version 14 writes in the SQL standard's syntax. Before version 14 EXTRACT was date_part.
_SYNTAX = {
    "btrim",
    "date_part",
    "is_normalized",
    "ltrim",
    "normalize",
    "overlaps",
    "overlay",
    "position",
    "rtrim",
    "substring",
    "timezone",
    "xmlexists",
}


def respelled(
    known: Mapping[Key, Iterable[str]], production: Mapping[Key, str], versions: tuple[int, int]
) -> dict[Key, str]:
    """Rewrites production's values in the words of the scratch server, where they mean the same.

    Args:
        known: the values that the scratch server writes, one for each step.
        production: a snapshot of production.
        versions: versions of the two servers, such as 180006. Nothing is rewritten unless exactly one of them is older
            than 14.

    Returns:
        The rewritten values; those that are equal already, or mean something else, are left out.
    """
    if not min(versions) < _SQL_SYNTAX <= max(versions):
        return {}
    found = {}
    for key, values in known.items():
        actual = production.get(key)
        if actual is None or actual in values:
            continue
        plain = _plain(key[1], actual)
        same = next((value for value in values if plain is not None and _plain(key[1], value) == plain), None)
        if same is not None:
            found[key] = same
    return found


def _plain(prop: str, value: str) -> str | None:
    """The value in one spelling for all versions; None if it is no expression, or can't be parsed."""
    statement = next((form for pattern, form in _STATEMENTS if re.fullmatch(pattern, prop, re.DOTALL)), None)
    if _GENERATED.match(prop):
        kind, _, value = value.partition(" ")
        statement = f"SELECT {{}} AS {kind}"
    if statement is None:
        return None
    try:
        tree = postgast.parse(statement.replace("{}", value))
        for message in walk(tree):
            if message.DESCRIPTOR.name == "FuncCall":
                _call_plainly(message)
        return str(postgast.deparse(tree))
    except postgast.PgQueryError:
        return None


def _call_plainly(call: Any) -> None:
    """Changes a call of one of `_SYNTAX` to an ordinary call by the bare name, without casts of arguments to text."""
    name = strings(call.funcname)[-1]
    name = "date_part" if name == "extract" else name
    if name not in _SYNTAX or strings(call.funcname)[:-1] not in ((), ("pg_catalog",)):
        return
    del call.funcname[:-1]
    call.funcname[0].string.sval = name
    call.funcformat = 1  # COERCE_EXPLICIT_CALL
    for argument in call.args:
        while argument.WhichOneof("node") == "type_cast" and _is_text(argument.type_cast.type_name):
            inner = type(argument)()
            inner.CopyFrom(argument.type_cast.arg)
            argument.CopyFrom(inner)


def _is_text(type_name: Any) -> bool:
    return strings(type_name.names)[-1:] == ("text",) and not type_name.array_bounds
