"""What happens in a recovery, as typed values. The library emits them; whoever embeds it renders them."""

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from states.answers import Refusal
from states.facts import Check, History
from states.table import State
from states.verdict import Evidence
from states.verification import MigrationDifference


def _dotted(name: str) -> str:
    return "".join(f".{c.lower()}" if c.isupper() else c for c in name).lstrip(".")


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=_dotted):
    """Base of all events; `event` is its stable, dotted name in JSON."""


class RunStarted(Event, frozen=True):
    """A recovery begins, or goes on.

    Attributes:
        resumed: it goes on with an unfinished one.
        since: the state that one was left in; empty for a new one.
    """

    run: str
    target: str
    source: str
    resumed: bool
    since: str = ""


class StateEntered(Event, frozen=True):
    """The recovery has moved, because of what it saw."""

    state: State
    because: str


class ChecksMade(Event, frozen=True):
    """Preflight has looked."""

    checks: tuple[Check, ...]


class CheckMade(Event, frozen=True):
    """A check of preflight that was awaited is made. This process has changed nothing before."""

    check: Check


class Inspected(Event, frozen=True):
    """Ledger and folder were read."""

    history: History


class EvidenceFound(Event, frozen=True):
    """A failed migration was classified."""

    evidence: Evidence


class PresentFound(Event, frozen=True):
    """A pending migration, never attempted, of which production has something already."""

    evidence: Evidence


class PendingUncompared(Event, frozen=True):
    """Pending migrations, or some of them, could not be compared with production; they can be deployed all the same."""

    reason: str


class RestorePointMade(Event, frozen=True):
    """There is a restore point from what comes: a branch in Neon, or a file.

    Attributes:
        lsn: of the write-ahead log, at or just before the state that it holds.
        taken: then, ISO 8601 in UTC, by the server's clock.
        back: how to go back to it.
    """

    kind: str
    place: str
    lsn: str
    taken: str
    back: str


class EffectProposed(Event, frozen=True):
    """What would change production next. Whether somebody agrees is not known yet.

    Attributes:
        effect: its stable id, as in `effect.started`.
        command: as it will be run, for people.
        consequence: what follows from it.
        untouched: what it leaves alone.
    """

    effect: str
    command: str
    consequence: str
    untouched: str


class EffectStarted(Event, frozen=True):
    """A Prisma command is about to run; its intent is in the journal."""

    effect: str
    command: str


class OutputLine(Event, frozen=True):
    """A line that a command printed, redacted."""

    line: str


class Task(StrEnum):
    """What can take long enough to be told about while it lasts."""

    #: Running the history in the scratch database.
    REPLAY = "replay"
    #: Waiting until Prisma's migration lock is free.
    LOCK = "lock"
    #: Waiting for Prisma's command to end.
    COMMAND = "command"


class Progressed(Event, frozen=True):
    """Something lasts. Told again and again meanwhile, from whichever thread knows; nothing rests on it.

    Attributes:
        done: migrations that are through; None where there is nothing to count.
        total: of how many.
        migration: the one at work; empty where none is.
        seconds: how long that, or the wait, has lasted.
        waits_for: the lock that it waits for, as `AccessExclusiveLock on public.places`; empty if it waits for none.
        blocked_by: the sessions that keep it waiting, for people.
    """

    task: Task
    seconds: float
    done: int | None = None
    total: int | None = None
    migration: str = ""
    waits_for: str = ""
    blocked_by: tuple[str, ...] = ()


class EffectEnded(Event, frozen=True):
    """A Prisma command has ended, and the ledger was read again.

    Attributes:
        shown: the ledger shows the effect.
        unchanged: why it was not even tried; empty if it was.
    """

    effect: str
    shown: bool
    seconds: float
    unchanged: str = ""


class EffectFound(Event, frozen=True):
    """What the ledger shows of a Prisma command that an earlier process began, and whose end is not recorded.

    Attributes:
        command: as it was run, for people.
        shown: the ledger shows the effect, so it is not repeated; else it is decided anew.
    """

    effect: str
    command: str
    shown: bool


class SchemaCompared(Event, frozen=True):
    """Production was compared with the replay of all finished migrations."""

    proven: tuple[str, ...]
    differing: tuple[MigrationDifference, ...]
    elsewhere: tuple[MigrationDifference, ...]


class StepStarted(Event, frozen=True):
    """A pipeline command begins."""

    step: str
    command: tuple[str, ...]


class StepEnded(Event, frozen=True):
    """A pipeline command has ended.

    Attributes:
        already_done: an earlier run had done it, so it was not run again.
    """

    step: str
    exit_code: int
    seconds: float
    already_done: bool = False


class Refused(Event, frozen=True):
    """The recovery stops."""

    state: State
    refusal: Refusal


class Failed(Event, frozen=True):
    """Something stopped the command outside of any state: its usage, above all."""

    refusal: Refusal


class RunEnded(Event, frozen=True):
    """Nothing more happens in this process."""

    run: str
    state: State
    exit_code: int


Sink = Callable[[Event], None]


def nobody(_: Event) -> None:
    """A sink for whoever does not listen."""


def lock_sink(emit: Sink) -> Callable[[float, Sequence[object]], None]:
    """Tells `emit` for how many seconds Prisma's lock has been waited for, and who holds it."""

    def told(seconds: float, holders: Sequence[object]) -> None:
        emit(Progressed(Task.LOCK, round(seconds, 1), blocked_by=tuple(map(str, holders))))

    return told
