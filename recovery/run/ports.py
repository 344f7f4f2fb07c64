"""The engine's ports: small protocols for what it needs from outside, and the records that pass through them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from recovery.effects.results import Performed
from recovery.evidence.baseline import Baselined
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.pending import Compared
from recovery.evidence.proof import Proof
from states import effects
from states.answers import Refusal
from states.evidence import Evidence
from states.exit_codes import Exit
from states.facts import Check, Orphan, Row
from states.plans import Plan
from states.rehearsals import Rehearsal
from states.table import State


class World(Protocol):
    """Everything that the engine observes and changes: production, the checkout and the Prisma CLI."""

    def checks(self) -> tuple[Check, ...]:
        """Makes the checks of preflight anew. A check that takes long may still be awaited."""

    def settled(self, checks: tuple[Check, ...], *, wait: bool = True) -> tuple[Check, ...]:
        """The same checks, with the answers of awaited ones. Without `wait`, only answers that are there already."""

    def end_orphan(self, orphan: Orphan) -> str:
        """Ends the session that holds Prisma's lock, if it is still idle; why it was not ended, else an empty text."""

    def inspect(self) -> Inspection:
        """The ledger beside the migrations folder, both read anew."""

    def classify(self, name: str, settled: Collection[str] = (), *, marking: bool = False) -> Classified:
        """The evidence on a failed migration.

        Args:
            name: the migration.
            settled: migrations that this run has marked rolled back.
            marking: this recovery began to mark it applied, and was not seen to (RULES F5).
        """

    def compare(self, inspection: Inspection, *, failed: bool = False, begun: bool = False) -> Compared:
        """The pending migrations that production has something of already, or how far it has the whole history.

        Args:
            inspection: ledger and folder.
            failed: a migration failed; then only the history before it is looked at that the ledger may have lost.
            begun: this run has found a baseline already.
        """

    def rehearse(self, planned: Sequence[effects.Effect], compared: Compared | None = None) -> tuple[Rehearsal, ...]:
        """What a deploy would do to the tables of production, for each migration; empty if nothing is to be deployed.

        Args:
            planned: what is to be done: marks, and a deploy at the end.
            compared: the pending migrations beside production; None if they were not compared, or others are pending.
        """

    def failing_after(self, marks: Sequence[effects.Resolution], inspection: Inspection) -> tuple[Classified, ...]:
        """The pending migrations on which the deploy after these marks would surely fail, in the order of a deploy.

        Args:
            marks: what is decided on failed migrations; the other failed ones are taken for to be run again.
            inspection: ledger and folder.
        """

    def resolve(
        self, effect: effects.Resolution, classified: Classified | Baselined, then: effects.Deploy | None = None
    ) -> Performed:
        """Marks a migration, if the evidence is still the same once we hold Prisma's migration lock.

        Args:
            effect: the mark.
            classified: the evidence.
            then: the deploy that is likely to come next. It may be begun meanwhile, and does nothing until `deploy`
                lets it through; if this process dies before, it never does anything.
        """

    def withdraw(self) -> None:
        """Ends a deploy that `resolve` has begun and that does not come next. Does nothing if there is none."""

    def repair(self, plan: Plan, classified: Classified, note: Callable[[int, str], None]) -> Performed:
        """Carries out a plan of repair, if the evidence is still the same once we hold Prisma's migration lock.

        Args:
            plan: one of the evidence's plans.
            classified: the evidence.
            note: called with the number of each statement that is committed by itself, `intended` before it and
                `observed` after it; or with that of the transaction of them all, `begun` before the first.

        Returns:
            With exit code 0 if production is then as rehearsed.
        """

    def undone(self, transaction: int) -> bool:
        """Whether a transaction of a repair is known to have been rolled back."""

    def deploy(self, effect: effects.Deploy, inspection: Inspection) -> Performed:
        """Deploys, if the same migrations are still pending once we hold Prisma's migration lock."""

    def prove(self, rows: tuple[Row, ...], deployed: frozenset[str]) -> Proof:
        """Compares production with its history; `deployed` names the migrations that this run has deployed."""

    def command(self, effect: effects.Effect) -> str:
        """The command line of an effect, for people."""


@dataclass(frozen=True, slots=True)
class Question:
    """A change that needs consent.

    Attributes:
        kind: its word in `auto`: `applied` or `not_applied` (the verdict that it follows from), `baseline` (one answer
            for all of its marks), `deploy`, or `repair`; empty for a repair that no setting may agree to. With
            `pipeline` the question is whether it is certain that nobody else has run these run-once steps.
        effect: the effect on production, of a baseline the first; None for the pipeline. The end of an orphan, which
            has no word in `auto`, changes nothing there.
        command: Prisma's command, or the names of the steps; of a repair, what it is; of an orphan, the statement.
        evidence: the evidence that the change rests on; None for a deploy, a baseline and the pipeline.
    """

    kind: str
    effect: effects.Effect | effects.EndOrphan | None
    command: str
    evidence: Evidence | None = None


class Policy(Protocol):
    """Decides whether a change may be made: by a rule, or by asking a person."""

    def consents(self, question: Question) -> bool:
        """Whether there is consent to this change. May take long, since Prisma's lock is not held meanwhile."""


@runtime_checkable
class Foreseeing(Protocol):
    """What a policy may have besides: it tells what it would agree to. Then a deploy can be begun ahead of its turn."""

    def would_consent(self, question: Question) -> bool:
        """Whether it would agree at once, without asking anybody. Nobody is bound by the answer."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Where a run stands when a call ends.

    Attributes:
        run: id of the run; empty if none was begun.
        state: the state of the run.
        exit_code: the exit code of the command line.
        refusal: why the run stopped; None if it is ready.
    """

    run: str
    state: State
    exit_code: Exit
    refusal: Refusal | None = None
