"""INSPECT: what do the ledger and the migrations folder say?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from states.answers import Answer, Go, Refusal
from states.facts import History, Row
from states.table import State


def side_by_side(rows: Sequence[Row], folder: Sequence[str], differing: Collection[str]) -> History:
    """Ledger and migrations folder side by side, as Prisma reads them.

    Args:
        rows: the ledger's, oldest attempt first.
        folder: names of the migrations on disk, in Prisma's order.
        differing: applied names whose file on disk has another checksum than their finished row.
    """
    finished = sorted((row for row in rows if row.finished), key=lambda row: (row.finished_at or "", row.migration))
    applied = tuple(dict.fromkeys(row.migration for row in finished))
    unfinished = tuple(dict.fromkeys(row.migration for row in rows if row.failed))
    known = {row.migration for row in rows if row.rolled_back_at is None}
    pending = tuple(name for name in folder if name not in known)
    tried = {row.migration for row in rows}
    present = set(folder)
    return History(
        applied=applied,
        failed=unfinished + tuple(name for name in pending if name in tried),
        pending=pending,
        modified=tuple(name for name in applied if name in differing),
        missing_locally=tuple(name for name in dict.fromkeys((*applied, *unfinished)) if name not in present),
    )


@dataclass(frozen=True, slots=True)
class InspectFacts:
    """Ledger and folder, and what this run has settled already.

    Attributes:
        settled: pending names whose rolled-back row this run itself brought about; they are no longer in question.
    """

    history: History
    settled: frozenset[str] = frozenset()

    @property
    def unsettled(self) -> tuple[str, ...]:
        """Names to classify, in the order of the ledger.

        A settled name whose row is unfinished again has failed again: it is no longer pending, nor settled.
        """
        settled = self.settled.intersection(self.history.pending)
        return tuple(name for name in self.history.failed if name not in settled)


def decide(facts: InspectFacts) -> Answer:
    """Failed migrations first, then pending ones, then the proof."""
    history = facts.history
    unsettled = facts.unsettled
    absent = [name for name in unsettled if name in history.missing_locally]
    if absent:
        return Refusal(
            "inspect.failed_missing",
            f"The failed migration {absent[0]} is not in the migrations folder, so its script can't be judged.",
            "Check out the commit that holds it, and run again.",
        )
    if unsettled:
        more = f", and {len(unsettled) - 1} more" if len(unsettled) > 1 else ""
        return Go(State.CLASSIFY, f"{unsettled[0]} failed{more}")
    if history.pending:
        return Go(State.DEPLOY, f"nothing failed, {len(history.pending)} pending")
    return Go(State.VERIFY, "nothing failed, nothing pending")
