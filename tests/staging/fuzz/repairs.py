"""Carries out the plans of repair of a case on copies, decides and deploys there, and compares with the ideal."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.evidence.investigator import Classified, Investigator
from recovery.repair.planning import planned
from recovery.sql.statements import ScriptError, parse
from states.evidence import Decision, Verdict
from states.facts import Answers
from states.repair import answers_after
from tests.staging.fuzz.model import Case, Event
from tests.staging.fuzz.oracle import Answer, Reading, State
from tests.staging.repairs import perform_on_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psycopg import Connection

    from recovery.postgres.target import Target
    from recovery.prisma.scripts import Scripts
    from recovery.replay.workshop import Workshop
    from states.plans import Plan

#: Events of which it is known how many statements took effect, so that a person could say it.
_KNOWN = (Event.CRASHED_AFTER, Event.FAILED_AT)


@dataclass(frozen=True)
class Repaired:
    """What a plan came to.

    Attributes:
        answer: decided if production is then as the ideal; unsafe if it is not, and would be taken for that.
        words: the plan's way, and what happened.
        sql: the plan's statements.
    """

    answer: Answer
    words: str
    sql: str = ""


@dataclass(frozen=True)
class Scene:
    """Where the plans are made and carried out.

    Attributes:
        scripts: the folder of the case.
        workshop: replays the history.
        ideal: the state to be reached.
        assume: what is assumed of people.
    """

    scripts: Scripts
    workshop: Workshop
    ideal: State
    assume: frozenset[str]

    def investigator(self, target: Target, answers: Mapping[str, Answers]) -> Investigator:
        """On a production, with what a person said."""
        return Investigator(target, self.scripts, self.workshop, lambda _: None, self.assume, lambda: answers)


def plans_of(scene: Scene, case: Case, target: Target, name: str) -> tuple[Classified, ...]:
    """The evidence with its plans: without a person's answers, and with them where they are known."""
    judged = scene.investigator(target, {}).classify(name)
    found = [planned(judged, scene.workshop, target)]
    said = _said(case, judged)
    if said:
        answered = scene.investigator(target, {name: Answers(judged.asked, said)}).classify(name)
        found.append(planned(answered, scene.workshop, target))
    kinds = (Verdict.PARTIAL, Verdict.DRIFTED)
    return tuple(each for each in found if each.evidence.verdict in kinds and each.evidence.repair.plans)


def _said(case: Case, judged: Classified) -> dict[int, bool]:
    if case.event not in _KNOWN or case.wrapped:
        return {}
    with contextlib.suppress(ScriptError):
        if len(parse(case.script)) == len(case.steps):
            return {each.index: each.index <= case.cut for each in judged.evidence.statements if each.answers}
    return {}


def carried_out(
    scene: Scene,
    found: Classified,
    plan: Plan,
    target: Target,
    connection: Connection[Any],
    again: Callable[[], bool | None],
) -> Repaired:
    """Carries out a plan on a copy of the production that it was made for, and then what the evidence decides.

    Args:
        scene: where.
        found: the evidence.
        plan: one of its plans.
        target: the copy.
        connection: to the copy.
        again: runs the present script on the copy: whether the end is the ideal; None if it fails.
    """
    name = found.evidence.migration
    investigator = scene.investigator(target, {})
    text = ";\n".join(each.sql for each in plan.statements)
    done = perform_on_copy(target, investigator, found, plan)
    if done.exit_code != 0:
        return Repaired(Answer.FAILS, f"{plan.way}: {done.output}", text)
    asked = investigator.classify(name)
    answers = {name: Answers(asked.asked, answers_after(plan.way, found.subject))}
    after = scene.investigator(target, answers).classify(name).evidence
    words = f"{plan.way}, then {after.verdict} → {after.decision}"
    lost = {loss.name.rpartition(".")[0] if loss.name.count(".") > 1 else loss.name for loss in plan.losses}
    if after.decision is Decision.MARK_APPLIED:
        right = _is_ideal(Reading(connection), scene.ideal, lost)
        return Repaired(Answer.DECIDED if right else Answer.UNSAFE, words, text)
    if after.decision is Decision.MARK_ROLLED_BACK:
        end = again()
        if end is False:
            end = _is_ideal(Reading(connection), scene.ideal, lost)
        return Repaired({True: Answer.DECIDED, False: Answer.UNSAFE, None: Answer.FAILS}[end], words, text)
    return Repaired(Answer.ASKED, words, text)


def _is_ideal(now: Reading, ideal: State, lost: set[str]) -> bool:
    """Whether a database has all that the ideal has; what somebody has besides, and what was named as lost, is left."""
    rows = all(
        now.contents.get(relation) == held or relation.replace('"', "") in {each.replace('"', "") for each in lost}
        for relation, held in ideal.contents.items()
    )
    return rows and all(now.schema.get(key) == value for key, value in ideal.schema.items())
