"""Compares production with the steps of a replay: which steps it equals, and how it differs from a step."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from states.facts import Key, Replay, Snapshot, Visibility

#: How many differences a sentence lists at most.
_SOME = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """A property whose value in production differs from the replay's. None means that the property is absent."""

    object: str
    property: str
    expected: str | None
    actual: str | None

    def __str__(self) -> str:
        """For people."""
        return f"{self.object} {self.property}: expected {self.expected or 'absent'}, is {self.actual or 'absent'}"


def some(found: Sequence[Difference]) -> str:
    """The first few differences on one line; the full list is shown elsewhere."""
    return "; ".join(map(str, found[:_SOME]))


@dataclass(frozen=True, slots=True)
class StatementState:
    """Where one statement of the failed script stands in production.

    Attributes:
        state: in_place, absent, differs, open, or inert.
        proof: the reason for `state`, for people.
        look: for an open statement, a query that shows a person whether its effect is there; empty if there is none.
        answers: what a person may say of its work on rows, `done` and `not-done`; empty where the evidence shows it.
        said: whether its work on rows is done, as a person has said; None if nobody has.
    """

    index: int
    sql: str
    state: str
    proof: str
    look: str = ""
    answers: tuple[str, ...] = ()
    said: bool | None = None


#: The properties of an object's part begin with the part's kind and name. A name that is not a plain word is quoted, so
#: it can't be taken for what follows it; no property of a whole object begins with such a kind and a blank.
_PART = re.compile(
    r'(?P<part>(?P<kind>column|attribute|constraint|trigger|rule|policy) (?:"(?:[^"]|"")*"|[^\s"]+))'
    r"(?: (?P<detail>.*))?\Z",
    re.DOTALL,
)
_KIND = re.compile(
    r"(?:foreign table|materialized view|table|view|index|sequence|type|function|procedure|aggregate|statistics"
    r"|collation|operator|conversion|text search dictionary|text search configuration) "
)
#: Kinds of objects whose names stand without a schema.
_PLAIN = re.compile(r"(?:schema|extension|publication|event trigger|cast) ")

#: The property of a sequence that has given no number yet.
_NEXT_VALUE = "next value"

#: A name with its schema, without a function's arguments; a parenthesis inside quotes belongs to the name.
_NAME = re.compile(r'(?:"(?:[^"]|"")*"|[^"(])+')


@dataclass(frozen=True, slots=True)
class Property:
    """A property's name, taken apart.

    Attributes:
        part: the column, attribute, constraint, trigger, rule or policy that it is of, as `column x`; empty for the
            whole object.
        kind: the kind of the part, as `column`; empty for the whole object.
        detail: what it tells, as `type`; empty for the part's existence or definition.
    """

    part: str
    kind: str
    detail: str


@lru_cache(maxsize=1 << 16)
def taken_apart(prop: str) -> Property:
    """What a property is of, and what it tells. Its structure decides, whatever words are in a name (RULES E28)."""
    match = _PART.match(prop)
    return Property(match["part"], match["kind"], match["detail"] or "") if match else Property("", "", prop)


def column_of(prop: str) -> str | None:
    """`column x` of `column x type` and of `column x`; None for properties of anything else."""
    found = taken_apart(prop)
    return found.part if found.kind == "column" else None


def qualified_name(obj: str) -> str | None:
    """`public.x` of `table public.x`; None for objects that have no schema."""
    match = _KIND.match(obj)
    name = _NAME.match(obj, match.end()) if match else None
    return name[0] if name else None


def name_of(obj: str) -> str:
    """`public.x` of `table public.x`, and `x` of `event trigger x`: the name without the kind and arguments."""
    match = _PLAIN.match(obj)
    return obj[match.end() :] if match else qualified_name(obj) or obj


def unquoted(identifier: str) -> str:
    """A name as it is, of a name as a snapshot writes it."""
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


def is_remark(key: Key) -> bool:
    """Whether the property counts only if the script itself sets it.

    Such properties are comments, privileges and statistics targets, which migrations rarely set, an extension's schema
    and version, which depend on the server, and the next value of a sequence.
    """
    obj, prop = key
    found = taken_apart(prop)
    if found.detail == "comment" or found.detail.startswith("privileges of "):
        return True
    if found.part:
        return found.kind == "column" and found.detail == "statistics"
    if obj.startswith("statistics "):
        return prop == "target"
    return (
        is_next_value(key)
        or (obj.startswith("index ") and prop == "statistics")
        or (obj.startswith("extension ") and prop != "exists")
    )


def is_next_value(key: Key) -> bool:
    """Whether the property is the first number that a sequence will give; one that has given a number has none."""
    return key[1] == _NEXT_VALUE and key[0].startswith("sequence ")


#: How PostgreSQL begins a function's body that was written in standard SQL, which it keeps parsed.
_STANDARD_BODY = ("BEGIN ATOMIC", "RETURN ")

#: A statement of these kinds neither uses nor sets a sequence that was made before it.
_LEAVES_SEQUENCES = (Visibility.SEEN, Visibility.INERT, Visibility.UNREACHED)


def _unlike(replay: Replay, step: int, key: Key, expected: str | None, actual: str | None) -> bool:
    """Whether production's value of a property is another than the replay's at a step.

    A sequence's next value is in a snapshot only as long as the sequence has given no number; after that, it depends on
    how many rows were made. So it is compared only where neither side has used the sequence. There it tells a sequence
    that was made to start at 1000 from one whose START was changed to 1000, which goes on from 1. Where production has
    used it, any number is right (RULES E8). It is also not compared for a sequence that the script finds, and for one
    that an open statement of the script may have set from rows: a replay has none (RULES E17, E18).

    A function's body is as long as the script's own lines, whose ends a checkout may change.
    """
    if _same(replay, key, expected, actual):
        return False
    if not is_next_value(key):
        return True
    return None not in (expected, actual) and _starts_unused(replay, key[0], step)


def lines(text: str) -> str:
    """A text with Unix line ends, in which two checkouts of one script are equal."""
    return text.replace("\r\n", "\n")


def _same_but_for_line_ends(replay: Replay, key: Key, expected: str | None, actual: str | None) -> bool:
    """Whether two bodies of a function are what one script makes with Windows' and with Unix' line ends.

    Only the text of a body is as it was written. The other properties are PostgreSQL's own words, and so is a body in
    standard SQL: a line end in these is part of a value. Where the script itself changes nothing but the line ends of a
    body, they are what it is about, and count.
    """
    if expected is None or actual is None or not _is_written_body(key, expected) or not _is_written_body(key, actual):
        return False
    if lines(expected) != lines(actual):
        return False
    spellings = {value for step in replay.steps if (value := step.get(key)) is not None}
    return len(spellings) == len({lines(value) for value in spellings})


def _same(replay: Replay, key: Key, expected: str | None, actual: str | None) -> bool:
    return expected == actual or _same_but_for_line_ends(replay, key, expected, actual)


def _is_written_body(key: Key, value: str) -> bool:
    return key[1] == "body" and key[0].startswith(("function ", "procedure ")) and not value.startswith(_STANDARD_BODY)


def _starts_unused(replay: Replay, sequence: str, step: int) -> bool:
    """Whether the script makes the sequence, and no statement after that can use or set it until a step."""
    first = (sequence, "exists") in replay.steps[0]
    return sequence in replay.created and not first and step < _first_use(replay, sequence)


def _first_use(replay: Replay, sequence: str) -> int:
    """The first step, once the sequence was made, with which it may have been used or set; else beyond the last."""
    made = next((number for number, step in enumerate(replay.steps) if (sequence, "exists") in step), 0)
    after = replay.statements[made:]
    return next((each.index for each in after if each.visibility not in _LEAVES_SEQUENCES), replay.total + 1)


#: The properties of a column, in the order in which they are shown.
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
    """How production differs from step `step` (0 is the state before the script); empty if production equals it."""
    return _differences(replay, step, production, tuple(_only_in_production(replay, production)))


def _differences(replay: Replay, step: int, production: Snapshot, foreign: Sequence[Key]) -> tuple[Difference, ...]:
    """The same, where it is known what only production has."""
    expected = replay.steps[step]
    found = {
        key: Difference(*key, expected.get(key), production.get(key))
        for key in replay.footprint
        if _unlike(replay, step, key, expected.get(key), production.get(key))
    }
    for key in (*_closed(replay, expected, production), *foreign):
        found.setdefault(key, Difference(*key, expected.get(key), production[key]))
    return tuple(_declared(found[key], expected, production) for key in sorted(_without_consequences(found)))


def _declared(found: Difference, expected: Snapshot, production: Snapshot) -> Difference:
    """Shows a column that only one side has by its whole declaration, which a person needs in order to mend it."""
    column = taken_apart(found.property)
    if column.kind != "column" or column.detail or None not in (found.expected, found.actual):
        return found

    def side(snapshot: Snapshot, value: str | None) -> str | None:
        if value is None:
            return None
        known = {p: v for p in _DECLARED if (v := snapshot.get((found.object, f"{column.part} {p}"))) is not None}
        kind, null = known.pop("type", None), known.pop("nullability", "null")
        words = (kind, None if null == "null" else null, *(f"{prop} {text}" for prop, text in known.items()))
        return " ".join(word for word in words if word) or value

    return replace(found, expected=side(expected, found.expected), actual=side(production, found.actual))


def _closed(replay: Replay, expected: Snapshot, production: Snapshot) -> Iterator[Key]:
    """Properties that only production has, on an object or column that the script creates (RULES E8).

    Left out are an additional column that an INSERT may omit, an additional index that is not unique, and remarks:
    they do not affect code that was written for the script. Everything else may.
    """
    here = {obj for obj in replay.created if (obj, "exists") in expected and (obj, "exists") in production}
    added = {key for key in replay.added if key in expected and key in production}
    tables = {obj.removeprefix("table ") for obj in here if obj.startswith("table ")}
    indexes = {obj for obj, _ in expected if obj.startswith("index ")}  # a renamed table keeps its indexes
    for (obj, prop), value in production.items():
        if (obj, prop) in expected or is_remark((obj, prop)):
            continue
        column = column_of(prop)
        if obj in here and column is None:
            yield obj, prop
        elif obj in here and column is not None and (obj, column) not in expected:
            if column == prop and _demanding(obj, column, production):
                yield obj, prop
        elif column is not None and (obj in here or (obj, column) in added):
            yield obj, prop
        elif (
            prop == "unique"
            and value.startswith("yes")
            and obj not in indexes
            and production.get((obj, "table")) in tables
        ):
            yield obj, "exists"


def _demanding(obj: str, column: str, production: Snapshot) -> bool:
    """Whether an INSERT that omits the column fails: the column is NOT NULL, and no default fills it."""
    filled = any((obj, f"{column} {kind}") in production for kind in ("default", "identity", "generated"))
    return production.get((obj, f"{column} nullability")) == "not null" and not filled


def _only_in_production(replay: Replay, production: Snapshot) -> Iterator[Key]:
    """Objects of production that the script names and that no step of the replay has (RULES E9)."""
    known = {obj for step in replay.steps for obj, prop in step if prop == "exists"}
    for obj, prop in production:
        if prop == "exists" and obj not in known and qualified_name(obj) in replay.named:
            yield obj, prop


def _without_consequences(found: dict[Key, Difference]) -> Iterator[Key]:
    """The keys without the properties of an object or column that is itself missing (or extra) as a whole."""
    for obj, prop in found:
        if prop != "exists" and (obj, "exists") in found:
            continue
        column = column_of(prop)
        if column not in (None, prop) and (obj, column) in found:
            continue
        yield obj, prop


def steps_equal_to(replay: Replay, production: Snapshot) -> tuple[int, ...]:
    """The steps that production equals; several where steps can't be told apart, none if it has drifted."""
    foreign = tuple(_only_in_production(replay, production))
    equal: list[bool] = []
    turns = {_first_use(replay, obj) for obj, prop in replay.footprint if is_next_value((obj, prop))}
    for k, step in enumerate(replay.steps):
        # A script of a thousand INSERTs has a thousand steps that are alike.
        alike = k > 0 and step == replay.steps[k - 1] and k not in turns
        equal.append(equal[-1] if alike else not _differences(replay, k, production, foreign))
    return tuple(k for k, same in enumerate(equal) if same)


def nearest(replay: Replay, production: Snapshot) -> int:
    """The step whose differences are shown: the script's end, or its beginning if fewer properties differ from that.

    A step in between may be nearer still, but a person has to bring production to one of these two.
    """
    last = len(replay.steps) - 1
    return min((last, 0), key=lambda step: len(differences(replay, step, production)))


#: The answers of a person on a statement's work on rows, and what they mean: it is done.
ANSWERS = {"done": True, "not-done": False}
_SAID = {True: "a person says that it ran", False: "a person says that it did not run"}


def statement_states(
    replay: Replay,
    production: Snapshot,
    at: tuple[int, ...],
    not_done: Mapping[int, str],
    answered: Mapping[int, bool] | None = None,
) -> tuple[StatementState, ...]:
    """The state of each statement in production.

    Args:
        replay: the replay of the script.
        production: the footprint's properties in production.
        at: the steps that production equals.
        not_done: numbers of open statements that are known not to have run, each with its proof.
        answered: by the number of a statement, whether its work on rows is done, as a person says; it counts only where
            the evidence does not show it. None where no answer would count.
    """
    states = (_statement_state(replay, index, production, at, not_done) for index in range(1, replay.total + 1))
    if answered is None:
        return tuple(states)
    return tuple(_with_answer(replay, state, answered.get(state.index)) for state in states)


def _with_answer(replay: Replay, found: StatementState, done: bool | None) -> StatementState:  # noqa: FBT001 - an answer
    if not _is_a_persons(replay, found):
        return found
    found = replace(found, answers=tuple(ANSWERS))
    if done is None or found.state == "differs":
        return replace(found, said=done)
    return replace(found, state="in_place" if done else "absent", proof=_SAID[done], said=done)


def _is_a_persons(replay: Replay, found: StatementState) -> bool:
    """Whether only a person can tell that a statement's work on rows is done, or that nobody did it by hand.

    What an attempt's logs prove is not what nobody did by hand (RULES E21). Where what the statement itself makes is
    absent, its rows are absent, too.
    """
    if found.state not in ("open", "absent", "differs"):
        return False
    if makes_what_it_fills(replay, found.index):
        return found.state != "absent"
    return replay.statements[found.index - 1].visibility in (Visibility.OPEN, Visibility.ROWS)


def makes_what_it_fills(replay: Replay, index: int) -> bool:
    """Whether a statement works only on rows of what it makes, or names, itself: where that is absent, so are they."""
    statement = replay.statements[index - 1]
    return statement.visibility is Visibility.ROWS and replay.steps[index - 1] != replay.steps[index]


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
    own = {k for k in own if not is_next_value(k) or (k in production and _starts_unused(replay, k[0], replay.total))}
    what = _headline(own, replay.steps[index - 1], replay.steps[index])
    in_place = state("in_place", f"as replayed: {what}{statement.why and f'; {statement.why}'}")
    gone = what.removeprefix("no ")
    absent = state("absent", f"not there: {what}" if gone == what else f"still there: {gone}")
    if statement.visibility is Visibility.ROWS:  # the object that it makes is there, but the rows may be missing
        in_place = state("open", statement.why)
        if not own:  # the object was made by another statement
            return state("absent", "not there: what it writes to") if at and max(at) < index else in_place
    if at and min(at) >= index:
        return in_place
    if at and max(at) < index:
        return absent
    after, before = (
        {k for k in own if any(_same(replay, k, step.get(k), production.get(k)) for step in steps)}
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


def shows_its_end(replay: Replay, index: int, production: Snapshot) -> bool:
    """Whether nothing is left of what a statement changes: production has it as some later step has it."""
    own = {k for k in replay.footprint if replay.steps[index - 1].get(k) != replay.steps[index].get(k)}
    return bool(own) and all(
        any(_same(replay, key, step.get(key), production.get(key)) for step in replay.steps[index:]) for key in own
    )


def _headline(own: set[Key], before: Snapshot, after: Snapshot) -> str:
    """A statement's effect in a few words: the first object that it makes or drops, else the first changed property."""
    made = sorted((obj for obj, prop in own if prop == "exists" and (obj, prop) in after), key=_tables_first)
    gone = sorted((obj for obj, prop in own if prop == "exists" and (obj, prop) not in after), key=_tables_first)
    named = [*made, *(f"no {obj}" for obj in gone if (obj, "exists") in before)]
    if not named:
        touched = sorted(_without_consequences({key: Difference(*key, None, None) for key in own}))
        named = [f"{obj} {prop}" for obj, prop in touched]
    return named[0] + (f" and {len(named) - 1} more" if len(named) > 1 else "") if named else "its effect"


def _tables_first(obj: str) -> tuple[bool, str]:
    return not obj.startswith("table "), obj
