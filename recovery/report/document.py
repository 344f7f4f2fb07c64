"""What the commands print for machines. It may grow fields; those that are here are never lost or changed."""

from collections.abc import Callable
from typing import Any

import msgspec

from recovery.effects.results import RestorePoint
from recovery.events import EffectProposed
from recovery.evidence.pending import Compared
from states.answers import NextCommand, Refusal
from states.facts import Check, History
from states.table import State
from states.verdict import Evidence
from states.verification import MigrationDifference

SCHEMA_VERSION = 1


class TargetDocument(msgspec.Struct, frozen=True):
    """Where the database is; never a user or a password."""

    host: str
    database: str
    schema: str
    server_version: str


class HistoryDocument(msgspec.Struct, frozen=True):
    """Ledger and folder: `applied` counts, the others name."""

    applied: int
    pending: tuple[str, ...]
    modified: tuple[str, ...]
    missing_locally: tuple[str, ...]


class ErrorDocument(msgspec.Struct, frozen=True):
    """What any command prints that could not do what was asked."""

    refusal: Refusal
    schema_version: int = SCHEMA_VERSION


class InspectDocument(msgspec.Struct, frozen=True):
    """All that `inspect` found.

    Attributes:
        present: pending migrations, never attempted, of which production has something already; looked at where none
            failed.
        uncompared: why pending ones, or some of them, could not be compared with production; empty if all were.
    """

    schema_version: int
    target: TargetDocument
    history: HistoryDocument
    failed: tuple[Evidence, ...]
    checks: tuple[Check, ...]
    present: tuple[Evidence, ...]
    uncompared: str


class MoveDocument(msgspec.Struct, frozen=True):
    """A state that was left: why, and how long it took."""

    state: State
    because: str
    seconds: float


class EffectDocument(msgspec.Struct, frozen=True):
    """A Prisma command that was to be run.

    Attributes:
        started: it was run.
        shown: the ledger shows it; null where it was not run, or its end was not seen.
        unchanged: why it was not even tried; empty if it was.
    """

    effect: str
    command: str
    consequence: str
    untouched: str
    started: bool = False
    shown: bool | None = None
    seconds: float | None = None
    unchanged: str = ""

    @classmethod
    def proposed(cls, event: EffectProposed) -> "EffectDocument":
        """One of which no more is known yet."""
        return cls(event.effect, event.command, event.consequence, event.untouched)


class FoundDocument(msgspec.Struct, frozen=True):
    """A Prisma command of an earlier process, whose end it did not record: whether the ledger shows it."""

    effect: str
    command: str
    shown: bool


class StepDocument(msgspec.Struct, frozen=True):
    """A step of the pipeline; `already_done`: an earlier run had done it."""

    step: str
    exit_code: int
    seconds: float
    already_done: bool


class ProofDocument(msgspec.Struct, frozen=True):
    """Production beside the replay of its whole history."""

    proven: tuple[str, ...]
    differing: tuple[MigrationDifference, ...]
    elsewhere: tuple[MigrationDifference, ...]


class RunDocument(msgspec.Struct, frozen=True):
    """All that `run`, `run --plan` or `pipeline` did and saw.

    Attributes:
        command: run, plan or pipeline.
        run: empty where none was begun: with `--plan`, or where something stopped the command before.
        target: for people.
        state: where it stands; null where no state was entered.
        evidence: on failed migrations, as in `inspect`; the latest of each.
        present: on pending ones, as in `inspect`.
        found: what became of the command at which an earlier process died; null where there was none.
        effects: in their order; with `--plan` those that would be run.
        path: the states that were left.
        refusal: why it stopped; null if nothing stopped it.
    """

    command: str
    run: str = ""
    resumed: bool = False
    target: str = ""
    state: State | None = None
    exit_code: int = 0
    checks: tuple[Check, ...] = ()
    history: HistoryDocument | None = None
    evidence: tuple[Evidence, ...] = ()
    present: tuple[Evidence, ...] = ()
    uncompared: str = ""
    found: FoundDocument | None = None
    effects: tuple[EffectDocument, ...] = ()
    restore_point: RestorePoint | None = None
    proof: ProofDocument | None = None
    steps: tuple[StepDocument, ...] = ()
    path: tuple[MoveDocument, ...] = ()
    refusal: Refusal | None = None
    schema_version: int = SCHEMA_VERSION


class Decided(msgspec.Struct, frozen=True):
    """What a run found of a migration.

    Attributes:
        approved: the decision that a person took on it; empty if none did.
    """

    migration: str
    verdict: str
    decision: str
    evidence_digest: str
    approved: str


class Done(msgspec.Struct, frozen=True):
    """An effect that a run began.

    Attributes:
        shown: the ledger showed it; null while that is in doubt.
        time: when it was begun, or when its end was recorded.
        unchanged: why it was not even tried; empty if it was.
    """

    effect: str
    shown: bool | None
    time: str
    seconds: float | None = None
    unchanged: str = ""


class StepStanding(msgspec.Struct, frozen=True):
    """A step that a run began; `exit_code` is null while in doubt."""

    step: str
    exit_code: int | None


class Standing(msgspec.Struct, frozen=True):
    """One run, as its journal has it.

    Attributes:
        target: its system identifier, database and schema.
        because: the last refusal or reason.
        next: what to do, for people.
        started: when it began. Times are ISO 8601 in UTC.
        since: when it came to its state.
        stopped_in: the state that it was blocked in; null if it is not blocked.
        code: of the refusal; empty if there is none.
        changed: it changed something, or may have.
        restore_point: where it is; empty if it made none.
        back: how to go back to that.
        commands: what to do, to be copied.
    """

    run: str
    target: str
    state: State
    because: str
    next: str
    started: str
    since: str
    stopped_in: State | None
    code: str
    changed: bool
    decided: tuple[Decided, ...]
    done: tuple[Done, ...]
    steps: tuple[StepStanding, ...]
    restore_point: str
    back: str
    commands: tuple[NextCommand, ...]


class StatusDocument(msgspec.Struct, frozen=True):
    """Where the runs stand, the newest of each target last."""

    runs: tuple[Standing, ...]
    schema_version: int = SCHEMA_VERSION


class ApproveDocument(msgspec.Struct, frozen=True):
    """A decision that was recorded."""

    run: str
    migration: str
    decision: str
    evidence_digest: str
    commands: tuple[NextCommand, ...]
    schema_version: int = SCHEMA_VERSION


class AbortDocument(msgspec.Struct, frozen=True):
    """A recovery that was given up; `changed`: what it had changed in the database stays."""

    run: str
    changed: bool
    commands: tuple[NextCommand, ...]
    schema_version: int = SCHEMA_VERSION


def history_document(history: History) -> HistoryDocument:
    """Ledger and folder in few words."""
    return HistoryDocument(len(history.applied), history.pending, history.modified, history.missing_locally)


def document(
    target: TargetDocument,
    history: History,
    failed: tuple[Evidence, ...],
    checks: tuple[Check, ...],
    compared: Compared,
) -> InspectDocument:
    """The document of one inspection."""
    return InspectDocument(
        SCHEMA_VERSION,
        target,
        history_document(history),
        failed,
        checks,
        tuple(classified.evidence for classified in compared.found),
        compared.missing,
    )


def builtins(value: object, complete: Callable[[str], str] = str) -> Any:  # noqa: ANN401 - JSON
    """Any of our records as what JSON knows; `complete` adds the options that a command to be copied needs."""
    return _completed(msgspec.to_builtins(value), complete)


def _completed(value: Any, complete: Callable[[str], str]) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, list | tuple):
        return [_completed(each, complete) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"line", "when"}:
        return {**value, "line": complete(value["line"])}
    return {key: _completed(each, complete) for key, each in value.items()}


def encode(value: object, complete: Callable[[str], str] = str) -> str:
    """The same as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(builtins(value, complete)), indent=2).decode()
