"""What happens in production, one thing after another, in each event."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.staging.fuzz.model import NEVER_ATTEMPTED, Case, Event

#: The migration that the case is about, the other failed one of an event of two, and the one that overtakes it.
NAME, SECOND, LATER = "20260201000000_change", "20260202000000_second", "20260301000000_later"


@dataclass(frozen=True)
class Run:
    """A text is run as one query; if it fails, nothing of it stays.

    Attributes:
        undone: its transaction is rolled back.
        needed: without it there is no such case.
    """

    sql: str
    undone: bool = False
    needed: bool = False


@dataclass(frozen=True)
class Pieces:
    """A text is cut at every semicolon, and the first so many pieces are run until one fails; at least one is left."""

    text: str
    count: int


@dataclass(frozen=True)
class Begin:
    """Prisma writes the row of an attempt with the checksum of this text."""

    name: str
    text: str


@dataclass(frozen=True)
class End:
    """Prisma changes the row of its last attempt at a migration.

    Attributes:
        logs: `native` or `javascript`, for the engine that wrote them; empty for none.
    """

    name: str
    logs: str = ""
    steps: int = 0
    finished: bool = False
    withdrawn: bool = False


Act = Run | Pieces | Begin | End


@dataclass(frozen=True)
class Play:
    """An event's acts, and what they are measured against.

    Attributes:
        files: the present migrations besides those of the history.
        known: scripts that attempts ran and that the folder has no more, by migration.
        ideal: the texts that production would have run, each once.
        judged: the migrations to ask about.
        asked: whether they are asked about as pending ones.
    """

    files: dict[str, str]
    acts: tuple[Act, ...]
    ideal: tuple[str, ...]
    judged: tuple[str, ...] = (NAME,)
    known: dict[str, str] = field(default_factory=dict)
    asked_as_pending: bool = False


def play(case: Case) -> Play:
    """The acts of a case."""
    text = case.script
    if case.event is Event.TWO:
        return _two(case)
    if case.event in NEVER_ATTEMPTED:
        acts = [] if case.event is Event.PENDING else _by_hand(case)
        return Play({NAME: text}, tuple(acts), (text,), asked_as_pending=True)
    if case.event in (Event.EDITED, Event.EDITED_BY_HAND, Event.LOST):
        return _edited(case)
    if case.event in (Event.OVERTAKEN, Event.OVERTAKEN_UNDONE):
        return _overtaken(case)
    return Play({NAME: text}, tuple(_attempted(case)), (text, *case.later))


#: Events of one attempt without logs, and of one with.
_CRASHED = (Event.DIED_BEFORE, Event.CRASHED_DONE, Event.CRASHED_AFTER, Event.UNDONE, Event.USED, Event.RUN_AGAIN)
_REFUSED = (Event.FAILED_WHOLE, Event.FAILED_AT, Event.CUT, Event.BY_HAND, Event.BY_HAND_OTHERWISE)
#: What moves a sequence, which no rollback takes back.
_LASTING = ("nextval(", "setval(")


@dataclass(frozen=True)
class Course:
    """Another course of events that leaves the ledger of a case.

    Attributes:
        acts: from the first attempt on.
        left: the statements that would have to run yet, so that each had run once; None if nothing leads there.
        undone: a person took back what can be taken back, so that no mark as applied is right.
    """

    acts: tuple[Act, ...]
    left: tuple[str, ...] | None
    undone: bool = False


def courses(case: Case) -> Iterator[Course]:
    """The courses that the events of a case may have taken instead; none where Prisma's count tells how far it came."""
    script = [step.statement.sql for step in case.steps]
    undo = tuple(Run(step.statement.undo) for step in reversed(case.steps) if step.statement.undo)
    if case.event is Event.TWO:
        yield from _two_courses(case, script)
    elif case.event in _CRASHED:
        later = tuple(Run(each) for each in case.later)
        for ran in _ends(script, case, failed=False):
            begun: tuple[Act, ...] = (Begin(NAME, case.script), *map(Run, ran), *later)
            yield Course(begun, tuple(script[len(ran) :]))
            yield from _by_hand_without_rows(case, len(ran), begun)
            for back in filter(None, (undo, tuple(_undo(case)))):
                yield Course((*begun, *back), _not_lasting(case, len(ran)), undone=True)
        yield from _in_part(case, script, ())
    elif case.event in _REFUSED:
        hand = tuple(_by_hand(case)) if case.event in (Event.BY_HAND, Event.BY_HAND_OTHERWISE) else ()
        end = End(NAME, "javascript" if case.event is Event.CUT else _engine(case))
        for ran in _ends(script, case, failed=True):
            begun = (Begin(NAME, case.script), *map(Run, ran), end)
            yield Course((*begun, *hand), tuple(script[len(ran) :]))
            yield from () if hand else _by_hand_without_rows(case, len(ran), begun)
            if undo:
                yield Course((*begun, *undo, *hand), _not_lasting(case, len(ran)), undone=True)
        yield from _in_part(case, script, (end, *hand))
    elif case.event is Event.EDITED:
        texts = [step.statement.sql if step.former is None else step.former for step in case.steps]
        for ran in _ends([text for text in texts if text], case, failed=True):
            left = None if set(ran) - set(script) else tuple(text for text in script if text not in ran)
            yield Course((Begin(NAME, case.former), *map(Run, ran), End(NAME, _engine(case))), left)


def _two_courses(case: Case, script: Sequence[str]) -> Iterator[Course]:
    parts = script[: case.cut], script[case.cut :]
    logs = case.done < case.cut, case.done < len(script)
    each_end = (_ends(part, case, failed=failed) for part, failed in zip(parts, logs, strict=True))
    for ends in itertools.product(*each_end):
        acts: list[Act] = []
        for name, text, ran, failed in zip((NAME, SECOND), case.two(), ends, logs, strict=True):
            acts += [Begin(name, text), *map(Run, ran), *([End(name, _engine(case))] if failed else [])]
        left = (text for part, ran in zip(parts, ends, strict=True) for text in part[len(ran) :])
        yield Course(tuple(acts), tuple(left))


def _by_hand_without_rows(case: Case, ran: int, begun: tuple[Act, ...]) -> Iterator[Course]:
    """A person made the schema of what follows by hand, and left out the work on rows (RULES E21 allows that)."""
    for end in range(ran + 1, len(case.steps) + 1):
        between = [step.statement for step in case.steps[ran:end]]
        made, not_done = ([each.sql for each in between if each.rows is rows] for rows in (False, True))
        if made and not_done:
            left = (*not_done, *(step.statement.sql for step in case.steps[end:]))
            yield Course((*begun, *map(Run, made)), left)


def _not_lasting(case: Case, ran: int) -> tuple[str, ...]:
    """What would have to run again after the first statements were taken back, as far as anything does that."""
    lasts = [step.statement.rows and not step.statement.undo for step in case.steps[:ran]]
    done = {number for number, each in enumerate(lasts) if each}
    return tuple(step.statement.sql for number, step in enumerate(case.steps) if number not in done)


def _in_part(case: Case, script: Sequence[str], then: tuple[Act, ...]) -> Iterator[Course]:
    """A statement that was cut, or rolled back after it had moved a sequence."""
    begin = Begin(NAME, case.script)
    if any(";" in sql for sql in script) and (case.javascript or case.event is Event.CUT or not then):
        for count in range(1, len([piece for piece in case.script.split(";") if piece.strip()])):
            yield Course((begin, Pieces(case.script, count), *then), None)
    for count, sql in enumerate(script, start=1):
        if any(word in sql for word in _LASTING):
            yield Course((begin, _undone(case, count), *then), None)


def _ends(statements: Sequence[str], case: Case, *, failed: bool) -> Iterator[Sequence[str]]:
    """What an attempt may have run of a script: if it failed, not all of it."""
    for count in range(len(statements) + (not failed)):
        if not case.wrapped or count in (0, len(statements)):
            yield statements[:count]


def _attempted(case: Case) -> list[Act]:
    """The acts of one attempt, or of two of the same script."""
    match case.event:
        case Event.DIED_BEFORE:
            return [Begin(NAME, case.script)]
        case Event.FAILED_WHOLE:
            return _failed(case)
        case Event.FAILED_AT:
            return [Begin(NAME, case.script), *_first(case, len(case.steps) - 1), End(NAME, _engine(case))]
        case Event.CUT:
            return [Begin(NAME, case.script), Pieces(case.script, case.cut), End(NAME, "javascript")]
        case Event.CRASHED_AFTER:
            return [Begin(NAME, case.script), *_first(case, len(case.steps))]
        case Event.COUNTED:
            return [*_whole(case), End(NAME, steps=1)]
        case Event.BY_HAND | Event.BY_HAND_OTHERWISE:
            return [*_failed(case), *_by_hand(case)]
        case Event.WITHDRAWN | Event.WITHDRAWN_UNDONE | Event.WITHDRAWN_ONLY:
            return _withdrawn(case)
        case _:
            return [*_whole(case), *_afterwards(case)]


def _afterwards(case: Case) -> list[Act]:
    """What followed a script that ran wholly and was not recorded."""
    if case.event is Event.RUN_AGAIN:
        return [Run(case.script)]
    if case.event is Event.UNDONE:
        return _undo(case)
    return [*(Run(each, needed=True) for each in case.later), *_undo(case)] if case.event is Event.USED else []


def _whole(case: Case) -> list[Act]:
    return [Begin(NAME, case.script), Run(case.script, needed=True)]


def _failed(case: Case) -> list[Act]:
    return [Begin(NAME, case.script), _undone(case, case.cut), End(NAME, _engine(case))]


def _undo(case: Case) -> list[Act]:
    return [Run(step.statement.undo) for step in reversed(case.steps) if step.undone]


def _withdrawn(case: Case) -> list[Act]:
    undo = [] if case.event is Event.WITHDRAWN else _undo(case)
    acts = [*_whole(case), End(NAME, steps=1), *undo, End(NAME, steps=1, withdrawn=True)]
    return acts if case.event is Event.WITHDRAWN_ONLY else [*acts, *_failed(case)]


def _overtaken(case: Case) -> Play:
    later = "".join(f"{each};\n" for each in case.later)
    before = _whole(case) if case.event is Event.OVERTAKEN else _failed(case)
    acts = [*before, Begin(LATER, later), Run(later, needed=True), End(LATER, steps=1, finished=True)]
    return Play({NAME: case.script, LATER: later}, tuple(acts), (case.script, later))


def _engine(case: Case) -> str:
    return "javascript" if case.javascript else "native"


def _undone(case: Case, count: int) -> Run:
    """The first statements in a transaction that is rolled back."""
    return Run(";\n".join(step.statement.sql for step in case.steps[:count]) or "SELECT 1", undone=True)


def _first(case: Case, most: int) -> list[Act]:
    """The statements that took effect one by one; where one failed, that is not the last one."""
    count = min(case.cut, most)
    if case.wrapped:
        return [_undone(case, count)]
    return [Run(step.statement.sql, needed=True) for step in case.steps[:count]]


def _by_hand(case: Case) -> list[Act]:
    return [Run(step.by_hand) for step in case.steps if step.by_hand]


def _edited(case: Case) -> Play:
    former = case.former
    acts: list[Act] = [Begin(NAME, former)]
    if case.event is Event.LOST and case.cut:
        acts.append(Run(former))
    else:
        acts.append(End(NAME, _engine(case)))
    if case.event is Event.EDITED_BY_HAND:
        acts += _by_hand(case)
    known = {} if case.event is Event.LOST else {NAME: former}
    return Play({NAME: case.script}, tuple(acts), (case.script,), known=known)


def _two(case: Case) -> Play:
    """Each ran up to some statement; one that ran wholly died before its row was written, so it has no logs."""
    first, second = case.two()
    acts: list[Act] = []
    for name, text, begins, ends in ((NAME, first, 0, case.cut), (SECOND, second, case.cut, len(case.steps))):
        acts.append(Begin(name, text))
        acts += [Run(step.statement.sql, needed=True) for step in case.steps[begins : min(ends, case.done)]]
        if case.done < ends:
            acts.append(End(name, _engine(case)))
    return Play({NAME: first, SECOND: second}, tuple(acts), (first, second), (NAME, SECOND))
