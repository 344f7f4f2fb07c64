"""Expressions that servers of different versions write otherwise, and that are the same (RULES E13).

Version 14 began to write `now() AT TIME ZONE 'utc'` where version 13 writes `timezone('utc'::text, now())`, and left
away casts to text that it adds itself.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from recovery.sql.parser import postgast
from recovery.sql.tree import strings, walk
from states.facts import Key

_NAME = r'(?:"(?:[^"]|"")*"|\S+)'
#: What makes a statement of a property's value, so that it can be parsed; the first pattern that fits.
_STATEMENTS = (
    (r"(column .* )?default|predicate", "SELECT {}"),
    (rf"constraint {_NAME}", "ALTER TABLE t ADD CONSTRAINT c {}"),
    (r"columns", "CREATE INDEX ON t ({})"),
    (rf"policy {_NAME}", "CREATE POLICY p ON t {}"),
    (rf"trigger {_NAME}|definition", "{{}}"),
)
_GENERATED = re.compile(r"column .* generated\Z", re.DOTALL)

_SQL_SYNTAX = 14_00_00
#: Functions that version 14 writes in SQL's own syntax. EXTRACT was one of them before it had a function of its own.
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
    """Production's values that say the same as a known one in other words, as the known one says it.

    Args:
        known: how the scratch server writes them, at each step.
        production: a snapshot of another server.
        versions: of the two servers, as 180006; nothing is respelled unless one of them is older than 14 alone.
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
    """The value in the plainest words; None where it is no expression, or can't be read."""
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
