"""Replays scripts in a row as one step, to compare production with all of them at once.

Step by step each script costs several readings of the whole catalog. Where production has nothing of any of them, two
readings tell that of all: one before the first, and one after the last. That takes scripts whose texts name all that
they work on (`recovery.sql.plain.keeps_names`): what one of them makes and a later one drops shows in neither reading.
"""

from collections.abc import Sequence

from recovery.replay.history import HistoryReplay
from recovery.replay.steps import added_columns
from recovery.sql.names import quoted
from recovery.sql.plain import keeps_names
from recovery.sql.script import Script
from recovery.sql.statements import Parsed, ScriptError
from states.comparison import is_next_value, is_remark, name_of, qualified_name
from states.facts import Key, Replay, Snapshot

_NOT_KNOWN = "what the scripts work on does not show in their texts alone"


def eligible(script: Script) -> bool:
    """Whether a script may be one of those, as far as its text tells."""
    try:
        return keeps_names(script.text) is not None
    except ScriptError:
        return False


class Overlay:
    """Scripts in a row, to be replayed on a history as one step. Use it on the workshop's thread only."""

    def __init__(self, scripts: Sequence[Script], schema: str) -> None:
        """Reads the scripts.

        Args:
            scripts: each is eligible.
            schema: the schema of unqualified names.
        """
        self._scripts = tuple(scripts)
        statements = (each for script in scripts for each in keeps_names(script.text) or ())
        names = [name for each in statements for name in each.names]
        self._named = frozenset(name for script in scripts for name in _named(script, schema))
        self._plain = {
            f"{kind} {quoted(n.name)}" for n in names if n.schema is None for kind in ("schema", "extension")
        }
        self._stated = frozenset(
            (f"{quoted(name.schema or schema)}.{quoted(name.name)}", name.properties)
            for name in names
            if name.properties
        )
        self._before: Snapshot = {}

    def before(self, history: HistoryReplay) -> Replay:
        """What the scripts name, as it is before them.

        Args:
            history: all that comes before the scripts.
        """
        self._before = history.snapshot()
        return self._replay(history, self._before)

    def whole(self, history: HistoryReplay) -> Replay:
        """What the scripts name, change or make, before the first and after the last.

        The replay has ended early if that does not tell of all that they work on.

        Args:
            history: the same, with the scripts.
        """
        after = history.snapshot()
        replay = self._replay(history, after)
        names = {script.migration for script in self._scripts}
        failed = next((note for note in history.skipped if note.migration in names), None)
        if failed is not None or not self._shown(after):
            return Replay(replay.checksum, (), replay.steps[:1], replay.footprint, replay.created, ended=_NOT_KNOWN)
        return replay

    def _shown(self, after: Snapshot) -> bool:
        """Whether nothing in the schema makes the scripts do more than their texts say."""
        own, defaults = set[str](), False
        for (obj, prop), value in (*self._before.items(), *after.items()):
            if obj.startswith("event trigger ") or prop == "inherits":
                return False
            if prop == "exists" and obj.startswith(("function ", "procedure ")):
                own.add(name_of(obj).rpartition(".")[2].strip('"'))
            defaults = defaults or (prop == "kind" and value == "domain")
        return all(keeps_names(script.text, own, defaults=defaults) is not None for script in self._scripts)

    def _replay(self, history: HistoryReplay, after: Snapshot) -> Replay:
        before = self._before
        changed = {key for key, _ in before.items() ^ after.items() if not is_next_value(key)}
        stood = history.standins
        objects = {obj for obj, _ in changed}
        objects |= {obj for each in (before, after) for obj, prop in each if prop == "exists" and self._names(obj)}
        closed = objects - stood
        keys = changed | {key for each in (before, after) for key in each if key[0] in closed and _counts(key)}
        keys |= {key for key in before if key[0] in objects & stood and self._states(key)}
        return Replay(
            checksum="".join(script.checksum for script in self._scripts),
            statements=(),
            steps=tuple({key: each[key] for key in keys if key in each} for each in (before, after)),
            footprint=frozenset(keys),
            created=frozenset(closed),
            added=added_columns(before, [after]),
            named=self._named,
            skipped=tuple(history.skipped),
        )

    def _names(self, obj: str) -> bool:
        return qualified_name(obj) in self._named or obj in self._plain

    def _states(self, key: Key) -> bool:
        """Whether a statement says what this property is."""
        obj, prop = key
        return any((qualified_name(obj), part) in self._stated for part in (prop, *_beginnings(prop)))


def _beginnings(prop: str) -> Sequence[str]:
    return [prop[:place] for place, letter in enumerate(prop) if letter == " "]


def _counts(key: Key) -> bool:
    return not (is_remark(key) or is_next_value(key))


def worked_on(scripts: Sequence[Script], schema: str, overlay: Replay) -> list[set[str | None]]:
    """For each of the scripts in a row, qualified names of what it changes, or may change.

    Args:
        scripts: each is eligible.
        schema: the schema of unqualified names.
        overlay: of all of them. What none of them names, and is no index of a table, may be of any one of them.
    """
    before, after = overlay.steps[0], overlay.steps[-1]
    of_name: dict[str, set[str | None]] = {}
    of_any = set[str | None]()
    for obj in {obj for obj, prop in overlay.footprint if before.get((obj, prop)) != after.get((obj, prop))}:
        name, table = qualified_name(obj), after.get((obj, "table"))
        for each in (name, table):
            of_name.setdefault(each or "", set()).add(name)
        if table is None and name not in overlay.named:
            of_any.add(name)
    return [of_any.union(*(of_name.get(name, ()) for name in _named(script, schema))) for script in scripts]


def _named(script: Script, schema: str) -> set[str]:
    statements: Sequence[Parsed] = keeps_names(script.text) or ()
    return {f"{quoted(n.schema or schema)}.{quoted(n.name)}" for each in statements for n in each.names}
