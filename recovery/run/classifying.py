"""CLASSIFY: gathers the evidence on a migration, and asks for the consent that its decision needs."""

from dataclasses import replace

from recovery import events
from recovery.evidence.baseline import Baselined
from recovery.run import looking
from recovery.run.course import Course
from recovery.run.ports import Question
from recovery.run.proposal import baseline_proposed
from states import classification, effects, repair
from states.answers import Answer
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts
from states.evidence import Evidence


def classify(course: Course) -> Answer:
    """Gathers the evidence, asks for consent to what follows from it, and decides."""
    if course.baselined is not None:
        return _agree_to(course, course.baselined)
    if course.question is not None:
        name = course.question.evidence.migration
        classified = course.present[name]  # shown and recorded when it was compared
        evidence = classified.evidence
    else:
        found = course.facts()
        name = found.unsettled[0]
        classified = course.world.classify(name, found.settled, marking=name in course.record.marking)
        evidence = classified.evidence
        course.diary.classified(course.machine.current, classified)
        course.emit(events.EvidenceFound(evidence))
        doubted = effects.of_id(course.record.in_doubt, ())
        if isinstance(doubted, effects.Repair) and doubted.migration == name:
            looking.repair_found(course, doubted, shown=repair.led_to(doubted.way, evidence))
    facts = ClassifyFacts(
        evidence,
        classified.ran_to_its_end,
        course.record.approvals.get(name),
        discard=course.discard,
        restorable=course.restore_point is not None,
    )
    effect = classification.resolution(facts)
    if effect is not None and classification.looks_ahead(
        facts, course.seen().history, begun=name in course.record.marking
    ):
        facts = replace(facts, failing_after=_failing_after(course, effect))
    if effect is not None and not (classification.fails_again(facts) or facts.failing_after):
        done = effects.shown(effect, classified.rows)
        agreed = done or course.agreed(
            Question(evidence.verdict, effect, course.world.command(effect), evidence), approved=facts.approved
        )
        facts = replace(facts, consented=agreed)
    mending = classification.repair(facts)
    if mending is not None:
        plan = repair.plan_of(evidence, mending.plan)
        kind = "repair" if plan is not None and repair.covered_by_auto(plan) else ""
        question = Question(kind, mending, course.world.command(mending), evidence)
        facts = replace(facts, repairing=course.agreed(question, approved=classification.repair_approved(facts)))
    decided = effect or mending
    course.decided = None if decided is None else (decided, classified)
    return course.machine.advance(facts)


def _failing_after(course: Course, effect: effects.Resolution) -> tuple[Evidence, ...]:
    """The pending migrations on which the deploy after a mark would surely fail, and which nobody approved."""
    failing = []
    for classified in course.world.failing_after((effect,), course.seen()):
        evidence = classified.evidence
        if not ClassifyFacts(evidence, approval=course.record.approvals.get(evidence.migration)).approved:
            failing.append(evidence)
            course.diary.classified(course.machine.current, classified)
            course.emit(events.PresentFound(evidence))
    return tuple(failing)


def _agree_to(course: Course, baselined: Baselined) -> Answer:
    """CLASSIFY on a baseline: one answer for all of its marks."""
    facts = BaselineFacts(baselined.evidence, course.record.baseline_approval)
    if facts.marks:
        effect = effects.MarkApplied(facts.marks[0])
        course.emit(baseline_proposed(facts, course.world.command(effect)))
        agreed = facts.approved or course.policy.consents(Question("baseline", effect, course.world.command(effect)))
        facts = replace(facts, consented=agreed)
    course.marks = facts.marks
    return course.machine.advance(facts)
