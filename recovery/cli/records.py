"""`status`, `approve`, `abort`: what needs the journal only, wherever it is."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from recovery.cli.session import Session
from recovery.errors import UsageError
from recovery.memory import Kind, Memory, recall
from recovery.report.document import encode
from states.classification import NEVER_APPROVED
from states.machine import RecoveryMachine
from states.table import FINAL, State
from states.verdict import Decision, Verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """One run, as its journal has it.

    Attributes:
        target: its system identifier, database and schema.
        back: how to go back to its restore point; empty if it made none.
    """

    run: str
    target: str
    state: str
    because: str
    next: str
    back: str


def _runs(session: Session) -> Iterator[tuple[str, str, Memory]]:
    for target, run, events in session.store().everything():
        yield target, run, recall(events)


def _next(memory: Memory) -> str:
    if memory.state is State.PIPELINE_READY:
        return "Nothing: the gate is open."
    if memory.state is State.ABORTED:
        return "Nothing: it was given up. `prisma-recovery run` starts a new one."
    if memory.state is State.BLOCKED:
        return memory.remedy or "Run prisma-recovery run again."
    return "Its process ended, or is still at work. `prisma-recovery run` goes on with it, or says that it is busy."


def show_status(session: Session, *, as_json: bool) -> None:
    """Prints where every run stands, the newest last."""
    standings = [
        Standing(run, target, memory.state, memory.because, _next(memory), memory.back)
        for target, run, memory in _runs(session)
    ]
    if as_json:
        print(encode({"schema_version": 1, "runs": standings}))  # noqa: T201 - the command's output
        return
    console = Console(soft_wrap=True)
    if not standings:
        console.print("No recovery has been started here. `prisma-recovery run` starts one.", highlight=False)
    for each in standings:
        _, database, schema = each.target.split("/")
        console.print(
            f"[bold]{each.run}[/]  {each.state}  [dim]{escape(database)}, schema {escape(schema)}[/]", highlight=False
        )
        console.print(f"  {escape(each.because)}", highlight=False)
        console.print(f"  [bold]What to do:[/] {escape(each.next)}", highlight=False)
        if each.back:
            console.print(f"  [bold]To go back to before it:[/] {escape(each.back)}", highlight=False)


def _unfinished(session: Session, run: str | None) -> tuple[str, str, Memory]:
    found = [
        (target, name, memory)
        for target, name, memory in _runs(session)
        if memory.state not in FINAL and run in (None, name)
    ]
    if not found:
        raise UsageError(
            "run.none",
            f"The journal {session.store()} has no unfinished recovery {run or ''}. Nothing was recorded.".replace(
                " .", "."
            ),
            "See prisma-recovery status.",
        )
    if len(found) > 1:
        names = ", ".join(name for _, name, _ in found)
        raise UsageError(
            "run.ambiguous",
            f"Several recoveries are unfinished: {names}. Nothing was recorded.",
            "Name one with --run.",
        )
    return found[0]


def record_approval(
    session: Session, run: str | None, migration: str, evidence: str, reason: str, *, applied: bool, rolled_back: bool
) -> None:
    """Writes a person's decision into the journal; it counts at the next run, if the evidence is still the same.

    Raises:
        UsageError: it could never count.
    """
    if applied == rolled_back:
        raise UsageError(
            "approve.one", "Exactly one of --applied and --rolled-back is needed. Nothing was recorded.", "Give one."
        )
    if not reason.strip():
        raise UsageError("approve.reason", "The reason is empty. Nothing was recorded.", "Say why.")
    target, name, memory = _unfinished(session, run)
    known = memory.evidence.get(migration)
    if known is None:
        raise UsageError(
            "approve.unknown_migration",
            f"The run {name} has not classified {migration}. Nothing was recorded.",
            "Run prisma-recovery run first, and approve what it shows.",
        )
    if known["digest"] != evidence:
        raise UsageError(
            "approve.other_evidence",
            f"The evidence on {migration} is {known['digest']}, not the one given. Nothing was recorded.",
            "Look at the evidence again (prisma-recovery inspect), then approve that.",
        )
    if Verdict(known["verdict"]) in NEVER_APPROVED:
        raise UsageError(
            "approve.never",
            f"{migration} is {known['verdict']}: neither answer would be true. Nothing was recorded.",
            "Finish or undo the rest of it by hand, or wait; then run again.",
        )
    if rolled_back and not known.get("attempted", True):
        raise UsageError(
            "approve.not_attempted",
            f"{migration} was never attempted, so there is nothing to mark rolled back. Nothing was recorded.",
            "Undo by hand what production has of it, and run again: it is deployed. Or approve it as applied.",
        )
    if rolled_back and known["ran_to_its_end"] and known["decision"] != Decision.MARK_ROLLED_BACK:
        raise UsageError(
            "approve.ran",
            f"Prisma counted {migration} as run to its end, so it can't be marked rolled back. Nothing was recorded.",
            "Bring production to what it says, and run again, or approve it as applied.",
        )
    decision = Decision.MARK_APPLIED if applied else Decision.MARK_ROLLED_BACK
    with contextlib.closing(session.store().open(target)) as journal:
        payload = {"migration": migration, "decision": decision, "evidence": evidence, "reason": reason}
        journal.append(name, Kind.APPROVED, memory.state, payload)
    print(f"Recorded in run {name}. `prisma-recovery run` acts on it, if the evidence is still the same.")  # noqa: T201


def record_abort(session: Session, run: str | None, reason: str) -> None:
    """Writes into the journal that a person gave up this recovery."""
    target, name, memory = _unfinished(session, run)
    machine = RecoveryMachine(memory.state)
    machine.abort(reason)
    with contextlib.closing(session.store().open(target)) as journal:
        journal.append(name, Kind.MOVED, memory.state, {"from": memory.state, "to": State.ABORTED, "because": reason})
    left = "what it changed in the database stays" if memory.changed else "it had changed nothing in the database"
    print(f"Run {name} is given up; {left}. `prisma-recovery run` starts a new one.")  # noqa: T201
