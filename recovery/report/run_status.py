"""Where a run stands, from its journal alone: since when, what was decided and done, and what to do now."""

from collections.abc import Sequence
from typing import Any

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.report.document import Decided, Done, Standing, StepStanding
from states.answers import RUN_AGAIN, NextCommand
from states.table import State

_APPROVED = "Run again: it acts on the approval, if the evidence is still the same."
#: Where a run stops for what a person can decide.
_DECIDING = (State.INSPECT, State.CLASSIFY)
_PIPELINE = NextCommand("prisma-recovery pipeline", "to run what is left of the pipeline")


def standing(target: str, run: str, events: Sequence[JournalEvent]) -> Standing:
    """One run; `target` as the journal names it."""
    record = record_of(events)
    moves = [event for event in events if event.kind == Kind.MOVED]
    last = moves[-1] if moves else None
    payload = last.payload if last is not None else {}
    blocked = record.state is State.BLOCKED
    approved = blocked and payload["from"] in _DECIDING and _decided_since(record, events, moves[-1].seq)
    return Standing(
        run=run,
        target=target,
        state=record.state,
        because=record.because,
        next=_APPROVED if approved else _next(record),
        started=events[0].time if events else "",
        since=(last or events[0]).time if events else "",
        stopped_in=State(payload["from"]) if blocked else None,
        code=payload.get("code", "") if blocked else "",
        changed=record.changed,
        decided=tuple(_decided(record, found) for found in record.evidence.values()),
        done=_done(events),
        steps=tuple(StepStanding(name.rpartition(":")[0], code) for name, code in record.steps.items()),
        restore_point=record.restore_point,
        back=record.back,
        commands=(RUN_AGAIN,) if approved else _commands(record, payload),
    )


def _decided_since(record: RunRecord, events: Sequence[JournalEvent], seq: int) -> bool:
    """A person has decided the very evidence that it stopped for."""
    return any(
        event.kind == Kind.APPROVED
        and event.seq > seq
        and event.payload["evidence"] == record.evidence.get(event.payload["migration"], {}).get("digest")
        for event in events
    )


def _next(record: RunRecord) -> str:
    if record.state is State.PIPELINE_READY:
        return "Nothing: the gate is open."
    if record.state is State.ABORTED:
        return "Nothing: it was given up. `prisma-recovery run` starts a new one."
    if record.state is State.BLOCKED:
        return record.remedy or "Run prisma-recovery run again."
    return "Its process ended, or is still at work. `prisma-recovery run` goes on with it, or says that it is busy."


def _commands(record: RunRecord, payload: dict[str, Any]) -> tuple[NextCommand, ...]:
    if record.state is State.PIPELINE_READY:
        left = record.pipeline and any(code != 0 for code in record.steps.values())
        return (_PIPELINE,) if left else ()
    if record.state is State.ABORTED:
        return ()
    if record.state is State.BLOCKED and "commands" in payload:
        return tuple(NextCommand(each["line"], each["when"]) for each in payload["commands"])
    return (RUN_AGAIN,)


def _decided(record: RunRecord, found: dict[str, Any]) -> Decided:
    name, seen = found["migration"], found["digest"]
    approval = record.approvals.get(name)
    counts = approval is not None and approval.evidence_digest == seen
    return Decided(
        name, found["verdict"], found["decision"], seen, str(approval.decision) if counts and approval else ""
    )


def _done(events: Sequence[JournalEvent]) -> tuple[Done, ...]:
    """Each effect that was begun, once: with its outcome where that is recorded, or was found by a later process."""
    done: list[Done] = []
    found = False
    for event in events:
        effect = event.payload.get("effect", "")
        if event.kind == Kind.INTENDED:
            done.append(Done(effect, None, event.time))
            found = False
        elif event.kind in (Kind.OBSERVED, Kind.FOUND):
            # What was found is observed once more where it is classified anew.
            if done and done[-1].effect == effect and (done[-1].shown is None or found):
                done.pop()
            found = event.kind == Kind.FOUND
            unchanged = event.payload.get("unchanged", "")
            done.append(Done(effect, event.payload["shown"], event.time, event.payload.get("seconds"), unchanged))
    return tuple(done)
