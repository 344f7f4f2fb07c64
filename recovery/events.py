"""What happens in a recovery, as typed values. The library emits them; whoever embeds it renders them."""

from collections.abc import Callable

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
        time: then, by the server's clock.
        back: how to go back to it.
    """

    kind: str
    place: str
    lsn: str
    time: str
    back: str


class EffectStarted(Event, frozen=True):
    """A Prisma command is about to run; its intent is in the journal."""

    effect: str
    command: str


class OutputLine(Event, frozen=True):
    """A line that a command printed, redacted."""

    line: str


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
        repeated: False; or True where an earlier run had done it, so that it was not run again.
    """

    step: str
    exit_code: int
    seconds: float
    already_done: bool = False


class Refused(Event, frozen=True):
    """The recovery stops."""

    state: State
    refusal: Refusal


class RunEnded(Event, frozen=True):
    """Nothing more happens in this process."""

    run: str
    state: State
    exit_code: int


Sink = Callable[[Event], None]
