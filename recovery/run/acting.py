"""RESOLVE and DEPLOY: performs an effect between its intent and its outcome."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from recovery import events
from recovery.effects.results import Performed, RestorePoint
from recovery.errors import BusyError, SlowStartError, UsageError
from recovery.evidence.baseline import Baselined
from recovery.evidence.investigator import Classified
from recovery.run import looking
from recovery.run.course import Course
from recovery.run.diary import OUTPUT_KEPT
from recovery.run.ports import Foreseeing, Question
from states import effects, repair
from states.answers import Answer
from states.deployment import DeployFacts
from states.facts import NO_ANSWERS, Answers
from states.rehearsals import after_marks
from states.resolution import ResolveFacts, followed_by


def resolve(course: Course) -> Answer:
    """Carries out what CLASSIFY decided, observes it, and decides."""
    if course.baselined is not None:
        return _mark_all(course, course.baselined)
    if course.decided is None:
        raise AssertionError("CLASSIFY leads to RESOLVE only with an effect")
    effect, classified = course.decided
    if isinstance(effect, effects.Repair):
        return _repair(course, effect, classified)
    if effects.shown(effect, classified.rows):
        # Done by hand, or by a run whose journal is lost: nothing is left to do, and a deploy may follow.
        performed, course.before = Performed(), course.seen().rows
    elif refusal := course.demanded():
        return refusal
    else:
        intent = {
            "effect": effect.id,
            "migration": effect.migration,
            "evidence": classified.evidence.evidence_digest,
        }
        then = _foreseen(course, effect)
        performed = _perform(course, effect, intent, lambda: course.world.resolve(effect, classified, then))
    shown = not performed.unchanged and effects.shown(effect, course.observe().rows)
    _ended(course, effect, performed, shown=shown, migration=effect.migration)
    course.heed()
    return course.machine.advance(
        ResolveFacts(
            effect,
            shown,
            looking.before_deploy(course) if shown else course.facts(),
            performed.unchanged,
            performed.output[-OUTPUT_KEPT:],
            effects.killed(performed.exit_code),
        )
    )


def _foreseen(course: Course, mark: effects.Resolution) -> effects.Deploy | None:
    """The deploy that follows a mark, if it needs nobody's word; to be begun beside the mark (RULES F13)."""
    deploy = followed_by(mark, course.facts(), course.present)
    if deploy is None or not isinstance(course.policy, Foreseeing):
        return None
    return deploy if course.policy.would_consent(Question("deploy", deploy, course.world.command(deploy))) else None


def _mark_all(course: Course, baselined: Baselined) -> Answer:
    """RESOLVE of a baseline: a command for each migration, in the order of the history."""
    course.baselined = None
    if refusal := course.demanded():
        return refusal
    began = time.monotonic()
    for done, name in enumerate(course.marks):
        lasted = time.monotonic() - began
        left = lasted / done * (len(course.marks) - done) if done else None
        course.emit(events.Progressed(events.Task.MARKS, round(lasted, 1), done, len(course.marks), name, left=left))
        effect = effects.MarkApplied(name)
        intent = {"effect": effect.id, "migration": name, "evidence": baselined.evidence.evidence_digest}
        performed = _perform(course, effect, intent, partial(course.world.resolve, effect, baselined), name)
        shown = not performed.unchanged and effects.shown(effect, course.observe().rows)
        _ended(course, effect, performed, shown=shown, migration=name)
        if not shown:
            output = performed.output[-OUTPUT_KEPT:]
            return course.machine.advance(ResolveFacts(effect, shown, course.facts(), performed.unchanged, output))
    course.heed()
    return course.machine.advance(ResolveFacts(effect, shown=True, after=looking.before_deploy(course)))


def _repair(course: Course, effect: effects.Repair, classified: Classified) -> Answer:
    if refusal := course.demanded():
        return refusal
    plan = repair.plan_of(classified.evidence, effect.plan)
    if plan is None:
        raise AssertionError("a repair is decided from one of the evidence's plans")
    intent = {
        "effect": effect.id,
        "plan": effect.plan,
        "statements": [course.redact(each.sql) for each in plan.statements],
    }

    def note(number: int, what: str) -> None:
        course.diary.statement(course.machine.current, effect.id, number, what)

    if plan.losses:
        course.heed()
        _keep_rows(course)
    performed = _perform(course, effect, intent, lambda: course.world.repair(plan, classified, note))
    course.observe()
    shown = performed.exit_code == 0
    done = repair.answers_after(effect.way, classified.subject) if shown and performed.evidence else {}
    _ended(course, effect, performed, shown=shown, answers=Answers(performed.evidence, done))
    course.heed()
    return course.machine.advance(
        ResolveFacts(effect, shown, course.facts(), performed.unchanged, performed.output[-OUTPUT_KEPT:])
    )


def deploy(course: Course) -> Answer:
    """Deploys what is pending, with consent, observes it, and decides."""
    before = course.seen()
    effect = effects.Deploy(before.history.pending)
    question = Question("deploy", effect, course.world.command(effect))
    _foresee(course, effect, question)
    if not course.agreed(question):
        return course.machine.advance(DeployFacts(effect.migrations, course.facts(), consented=False))
    if refusal := course.demanded():
        return refusal
    planned = {name: before.checksums[name] for name in effect.migrations}
    intent = {"effect": effect.id, "planned": planned}
    performed = _perform(course, effect, intent, lambda: course.world.deploy(effect, before))
    earlier = course.record.failures
    after = course.observe()
    shown = not performed.unchanged and not after.failures and not after.history.pending
    finished = {row.migration for row in after.rows if row.finished}
    deployed = [*course.record.planned, *effect.migrations]
    _ended(course, effect, performed, shown=shown, deployed=[name for name in deployed if name in finished])
    for failure in after.failures:
        course.diary.failed(course.machine.current, failure)
    return course.machine.advance(
        DeployFacts(
            planned=effect.migrations,
            after=course.facts(),
            consented=True,
            unchanged=performed.unchanged,
            failures=after.failures,
            earlier=earlier,
            output=performed.output[-OUTPUT_KEPT:],
            killed=effects.killed(performed.exit_code),
        )
    )


def _foresee(course: Course, effect: effects.Deploy, question: Question) -> None:
    """Shows what a deploy would do, before anybody agrees to it; where nobody is asked, it is not waited for."""
    if isinstance(course.policy, Foreseeing) and course.policy.would_consent(question):
        return
    verdicts = {name: known["verdict"] for name, known in course.record.evidence.items()}
    planned = after_marks(effect, verdicts, course.facts().settled)
    rehearsals = course.world.rehearse(planned, course.compared)
    if rehearsals:
        course.diary.rehearsed(course.machine.current, rehearsals)
        course.emit(events.PendingRehearsed(rehearsals))


def _perform(
    course: Course, effect: effects.Effect, intent: dict[str, Any], act: Callable[[], Performed], of: str = ""
) -> Performed:
    """Performs an effect between its intent and its outcome; `of` is the one migration whose rows are recorded."""
    course.heed()  # consent may have taken a person long, and making a restore point takes long
    _keep_a_restore_point(course)
    course.heed()
    course.before, command = course.seen().rows, course.world.command(effect)
    kept = [row for row in course.before if of in ("", row.migration)]
    course.diary.intended(course.machine.current, intent, command, kept)
    course.emit(events.EffectStarted(effect.id, command))
    try:
        return act()
    except (BusyError, SlowStartError, UsageError) as error:
        # These are raised only before the command is started, so the effect certainly did not happen.
        course.diary.not_begun(course.machine.current, effect, error.fact)
        raise


def _keep_rows(course: Course) -> None:
    """Makes a restore point right before rows are lost: one that this run made earlier may hold other rows."""
    if course.restore_point is None:
        raise AssertionError("CLASSIFY lets no rows be lost without a restore point")
    _note_restore_point(
        course, course.restore_point(f"{course.diary.run}-{len(course.journal.events(course.diary.run))}")
    )


def _note_restore_point(course: Course, made: RestorePoint) -> None:
    course.diary.restore_point(course.machine.current, made)
    course.emit(events.RestorePointMade(made.kind, made.place, made.lsn, made.time, made.back))


def _keep_a_restore_point(course: Course) -> None:
    """Makes the restore point, once per run before its first effect. If that fails it raises: no effect follows."""
    if course.restore_point is None or course.record.restore_point:
        return
    _note_restore_point(course, course.restore_point(course.diary.run))


def _ended(
    course: Course,
    effect: effects.Effect,
    performed: Performed,
    *,
    shown: bool,
    migration: str = "",
    deployed: Sequence[str] | None = None,
    answers: Answers = NO_ANSWERS,
) -> None:
    """Records and emits the end of an effect; the arguments are those of `Diary.observed`."""
    state, after = course.machine.current, course.seen().rows
    course.diary.observed(
        state,
        effect,
        performed,
        course.before,
        after,
        shown=shown,
        migration=migration,
        deployed=deployed,
        answers=answers,
    )
    killed = effects.killed(performed.exit_code)
    course.emit(events.EffectEnded(effect.id, shown, performed.seconds, performed.unchanged, killed))
