"""Pending migrations of which production has something already: what a deploy of them would run into."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from states.facts import Key, Replay, Snapshot, Subject

#: What a migration changes: properties with their new values; None takes one away.
Delta = Mapping[Key, str | None]


def delta(replay: Replay) -> Delta:
    """What the whole script changes, once it has run."""
    first, last = replay.steps[0], replay.steps[-1]
    return {key: last.get(key) for key in replay.footprint if first.get(key) != last.get(key)}


def after(production: Snapshot, deltas: Iterable[Delta]) -> dict[Key, str]:
    """Production once these changes are made, in their order."""
    now = dict(production)
    for change in deltas:
        gone = {key for key, value in change.items() if value is None}
        now = {key: value for key, value in now.items() if not _goes(key, gone)}
        now |= {key: value for key, value in change.items() if value is not None}
    return now


def _goes(key: Key, gone: set[Key]) -> bool:
    """With an object goes all that it has, and with a column too."""
    obj, prop = key
    words = prop.split(" ")
    columns = [" ".join(words[:end]) for end in range(2, len(words))] if words[0] == "column" else []
    return key in gone or (obj, "exists") in gone or any((obj, column) in gone for column in columns)


def in_view(subject: Subject) -> dict[Key, str]:
    """What the steps are compared with: production, as the scratch server would write it, after what comes before."""
    return after({**subject.production, **subject.reread}, subject.assumed)


def surely_fails(replay: Replay, production: Snapshot) -> str:
    """Why a deploy of the script is sure to fail on such a production, by its first such statement; or empty."""
    now = dict(production)
    for statement, (before, then) in zip(replay.statements, pairwise(replay.steps), strict=False):
        there = sorted(statement.makes & now.keys(), key=_tables_first)
        if there:
            return f"statement {statement.index} makes {_named(there[0])}, which is there already"
        absent = sorted((key for key in statement.needs if key not in now), key=_tables_first)
        if absent:
            return f"statement {statement.index} needs {_named(absent[0])}, which is not there"
        changed = {key for key in replay.footprint if before.get(key) != then.get(key)}
        now = after(now, ({key: then.get(key) for key in changed},))
    return ""


def _tables_first(key: Key) -> tuple[bool, Key]:
    return not key[0].startswith("table "), key


def _named(key: Key) -> str:
    obj, prop = key
    return obj if prop == "exists" else f"{prop} of {obj}"
