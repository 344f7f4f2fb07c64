"""What needs the journal only: where runs stand, their events, approvals, and giving up."""

import contextlib
from collections.abc import Sequence
from typing import Literal, get_args

from recovery.app.session import Session
from recovery.errors import UsageError
from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, record_of
from recovery.report.document import Standing
from recovery.report.run_status import standing
from recovery.sql.names import quoted
from states.approval import Approval, Judged, objection
from states.evidence import Decision, Evidence, Verdict
from states.machine import RecoveryMachine
from states.repair import script_of
from states.table import FINAL, State

#: A person's answer: the migration is in the database (applied), it is not (rolled back), or a plan is to repair it.
ApprovedAs = Literal["applied", "rolled_back", "repair"]
_DECISIONS: dict[ApprovedAs, Decision] = {
    "applied": Decision.MARK_APPLIED,
    "rolled_back": Decision.MARK_ROLLED_BACK,
    "repair": Decision.REPAIR,
}


def standings(session: Session) -> tuple[Standing, ...]:
    """Where every run of the journal stands, the newest of each target last."""
    return tuple(standing(*each) for each in session.store().everything())


def events_of(session: Session, run: str | None) -> tuple[JournalEvent, ...]:
    """The events of a run.

    Args:
        session: says where the journal is.
        run: id of the run; None for the newest run of all targets.

    Raises:
        UsageError: `run.missing` if the journal has no run, `run.unknown` if it has no run of that id.
    """
    store = session.store()
    runs = [(events[0].time, name, events) for _, name, events in store.everything() if events]
    if not runs:
        raise UsageError(
            "run.missing",
            f"The journal {store} holds no recovery, so there is nothing to report.",
            "prisma-recovery run starts one; or name another journal with --journal.",
        )
    _, newest, found = max(runs, key=lambda each: each[:2])
    if run in (None, newest):
        return found
    named = next((events for _, name, events in runs if name == run), None)
    if named is None:
        raise UsageError(
            "run.unknown",
            f"The journal {store} has no run {run}; the newest is {newest}. Nothing was shown.",
            "See prisma-recovery status for all of them.",
        )
    return named


def _unfinished(session: Session, run: str | None) -> tuple[str, str, tuple[JournalEvent, ...]]:
    found = [
        each
        for each in session.store().everything()
        if record_of(each[2]).state not in FINAL and run in (None, each[1])
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


def approve(
    session: Session, migration: str, answer: ApprovedAs, evidence: str, reason: str, run: str | None = None
) -> Standing:
    """Writes a person's decision into the journal. The next run acts on it if the evidence is still the same.

    Raises:
        UsageError: the decision could never count.
        ValueError: `answer` is not one of the answers.
    """
    if answer not in get_args(ApprovedAs):  # else a misspelt answer would count as the other one
        raise ValueError(f"No answer is named {answer!r}; the answers are {', '.join(get_args(ApprovedAs))}")
    if not reason.strip():
        raise UsageError("approve.reason", "The reason is empty. Nothing was recorded.", "Say why.")
    target, name, before = _unfinished(session, run)
    record = record_of(before)
    known = record.evidence.get(migration)
    if known is None:
        raise UsageError(
            "approve.unknown_migration",
            f"The run {name} has not classified {migration}. Nothing was recorded.",
            "Run prisma-recovery run first, and approve what it shows.",
        )
    decision = _DECISIONS[answer]
    judged = Judged(
        migration,
        Verdict(known["verdict"]),
        Decision(known["decision"]),
        known["digest"],
        attempted=known.get("attempted", True),
        ran_to_its_end=known["ran_to_its_end"],
        plans=tuple(known.get("plans", ())),
    )
    if no := objection(Approval(migration, decision, evidence, reason), judged):
        raise UsageError.of(no, "Nothing was recorded.")
    with contextlib.closing(session.store().open(target)) as journal:
        payload = {"migration": migration, "decision": decision, "evidence": evidence, "reason": reason}
        approved = journal.append(name, Kind.APPROVED, record.state, payload)
    return standing(target, name, (*before, approved))


def abort(session: Session, reason: str, run: str | None = None) -> Standing:
    """Writes into the journal that a person gave up this recovery. Changes nothing in the database.

    Raises:
        UsageError: no recovery is unfinished, or several are.
    """
    target, name, before = _unfinished(session, run)
    record = record_of(before)
    machine = RecoveryMachine(record.state)
    machine.abort(reason)
    payload = {"from": record.state, "to": State.ABORTED, "because": reason}
    with contextlib.closing(session.store().open(target)) as journal:
        moved = journal.append(name, Kind.MOVED, record.state, payload)
    return standing(target, name, (*before, moved))


def repair_script(session: Session, failed: Sequence[Evidence], migration: str | None, way: str | None) -> str:
    """The script of a plan of repair.

    Args:
        session: says which schema the target's URL names.
        failed: the evidence on each failed migration.
        migration: name of the migration; None: the first that has a plan.
        way: the plan's way; None: the first choice.

    Raises:
        UsageError: `repair.none`.
    """
    for evidence in failed:
        for plan in evidence.repair.plans if migration in (None, evidence.migration) else ():
            if way in (None, plan.way):
                return script_of(plan, evidence.migration, quoted(session.target().url.schema))
    known = [reason for evidence in failed for reason in evidence.repair.unplanned]
    raise UsageError(
        "repair.none",
        " ".join(["There is no such plan of repair.", *known, "Nothing was done."]),
        "See prisma-recovery inspect for the evidence.",
    )
