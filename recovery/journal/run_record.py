"""The record of a run: what its events in the journal, taken together, say of it."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from recovery.journal import JournalEvent
from states.approval import Approval
from states.deployment import Failure
from states.effects import MarkApplied, Repair, of_id
from states.evidence import Decision
from states.facts import NO_ANSWERS, Answers, Cause
from states.table import State


class Kind:
    """Names of the journal's events."""

    STARTED = "run.started"
    MOVED = "state.moved"
    CHECKED = "preflight.checked"
    CLASSIFIED = "migration.classified"
    BASELINED = "history.compared"
    FAILED = "migration.failed"
    REHEARSED = "pending.rehearsed"
    INTENDED = "effect.intended"
    OBSERVED = "effect.observed"
    FOUND = "effect.found"
    STATEMENT_INTENDED = "statement.intended"
    STATEMENT_OBSERVED = "statement.observed"
    TRANSACTION_BEGUN = "transaction.begun"
    RESTORE_POINT = "restore_point.made"
    ORPHAN_INTENDED = "orphan.intended"
    ORPHAN_ENDED = "orphan.ended"
    APPROVED = "evidence.approved"
    PIPELINE = "pipeline.requested"
    STEP_INTENDED = "step.intended"
    STEP_OBSERVED = "step.observed"
    STEP_DECIDED = "step.decided"


class RunRecord(Struct, frozen=True):
    """What the journal says of a run.

    Attributes:
        state: the state in which the run is.
        settled: for each migration that this run marked rolled back, the ids of all its rows in the ledger at that
            time; once it has another row, it is no longer settled.
        resolved: for each migration that an effect of this run was seen to resolve, that effect's id.
        failures: all failures of migrations that were met, oldest first.
        approvals: the latest approval of each migration.
        answers: what a person said, or a repair has shown, of the work on rows of each migration's statements.
        aside: of the migration that a repair was begun on, the answers from before it. They count again if nothing of
            it was done.
        transaction: number of the repair's transaction, 0 before it began; -1 if its statements are committed one by
            one, and the first was begun.
        evidence: the payload of each migration's last `migration.classified`, with its digest and verdict.
        baseline: the payload of the last `history.compared`, with its digest, verdict and range; empty without one.
        baseline_approval: the latest approval of a baseline; its migration is the one up to which.
        acted: whether an effect of this run was tried and its outcome recorded.
        planned: the script's checksum for each migration that a deploy of this run applied, or may have applied.
        in_doubt: id of the effect whose outcome is not recorded; empty if there is none.
        doubted: the migrations that this effect was to deploy.
        marking: migrations that this run began to mark applied, and was not seen to: Prisma may have withdrawn their
            attempts and not come to write the new row (RULES F5).
        restore_point: where this run's restore point is; empty if it made none.
        back: how to go back to the restore point, for people.
        pipeline: whether the pipeline was asked for.
        wanted: the keys of its steps as they were configured then.
        steps: exit code of each pipeline step, by its key; None while the step is in doubt.
        because: why the run last changed its state, a refusal for example; for people.
        remedy: what to do about it, for people.
    """

    state: State = State.PREFLIGHT
    settled: dict[str, frozenset[str]] = field(default_factory=dict)
    resolved: dict[str, str] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    approvals: dict[str, Approval] = field(default_factory=dict)
    answers: dict[str, Answers] = field(default_factory=dict)
    aside: dict[str, Answers] = field(default_factory=dict)
    transaction: int = 0
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)
    baseline: dict[str, Any] = field(default_factory=dict)
    baseline_approval: Approval | None = None
    acted: bool = False
    planned: dict[str, str] = field(default_factory=dict)
    in_doubt: str = ""
    doubted: tuple[str, ...] = ()
    marking: frozenset[str] = frozenset()
    restore_point: str = ""
    back: str = ""
    pipeline: bool = False
    wanted: tuple[str, ...] = ()
    steps: dict[str, int | None] = field(default_factory=dict)
    because: str = ""
    remedy: str = ""

    @property
    def changed(self) -> bool:
        """Whether an effect of this run took place, or may have."""
        return self.acted or bool(self.in_doubt)

    def after(self, event: JournalEvent) -> "RunRecord":  # noqa: C901, PLR0912 - a case an event
        """The record after one more event."""
        payload = event.payload
        match event.kind:
            case Kind.MOVED:
                return replace(
                    self, state=State(payload["to"]), because=payload["because"], remedy=payload.get("remedy", "")
                )
            case Kind.CLASSIFIED:
                return replace(self, evidence={**self.evidence, payload["migration"]: payload})
            case Kind.BASELINED:
                return replace(self, baseline=payload)
            case Kind.FAILED:
                cause = Cause(payload["sqlstate"], payload["kind"], payload["transient"])
                return replace(self, failures=(*self.failures, Failure(payload["migration"], cause, payload["logs"])))
            case Kind.APPROVED if "statements" in payload:
                return self.told(payload)
            case Kind.APPROVED:
                name = payload["migration"]
                approval = Approval(name, Decision(payload["decision"]), payload["evidence"], payload["reason"])
                if payload.get("baseline"):
                    return replace(self, baseline_approval=approval)
                return replace(self, approvals={**self.approvals, name: approval})
            case Kind.INTENDED:
                planned = {**self.planned, **payload.get("planned", {})}
                settled = {k: v for k, v in self.settled.items() if k not in payload.get("planned", {})}
                doubted = tuple(payload.get("planned", ()))
                record = replace(self, in_doubt=payload["effect"], doubted=doubted, acted=self.changed)
                record = replace(record, aside={}, transaction=0)
                effect = of_id(payload["effect"], doubted)
                if isinstance(effect, Repair):
                    # From here on its answers may not be true any more: a plan that ends well tells new ones, one of
                    # which nothing was done brings these back, and after any other a person is asked again.
                    kept = {name: each for name, each in record.answers.items() if name != effect.migration}
                    said = {k: v for k, v in record.answers.items() if k == effect.migration}
                    record = replace(record, answers=kept, aside=said)
                if isinstance(effect, MarkApplied):
                    record = replace(record, marking=record.marking | {effect.migration})
                return replace(record, planned=planned, settled=settled)
            case Kind.OBSERVED:
                return self._observed(payload)
            case Kind.FOUND:
                # The effect was cut off, so nobody knows who wrote the rows that the ledger shows now: none is settled.
                kept = {**self.aside, **self.answers} if payload.get("undone") else self.answers
                return replace(self, in_doubt="", acted=True, answers=kept, aside={})
            case Kind.TRANSACTION_BEGUN:
                return replace(self, transaction=payload["transaction"])
            case Kind.STATEMENT_INTENDED:
                return replace(self, transaction=-1)
            case Kind.RESTORE_POINT:
                return replace(self, restore_point=payload["place"], back=payload.get("back", ""))
            case Kind.PIPELINE:
                return replace(self, pipeline=True, wanted=tuple(payload.get("steps", ())))
            case Kind.STEP_INTENDED:
                return replace(self, steps={**self.steps, payload["step"]: None})
            case Kind.STEP_OBSERVED | Kind.STEP_DECIDED:
                steps = {key: value for key, value in self.steps.items() if key != payload["step"]}
                if payload["exit_code"] is not None:
                    steps[payload["step"]] = payload["exit_code"]
                return replace(self, steps=steps)
            case _:
                return self

    def told(self, payload: dict[str, Any]) -> "RunRecord":
        """The record with answers on statements, beside those that were given for the same evidence before."""
        name, asked = payload["migration"], payload.get("asked", payload["evidence"])
        earlier = self.answers.get(name, NO_ANSWERS)
        known = earlier.done if earlier.evidence == asked else {}
        said = {int(number): done for number, done in payload["statements"].items()}
        return replace(self, answers={**self.answers, name: Answers(asked, {**known, **said})})

    def _observed(self, payload: dict[str, Any]) -> "RunRecord":
        record = replace(self, in_doubt="", aside={})
        if payload.get("unchanged") or payload.get("undone"):
            record = replace(record, answers={**self.aside, **record.answers})
        if "repaired" in payload:
            record = record.told(payload["repaired"])
        if "deployed" in payload:
            # A migration that this deploy did not apply is no longer planned: its file may be corrected meanwhile.
            planned = {name: self.planned[name] for name in payload["deployed"] if name in self.planned}
            record = replace(record, planned=planned)
        if payload.get("unchanged"):
            return record
        record = replace(record, acted=self.acted or bool(self.in_doubt))
        name = payload.get("migration")
        if not name or not payload["shown"]:
            return record
        record = replace(record, marking=record.marking - {name})
        resolved = {**self.resolved, name: payload["effect"]}
        settled = dict(self.settled)
        if payload["effect"].startswith("mark_rolled_back:"):
            settled[name] = frozenset(payload["rows"])
        return replace(record, resolved=resolved, settled=settled)


def by_hand(event: JournalEvent) -> bool:
    """Whether a person wrote this event while no process, or another one, was at work: an approval, or giving up."""
    given_up = event.kind == Kind.MOVED and event.payload["to"] == State.ABORTED
    return event.kind == Kind.APPROVED or given_up


def record_of(events: Iterable[JournalEvent]) -> RunRecord:
    """The record of a run, from all of its events."""
    record = RunRecord()
    for event in events:
        record = record.after(event)
    return record
