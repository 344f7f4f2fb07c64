"""INSPECT: observes the ledger, and what of the pending migrations production has already."""

from dataclasses import replace

from recovery import events
from recovery.evidence.baseline import Baselined
from recovery.evidence.inspection import Inspection
from recovery.run.course import Course
from states import effects
from states.answers import Answer
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts
from states.inspection import InspectFacts


def inspect(course: Course) -> Answer:
    """Observes ledger, folder, and what of the pending migrations production has, and decides."""
    inspection = course.observe()
    _find(course, inspection)
    for failure in inspection.failures:
        if not any(failure.same_as(known) for known in course.record.failures):
            course.diary.failed(course.machine.current, failure)
    course.emit(events.Inspected(inspection.history))
    course.diary.note_inspection(inspection)
    facts = before_deploy(course)
    course.question = facts.question
    if facts.baseline is not None and not facts.baseline.asks:
        course.baselined = None
    return course.machine.advance(facts)


def before_deploy(course: Course) -> InspectFacts:
    """The facts of INSPECT; if a deploy could be next, with the pending migrations already in production."""
    facts = course.facts()
    course.present, course.compared, course.baselined = {}, None, None
    if not facts.history.pending:
        return facts
    begun = bool(course.record.baseline)
    compared = course.world.compare(course.seen(), failed=bool(facts.unsettled), begun=begun)
    if not facts.unsettled and compared.baseline is None:
        course.compared = compared
    baseline = _with_baseline(course, compared.baseline)
    for classified in compared.found:
        name = classified.evidence.migration
        course.present[name] = classified
        course.diary.classified(course.machine.current, classified)
        course.emit(events.PresentFound(classified.evidence))
    if compared.missing:
        course.emit(events.PendingUncompared(compared.missing))
    present = tuple(
        ClassifyFacts(classified.evidence, approval=course.record.approvals.get(name))
        for name, classified in course.present.items()
    )
    return replace(facts, present=present, baseline=baseline)


def _with_baseline(course: Course, baselined: Baselined | None) -> BaselineFacts | None:
    """Records and emits how far production has the history."""
    if baselined is None:
        return None
    course.baselined = baselined
    course.diary.baselined(course.machine.current, baselined.evidence)
    course.emit(events.BaselineFound(baselined.evidence))
    return BaselineFacts(baselined.evidence, course.record.baseline_approval)


def _find(course: Course, seen: Inspection) -> None:
    """Records whether the ledger shows an effect in doubt, whose process died before its end was recorded.

    Nothing is decided by this: the command may still be about to begin, and evidence is gathered anew anyway.
    """
    if not course.record.in_doubt:
        return
    effect = effects.of_id(course.record.in_doubt, course.record.doubted)
    if isinstance(effect, effects.Repair):
        if effect.migration not in course.facts().unsettled:
            repair_found(course, effect, shown=True)  # somebody has settled the migration since
        elif course.record.aside and _nothing_done(course):
            repair_found(course, effect, shown=False, undone=True)  # so what a person said is as true as before
        return  # else CLASSIFY tells by the schema what became of it
    shown = effects.shown(effect, seen.rows)
    found = events.EffectFound(course.record.in_doubt, course.world.command(effect), shown)
    course.diary.found(course.machine.current, found.effect, shown=shown)
    course.emit(found)


def _nothing_done(course: Course) -> bool:
    """Whether a repair in doubt certainly did nothing: it had not begun, or its transaction was rolled back."""
    number = course.record.transaction
    return number == 0 or (number > 0 and course.world.undone(number))


def repair_found(course: Course, effect: effects.Repair, *, shown: bool, undone: bool = False) -> None:
    """Records whether production is where a repair in doubt was to lead."""
    course.diary.found(course.machine.current, effect.id, shown=shown, undone=undone)
    course.emit(events.EffectFound(effect.id, course.world.command(effect), shown))
