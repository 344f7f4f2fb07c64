"""Where a run stands, from its journal alone: since when, what was decided and done, and what to do now."""

from collections.abc import Sequence
from typing import Any

from recovery.journal import Event
from recovery.journal.run_record import Kind, Memory, recall
from recovery.report.document import Decided, Done, Standing, StepStanding
from states.answers import RUN_AGAIN, Command
from states.table import State

_APPROVED = "Run again: it acts on the approval, if the evidence is still the same."
#: Where a run stops for what a person can decide.
_DECIDING = (State.INSPECT, State.CLASSIFY)
_PIPELINE = Command("prisma-recovery pipeline", "to run what is left of the pipeline")


def standing(target: str, run: str, events: Sequence[Event]) -> Standing:
    """One run; `target` as the journal names it."""
    memory = recall(events)
    moves = [event for event in events if event.kind == Kind.MOVED]
    last = moves[-1] if moves else None
    payload = last.payload if last is not None else {}
    blocked = memory.state is State.BLOCKED
    approved = blocked and payload["from"] in _DECIDING and _decided_since(memory, events, moves[-1].seq)
    return Standing(
        run=run,
        target=target,
        state=memory.state,
        because=memory.because,
        next=_APPROVED if approved else _next(memory),
        started=events[0].time if events else "",
        since=(last or events[0]).time if events else "",
        stopped_in=State(payload["from"]) if blocked else None,
        code=payload.get("code", "") if blocked else "",
        changed=memory.changed,
        decided=tuple(_decided(memory, found) for found in memory.evidence.values()),
        done=_done(events),
        steps=tuple(StepStanding(name.rpartition(":")[0], code) for name, code in memory.steps.items()),
        restore_point=memory.restore_point,
        back=memory.back,
        commands=(RUN_AGAIN,) if approved else _commands(memory, payload),
    )


def _decided_since(memory: Memory, events: Sequence[Event], seq: int) -> bool:
    """A person has decided the very evidence that it stopped for."""
    return any(
        event.kind == Kind.APPROVED
        and event.seq > seq
        and event.payload["evidence"] == memory.evidence.get(event.payload["migration"], {}).get("digest")
        for event in events
    )


def _next(memory: Memory) -> str:
    if memory.state is State.PIPELINE_READY:
        return "Nothing: the gate is open."
    if memory.state is State.ABORTED:
        return "Nothing: it was given up. `prisma-recovery run` starts a new one."
    if memory.state is State.BLOCKED:
        return memory.remedy or "Run prisma-recovery run again."
    return "Its process ended, or is still at work. `prisma-recovery run` goes on with it, or says that it is busy."


def _commands(memory: Memory, payload: dict[str, Any]) -> tuple[Command, ...]:
    if memory.state is State.PIPELINE_READY:
        left = memory.pipeline and any(code != 0 for code in memory.steps.values())
        return (_PIPELINE,) if left else ()
    if memory.state is State.ABORTED:
        return ()
    if memory.state is State.BLOCKED and "commands" in payload:
        return tuple(Command(each["line"], each["when"]) for each in payload["commands"])
    return (RUN_AGAIN,)


def _decided(memory: Memory, found: dict[str, Any]) -> Decided:
    name, seen = found["migration"], found["digest"]
    approval = memory.approvals.get(name)
    counts = approval is not None and approval.evidence_digest == seen
    return Decided(
        name, found["verdict"], found["decision"], seen, str(approval.decision) if counts and approval else ""
    )


def _done(events: Sequence[Event]) -> tuple[Done, ...]:
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
