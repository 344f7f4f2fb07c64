"""VERIFY: is production's schema the one that the finished migrations make?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from states.answers import RUN_AGAIN, THEN_RUN, Answer, Go, NextCommand, Refusal
from states.comparison import Difference, some
from states.exit_codes import Exit
from states.facts import Row
from states.inspection import InspectFacts
from states.table import State


@dataclass(frozen=True, slots=True)
class MigrationDifference:
    """The differences between production and one finished migration."""

    migration: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class VerifyFacts:
    """Production compared with the replay of all finished migrations (RULES F8).

    Attributes:
        after: the ledger and the migrations folder now.
        changed: this run has changed something, by resolve or deploy.
        proven: names of the migrations whose objects were compared and agree.
        differing: migrations that differ and that must agree: those that ever failed, were rolled back or stamped, or
            were deployed since the first failure.
        elsewhere: differences in other migrations; they are shown, and no reason to refuse.
        wrong_checksums: migrations whose row, written by deploy, has another checksum than the planned file (RULES F6).
        unprovable: why migrations that must agree could not be compared; empty if all were.
    """

    after: InspectFacts
    changed: bool
    proven: tuple[str, ...] = ()
    differing: tuple[MigrationDifference, ...] = ()
    elsewhere: tuple[MigrationDifference, ...] = ()
    wrong_checksums: tuple[str, ...] = ()
    unprovable: tuple[str, ...] = ()


def decide(facts: VerifyFacts) -> Answer:
    """Opens the gate only if no migration is failed or pending, and none that must agree differs or is unproven."""
    exit_code = Exit.VERIFY_FAILED if facts.changed else Exit.BLOCKED
    history = facts.after.history
    left = (*facts.after.unsettled, *history.pending)
    if left:
        return Refusal(
            "verify.history",
            f"The history is not complete: {left[0]} is failed or pending.",
            "Run again.",
            exit_code,
            (RUN_AGAIN,),
        )
    if facts.wrong_checksums:
        names = ", ".join(facts.wrong_checksums)
        return Refusal(
            "verify.checksum",
            f"Deployed with another script than the one planned: {names}.",
            "Find out who deployed it, and from which commit. If that was right, give up this recovery and run again.",
            exit_code,
            (NextCommand('prisma-recovery abort --reason "…"', "if that was right"), THEN_RUN),
        )
    if facts.differing:
        first = facts.differing[0]
        return Refusal(
            "verify.differs",
            f"Production is not what {first.migration} says. {some(first.differences)}.",
            "Bring production to what the migration says, and run again.",
            exit_code,
            (RUN_AGAIN,),
        )
    if facts.unprovable:
        return Refusal(
            "verify.unprovable",
            f"The schema could not be proven: {facts.unprovable[0]}",
            "Remove the cause that stops the replay, and run again.",
            exit_code,
            (RUN_AGAIN,),
        )
    return Go(State.PIPELINE_READY, "schema and history agree")


def to_be_proven(rows: Sequence[Row]) -> frozenset[str]:
    """Migrations that must agree: a difference in one keeps the gate closed (RULES F8).

    These are the migrations that ever failed, were rolled back or stamped, and those deployed since the first failure.
    They are found from the ledger alone, because this run's journal can be lost.
    """
    suspicious = {
        row.migration for row in rows if row.rolled_back_at or row.failed or row.applied_steps_count == 0 or row.logs
    }
    failures = [row.started_at for row in rows if row.rolled_back_at or row.failed]
    since = min(failures, default=None)
    later = {row.migration for row in rows if since is not None and row.started_at >= since}
    return frozenset(suspicious | later)


def wrong_checksums(planned: Mapping[str, str], rows: Sequence[Row]) -> tuple[str, ...]:
    """Migrations that were deployed with another script than the one planned (RULES F6).

    Args:
        planned: the checksum of each script that the run planned to deploy, by the migration's name.
        rows: the ledger after the deploy. A row without steps was stamped, not deployed, and does not count.
    """
    ran = {row.migration: row.checksum for row in rows if row.finished and row.applied_steps_count > 0}
    return tuple(name for name, checksum in planned.items() if name in ran and ran[name] != checksum)
