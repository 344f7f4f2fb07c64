"""Would a deploy fail because effects of a pending migration are already in production?"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from states.comparison import Difference, differences, is_next_value, is_remark, qualified_name, taken_apart
from states.facts import Key, Replay, Snapshot, Subject

#: The changes of a migration: properties with their new values, None for a property that it removes.
Delta = Mapping[Key, str | None]


def delta(replay: Replay) -> Delta:
    """The changes between the first and the last step of the replay."""
    first, last = replay.steps[0], replay.steps[-1]
    return {key: last.get(key) for key in replay.footprint if first.get(key) != last.get(key)}


def concerning(change: Delta, replay: Replay) -> Delta:
    """What of an earlier migration's changes is about objects that this script works on or names.

    Only that is compared; with all that is pending before it, the last of hundreds would be compared with everything.
    """
    objects = {obj for obj, _ in replay.footprint}
    near = {obj for obj, _ in change if obj in objects or qualified_name(obj) in replay.named}
    tables = {obj.removeprefix("table ") for obj in objects | near} | replay.named

    def counts(obj: str) -> bool:
        # An index counts with its table. Where the change does not tell which that is, it may be one of these.
        return obj in near or (obj.startswith("index ") and change.get((obj, "table"), "") in ("", None, *tables))

    return {(obj, prop): value for (obj, prop), value in change.items() if counts(obj)}


def after(production: Snapshot, deltas: Iterable[Delta]) -> dict[Key, str]:
    """Production after these changes, made in order."""
    now = dict(production)
    for change in deltas:
        gone = {key for key, value in change.items() if value is None}
        if gone:
            now = {key: value for key, value in now.items() if not _goes(key, gone)}
        now |= {key: value for key, value in change.items() if value is not None}
    return now


def _goes(key: Key, gone: set[Key]) -> bool:
    """Whether the property goes away with a removed property: all of an object or a part goes with it."""
    obj, prop = key
    return key in gone or (obj, "exists") in gone or (obj, taken_apart(prop).part) in gone


def in_view(subject: Subject) -> dict[Key, str]:
    """The snapshot to compare with the steps.

    It is production, with texts as the scratch server writes them, after the changes of the pending migrations before.
    """
    return after({**subject.production, **subject.reread}, subject.assumed)


def unlike_before(replay: Replay, production: Snapshot) -> frozenset[str]:
    """The objects of which production is not as before the scripts; empty if it has nothing of any of them.

    Args:
        replay: of scripts in a row, as one step. Its objects are compared closed, but for remarks that no script makes
            and the numbers that sequences give.
        production: everything of the objects that the scripts name or make.
    """
    before = replay.steps[0]
    known = {obj for obj, _ in before}
    found = {key[0] for key in replay.footprint if production.get(key) != before.get(key)}
    for key in production.keys() - replay.footprint:
        obj = key[0]
        if is_remark(key) or is_next_value(key) or obj in found:
            continue
        if obj in replay.created or (obj not in known and qualified_name(obj) in replay.named):
            found.add(obj)
    return frozenset(found)


def surely_fails(replay: Replay, production: Snapshot) -> str:
    """Why the script is sure to fail on this production, as its first such statement shows; empty if it isn't sure."""
    now = dict(production)
    for statement, (before, then) in zip(replay.statements, pairwise(replay.steps), strict=False):
        there = sorted(statement.makes & now.keys(), key=_tables_first)
        if there:
            return f"statement {statement.index} makes {_named(there[0])}, which is already there"
        absent = sorted((key for key in statement.needs if key not in now), key=_tables_first)
        if absent:
            return f"statement {statement.index} needs {_named(absent[0])}, which is not there"
        changed = {key for key in replay.footprint if before.get(key) != then.get(key)}
        now = after(now, ({key: then.get(key) for key in changed},))
    return ""


def passed_over(replay: Replay, production: Snapshot) -> str:
    """What the script would pass over although production has it otherwise, as a clause; empty if there is none.

    IF NOT EXISTS asks for the name alone, so the run ends well, and what is there stays as it is.
    """
    if not any(statement.skips & production.keys() for statement in replay.statements):
        return ""
    found = [differences(replay, step, production) for step in range(len(replay.steps))]
    for statement in replay.statements:
        for obj, prop in sorted(statement.skips & production.keys()):
            if all(any(_of_part(each, obj, prop) for each in at) for at in found[statement.index :]):
                return f"statement {statement.index} would pass over {_named((obj, prop))}, which differs"
    return ""


def _of_part(found: Difference, obj: str, prop: str) -> bool:
    """Whether a difference is one of an object, or of a part of it."""
    return found.object == obj and (prop in ("exists", found.property) or taken_apart(found.property).part == prop)


def _tables_first(key: Key) -> tuple[bool, Key]:
    return not key[0].startswith("table "), key


def _named(key: Key) -> str:
    obj, prop = key
    return obj if prop == "exists" else f"{prop} of {obj}"
