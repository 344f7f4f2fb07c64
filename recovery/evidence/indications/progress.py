"""How far the attempts of a migration came, judged by the object that PostgreSQL said already exists."""

import re
from collections.abc import Sequence
from itertools import pairwise

from recovery.prisma import logs
from states.attribution import CameTo
from states.comparison import column_of, name_of
from states.facts import Key, Replay, Row

_EXISTS = re.compile(r'(?:relation|type|schema) "(?P<name>.+)" already exists')
#: The name itself, after the schema's.
_LAST = re.compile(r'(?:"(?:[^"]|"")*"|[^".]+)\Z')
_COLUMN_EXISTS = re.compile(r'column "(?P<name>.+)" of relation "(?P<table>.+)" already exists')


def came_to(attempts: Sequence[Row], replay: Replay) -> CameTo:
    """How far the attempts came, by their logs. Both fields are empty if a log does not tell."""
    found = [_refused(row, replay) if row.checksum == replay.checksum else None for row in attempts]
    known = [index for index in found if index is not None]
    if not known or len(known) < len(found):
        return CameTo()
    before = (s.index for s in replay.statements if s.index < known[0] and not s.conditional)
    return CameTo(max(known), frozenset(before if len(known) == 1 else ()))


def _refused(row: Row, replay: Replay) -> int | None:
    """Index of the statement that PostgreSQL refused with "already exists"; None if more than one can be meant."""
    said = logs.refused(row.logs) or ""
    column = _COLUMN_EXISTS.fullmatch(said)
    made = column or _EXISTS.fullmatch(said)
    if made is None:
        return None
    able = [
        index
        for index, (before, after) in enumerate(pairwise(replay.steps), 1)
        if any(key not in before and _is(key, made["name"], made["table"] if column else None) for key in after)
    ]
    return able[0] if len(able) == 1 else None


def _is(key: Key, name: str, table: str | None) -> bool:
    """Whether a property is the existence of the object `name`, or, with a table, of its column `name`."""
    obj, prop = key
    last = _LAST.search(name_of(obj))
    bare = _unquoted(last[0]) if last else ""
    if table is None:
        return prop == "exists" and bare == name
    return bare == table and column_of(prop) == prop and _unquoted(prop.removeprefix("column ")) == name


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') and name.endswith('"') else name
