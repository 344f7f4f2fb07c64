"""What needs the journal only: where runs stand, their events, approvals, and giving up."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from recovery.app.session import Session
from recovery.errors import JournalError, UsageError
from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.journal.stores import Store
from recovery.report.document import Standing
from recovery.report.run_status import standing
from recovery.sql.names import quoted
from states.approval import Approval, Asked, Judged, objection, objection_to_answers
from states.baseline import Baseline
from states.baseline_answers import objection as of_baseline
from states.evidence import Decision, Evidence, Verdict
from states.facts import Answers
from states.machine import RecoveryMachine
from states.repair import script_of
from states.table import FINAL, State

#: A person's answer: the migration is in the database (applied), it is not (rolled back), production has the whole
#: history up to it (baseline), or a plan is to repair it.
ApprovedAs = Literal["applied", "rolled_back", "baseline", "repair"]
_DECISIONS: dict[ApprovedAs, Decision] = {
    "applied": Decision.MARK_APPLIED,
    "rolled_back": Decision.MARK_ROLLED_BACK,
    "baseline": Decision.MARK_APPLIED,
    "repair": Decision.REPAIR,
}
#: How often a decision is tried to be recorded while a process at work writes events of its own.
_TRIES = 20


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


def _record(
    session: Session, run: str | None, decided: Callable[[str, RunRecord], tuple[str, dict[str, Any]]]
) -> Standing:
    """Appends a person's decision to the unfinished recovery, as it stands at that very moment.

    A process can be at work on it: it takes the decision in before it writes its next event.

    Args:
        session: says where the journal is.
        run: id of the run; None: the unfinished one.
        decided: gives kind and payload of the event, from the run's id and its record; raises to record nothing.
    """
    for tries_left in reversed(range(_TRIES)):
        target, name, _ = _unfinished(session, run)
        with contextlib.closing(session.store().open(target)) as journal:
            before = journal.events(name)  # from here on, an event that another process appends is a conflict
            record = record_of(before)
            if record.state in FINAL:
                continue
            kind, payload = decided(name, record)
            try:
                return standing(target, name, (*before, journal.append(name, kind, record.state, payload)))
            except JournalError as error:
                if error.code != "journal.conflict" or not tries_left:
                    raise
    raise AssertionError("a run that has ended is not unfinished")


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
    decision = _DECISIONS[answer]
    approval = Approval(migration, decision, evidence, reason)

    def decided(name: str, record: RunRecord) -> tuple[str, dict[str, Any]]:
        baseline = answer == "baseline"
        if baseline:
            _approvable(record, approval, name)
        else:
            _allowed(record, approval, name)
        payload = {
            "migration": migration,
            "decision": decision,
            "evidence": evidence,
            "reason": reason,
            **({"baseline": True} if baseline else {}),
        }
        return Kind.APPROVED, payload

    return _record(session, run, decided)


def answer(
    session: Session, migration: str, done: Mapping[int, bool], evidence: str, reason: str, run: str | None = None
) -> Standing:
    """Writes into the journal what a person knows of statements' work on rows; the evidence takes it in.

    Raises:
        UsageError: the answers could never count.
    """
    if not reason.strip():
        raise UsageError("approve.reason", "The reason is empty. Nothing was recorded.", "Say why.")

    def decided(name: str, record: RunRecord) -> tuple[str, dict[str, Any]]:
        known = _classified(record, migration, name)
        asked = Asked(
            migration,
            frozenset({known["digest"], known.get("asked", "")}),
            tuple(known.get("states", ())),
            frozenset(known.get("answerable", ())),
        )
        if no := objection_to_answers(asked, done, evidence):
            raise UsageError.of(no, "Nothing was recorded.")
        return Kind.APPROVED, {
            "migration": migration,
            "decision": Decision.ANSWERED,
            "evidence": evidence,
            "asked": known["asked"],
            "reason": reason,
            "statements": {str(number): each for number, each in sorted(done.items())},
        }

    return _record(session, run, decided)


def answers(store: Store, target: str) -> Mapping[str, Answers]:
    """What a person said, or a repair has shown, of statements, by the migration; of the last run on this target.

    Raises:
        JournalError, UnreachableError: the journal can't be read.
    """
    journal = store.find(target)
    if journal is None:
        return {}
    with contextlib.closing(journal):
        runs = journal.runs()
        return record_of(journal.events(runs[-1])).answers if runs else {}


def _classified(record: RunRecord, migration: str, run: str) -> dict[str, Any]:
    """The run's last evidence on a migration.

    Raises:
        UsageError: the run has not classified it.
    """
    known = record.evidence.get(migration)
    if known is None:
        raise UsageError(
            "approve.unknown_migration",
            f"The run {run} has not classified {migration}. Nothing was recorded.",
            "Run prisma-recovery run first, and approve what it shows.",
        )
    return known


def _allowed(record: RunRecord, approval: Approval, run: str) -> None:
    """Raises if an approval of a migration could never count.

    Raises:
        UsageError: the run has not classified the migration, or its evidence does not allow this answer.
    """
    known = _classified(record, approval.migration, run)
    judged = Judged(
        approval.migration,
        Verdict(known["verdict"]),
        Decision(known["decision"]),
        known["digest"],
        attempted=known.get("attempted", True),
        ran_to_its_end=known["ran_to_its_end"],
        plans=tuple(known.get("plans", ())),
    )
    if no := objection(approval, judged):
        raise UsageError.of(no, "Nothing was recorded.")


def _approvable(record: RunRecord, approval: Approval, run: str) -> None:
    """Raises if an approval of a baseline could never count.

    Raises:
        UsageError: the run has found no baseline, or not this one.
    """
    if not record.baseline:
        raise UsageError(
            "approve.no_baseline",
            f"The run {run} has not compared production with the whole history. Nothing was recorded.",
            "Run prisma-recovery run first, and approve what it shows.",
        )
    fields = {"up_to": record.baseline["up_to"], "evidence_digest": record.baseline["evidence_digest"]}
    baseline = Baseline(
        Verdict(record.baseline["verdict"]),
        Decision(record.baseline["decision"]),
        range=tuple(record.baseline["range"]),
        **fields,
    )
    if no := of_baseline(approval, baseline):
        raise UsageError.of(no, "Nothing was recorded.")


def abort(session: Session, reason: str, run: str | None = None) -> Standing:
    """Writes into the journal that a person gave up this recovery. Changes nothing in the database.

    A process that is at work on it stops before its next change.

    Raises:
        UsageError: no recovery is unfinished, or several are.
    """

    def decided(_: str, record: RunRecord) -> tuple[str, dict[str, Any]]:
        RecoveryMachine(record.state).abort(reason)
        return Kind.MOVED, {"from": record.state, "to": State.ABORTED, "because": reason}

    return _record(session, run, decided)


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
