"""What the engine needs from outside, as small protocols, and the records that go through them."""

from dataclasses import dataclass
from typing import Protocol

from recovery.effects.results import Performed
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.pending import Compared
from recovery.evidence.proof import Proof
from states import effects
from states.answers import Exit, Refusal
from states.facts import Check, Row
from states.table import State
from states.verdict import Evidence


class World(Protocol):
    """Production, the project, and Prisma: everything outside the engine."""

    def checks(self) -> tuple[Check, ...]:
        """Preflight, made anew. What takes long may be awaited still."""

    def settled(self, checks: tuple[Check, ...], *, wait: bool = True) -> tuple[Check, ...]:
        """The same checks, with those that were awaited made. Without `wait` only where that takes no time."""

    def inspect(self) -> Inspection:
        """Ledger and folder, read anew."""

    def classify(self, name: str) -> Classified:
        """The evidence on a failed migration."""

    def compare(self, inspection: Inspection) -> Compared:
        """What of the pending migrations is in production already; asked where none is failed or in question."""

    def resolve(self, effect: effects.Resolution, classified: Classified) -> Performed:
        """Marks a migration, if the evidence is still the same when Prisma's lock is ours."""

    def deploy(self, effect: effects.Deploy, inspection: Inspection) -> Performed:
        """Deploys, if exactly this is still pending when Prisma's lock is ours."""

    def prove(self, rows: tuple[Row, ...], deployed: frozenset[str]) -> Proof:
        """Compares production with its history; `deployed` names what this run has deployed."""

    def command(self, effect: effects.Effect) -> str:
        """The command line of an effect, for people."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be agreed to.

    Attributes:
        kind: the word for it in `auto`: applied, not_applied (the verdict that it follows from), or deploy; pipeline:
            that nobody else has run these steps, each of which must run once.
        effect: what would be done to production; None for the pipeline.
        command: Prisma's command, or the names of the steps.
        evidence: what it rests on; None for a deploy and for the pipeline.
    """

    kind: str
    effect: effects.Effect | None
    command: str
    evidence: Evidence | None = None


class Policy(Protocol):
    """Who may say yes."""

    def consents(self, question: Question) -> bool:
        """Somebody agrees to this change of production. May take its time: no lock of Prisma's is held meanwhile."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Where a run stands when it is let go of.

    Attributes:
        run: its name; empty where none was begun.
        exit_code: what the command line exits with.
        refusal: why it stopped; None where it went through.
    """

    run: str
    state: State
    exit_code: Exit
    refusal: Refusal | None = None
