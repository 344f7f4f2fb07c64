"""Draws scripts and cases. What is drawn depends on the seed and the number alone."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.staging.fuzz.generated import GENERATED, Draw
from tests.staging.fuzz.hidden import HIDDEN
from tests.staging.fuzz.histories import History, draw_history
from tests.staging.fuzz.model import Case, Event, Statement, Step
from tests.staging.fuzz.shape import Shape
from tests.staging.fuzz.written import WRITTEN

#: Cases that share a history, and of these the ones that share a script.
GROUP, SHARED = 20, 5
#: Once a script has so many statements, it ends.
LONGEST = 5
#: How many times statements are drawn for a script at most, since some can't be drawn on some histories.
DRAWS = 12
_MAKERS: tuple[tuple[Draw, int], ...] = (*GENERATED, *WRITTEN, *HIDDEN)
_EVENTS = {
    **dict.fromkeys(Event, 2),
    Event.BY_HAND: 4,
    Event.BY_HAND_OTHERWISE: 8,
    Event.UNDONE: 4,
    Event.PENDING_OTHERWISE: 4,
    Event.PENDING: 1,
}


@dataclass(frozen=True)
class Drawn:
    """A script that may still hold statements that this server refuses.

    Attributes:
        later: a migration for after the script, and one that needs nothing of it.
        use: what the application writes once the script ran.
    """

    history: History
    statements: tuple[Statement, ...]
    later: tuple[str, ...]
    apart: tuple[str, ...]
    use: tuple[str, ...]


def draw_group(seed: int, group: int) -> list[Drawn]:
    """The scripts of one group, all on the same history."""
    draw = random.Random(f"{seed}/{group}")  # noqa: S311 - it shall be the same each time
    history = draw_history(draw)
    return [_script(history, random.Random(draw.random())) for _ in range(GROUP // SHARED)]  # noqa: S311


def _script(history: History, draw: random.Random) -> Drawn:
    apart = _texts(history.shape.copy(draw), 1)
    shape = history.shape.copy(draw)
    if draw.random() < 0.25:
        apart = _passing_over(shape)
    statements = _statements(shape, draw.choice([1, 1, 2, 2, 3, 3, 4, LONGEST]))
    later = _texts(shape, draw.choice([1, 2]))
    found = shape.typed("text", "int")
    use = ""
    if found is not None:
        value = "5000" if shape.tables[found[0]][found[1]] == "int" else "'app; ' || id"
        use = f"UPDATE {found[0]} SET {found[1]} = {value}"
    return Drawn(history, statements, later, apart, (use,) if use else ())


def _passing_over(shape: Shape) -> tuple[str, ...]:
    """A later migration that rebuilds a column, and with it drops what stands on it."""
    table, column = shape.typed("text") or (shape.main, "email")
    return (f"ALTER TABLE {table} DROP COLUMN {column}", f"ALTER TABLE {table} ADD COLUMN {column} text")


def _statements(shape: Shape, count: int) -> tuple[Statement, ...]:
    made: list[Statement] = []
    makers, weights = zip(*_MAKERS, strict=True)
    for _ in range(DRAWS):
        if len(made) >= count:
            break
        made += shape.draw.choices(makers, weights)[0](shape)
    return tuple(made)


def _texts(shape: Shape, count: int) -> tuple[str, ...]:
    makers, weights = zip(*GENERATED, strict=True)
    made = [text for _ in range(count) for text in shape.draw.choices(makers, weights)[0](shape)]
    return tuple(each.sql for each in made)


def draw_case(seed: int, number: int, drawn: Drawn, statements: Sequence[Statement]) -> Case:
    """What happens to a script.

    Args:
        seed: the run's.
        number: the case's.
        drawn: its script.
        statements: those that this server accepts.
    """
    draw = random.Random(f"{seed}#{number}")  # noqa: S311 - it shall be the same each time
    events, weights = zip(*_EVENTS.items(), strict=True)
    event: Event = draw.choices(events, weights)[0]
    if event is Event.TWO and len(statements) == 1:
        event = Event.CRASHED_DONE
    otherwise = event in (Event.BY_HAND_OTHERWISE, Event.PENDING_OTHERWISE)
    written = (*drawn.use, *(each.sql for each in statements if each.rows))
    steps = [
        Step(
            each,
            _hand(draw, each) if otherwise else None,
            undone=bool(each.undo) and draw.random() < 0.7 and not (event is Event.USED and _passes(each, written)),
            former=_former(draw, each),
        )
        for each in statements
    ]
    for position in range(1, len(steps)):
        before, after = steps[position - 1], steps[position]
        if before.statement.kind == after.statement.kind and "" in before.statement.otherwise:
            steps[position] = replace(after, hand=before.hand)  # what hides itself is done as a whole, or not at all
    if otherwise and all(step.hand is None for step in steps):
        position = draw.randrange(len(steps))
        steps[position] = replace(steps[position], hand=draw.choice([*steps[position].statement.otherwise, ""]))
    if event in (Event.EDITED, Event.EDITED_BY_HAND, Event.LOST) and all(step.former is None for step in steps):
        steps[-1] = replace(steps[-1], former="")
    pieces = sum(step.statement.sql.count(";") + step.statement.tail.count(";") + 1 for step in steps)
    later = {Event.OVERTAKEN: drawn.later, Event.OVERTAKEN_UNDONE: drawn.apart, Event.USED: drawn.use}.get(event, ())
    if event is Event.OVERTAKEN and draw.random() < 0.3:
        later = drawn.apart
    return Case(
        label=f"{seed}/{number}",
        history=drawn.history.migrations,
        rows=drawn.history.rows,
        steps=tuple(steps),
        event=event,
        cut=_cut(draw, event, len(steps), pieces),
        done=draw.randint(0, len(steps)),
        javascript=draw.random() < 0.3,
        wrapped=event is not Event.TWO and draw.random() < 0.1,
        later=later,
    )


_DROPPED = re.compile(r"DROP (?:COLUMN|TABLE) (\S+)")


def _passes(statement: Statement, written: Sequence[str]) -> bool:
    """Whether rows can't be had again once a statement is taken back, whatever is decided then.

    The application's writes were in what is dropped, or a second run computes its rows from them.

    Args:
        statement: the statement.
        written: what the application writes, and the script's own work on rows.
    """
    lost = (name.strip(',;"') for name in _DROPPED.findall(statement.undo))
    return statement.rows or any(name in text.split() for name in lost for text in written)


def _cut(draw: random.Random, event: Event, steps: int, pieces: int) -> int:
    if event is Event.TWO:
        return draw.randint(1, steps - 1)
    return draw.randint(0, pieces if event is Event.CUT else steps)


def _hand(draw: random.Random, statement: Statement) -> str | None:
    """What a person runs for a statement: mostly the same, else something else or nothing."""
    if draw.random() < 0.4:
        return None
    return draw.choice([*statement.otherwise, ""])


def _former(draw: random.Random, statement: Statement) -> str | None:
    """The statement before the file was edited: mostly the same, else missing, or with another literal."""
    if draw.random() < 0.7:
        return None
    changed = statement.sql.replace("100", "50").replace("DEFAULT 5", "DEFAULT 6")
    return changed if changed != statement.sql else ""
