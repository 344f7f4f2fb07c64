"""INSPECT: what do the ledger and the migrations folder say?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from states.answers import RUN_AGAIN, THEN_RUN, Answer, Go, Refusal
from states.classification import ClassifyFacts, approvals
from states.comparison import some
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack
from states.facts import History, Row
from states.table import State
from states.verdict import Decision

#: ASCII's punctuation in the order of the Unicode collation; digits come after it, then letters.
_PUNCTUATION = """ _-,;:!?.'"()[]{}@*&#%`^+<=>|~$"""


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
        present: pending migrations of which production has something already, in the order of a deploy, with what
            people said of them; none where something failed, which comes first.
    """

    history: History
    settled: frozenset[str] = frozenset()
    present: tuple[ClassifyFacts, ...] = ()

    @property
    def unsettled(self) -> tuple[str, ...]:
        """Names to classify, in the order of the ledger.

        A settled name whose row is unfinished again has failed again: it is no longer pending, nor settled.
        """
        settled = self.settled.intersection(self.history.pending)
        return tuple(name for name in self.history.failed if name not in settled)

    @property
    def failing(self) -> ClassifyFacts | None:
        """The first pending migration that a deploy would fail on, and that nobody has decided."""
        return next(
            (each for each in self.present if each.evidence.decision is Decision.OPERATOR and not each.approved), None
        )

    @property
    def question(self) -> ClassifyFacts | None:
        """The first pending migration to classify before a deploy: one that may be running, else one to be marked."""
        waiting = [each for each in self.present if each.evidence.decision is Decision.WAIT]
        decided = [each for each in self.present if each.evidence.decision is Decision.MARK_APPLIED or each.approved]
        return next(iter((*waiting, *decided)), None)


def decide(facts: InspectFacts) -> Answer:
    """Failed migrations first, then pending ones that production has already, then the others, then the proof."""
    history = facts.history
    unsettled = facts.unsettled
    absent = [name for name in unsettled if name in history.missing_locally]
    if absent:
        return Refusal(
            "inspect.failed_missing",
            f"The failed migration {absent[0]} is not in the migrations folder, so its script can't be judged.",
            "Check out the commit that holds it, and run again.",
            commands=(RUN_AGAIN,),
        )
    if unsettled:
        more = f", and {len(unsettled) - 1} more" if len(unsettled) > 1 else ""
        return Go(State.CLASSIFY, f"{unsettled[0]} failed{more}")
    question = facts.question
    waits = question is not None and question.evidence.decision is Decision.WAIT
    if facts.failing is not None and not waits:
        return _would_fail(facts.failing, len(facts.present) - 1)
    if question is not None:
        return Go(State.CLASSIFY, f"{question.evidence.migration} is pending, and in production already")
    if history.pending:
        return Go(State.DEPLOY, f"nothing failed, {len(history.pending)} pending")
    return Go(State.VERIFY, "nothing failed, nothing pending")


def _would_fail(facts: ClassifyFacts, others: int) -> Refusal:
    evidence = facts.evidence
    name = evidence.migration
    differs = f" What differs: {some(evidence.differences)}." if evidence.differences else ""
    more = f" Of {others} more, production has something too." if others else ""
    void = " An approval was given, and is void." if facts.approval is not None else ""
    approve = approvals(facts)
    decide = " Or, if all of it is there, approve it as applied." if approve else ""
    return Refusal(
        "deploy.would_fail",
        f"{name} was never attempted, and production has something of it: {' '.join(evidence.reasons)}{differs}{more}"
        f"{void} Nothing was deployed.",
        "Undo by hand what is there, and run again to deploy it. Or finish it by hand, and run again to mark it "
        f"applied. Or correct the script.{decide}",
        commands=(*approve, THEN_RUN) if approve else (RUN_AGAIN,),
    )


@lru_cache(maxsize=4096)
def order(name: str) -> tuple[list[int], list[bool], str]:
    """Sorts names as Prisma 6.19 deploys them: by JavaScript's `localeCompare`, not by bytes.

    They differ where names have no timestamp of full length: `20260101_b` comes before `20260101000000_a`.
    """
    places = [_PUNCTUATION.find(c) if c in _PUNCTUATION else len(_PUNCTUATION) + ord(c.lower()[0]) for c in name]
    return places, [c.isupper() for c in name], name


def deploy_after(effects: Sequence[Effect], pending: Sequence[str]) -> tuple[Deploy, ...]:
    """The deploy that is left to do once these effects took place; none if nothing is pending then."""
    again = {effect.migration for effect in effects if isinstance(effect, MarkRolledBack)}
    kept = {effect.migration for effect in effects if isinstance(effect, MarkApplied)}
    coming = tuple(sorted({*again, *pending} - kept, key=order))
    return (Deploy(coming),) if coming else ()
