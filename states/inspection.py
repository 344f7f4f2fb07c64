"""INSPECT: what do the ledger and the migrations folder say?"""

from dataclasses import dataclass

from states.answers import Answer, Go, Refusal
from states.facts import History
from states.table import State


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
        """Names to classify, in the order of the ledger."""
        return tuple(name for name in self.history.failed if name not in self.settled)


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
