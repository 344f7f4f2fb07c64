"""The JSON documents that commands print. Fields may be added; existing fields are never removed or changed."""

from collections.abc import Callable
from typing import Any

import msgspec

from recovery.effects.results import RestorePoint
from recovery.events import EffectProposed
from recovery.evidence.pending import Compared
from states.answers import NextCommand, Refusal
from states.baseline import Baseline
from states.evidence import Evidence
from states.facts import Check, History
from states.rehearsals import Rehearsal
from states.table import State
from states.verification import MigrationDifference

SCHEMA_VERSION = 1


class TargetDocument(msgspec.Struct, frozen=True):
    """Where the target is; never a user or a password."""

    host: str
    database: str
    schema: str
    server_version: str


class HistoryDocument(msgspec.Struct, frozen=True):
    """The ledger compared with the migrations folder.

    Attributes:
        applied: number of applied migrations.
        pending: names of the pending migrations.
        modified: names of the migrations whose script was edited after it ran.
        missing_locally: names of the migrations that the ledger has and the folder lacks.
    """

    applied: int
    pending: tuple[str, ...]
    modified: tuple[str, ...]
    missing_locally: tuple[str, ...]


class ErrorDocument(msgspec.Struct, frozen=True):
    """Why a command could not do what was asked."""

    refusal: Refusal
    schema_version: int = SCHEMA_VERSION


class InspectDocument(msgspec.Struct, frozen=True):
    """The findings of `inspect`.

    Attributes:
        failed: the evidence on each failed migration.
        checks: the checks of preflight.
        present: the evidence on pending migrations that production has already, in whole or in part, though no deploy
            ever attempted them; made only if no migration failed.
        uncompared: why pending migrations, or some of them, could not be compared with production; empty if all were.
        baseline: how far production has the history, where the ledger may have lost rows; null where it has not.
        rehearsals: what each pending migration would lock and rewrite in production; made only with `--pending`.
    """

    schema_version: int
    target: TargetDocument
    history: HistoryDocument
    failed: tuple[Evidence, ...]
    checks: tuple[Check, ...]
    present: tuple[Evidence, ...]
    uncompared: str
    baseline: Baseline | None = None
    rehearsals: tuple[Rehearsal, ...] = ()


class MoveDocument(msgspec.Struct, frozen=True):
    """A state that the run left: why, and after how many seconds."""

    state: State
    because: str
    seconds: float


class EffectDocument(msgspec.Struct, frozen=True):
    """An effect: a Prisma command that the run proposed.

    Attributes:
        effect: the effect's id.
        command: the command line.
        consequence: what the command leads to, for people.
        untouched: what the command leaves alone, for people.
        started: whether the command was started.
        shown: whether the ledger shows the effect; null if the command did not run, or its end was not seen.
        seconds: how long the command ran; null if it did not run.
        unchanged: why the command did not run after all, such as changed evidence; else empty.
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
        """An effect that was only proposed."""
        return cls(event.effect, event.command, event.consequence, event.untouched)


class FoundDocument(msgspec.Struct, frozen=True):
    """A Prisma command whose process died before it recorded the end.

    Attributes:
        effect: the effect's id.
        command: the command line.
        shown: whether the ledger shows the effect.
    """

    effect: str
    command: str
    shown: bool


class StepDocument(msgspec.Struct, frozen=True):
    """A step of the pipeline.

    Attributes:
        step: the step's name.
        exit_code: the exit code of its command.
        seconds: how long its command ran.
        already_done: whether the step was done before, so that it was not repeated.
    """

    step: str
    exit_code: int
    seconds: float
    already_done: bool


class ProofDocument(msgspec.Struct, frozen=True):
    """Production compared with the replay of its whole history.

    Attributes:
        proven: migrations in question whose every object and column is as in the replay.
        differing: migrations in question that differ; they stop the run.
        elsewhere: differences in migrations that are not in question; they are only shown.
    """

    proven: tuple[str, ...]
    differing: tuple[MigrationDifference, ...]
    elsewhere: tuple[MigrationDifference, ...]


class RunDocument(msgspec.Struct, frozen=True):
    """What `run`, `run --plan` or `pipeline` saw and did.

    Attributes:
        command: `run`, `plan` or `pipeline`.
        run: identifier of the run; empty if none was begun: with `--plan`, or if the command stopped before.
        resumed: whether it resumed an unfinished recovery.
        target: the target's URL without the password, for people.
        state: the state in which the run is; null if no state was entered.
        exit_code: the command's exit code.
        checks: the checks of preflight.
        history: the ledger compared with the migrations folder; null if they were not read.
        evidence: the latest evidence on each failed migration, as in `inspect`.
        present: the evidence on pending migrations that production has already, as in `inspect`.
        uncompared: why pending migrations could not be compared with production, as in `inspect`.
        baseline: how far production has the history, as in `inspect`.
        rehearsals: what each migration would lock and rewrite in production, as in `inspect`.
        found: the command at which an earlier process died, and its outcome; null if there was none.
        effects: the effects in order; with `--plan` those that a run would propose.
        restore_point: the restore point that this process made; null if it made none.
        proof: production compared with the replay of its whole history; null if it was not compared.
        steps: the steps of the pipeline.
        path: the states that were left, in order.
        refusal: why the command stopped; null if nothing stopped it.
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
    baseline: Baseline | None = None
    rehearsals: tuple[Rehearsal, ...] = ()
    found: FoundDocument | None = None
    effects: tuple[EffectDocument, ...] = ()
    restore_point: RestorePoint | None = None
    proof: ProofDocument | None = None
    steps: tuple[StepDocument, ...] = ()
    path: tuple[MoveDocument, ...] = ()
    refusal: Refusal | None = None
    schema_version: int = SCHEMA_VERSION


class Decided(msgspec.Struct, frozen=True):
    """The latest verdict of a run on a migration.

    Attributes:
        migration: its name.
        verdict: the verdict.
        decision: the decision that follows from the verdict.
        evidence_digest: digest of the evidence.
        approved: the decision that a person approved on this evidence; empty if nobody did.
    """

    migration: str
    verdict: str
    decision: str
    evidence_digest: str
    approved: str


class Done(msgspec.Struct, frozen=True):
    """An effect that a run began.

    Attributes:
        effect: the effect's id.
        shown: whether the ledger showed the effect; null while it is in doubt.
        time: when its outcome was recorded; while it is in doubt, when it was begun.
        seconds: how long its command ran; null if that is not recorded.
        unchanged: why its command did not run after all; else empty.
    """

    effect: str
    shown: bool | None
    time: str
    seconds: float | None = None
    unchanged: str = ""


class StepStanding(msgspec.Struct, frozen=True):
    """A step of the pipeline that a run began; `exit_code` is null while it is in doubt."""

    step: str
    exit_code: int | None


class Standing(msgspec.Struct, frozen=True):
    """The status of a run, from its journal. Times are ISO 8601 in UTC.

    Attributes:
        run: identifier of the run.
        target: the target's system identifier, database and schema.
        state: the state in which the run is.
        because: why it is in that state, a refusal for example.
        next: what to do, for people.
        started: when the run began.
        since: when it came to its state.
        stopped_in: the state in which it was blocked; null if it is not blocked.
        code: code of the refusal; empty if it is not blocked.
        changed: whether the run changed the database, or may have.
        decided: the latest verdict on each migration.
        done: the effects that the run began.
        steps: the steps of the pipeline that it began.
        restore_point: where its restore point is; empty if it made none.
        back: how to go back to the restore point.
        commands: the commands to run next, to be copied.
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
    """The status of the runs in a journal; of each target the newest run last."""

    runs: tuple[Standing, ...]
    schema_version: int = SCHEMA_VERSION


class RepairDocument(msgspec.Struct, frozen=True):
    """The script that `repair --sql` prints."""

    script: str
    schema_version: int = SCHEMA_VERSION


class ApproveDocument(msgspec.Struct, frozen=True):
    """The approval that `approve` recorded."""

    run: str
    migration: str
    decision: str
    evidence_digest: str
    commands: tuple[NextCommand, ...]
    schema_version: int = SCHEMA_VERSION


class AbortDocument(msgspec.Struct, frozen=True):
    """The recovery that `abort` gave up; if `changed`, its changes stay in the database."""

    run: str
    changed: bool
    commands: tuple[NextCommand, ...]
    schema_version: int = SCHEMA_VERSION


def history_document(history: History) -> HistoryDocument:
    """The part of a document that compares the ledger with the folder."""
    return HistoryDocument(len(history.applied), history.pending, history.modified, history.missing_locally)


def document(
    target: TargetDocument,
    history: History,
    failed: tuple[Evidence, ...],
    checks: tuple[Check, ...],
    compared: Compared,
    rehearsals: tuple[Rehearsal, ...] = (),
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
        None if compared.baseline is None else compared.baseline.evidence,
        rehearsals,
    )


def builtins(value: object, complete: Callable[[str], str] = str) -> Any:  # noqa: ANN401 - JSON
    """A document or event as dicts, lists and other types of JSON.

    Args:
        value: the document or event.
        complete: adds the options that a suggested command needs.
    """
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
    """A document as indented JSON; arguments as of `builtins`."""
    return msgspec.json.format(msgspec.json.encode(builtins(value, complete)), indent=2).decode()
