"""Finds scripts that make what the history before them has made already, as two branches do (RULES E27).

A finished migration whose folder was given another name is such a one, too: its script is then the very same.
"""

import re
from collections.abc import Callable, Collection, Sequence

from recovery.sql.script import Script
from recovery.sql.statements import ScriptError, parse
from states.facts import Replay, Twin, Visibility

#: How the replay says that a statement fails because its object is there already: the code, and PostgreSQL's message.
_THERE_ALREADY = re.compile(
    r"statement (?P<statement>\d+) fails when replayed: (?:42701|42P07|42710|42P06|42723|42P16) "
    r"(?P<said>.*(?:already exists\b|multiple primary keys\b).*)\Z"
)
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')
#: The most migrations before which the script is tried.
_MOST_TRIES = 5
#: Statements of which it is known what they do, to the schema and to rows of what the script itself makes.
_KNOWN = (Visibility.SEEN, Visibility.ROWS, Visibility.INERT)


def repeats(replay: Replay) -> bool:
    """Whether a script fails on the history before it because what it makes is there already."""
    return _THERE_ALREADY.match(replay.ended or "") is not None


def twin(
    script: Script,
    replay: Replay,
    base: Sequence[Script],
    run: Callable[[list[Script]], Replay],
    counted: Collection[str] = (),
) -> Twin | None:
    """The script's replay on the history before what it makes was made; None if it does not make anything twice.

    Args:
        script: of a failed migration.
        replay: its replay on the whole history.
        base: the whole history before it.
        run: replays the script on a part of the history.
        counted: the migrations of the history that Prisma saw run to their end.
    """
    ended = _THERE_ALREADY.match(replay.ended or "")
    if ended is None:
        return None
    unknown = Twin(script.checksum, int(ended["statement"]), ended["said"])
    if same := _the_same(script, unknown, base, run, counted):
        return same
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


def _the_same(
    script: Script,
    failing: Twin,
    base: Sequence[Script],
    run: Callable[[list[Script]], Replay],
    counted: Collection[str],
) -> Twin | None:
    """A finished migration that ran this very script to its end, where the attempt at it can have done nothing.

    The attempt can have done nothing if only inert statements come before the one that fails on the history.
    """
    places = (place for place, each in enumerate(base) if each.text == script.text and each.migration in counted)
    place = next(places, None)
    if place is None or not all(each.inert for each in parse(script.text)[: failing.statement - 1]):
        return None
    earlier = run(list(base[:place]))
    if not earlier.complete or any(each.visibility not in _KNOWN for each in earlier.statements):
        return None
    return Twin(failing.checksum, failing.statement, failing.said, base[place].migration, earlier, same=True)


def _only_adds(script: Script) -> bool:
    """Whether every statement only adds to the schema, and writes no rows."""
    try:
        return all(statement.additive or statement.inert for statement in parse(script.text))
    except ScriptError:
        return False
