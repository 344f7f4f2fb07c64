"""DEPLOY: did `prisma migrate deploy` apply the pending migrations?"""

from dataclasses import dataclass

from states.answers import RUN_AGAIN, RUN_AGREED, Answer, Go, Refusal
from states.exit_codes import Exit
from states.facts import Cause
from states.inspection import InspectFacts
from states.table import State


@dataclass(frozen=True, slots=True)
class Failure:
    """A migration that failed in this run, and why.

    Two failures of a migration whose causes are unknown count as the same failure (RULES F6).
    """

    migration: str
    cause: Cause
    logs: str | None = None

    def same_as(self, other: "Failure") -> bool:
        """Whether the same migration failed for the same cause."""
        return self.migration == other.migration and (self.cause.sqlstate, self.cause.kind) == (
            other.cause.sqlstate,
            other.cause.kind,
        )


@dataclass(frozen=True, slots=True)
class DeployFacts:
    """The ledger, read again after the deploy.

    Attributes:
        planned: names of the migrations to deploy.
        after: the ledger and the migrations folder after the deploy.
        consented: somebody agreed to deploy.
        unchanged: why the deploy was not even tried, as `the pending set has changed`; empty if it was tried.
        failures: migrations that have an unfinished row after the deploy.
        earlier: failures that this run knew before the deploy, including those that it began with.
        output: the end of the command's output.
        killed: that the command was killed from outside, as a sentence; empty if it ended by itself.
    """

    planned: tuple[str, ...]
    after: InspectFacts
    consented: bool
    unchanged: str = ""
    failures: tuple[Failure, ...] = ()
    earlier: tuple[Failure, ...] = ()
    output: str = ""
    killed: str = ""


def decide(facts: DeployFacts) -> Answer:
    """Decides from the ledger alone: inspects a failure with a new cause, refuses when the same failure repeats."""
    planned = ", ".join(facts.planned)
    if not facts.consented:
        return Refusal(
            "deploy.consent",
            f"Pending: {planned or 'nothing'}. Nobody has agreed to deploy yet, so nothing was deployed.",
            "Run it in a terminal and type the word asked for, or with --yes, or set auto in prisma-recovery.toml.",
            commands=(RUN_AGREED,),
        )
    if facts.unchanged:
        return Refusal(
            "deploy.plan_changed",
            f"Nothing was deployed: {facts.unchanged}.",
            "Run again. The pending migrations are inspected anew.",
            Exit.BUSY,
            (RUN_AGAIN,),
        )
    repeated = [f for f in facts.failures if any(f.same_as(earlier) for earlier in facts.earlier)]
    if repeated:
        first = repeated[0]
        kind = "" if first.cause.kind == "unknown" else f" for the same cause, {first.cause.kind}"
        code = f" ({first.cause.sqlstate})" if first.cause.sqlstate else ""
        told = f" {facts.killed}" if facts.killed else ""
        return Refusal(
            "deploy.failed_again",
            f"{first.migration} failed again{kind}{code}.{told} Logs: {(first.logs or facts.output or 'none').strip()}",
            "Correct its cause (the SQL, the data or the database), and run again.",
            commands=(RUN_AGAIN,),
        )
    if facts.failures:
        return Go(State.INSPECT, f"{facts.failures[0].migration} failed: {facts.failures[0].cause.kind}")
    if facts.after.unsettled:
        return Go(State.INSPECT, f"{facts.after.unsettled[0]} is in question")
    if facts.after.history.pending:
        left = ", ".join(facts.after.history.pending)
        if facts.killed:
            return Refusal(
                "effect.killed",
                f"{facts.killed} Still pending: {left}.",
                "Find out what killed it (the system's log names what it ended for want of memory), and run again.",
                commands=(RUN_AGAIN,),
            )
        return Refusal(
            "deploy.still_pending",
            f"`prisma migrate deploy` ended, but {left} is still pending. Prisma said: {facts.output or 'nothing'}",
            "See what Prisma said, and run again.",
            commands=(RUN_AGAIN,),
        )
    return Go(State.VERIFY, f"deployed {planned}" if planned else "nothing was left to deploy")
