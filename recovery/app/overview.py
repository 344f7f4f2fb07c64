"""One look at a target: what is in its ledger and folder, the evidence on what failed, and the checks."""

from collections.abc import Callable
from dataclasses import dataclass

from recovery import events
from recovery.app.observer import Observer
from recovery.evidence.pending import Compared
from recovery.postgres.target import Identity
from recovery.report.document import InspectDocument, TargetDocument, document
from states.facts import Check, History
from states.inspection import InspectFacts
from states.verdict import Evidence


@dataclass(frozen=True, slots=True)
class Overview:
    """What one look found.

    Attributes:
        failed: the evidence on each migration that failed, or that a deploy would run again.
        compared: what is pending beside production; looked at where none failed.
    """

    identity: Identity
    history: History
    failed: tuple[Evidence, ...]
    checks: tuple[Check, ...]
    compared: Compared

    def document(self) -> InspectDocument:
        """The same as `inspect --json` has it."""
        who = self.identity
        target = TargetDocument(who.host, who.database, who.schema, who.server_version)
        return document(target, self.history, self.failed, self.checks, self.compared)


def overview(observer: Observer, command: Callable[[], Check], emit: events.Sink = events.nobody) -> Overview:
    """Looks, and changes nothing. A check that is refused stops nothing.

    Args:
        observer: what it sees through.
        command: makes the check of the project's Prisma.
        emit: told what is seen.
    """
    inspected = observer.inspect()
    emit(events.Inspected(inspected.history))
    checks = (*observer.checks(), *observer.expected.waive([command()]))
    emit(events.ChecksMade(checks))
    names = InspectFacts(inspected.history).unsettled
    failed = tuple(observer.classify(name).evidence for name in names)
    compared = Compared() if failed or not inspected.history.pending else observer.compare(inspected)
    for evidence in failed:
        emit(events.EvidenceFound(evidence))
    for each in compared.found:
        emit(events.PresentFound(each.evidence))
    if compared.missing:
        emit(events.PendingUncompared(compared.missing))
    return Overview(observer.target.identity, inspected.history, failed, checks, compared)
