"""Finds scripts that make what the history before them has made already, as two branches do (RULES E27)."""

import re
from collections.abc import Callable, Sequence

from recovery.sql.script import Script
from recovery.sql.statements import ScriptError, parse
from states.facts import Replay, Twin

#: How the replay says that a statement fails because its object is there already: the code, and PostgreSQL's message.
_THERE_ALREADY = re.compile(
    r"statement (?P<statement>\d+) fails when replayed: (?:42701|42P07|42710|42P06|42723|42P16) "
    r"(?P<said>.*(?:already exists\b|multiple primary keys\b).*)\Z"
)
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')
#: The most migrations before which the script is tried.
_MOST_TRIES = 5


def twin(script: Script, replay: Replay, base: Sequence[Script], run: Callable[[list[Script]], Replay]) -> Twin | None:
    """The script's replay on the history before what it makes was made; None if it does not make anything twice.

    Args:
        script: of a failed migration.
        replay: its replay on the whole history.
        base: the whole history before it.
        run: replays the script on a part of the history.
    """
    ended = _THERE_ALREADY.match(replay.ended or "")
    if ended is None:
        return None
    unknown = Twin(script.checksum, int(ended["statement"]), ended["said"])
    if not _only_adds(script):
        return unknown
    said, tries = ended["said"], _MOST_TRIES
    for place in reversed(range(len(base))):
        name = _QUOTED.search(said)
        if tries and name is not None and name[1] in base[place].text:
            tries -= 1
            earlier = run(list(base[:place]))
            if earlier.complete:
                return Twin(unknown.checksum, unknown.statement, unknown.said, base[place].migration, earlier)
            still = _THERE_ALREADY.match(earlier.ended or "")
            if still is None:
                break
            said = still["said"]
    return unknown


def _only_adds(script: Script) -> bool:
    """Whether every statement only adds to the schema, and writes no rows."""
    try:
        return all(statement.additive or statement.inert for statement in parse(script.text))
    except ScriptError:
        return False
