"""The observations of `inspect`: history, evidence on failed and pending migrations, and the checks of preflight."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from recovery import events
from recovery.app.observer import Observer
from recovery.evidence.pending import Compared
from recovery.postgres.target import Identity
from recovery.report.document import InspectDocument, TargetDocument, document
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts, resolution
from states.evidence import Decision, Evidence
from states.facts import Check, History
from states.inspection import InspectFacts, would_run
from states.rehearsals import Rehearsal, to_rehearse, unrehearsed


@dataclass(frozen=True, slots=True)
class Overview:
    """The result of one look at a target.

    Attributes:
        identity: server, database and schema of the target.
        history: the ledger beside the migrations folder.
        failed: the evidence on each migration that failed, or that a deploy would run again.
        checks: the checks of preflight.
        compared: the pending migrations compared with production; if any migration failed, only those on which the
            deploy after the marks would surely fail.
        rehearsals: what each pending migration would lock and rewrite, if that was asked for.
    """

    identity: Identity
    history: History
    failed: tuple[Evidence, ...]
    checks: tuple[Check, ...]
    compared: Compared
    rehearsals: tuple[Rehearsal, ...] = ()

    def document(self) -> InspectDocument:
        """The same as the document of `inspect --json`."""
        who = self.identity
        target = TargetDocument(who.host, who.database, who.schema, who.server_version)
        return document(target, self.history, self.failed, self.checks, self.compared, self.rehearsals)


def overview(
    observer: Observer, command: Callable[[], Check], emit: events.Sink = events.nobody, *, pending: bool = False
) -> Overview:
    """Looks at a target, read only. A refused check stops nothing.

    Args:
        observer: observes production and the checkout.
        command: makes the check of the project's Prisma.
        emit: takes the events.
        pending: rehearse what is pending, too.
    """
    observer.once = True
    inspected = observer.inspect()
    emit(events.Inspected(inspected.history))
    checks = (*observer.checks(), *observer.expected.waive([command()]))
    emit(events.ChecksMade(checks))
    facts = InspectFacts(inspected.history)
    looked_at = [observer.classify(name) for name in facts.unsettled]
    failed = tuple(each.evidence for each in looked_at)
    compared = observer.compare(inspected, failed=bool(failed)) if inspected.history.pending else Compared()
    questions = [ClassifyFacts(each.evidence, each.ran_to_its_end) for each in looked_at]
    marks = [mark for each in questions if (mark := resolution(each)) is not None]
    if marks and inspected.history.pending:
        compared = replace(compared, found=observer.failing_after(marks, inspected))
    if compared.baseline is not None:
        emit(events.BaselineFound(compared.baseline.evidence))
        facts = replace(facts, baseline=BaselineFacts(compared.baseline.evidence))
    for evidence in failed:
        emit(events.EvidenceFound(evidence))
    for each in compared.found:
        emit(events.PresentFound(each.evidence))
    if compared.missing:
        emit(events.PendingUncompared(compared.missing))
    seen = Overview(observer.target.identity, inspected.history, failed, checks, compared)
    return replace(seen, rehearsals=_rehearsed(observer, seen, facts, emit)) if pending else seen


def _rehearsed(observer: Observer, seen: Overview, facts: InspectFacts, emit: events.Sink) -> tuple[Rehearsal, ...]:
    """What a run would deploy, rehearsed after the marks that it would set before."""
    present = [each.evidence for each in seen.compared.found]
    planned = would_run([ClassifyFacts(each) for each in (*seen.failed, *present) if _marked(each)], facts.history)
    known = None if facts.unsettled or facts.baseline is not None else seen.compared
    rehearsals = observer.rehearse(to_rehearse(planned, facts), known) or unrehearsed(facts)
    if rehearsals:
        emit(events.PendingRehearsed(rehearsals))
    return rehearsals


def _marked(evidence: Evidence) -> bool:
    """Whether a run stops at this migration, or marks it."""
    return evidence.attempted or evidence.decision is Decision.MARK_APPLIED
