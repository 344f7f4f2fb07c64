"""The events of a recovery, as typed values. The library emits them; the program that embeds it shows them."""

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from states.answers import Refusal
from states.baseline import Baseline
from states.evidence import Evidence
from states.facts import Check, History
from states.rehearsals import Rehearsal
from states.table import State
from states.verification import MigrationDifference


def _dotted(name: str) -> str:
    return "".join(f".{c.lower()}" if c.isupper() else c for c in name).lstrip(".")


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=_dotted):
    """Base of all events; `event` is its stable, dotted name in JSON."""


class RunStarted(Event, frozen=True):
    """A recovery begins, or an unfinished one is resumed.

    Attributes:
        run: id of the run.
        target: the database that is recovered, without a password.
        source: where its URL comes from.
        resumed: an unfinished recovery is resumed.
        since: the state that the resumed recovery was left in; empty for a new one.
    """

    run: str
    target: str
    source: str
    resumed: bool
    since: str = ""


class StateEntered(Event, frozen=True):
    """The recovery has entered another state; `because` says which observation led there."""

    state: State
    because: str


class ChecksMade(Event, frozen=True):
    """Preflight has made its checks; some may still be awaited."""

    checks: tuple[Check, ...]


class CheckMade(Event, frozen=True):
    """A check of preflight that was awaited has its answer. This process has changed nothing before it."""

    check: Check


class Inspected(Event, frozen=True):
    """The ledger and the migrations folder were read."""

    history: History


class EvidenceFound(Event, frozen=True):
    """The evidence for a failed migration was gathered, and gives a verdict."""

    evidence: Evidence


class PresentFound(Event, frozen=True):
    """Production already has something of a pending migration that was never attempted."""

    evidence: Evidence


class PendingUncompared(Event, frozen=True):
    """Some pending migrations could not be compared with production before the deploy. It may run all the same."""

    reason: str


class PendingRehearsed(Event, frozen=True):
    """The pending migrations were run on a copy of production's schema, which shows what they lock and rewrite."""

    rehearsals: tuple[Rehearsal, ...]


class BaselineFound(Event, frozen=True):
    """The ledger may have lost rows, so production was compared with the whole history."""

    baseline: Baseline


class RestorePointMade(Event, frozen=True):
    """A restore point was made before the first change: a branch in Neon, or a dump in a file.

    Attributes:
        kind: `neon` or `pg_dump`.
        place: the branch or the file.
        lsn: position in the write-ahead log, at or just before the state that the restore point holds.
        taken: the time at that position, ISO 8601 in UTC, by the server's clock.
        back: how to go back to the restore point.
    """

    kind: str
    place: str
    lsn: str
    taken: str
    back: str


class EffectProposed(Event, frozen=True):
    """A change of production is next, and consent to it is still to be asked for.

    Attributes:
        effect: stable id of the effect, as in `effect.started`.
        command: the command line as it will be run, for people.
        consequence: what the effect leads to.
        untouched: what the effect leaves alone.
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
    """A line that a command printed, with secrets replaced.

    Attributes:
        line: the line.
        ours: whether it is no output, but a word of this tool's on the running command.
    """

    line: str
    ours: bool = False


class Task(StrEnum):
    """Tasks that can last long enough to report progress."""

    #: Running the history in the scratch database.
    REPLAY = "replay"
    #: Waiting until Prisma's migration lock is free.
    LOCK = "lock"
    #: Waiting until Prisma's command has started and asks for Prisma's lock.
    START = "start"
    #: Waiting for Prisma's command to end.
    COMMAND = "command"
    #: Marking the migrations of a baseline, a command for each.
    MARKS = "marks"


class Progressed(Event, frozen=True):
    """Progress of a task that lasts. Emitted repeatedly, from any thread; for display only.

    Attributes:
        task: what lasts.
        seconds: how long the current migration, or the wait, has lasted.
        done: number of migrations that are finished; None where there is nothing to count.
        total: number of migrations in all; None as for `done`.
        migration: the current migration; empty if there is none.
        waits_for: the lock that the task waits for, as `AccessExclusiveLock on public.places`; empty if for none.
        blocked_by: the sessions that hold it up, for people.
        left: about how many seconds are left; None if that is not known.
    """

    task: Task
    seconds: float
    done: int | None = None
    total: int | None = None
    migration: str = ""
    waits_for: str = ""
    blocked_by: tuple[str, ...] = ()
    left: float | None = None


class EffectEnded(Event, frozen=True):
    """A Prisma command has ended, and the ledger was read again.

    Attributes:
        effect: stable id of the effect.
        shown: the ledger shows the effect.
        seconds: how long the command took.
        unchanged: why the command was not started; empty if it was.
        killed: that somebody else, or the system, killed the command, as a sentence; empty if it ended by itself.
    """

    effect: str
    shown: bool
    seconds: float
    unchanged: str = ""
    killed: str = ""


class EffectFound(Event, frozen=True):
    """The ledger was read for an effect in doubt: an earlier process began it and did not record its end.

    Attributes:
        effect: stable id of the effect.
        command: the command line as it was run, for people.
        shown: the ledger shows the effect, so it is not repeated; else it is decided anew.
    """

    effect: str
    command: str
    shown: bool


class SchemaCompared(Event, frozen=True):
    """Production was compared with the replay of all finished migrations.

    Attributes:
        proven: names of the migrations whose objects agree.
        differing: differences that keep the gate closed, by migration.
        elsewhere: differences in other migrations; shown only.
    """

    proven: tuple[str, ...]
    differing: tuple[MigrationDifference, ...]
    elsewhere: tuple[MigrationDifference, ...]


class StepStarted(Event, frozen=True):
    """A step of the pipeline begins."""

    step: str
    command: tuple[str, ...]


class StepEnded(Event, frozen=True):
    """A step of the pipeline has ended.

    Attributes:
        step: name of the step.
        exit_code: of its command.
        seconds: how long the command took.
        already_done: the step had been done before, so its command was not run again.
    """

    step: str
    exit_code: int
    seconds: float
    already_done: bool = False


class Refused(Event, frozen=True):
    """The recovery stops in a state, with a refusal."""

    state: State
    refusal: Refusal


class Failed(Event, frozen=True):
    """The command stopped outside any state of the recovery, most often for wrong usage."""

    refusal: Refusal


class RunWaits(Event, frozen=True):
    """What stops the run is expected to pass, so it is waited for, and then tried again (`run --wait`).

    Attributes:
        code: the refusal's code.
        fact: what stops the run.
        waited: seconds since the first attempt.
        left: seconds after which it is waited for no longer.
    """

    code: str
    fact: str
    waited: float
    left: float


class RunEnded(Event, frozen=True):
    """The run has ended for this process; it can be resumed unless it is finished."""

    run: str
    state: State
    exit_code: int


Sink = Callable[[Event], None]


def nobody(_: Event) -> None:
    """A sink that ignores every event."""


def lock_sink(emit: Sink) -> Callable[[float, Sequence[object]], None]:
    """A callback that emits progress of the wait for Prisma's migration lock, from its seconds and its holders."""

    def told(seconds: float, holders: Sequence[object]) -> None:
        emit(Progressed(Task.LOCK, round(seconds, 1), blocked_by=tuple(map(str, holders))))

    return told
