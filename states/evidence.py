"""The evidence on a migration with its verdict and its decision, as `inspect --json` shows them."""

from dataclasses import dataclass, field
from enum import StrEnum

from states.comparison import Difference, StatementState
from states.facts import Cause, Obstacle, Origin, Runner, Trace
from states.plans import Repairs

#: The name of the assumption that nobody ran a statement of the script by hand (RULES E21).
NO_HANDWORK = "no_handwork"
#: How the sentence on that assumption begins.
ASSUMED = "This holds only if nobody ran "


class Verdict(StrEnum):
    """What the evidence says of a failed migration."""

    #: Every effect of the script is in production.
    APPLIED = "applied"
    #: No effect of the script is in production.
    NOT_APPLIED = "not_applied"
    #: The first k of n statements are in production, the rest is not.
    PARTIAL = "partial"
    #: Production equals no step of the script.
    DRIFTED = "drifted"
    #: The schema can't tell.
    UNDECIDABLE = "undecidable"
    #: Something may still be running it.
    IN_PROGRESS = "in_progress"


#: Each verdict in words, to follow the migration's name: what is true of production, never a state of the ledger.
IN_WORDS = {
    Verdict.APPLIED: "is in the database",
    Verdict.NOT_APPLIED: "is not in the database",
    Verdict.PARTIAL: "is half in the database",
    Verdict.DRIFTED: "has drifted",
    Verdict.UNDECIDABLE: "may be in the database",
    Verdict.IN_PROGRESS: "may still be running",
}


class Decision(StrEnum):
    """What follows from a verdict."""

    MARK_APPLIED = "mark_applied"
    MARK_ROLLED_BACK = "mark_rolled_back"
    #: A person decides.
    OPERATOR = "operator"
    #: Look again later.
    WAIT = "wait"
    #: For a migration that was never attempted: there is nothing to decide, a deploy runs it.
    DEPLOY = "deploy"
    #: Of an approval: a plan of repair is to be carried out.
    REPAIR = "repair"
    #: Of an approval: it says which statements' work on rows is done.
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the script's statements are in production: first and last of a range, where steps look alike."""

    steps_in_place: tuple[int, int]
    steps_total: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One failed or pending migration with its verdict; the fields are those of `inspect --json`.

    Attributes:
        started_at: start of the latest attempt; empty for a migration that was never attempted.
        forensics: traces of the migration's objects in production. This field and all below change neither the
            verdict nor the digest.
        indications: what the traces suggest, in sentences.
        runner: which Prisma ran the migration.
        obstacles: obstacles in production that would make the script fail again.
        origin: how the migration's objects came into production.
        repair: plans that would bring production to the script's end or beginning, each rehearsed.
    """

    migration: str
    started_at: str
    applied_steps_count: int
    logs: str | None
    cause: Cause
    verdict: Verdict
    decision: Decision
    progress: Progress
    statements: tuple[StatementState, ...]
    differences: tuple[Difference, ...]
    reasons: tuple[str, ...]
    evidence_digest: str
    assumptions: tuple[str, ...] = ()
    forensics: tuple[Trace, ...] = ()
    indications: tuple[str, ...] = ()
    runner: Runner = field(default_factory=Runner)
    obstacles: tuple[Obstacle, ...] = ()
    origin: Origin = field(default_factory=Origin)
    repair: Repairs = field(default_factory=Repairs)

    @property
    def attempted(self) -> bool:
        """Whether Prisma has begun to run the migration at least once."""
        return bool(self.started_at)

    @property
    def in_production(self) -> bool:
        """Whether production has, or may be getting, effects of the migration."""
        if self.decision is not Decision.DEPLOY:
            return True
        there = self.verdict in (Verdict.APPLIED, Verdict.PARTIAL, Verdict.DRIFTED)
        return there or (self.verdict is Verdict.UNDECIDABLE and self.progress.steps_in_place[0] > 0)
