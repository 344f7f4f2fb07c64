"""What migrations that finished later did to the objects of a failed one, found by replaying them (RULES E29)."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from recovery.sql.names import quoted
from recovery.sql.script import Script
from recovery.sql.statements import Parsed, ScriptError, parse
from states.comparison import column_of, name_of, qualified_name, unquoted
from states.facts import Key, Replay, Snapshot


@dataclass(frozen=True, slots=True)
class Course:
    """Migrations that were replayed one after the other, on what was there before the failed one began.

    Attributes:
        replay: of all their statements, in a row.
        places: for each migration, the numbers of its statements.
        failed: the failed migration's name, if its script ran first; empty if it did not run.
    """

    replay: Replay
    places: dict[str, range]
    failed: str = ""

    def changed(self, migration: str) -> set[Key]:
        """Every property that a statement of this migration changed."""
        places = self.places.get(migration, range(0))
        return {
            key
            for index, (before, after) in enumerate(pairwise(self.replay.steps), start=1)
            if index in places and before is not after
            for key in _differing(before, after)
        }

    def reached(self, migration: str) -> bool:
        """Whether every statement of this migration was replayed."""
        places = self.places.get(migration, range(0))
        return places.stop <= len(self.replay.steps)


def courses(
    failed: Sequence[Script], later: Sequence[Script], schema: str, run: Callable[[Script], Replay]
) -> tuple[Course, ...]:
    """The later migrations replayed without the failed one, and after each of its scripts; empty if that can't be.

    Args:
        failed: the scripts that attempts of the failed migration ran.
        later: the migrations that finished later, in their order; if there are none, nothing is replayed.
        schema: the search path of each script.
        run: replays a script on what was there before the failed migration began.
    """
    if not later:
        return ()
    try:
        rows = [_in_a_row(scripts, schema) for scripts in ([*later], *([one, *later] for one in failed))]
    except ScriptError:
        return ()
    names = ("", *(one.migration for one in failed))
    return tuple(Course(run(row), places, name) for (row, places), name in zip(rows, names, strict=True))


def _in_a_row(scripts: Sequence[Script], schema: str) -> tuple[Script, dict[str, range]]:
    """One script of all these, and for each the numbers of its statements in that one."""
    between = f"SET search_path = {quoted(schema)}" if any("search_path" in one.text.lower() for one in scripts) else ""
    texts, places, count = list[str](), dict[str, range](), 0
    for script in scripts:
        if between and texts:
            texts.append(between)
            count += 1
        total = len(parse(script.text))
        places[script.migration] = range(count + 1, count + 1 + total)
        texts.append(script.text)
        count += total
    checksum = hashlib.sha256("".join(script.checksum for script in scripts).encode()).hexdigest()
    return Script(scripts[-1].migration, checksum, "\n;\n".join(texts)), places


def overtaking(
    failed: Sequence[Script], replays: Sequence[Replay], later: Sequence[Script], schema: str, found: Sequence[Course]
) -> frozenset[str]:
    """Names of the later migrations that did something to an object of the failed one, or may have done so.

    A later one did something if its statements change a property of the failed one's footprint, or anything of an
    object that the failed one changes. It may have done something if it writes rows of an object that the failed one
    names, or if it could not be replayed to its end and names such an object.

    Args:
        failed: the scripts of the failed migration.
        replays: their replays, on the present history.
        later: the migrations that finished later.
        schema: the schema of unqualified names.
        found: their courses.
    """
    footprint = {key for replay in replays for key in replay.footprint}
    changed = {key for replay in replays for pair in pairwise(replay.steps) for key in _differing(*pair)}
    changed |= {key for course in found if course.failed for key in course.changed(course.failed)}
    objects = {obj for obj, _ in changed}
    named = {name for script in failed for name in _names(_statements(script) or (), schema)}
    there = named | {qualified_name(obj) for obj, _ in footprint | changed}

    def touches(key: Key) -> bool:
        obj, prop = key
        return key in footprint or obj in objects or (prop == "exists" and qualified_name(obj) in named)

    def may(script: Script) -> bool:
        statements = _statements(script)
        if statements is None:
            return True
        if found and all(course.reached(script.migration) for course in found):
            statements = [each for each in statements if not each.schema_only]
        return any(each.opaque for each in statements) or not there.isdisjoint(_names(statements, schema))

    return frozenset(
        script.migration
        for script in later
        if may(script) or any(touches(key) for course in found for key in course.changed(script.migration))
    )


def making_again(replays: Sequence[Replay], others: Iterable[Script]) -> tuple[str, ...]:
    """Names of the migrations whose text holds the name of something that the failed one takes away (RULES E30).

    If both ran, such a one may have made it again, and the failed one looks as if it had not run.

    Args:
        replays: of the failed migration's scripts.
        others: the scripts of other migrations that failed.
    """
    gone = {key for replay in replays for step in replay.steps[1:] for key in replay.steps[0].keys() - step.keys()}
    names = {_bare(key) for key in gone}
    return tuple(
        dict.fromkeys(
            script.migration
            for script in others
            if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", script.text, re.IGNORECASE) for name in names)
        )
    )


def _bare(key: Key) -> str:
    """The name of a column, or of an object without its schema, as a script writes it between its quotes."""
    obj, prop = key
    column = column_of(prop)
    return unquoted(column.removeprefix("column ") if column else name_of(obj).rpartition(".")[2])


def _differing(before: Snapshot, after: Snapshot) -> set[Key]:
    """Every property that differs between two snapshots."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def _statements(script: Script) -> list[Parsed] | None:
    """The statements of a script; None if it can't be parsed."""
    try:
        return list(parse(script.text))
    except ScriptError:
        return None


def _names(statements: Iterable[Parsed], schema: str) -> Iterator[str]:
    """The qualified names of the objects that statements name."""
    return (f"{quoted(n.schema or schema)}.{quoted(n.name)}" for each in statements for n in each.names)
