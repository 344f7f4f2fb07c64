"""Production against the steps of a replay: which step it stands at, and what differs from one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from states.facts import Key, Replay, Snapshot, Visibility

#: How many differences a sentence holds.
_SOME = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """A property that production has otherwise than the replay. None means that it isn't there."""

    object: str
    property: str
    expected: str | None
    actual: str | None

    def __str__(self) -> str:
        """For people."""
        return f"{self.object} {self.property}: expected {self.expected or 'absent'}, is {self.actual or 'absent'}"


def some(found: Sequence[Difference]) -> str:
    """The first of several, in a line; the rest is where all are shown."""
    return "; ".join(map(str, found[:_SOME]))


@dataclass(frozen=True, slots=True)
class StatementState:
    """Where one statement of the failed script stands in production.

    Attributes:
        state: in_place, absent, differs, open, or inert.
        proof: what that rests on, for people.
        look: of an open statement, a query with which a person looks for its effect; empty where there is none.
    """

    index: int
    sql: str
    state: str
    proof: str
    look: str = ""


_COLUMN = re.compile(r'(column (?:"(?:[^"]|"")*"|\S+))(?: (.*))?\Z', re.DOTALL)
#: What owners, remarks and statistics targets are is nobody's migration, unless the script itself says so.
_REMARKS = re.compile(r"((column .* )?privileges of .*|(.* )?comment|column .* statistics)\Z", re.DOTALL)
_KIND = re.compile(
    r"(?:foreign table|materialized view|table|view|index|sequence|type|function|procedure|aggregate|statistics"
    r"|collation) "
)

#: Why the rows of a new column are known to be filled.
FILLED = "its rows have the default, which PostgreSQL keeps from when the column was added"

#: A name with its schema, without a function's arguments; a parenthesis inside quotes belongs to the name.
_NAME = re.compile(r'(?:"(?:[^"]|"")*"|[^"(])+')


def column_of(prop: str) -> str | None:
    """`column x` of `column x type` and of `column x`; None for properties of anything else."""
    match = _COLUMN.match(prop)
    return match[1] if match else None


def qualified_name(obj: str) -> str | None:
    """`public.x` of `table public.x`; None for objects that have no schema."""
    match = _KIND.match(obj)
    name = _NAME.match(obj, match.end()) if match else None
    return name[0] if name else None


def is_remark(key: Key) -> bool:
    """It counts only where a script says so itself.

    Comments, privileges, and an extension's schema and version: these are what the server offers.
    """
    obj, prop = key
    return bool(_REMARKS.match(prop)) or (obj.startswith("extension ") and prop != "exists")


#: Of a column, in the order in which they are shown.
_DECLARED = (
    "type",
    "nullability",
    "collation",
    "default",
    "generated",
    "identity",
    "storage",
    "statistics",
    "compression",
    "options",
)


def differences(replay: Replay, step: int, production: Snapshot) -> tuple[Difference, ...]:
    """What separates production from step `step` (0 for before the script). Empty: production stands there."""
    expected = replay.steps[step]
    found = {
        key: Difference(*key, expected.get(key), production.get(key))
        for key in replay.footprint
        if expected.get(key) != production.get(key)
    }
    for key in (*_closed(replay, expected, production), *_only_in_production(replay, production)):
        found.setdefault(key, Difference(*key, expected.get(key), production[key]))
    return tuple(_declared(found[key], expected, production) for key in sorted(_without_consequences(found)))


def _declared(found: Difference, expected: Snapshot, production: Snapshot) -> Difference:
    """A column that is there on one side only is shown as one would declare it: whoever mends it needs that."""
    column = _COLUMN.match(found.property)
    if column is None or column[2] is not None:
        return found

    def side(snapshot: Snapshot, value: str | None) -> str | None:
        if value is None:
            return None
        known = {p: v for p in _DECLARED if (v := snapshot.get((found.object, f"{column[1]} {p}"))) is not None}
        kind, null = known.pop("type", None), known.pop("nullability", "null")
        words = (kind, None if null == "null" else null, *(f"{prop} {text}" for prop, text in known.items()))
        return " ".join(word for word in words if word) or value

    return replace(found, expected=side(expected, found.expected), actual=side(production, found.actual))


def _closed(replay: Replay, expected: Snapshot, production: Snapshot) -> Iterator[Key]:
    """RULES E8: what production has besides, on an object or column that the script creates.

    A further column that an insert may leave out, a further index that only makes queries faster, and remarks
    change nothing for the code that was written for the script; everything else does.
    """
    here = {obj for obj in replay.created if (obj, "exists") in expected and (obj, "exists") in production}
    added = {key for key in replay.added if key in expected and key in production}
    tables = {obj.removeprefix("table ") for obj in here if obj.startswith("table ")}
    indexes = {obj for obj, _ in expected if obj.startswith("index ")}  # a renamed table brings its own along
    for (obj, prop), value in production.items():
        if (obj, prop) in expected or is_remark((obj, prop)):
            continue
        column = _COLUMN.match(prop)
        if obj in here and column is None:
            yield obj, prop
        elif obj in here and column is not None and (obj, column[1]) not in expected:
            if column[2] is None and _demanding(obj, column[1], production):
                yield obj, prop
        elif column is not None and (obj in here or (obj, column[1]) in added):
            yield obj, prop
        elif (
            prop == "unique"
            and value.startswith("yes")
            and obj not in indexes
            and production.get((obj, "table")) in tables
        ):
            yield obj, "exists"


def _demanding(obj: str, column: str, production: Snapshot) -> bool:
    """An insert that doesn't know the column fails: it is NOT NULL and nothing fills it."""
    filled = any((obj, f"{column} {kind}") in production for kind in ("default", "identity", "generated"))
    return production.get((obj, f"{column} nullability")) == "not null" and not filled


def _only_in_production(replay: Replay, production: Snapshot) -> Iterator[Key]:
    """RULES E9: an object that the script names and the replayed history never had."""
    known = {obj for step in replay.steps for obj, prop in step if prop == "exists"}
    for obj, prop in production:
        if prop == "exists" and obj not in known and qualified_name(obj) in replay.named:
            yield obj, prop


def _without_consequences(found: dict[Key, Difference]) -> Iterator[Key]:
    """Of a missing (or extra) object or column only that, not each property that is missing with it."""
    for obj, prop in found:
        if prop != "exists" and (obj, "exists") in found:
            continue
        column = _COLUMN.match(prop)
        if column and column[2] is not None and (obj, column[1]) in found:
            continue
        yield obj, prop


def steps_equal_to(replay: Replay, production: Snapshot) -> tuple[int, ...]:
    """The steps that production equals; several where steps can't be told apart, none if it has drifted."""
    return tuple(k for k in range(len(replay.steps)) if not differences(replay, k, production))


def witnessed(replay: Replay, filled: Snapshot) -> Replay:
    """The replay, with what is seen after all: rows that were filled when their column was added (RULES E5).

    PostgreSQL keeps the default that a column was added with, until the table is rewritten. A column that was added
    first and given its default later has none, and leaves its rows null.
    """
    statements = tuple(
        replace(statement, visibility=Visibility.SEEN, why=FILLED)
        if statement.fills
        and all(
            filled.get(key) == value and _added_once(replay, statement.index, key) for key, value in statement.fills
        )
        else statement
        for statement in replay.statements
    )
    return replace(replay, statements=statements)


def _added_once(replay: Replay, index: int, key: Key) -> bool:
    """The name is this statement's column from there to the end, and was nobody's before."""
    return all((key in step) == (place >= index) for place, step in enumerate(replay.steps))


def nearest(replay: Replay, production: Snapshot) -> int:
    """The step to show differences from: the script's end, or its beginning where that is nearer.

    A step between the two may be nearer still, but what a person has to bring about is one of these two.
    """
    last = len(replay.steps) - 1
    return min((last, 0), key=lambda step: len(differences(replay, step, production)))


def statement_states(
    replay: Replay, production: Snapshot, at: tuple[int, ...], not_done: Mapping[int, str]
) -> tuple[StatementState, ...]:
    """Each statement's state.

    Args:
        replay: of the script.
        production: what production has of its footprint.
        at: the steps that production equals.
        not_done: open statements that are known not to have run, with what proves it.
    """
    return tuple(_statement_state(replay, index, production, at, not_done) for index in range(1, replay.total + 1))


def _statement_state(
    replay: Replay, index: int, production: Snapshot, at: tuple[int, ...], not_done: Mapping[int, str]
) -> StatementState:
    statement = replay.statements[index - 1]

    def state(name: str, proof: str) -> StatementState:
        return StatementState(index, statement.sql, name, proof)

    if statement.visibility is Visibility.INERT:
        return state("inert", statement.why)
    if statement.visibility in (Visibility.OPEN, Visibility.UNREACHED):
        return state("absent", not_done[index]) if index in not_done else state("open", statement.why)
    own = {k for k in replay.footprint if replay.steps[index - 1].get(k) != replay.steps[index].get(k)}
    what = _headline(own, replay.steps[index - 1], replay.steps[index])
    in_place = state("in_place", f"as replayed: {what}{statement.why and f'; {statement.why}'}")
    gone = what.removeprefix("no ")
    absent = state("absent", f"not there: {what}" if gone == what else f"still there: {gone}")
    if statement.visibility is Visibility.ROWS:  # what it makes is there, and the rows in it may not be
        in_place = state("open", statement.why)
    if at and min(at) >= index:
        return in_place
    if at and max(at) < index:
        return absent
    after, before = (
        {k for k in own if production.get(k) in {step.get(k) for step in steps}}
        for steps in (replay.steps[index:], replay.steps[:index])
    )
    if after == own and before != own:
        return in_place
    if before == own:
        return absent
    different: dict[str, list[str]] = {}
    for obj, prop in sorted(_without_consequences({key: Difference(*key, None, None) for key in own - after})):
        different.setdefault(obj, []).append(prop)
    return state("differs", "differs in " + "; ".join(f"{obj}: {', '.join(props)}" for obj, props in different.items()))


def _headline(own: set[Key], before: Snapshot, after: Snapshot) -> str:
    """What a statement is about, in a few words: the first object it makes or drops, else what it changes."""
    made = sorted((obj for obj, prop in own if prop == "exists" and (obj, prop) in after), key=_tables_first)
    gone = sorted((obj for obj, prop in own if prop == "exists" and (obj, prop) not in after), key=_tables_first)
    named = [*made, *(f"no {obj}" for obj in gone if (obj, "exists") in before)]
    if not named:
        touched = sorted(_without_consequences({key: Difference(*key, None, None) for key in own}))
        named = [f"{obj} {prop}" for obj, prop in touched]
    return named[0] + (f" and {len(named) - 1} more" if len(named) > 1 else "") if named else "its effect"


def _tables_first(obj: str) -> tuple[bool, str]:
    return not obj.startswith("table "), obj
