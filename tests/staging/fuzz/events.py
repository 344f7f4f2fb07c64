"""What happens in production, one thing after another, in each event."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True)
class OtherEnd:
    """A course of events with the ledger of a case in which attempts ended after other statements.

    Attributes:
        count: after how many; in an event of two migrations, of each.
        undone: a person took all of it back, as far as anything does.
    """

    play: Play
    count: int | tuple[int, int]
    undone: bool = False


def other_ends(case: Case) -> Iterator[OtherEnd]:
    """The ends that attempts may have had; where one may have run wholly, a person may have taken it back, too."""
    script = [step.statement.sql for step in case.steps]
    if case.event is Event.TWO:
        first, second = script[: case.cut], script[case.cut :]
        logs = [case.done < case.cut, case.done < len(script)]
        for ends in itertools.product(_ends(first, case, failed=logs[0]), _ends(second, case, failed=logs[1])):
            acts: list[Act] = []
            for name, text, ran, failed in zip((NAME, SECOND), case.two(), ends, logs, strict=True):
                acts += [Begin(name, text), *map(Run, ran), *([End(name, _engine(case))] if failed else [])]
            yield OtherEnd(replace(play(case), acts=tuple(acts)), (len(ends[0]), len(ends[1])))
    elif case.event in _CRASHED:
        later = [Run(each) for each in case.later]
        undo = [Run(step.statement.undo) for step in reversed(case.steps) if step.statement.undo]
        for ran in _ends(script, case, failed=False):
            for undone, after in ((False, later), (True, [*later, *undo]), (True, _afterwards(case))):
                acts = [Begin(NAME, case.script), *map(Run, ran), *after]
                yield OtherEnd(replace(play(case), acts=tuple(acts)), len(ran), undone)
    elif case.event in _REFUSED:
        end = End(NAME, "javascript" if case.event is Event.CUT else _engine(case))
        hand = _by_hand(case) if case.event in (Event.BY_HAND, Event.BY_HAND_OTHERWISE) else []
        for ran in _ends(script, case, failed=True):
            acts = [Begin(NAME, case.script), *map(Run, ran), end, *hand]
            yield OtherEnd(replace(play(case), acts=tuple(acts)), len(ran))
    elif case.event is Event.EDITED:
        texts = [step.statement.sql if step.former is None else step.former for step in case.steps]
        for ran in _ends([text for text in texts if text], case, failed=True):
            acts = [Begin(NAME, case.former), *map(Run, ran), End(NAME, _engine(case))]
            yield OtherEnd(replace(play(case), acts=tuple(acts)), len(ran))


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
