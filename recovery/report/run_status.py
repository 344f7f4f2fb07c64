"""The status of a run, from its journal: its state, what was decided and done, and what to do now."""

from collections.abc import Sequence
from typing import Any

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.report.document import Decided, Done, Standing, StepStanding
from recovery.report.to_do import commands, to_do
from states.answers import RUN_AGAIN, NextCommand
from states.table import State

_APPROVED = "Run again: it acts on the approval, if the evidence is still the same."
#: The states in which a person's approval can unblock a run.
_DECIDING = (State.INSPECT, State.CLASSIFY)


def standing(target: str, run: str, events: Sequence[JournalEvent]) -> Standing:
    """The status of one run.

    Args:
        target: the target's key in the journal: system identifier, database and schema.
        run: identifier of the run.
        events: all events of the run.
    """
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
        next=_APPROVED if approved else to_do(record),
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
    """Whether a person, since the event `seq`, has approved the evidence on which the run stopped."""
    return any(
        event.kind == Kind.APPROVED
        and event.seq > seq
        and event.payload["evidence"] in _digests(record.evidence.get(event.payload["migration"], {}))
        for event in events
    )


def _digests(found: dict[str, Any]) -> tuple[str | None, ...]:
    """The digests that an approval may name: of the evidence, and of its plans of repair."""
    return (found.get("digest"), *found.get("plans", ()))


def _commands(record: RunRecord, payload: dict[str, Any]) -> tuple[NextCommand, ...]:
    if record.state is State.BLOCKED and "commands" in payload:
        return tuple(NextCommand(each["line"], each["when"]) for each in payload["commands"])
    return commands(record)


def _decided(record: RunRecord, found: dict[str, Any]) -> Decided:
    name, seen = found["migration"], found["digest"]
    approval = record.approvals.get(name)
    counts = approval is not None and approval.evidence_digest in _digests(found)
    return Decided(
        name, found["verdict"], found["decision"], seen, str(approval.decision) if counts and approval else ""
    )


def _done(events: Sequence[JournalEvent]) -> tuple[Done, ...]:
    """Each effect that was begun, once, with its outcome as recorded, or as a later process found it."""
    done: list[Done] = []
    latest: dict[str, int] = {}
    found: set[str] = set()
    for event in events:
        effect = event.payload.get("effect", "")
        if event.kind == Kind.INTENDED:
            latest[effect] = len(done)
            found.discard(effect)
            done.append(Done(effect, None, event.time))
        elif event.kind in (Kind.OBSERVED, Kind.FOUND):
            unchanged = event.payload.get("unchanged", "")
            outcome = Done(effect, event.payload["shown"], event.time, event.payload.get("seconds"), unchanged)
            # It may not be the last one begun, since a deploy is begun beside a mark. An effect whose outcome was found
            # is observed again if its migration is classified anew: keep the last.
            number = latest.get(effect)
            if number is not None and (done[number].shown is None or effect in found):
                done[number] = outcome
            else:
                latest[effect] = len(done)
                done.append(outcome)
            if event.kind == Kind.FOUND:
                found.add(effect)
    return tuple(done)
