"""What the states of a run share: its ports, its diary, the machine, and what was observed last."""

from collections.abc import Callable
from dataclasses import dataclass, field

from recovery import events
from recovery.effects.results import MakeRestorePoint
from recovery.errors import StoppedError
from recovery.evidence.baseline import Baselined
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.pending import Compared
from recovery.journal import Journal
from recovery.journal.run_record import RunRecord
from recovery.run import excerpts
from recovery.run.diary import Diary
from recovery.run.ports import Policy, Question, World
from recovery.run.proposal import proposed
from states import preflight
from states.answers import Refusal
from states.classification import ClassifyFacts
from states.effects import EndOrphan, Repair, Resolution
from states.facts import Check, Row
from states.inspection import InspectFacts
from states.ledger import still_settled
from states.machine import RecoveryMachine
from states.table import State


@dataclass(slots=True)
class Course:
    """One run as far as this process has taken it. The ports are those of `Engine`.

    Attributes:
        diary: the run's part of the journal.
        machine: the state that the run is in.
        checks: the checks of preflight, as they were made last.
        inspection: ledger and folder, as they were observed last; None if this process has not looked yet.
        present: the evidence on pending migrations that production has something of, by name.
        question: the pending migration that CLASSIFY is asked about; None if it is asked about a failed one.
        compared: the pending migrations beside production, if nothing else comes before their deploy.
        baselined: how far production has the history, if CLASSIFY and RESOLVE are asked about that.
        marks: what RESOLVE marks for a baseline.
        decided: what CLASSIFY decided, and on which evidence.
        before: the ledger before the effect at work.
    """

    world: World
    journal: Journal
    policy: Policy
    emit: events.Sink
    restore_point: MakeRestorePoint | None
    stopping: Callable[[], bool]
    redact: excerpts.Redact
    discard: frozenset[str]
    diary: Diary
    machine: RecoveryMachine = field(default_factory=RecoveryMachine)
    checks: tuple[Check, ...] = ()
    inspection: Inspection | None = None
    present: dict[str, Classified] = field(default_factory=dict)
    question: ClassifyFacts | None = None
    compared: Compared | None = None
    baselined: Baselined | None = None
    marks: tuple[str, ...] = ()
    decided: tuple[Resolution | Repair, Classified] | None = None
    before: tuple[Row, ...] = ()

    def take_up(self, run: str, record: RunRecord, seq: int = 0) -> None:
        """Goes on with this run, of which that many events are in the journal."""
        self.diary = Diary(self.journal, self.redact, run, record, seq=seq)
        self.machine = RecoveryMachine(record.state)

    def heed(self) -> None:
        """Stops the run if that was asked for. Called only where no command is running and everything is journaled.

        Raises:
            StoppedError: the run was asked to stop.
        """
        if self.stopping():
            raise StoppedError(
                "engine.stopped",
                "The recovery was asked to stop. None of its commands is running, and what it did is in the journal.",
                "Run prisma-recovery run again: it looks at the database anew and goes on from there.",
            )

    def demanded(self) -> Refusal | None:
        """The refusal if a check that PREFLIGHT awaits does not hold; asked before effects and the gate (RULES F2)."""
        self.settle(self.machine.current)
        refusal = preflight.demanded(self.checks)
        return None if refusal is None else self.machine.refuse(refusal)

    def settle(self, state: State, *, wait: bool = True) -> None:
        """Records and emits the answers of checks that were awaited."""
        settled = self.world.settled(self.checks, wait=wait)
        late = tuple(check for check in settled if check not in self.checks)
        if late:
            self.checks = settled
            self.diary.checked(state, settled)
        for check in late:
            self.emit(events.CheckMade(check))

    def observe(self) -> Inspection:
        """Reads ledger and folder anew."""
        self.inspection = self.world.inspect()
        return self.inspection

    def seen(self) -> Inspection:
        """The last observation of ledger and folder; made now if there is none yet."""
        return self.inspection or self.observe()

    def facts(self) -> InspectFacts:
        """What was observed last, with what this run has settled."""
        seen = self.seen()
        return InspectFacts(seen.history, still_settled(self.record.settled, seen.rows))

    def agreed(self, question: Question, *, approved: bool = False) -> bool:
        """Proposes a change, and returns whether there is consent to it; an approval of the evidence is consent."""
        effect = question.effect
        if effect is not None and not isinstance(effect, EndOrphan):
            self.emit(proposed(effect, question.command, question.evidence))
        return approved or self.policy.consents(question)

    @property
    def record(self) -> RunRecord:
        """All that the run knows of itself, from its journal."""
        return self.diary.record
