"""`status`, `approve`, `abort`: what needs the journal only, wherever it is."""

import contextlib

from recovery.cli.session import Session
from recovery.errors import UsageError
from recovery.memory import Kind, Memory, recall
from recovery.report.document import AbortDocument, ApproveDocument, StatusDocument
from recovery.report.standing import standing
from states.answers import RUN_AGAIN
from states.classification import NEVER_APPROVED
from states.machine import RecoveryMachine
from states.table import FINAL, State
from states.verdict import Decision, Verdict


def status(session: Session, run: str | None) -> StatusDocument:
    """Where every run stands, or the one of that name.

    Raises:
        UsageError: `run.unknown`.
    """
    found = [standing(*each) for each in session.store().everything() if run in (None, each[1])]
    if run is not None and not found:
        raise UsageError(
            "run.unknown",
            f"The journal {session.store()} has no recovery {run}.",
            "See prisma-recovery status.",
        )
    return StatusDocument(tuple(found))


def _unfinished(session: Session, run: str | None) -> tuple[str, str, Memory]:
    recalled = ((target, name, recall(events)) for target, name, events in session.store().everything())
    found = [each for each in recalled if each[2].state not in FINAL and run in (None, each[1])]
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
) -> ApproveDocument:
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
    return ApproveDocument(name, migration, decision, evidence, (RUN_AGAIN,))


def record_abort(session: Session, run: str | None, reason: str) -> AbortDocument:
    """Writes into the journal that a person gave up this recovery."""
    target, name, memory = _unfinished(session, run)
    machine = RecoveryMachine(memory.state)
    machine.abort(reason)
    with contextlib.closing(session.store().open(target)) as journal:
        journal.append(name, Kind.MOVED, memory.state, {"from": memory.state, "to": State.ABORTED, "because": reason})
    return AbortDocument(name, memory.changed, (RUN_AGAIN,))
