"""INSPECT: which migrations failed, and which are pending, by the ledger and the migrations folder?"""

from collections.abc import Sequence
from dataclasses import dataclass

from states import baseline_answers
from states.answers import RUN_AGAIN, THEN_RUN, Answer, Go, Refusal
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts, approvals, deploy_fails, effect_if_agreed
from states.comparison import some
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack
from states.evidence import Decision
from states.exit_codes import Exit
from states.facts import Check, History, Outcome
from states.ledger import order
from states.table import State


@dataclass(frozen=True, slots=True)
class InspectFacts:
    """The ledger and the migrations folder, and what this run has already settled.

    Attributes:
        history: the ledger compared with the folder.
        settled: pending names that this run itself has marked rolled back, so a deploy may run them.
        present: pending migrations with effects that are already in production, and those that obstacles would make
            fail, in the order of a deploy. Empty if a migration failed, since failed migrations come first.
        baseline: how far production has the history, where the ledger may have lost rows; None where it has not.
    """

    history: History
    settled: frozenset[str] = frozenset()
    present: tuple[ClassifyFacts, ...] = ()
    baseline: BaselineFacts | None = None

    @property
    def unsettled(self) -> tuple[str, ...]:
        """Names of the failed migrations to classify, in the order of the ledger.

        A settled name that has an unfinished row again has failed again: it is neither pending nor settled.
        """
        settled = self.settled.intersection(self.history.pending)
        return tuple(name for name in self.history.failed if name not in settled)

    @property
    def failing(self) -> ClassifyFacts | None:
        """The first pending migration that a deploy would fail on and that no approval decides; None if none."""
        return next((each for each in self.present if deploy_fails(each.evidence) and not each.approved), None)

    @property
    def question(self) -> ClassifyFacts | None:
        """The first pending migration to classify before a deploy; None if none.

        One that may be running comes first, then one to be marked applied.
        """
        waiting = [each for each in self.present if each.evidence.decision is Decision.WAIT]
        decided = [each for each in self.present if each.evidence.decision is Decision.MARK_APPLIED or each.approved]
        return next(iter((*waiting, *decided)), None)


def decide(facts: InspectFacts) -> Answer:
    """Leads to CLASSIFY, DEPLOY or VERIFY, or refuses.

    What the ledger lost comes first, since all else is judged on the history that it shows. Failed migrations come
    next, then pending ones that are already in production, then the other pending ones. If there are none of these, the
    schema is verified.
    """
    history = facts.history
    lost = None if facts.baseline is None else baseline_answers.inspected(facts.baseline)
    if lost is not None:
        return lost
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
    if evidence.decision is Decision.DEPLOY:
        first, *others_in_it = evidence.obstacles
        rest = f" {len(others_in_it)} more of its obstacles are shown." if others_in_it else ""
        return Refusal(
            "deploy.would_fail",
            f"{name} is pending and would fail: statement {first.statement}: {first.fact}.{rest} Nothing was deployed.",
            "Remove what stands in the way; the query under it shows it. Or correct the script. Then run again.",
            commands=(RUN_AGAIN,),
        )
    differs = f" What differs: {some(evidence.differences)}." if evidence.differences else ""
    more = f" Production also has part of {others} more." if others else ""
    void = " An approval was given, but is void." if facts.approval is not None else ""
    approve = approvals(facts)
    decide = " Or, if all of it is there, approve it as applied." if approve else ""
    return Refusal(
        "deploy.would_fail",
        f"{name} was never attempted, but production has part of it: {' '.join(evidence.reasons)}{differs}{more}"
        f"{void} Nothing was deployed.",
        "Undo by hand what is there, and run again to deploy it. Or finish it by hand, and run again to mark it "
        f"applied. Or correct the script.{decide}",
        commands=(*approve, THEN_RUN) if approve else (RUN_AGAIN,),
    )


def deploy_after(effects: Sequence[Effect], history: History) -> tuple[Deploy, ...]:
    """The deploy that remains after these effects; empty if nothing is pending then.

    A migration that is marked rolled back is run again, unless another attempt of it has finished: then only a dead
    attempt is withdrawn.
    """
    again = {effect.migration for effect in effects if isinstance(effect, MarkRolledBack)} - {*history.applied}
    kept = {effect.migration for effect in effects if isinstance(effect, MarkApplied)}
    coming = tuple(sorted({*again, *history.pending} - kept, key=order))
    return (Deploy(coming),) if coming else ()


def would_run(questions: Sequence[ClassifyFacts], history: History) -> tuple[Effect, ...]:
    """The effects that a run would have on production, up to the first migration at which it would stop.

    Args:
        questions: the failed migrations, in the ledger's order, with the evidence on each.
        history: the ledger compared with the folder.
    """
    effects: list[Effect] = []
    for question in questions:
        found = effect_if_agreed(question)
        if isinstance(found, Refusal):
            return tuple(effects)
        effects.append(found)
    return (*effects, *deploy_after(effects, history))


def would_stop(questions: Sequence[ClassifyFacts]) -> Refusal | None:
    """Why a run to whose changes somebody agrees would stop at a failed migration; None if it would at none.

    Args:
        questions: as for `would_run`.
    """
    answers = (effect_if_agreed(question) for question in questions)
    return next((answer for answer in answers if isinstance(answer, Refusal)), None)


def look_exit(checks: Sequence[Check], *, failed: bool) -> Exit:
    """The exit code of `inspect --exit-code`.

    Args:
        checks: the checks of preflight; a missing `target.identity` is a bug.
        failed: some migration failed.
    """
    identity = next(check for check in checks if check.name == "target.identity")
    if identity.outcome is Outcome.REFUSED:  # the findings are about a database that nobody asked about
        return Exit.PREFLIGHT
    return Exit.BLOCKED if failed else Exit.READY
