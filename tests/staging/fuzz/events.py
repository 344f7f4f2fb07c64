"""What happens in production, one thing after another, in each event."""

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
    """A text is cut at every semicolon, and the first so many pieces are run until one fails."""

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
    if case.event is Event.TWO:
        return _two(case)
    text = case.script
    files, known, ideal = {NAME: text}, {}, (text, *case.later)
    acts: list[Act]
    failed: list[Act] = [Begin(NAME, text), _undone(case, case.cut), End(NAME, _engine(case))]
    whole: list[Act] = [Begin(NAME, text), Run(text, needed=True)]
    undo: list[Act] = [Run(step.statement.undo) for step in reversed(case.steps) if step.undone]
    match case.event:
        case Event.DIED_BEFORE:
            acts = [Begin(NAME, text)]
        case Event.FAILED_WHOLE:
            acts = failed
        case Event.FAILED_AT:
            acts = [Begin(NAME, text), *_first(case), End(NAME, _engine(case))]
        case Event.CUT:
            acts = [Begin(NAME, text), Pieces(text, case.cut), End(NAME, "javascript")]
        case Event.CRASHED_DONE:
            acts = whole
        case Event.CRASHED_AFTER:
            acts = [Begin(NAME, text), *_first(case)]
        case Event.COUNTED:
            acts = [*whole, End(NAME, steps=1)]
        case Event.BY_HAND | Event.BY_HAND_OTHERWISE:
            acts = [*failed, *_by_hand(case)]
        case Event.UNDONE:
            acts = [*whole, *undo]
        case Event.USED:
            acts = [*whole, *(Run(each, needed=True) for each in case.later), *undo]
        case Event.EDITED | Event.EDITED_BY_HAND | Event.LOST:
            acts, known = _edited(case)
        case Event.RUN_AGAIN:
            acts = [*whole, Run(text)]
        case Event.OVERTAKEN | Event.OVERTAKEN_UNDONE:
            later = "".join(f"{each};\n" for each in case.later)
            files[LATER] = later
            ideal = (text, later)
            acts = whole if case.event is Event.OVERTAKEN else failed
            acts = [*acts, Begin(LATER, later), Run(later, needed=True), End(LATER, steps=1, finished=True)]
        case Event.WITHDRAWN | Event.WITHDRAWN_UNDONE | Event.WITHDRAWN_ONLY:
            acts = [*whole, End(NAME, steps=1), *([] if case.event is Event.WITHDRAWN else undo)]
            acts.append(End(NAME, steps=1, withdrawn=True))
            acts += [] if case.event is Event.WITHDRAWN_ONLY else failed
        case Event.PENDING:
            acts = []
        case _:
            acts = _by_hand(case)
    pending = case.event in NEVER_ATTEMPTED
    return Play(files, tuple(acts), ideal, known=known, asked_as_pending=pending)


def _engine(case: Case) -> str:
    return "javascript" if case.javascript else "native"


def _undone(case: Case, count: int) -> Run:
    """The first statements in a transaction that is rolled back."""
    return Run(";\n".join(step.statement.sql for step in case.steps[:count]) or "SELECT 1", undone=True)


def _first(case: Case) -> list[Act]:
    """The statements that took effect one by one."""
    if case.wrapped:
        return [_undone(case, case.cut)]
    return [Run(step.statement.sql, needed=True) for step in case.steps[: case.cut]]


def _by_hand(case: Case) -> list[Act]:
    return [Run(step.by_hand) for step in case.steps if step.by_hand]


def _edited(case: Case) -> tuple[list[Act], dict[str, str]]:
    former = case.former
    acts: list[Act] = [Begin(NAME, former), Run(former) if case.event is Event.LOST and case.cut else Run("SELECT 1")]
    acts.append(End(NAME, _engine(case)))
    if case.event is Event.EDITED_BY_HAND:
        acts += _by_hand(case)
    return acts, {} if case.event is Event.LOST else {NAME: former}


def _two(case: Case) -> Play:
    first, second = case.two()
    acts: list[Act] = [Begin(NAME, first)]
    acts += [Run(step.statement.sql, needed=True) for step in case.steps[: min(case.cut, case.done)]]
    acts += [End(NAME, _engine(case)), Begin(SECOND, second)]
    acts += [Run(step.statement.sql, needed=True) for step in case.steps[case.cut : case.done]]
    acts.append(End(SECOND, _engine(case)))
    return Play({NAME: first, SECOND: second}, tuple(acts), (first, second), (NAME, SECOND))
