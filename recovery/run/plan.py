"""Plans a recovery: takes the same path by the same rules, without any effect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from recovery import events
from recovery.evidence.inspection import Inspection
from recovery.evidence.pending import Compared
from recovery.run.ports import World
from states import baseline_answers, classification, inspection, preflight
from states.answers import Refusal
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts
from states.effects import Deploy, Effect, MarkApplied
from states.evidence import Decision, Evidence
from states.facts import History
from states.inspection import InspectFacts, deploy_after
from states.preflight import PreflightFacts
from states.rehearsals import Rehearsal, to_rehearse, unrehearsed
from states.table import State


@dataclass(frozen=True, slots=True)
class Plan:
    """The effects of a planned recovery, up to the first refusal.

    Attributes:
        effects: the effects, in their order.
        refusal: why the recovery would stop; None if it would not.
        state: the state in which it would stop.
        evidence: the evidence that the effects rest on, by name of the migration.
        baseline: what all marks of the plan rest on instead; None if they don't.
        rehearsals: what the deploy at its end would do, for each migration.
    """

    effects: tuple[Effect, ...]
    refusal: Refusal | None
    state: State = State.PREFLIGHT
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    baseline: BaselineFacts | None = None
    rehearsals: tuple[Rehearsal, ...] = ()


def plan(world: World, emit: events.Sink) -> Plan:
    """Observes and decides; changes neither production nor the journal."""
    checks = world.checks()
    answer = preflight.decide(PreflightFacts(checks))
    if isinstance(answer, Refusal):
        checks = world.settled(checks)
        emit(events.ChecksMade(checks))
        if not preflight.lets_look(checks):
            return Plan((), answer)
        emit(events.StateEntered(State.INSPECT, "a run would stop here, but production can be looked at"))
        return replace(_planned(world, emit), effects=(), refusal=answer, state=State.PREFLIGHT)
    emit(events.ChecksMade(checks))
    emit(events.StateEntered(State.INSPECT, answer.because))
    planned = _planned(world, emit)
    settled = world.settled(checks)
    for check in settled:
        if check not in checks:
            emit(events.CheckMade(check))
    refusal = preflight.demanded(settled)
    if refusal is not None and planned.refusal is None:
        return replace(planned, effects=(), refusal=refusal, state=_first(planned.effects))
    return planned


def _planned(world: World, emit: events.Sink) -> Plan:
    """The plan, and what the deploy of all that is pending would do."""
    inspected = world.inspect()
    emit(events.Inspected(inspected.history))
    facts = InspectFacts(inspected.history)
    compared: Compared | None = None
    if facts.history.pending:
        compared = world.compare(inspected, failed=bool(facts.unsettled))
        facts = _beside(facts, compared, emit)
    found = _decided(world, inspected, facts, emit)
    rehearsals = world.rehearse(
        to_rehearse(found.effects, facts), None if facts.unsettled or facts.baseline is not None else compared
    )
    rehearsals = rehearsals or unrehearsed(facts)
    if rehearsals:
        emit(events.PendingRehearsed(rehearsals))
    return replace(found, rehearsals=rehearsals)


def _beside(facts: InspectFacts, compared: Compared, emit: events.Sink) -> InspectFacts:
    """The facts with what the comparison of pending migrations with production found."""
    for each in compared.found:
        emit(events.PresentFound(each.evidence))
    if compared.missing:
        emit(events.PendingUncompared(compared.missing))
    if compared.baseline is not None:
        emit(events.BaselineFound(compared.baseline.evidence))
        facts = replace(facts, baseline=BaselineFacts(compared.baseline.evidence))
    present = tuple(ClassifyFacts(each.evidence, consented=True) for each in compared.found)
    return replace(facts, present=present)


def _decided(world: World, inspected: Inspection, facts: InspectFacts, emit: events.Sink) -> Plan:
    answer = inspection.decide(facts)
    if isinstance(answer, Refusal):
        return Plan((), answer, State.INSPECT)
    if facts.baseline is not None and facts.baseline.asks:
        return _of_baseline(facts.baseline, facts.history)
    effects: list[Effect] = []
    for present in facts.present:
        effect = classification.resolution(present)
        if effect is not None:
            effects.append(effect)
        elif present.evidence.decision is Decision.WAIT:
            decided = classification.decide(present)
            return Plan((), decided if isinstance(decided, Refusal) else None, State.CLASSIFY)
    known = {present.evidence.migration: present.evidence for present in facts.present}
    for name in facts.unsettled:
        emit(events.StateEntered(State.CLASSIFY, f"{name} failed"))
        classified = world.classify(name)
        emit(events.EvidenceFound(classified.evidence))
        known[name] = classified.evidence
        question = ClassifyFacts(classified.evidence, classified.ran_to_its_end)
        mark = classification.resolution(question)
        if mark is not None and classification.looks_ahead(question, facts.history):
            failing = tuple(each.evidence for each in world.failing_after((mark,), inspected))
            for evidence in failing:
                emit(events.PresentFound(evidence))
            question = replace(question, failing_after=failing)
        found = classification.effect_if_agreed(question)
        if isinstance(found, Refusal):
            return Plan(tuple(effects), found, State.CLASSIFY, known)
        effects.append(found)
    effects += deploy_after(effects, facts.history)
    return Plan(tuple(effects), None, evidence=known)


def _of_baseline(facts: BaselineFacts, history: History) -> Plan:
    """What a run would mark, and what it would deploy then, as far as is known before."""
    answer = baseline_answers.decide(replace(facts, consented=True))
    if isinstance(answer, Refusal):
        return Plan((), answer, State.CLASSIFY)
    marks = tuple(MarkApplied(name) for name in facts.marks)
    return Plan((*marks, *deploy_after(marks, history)), None, baseline=facts)


def _first(effects: Sequence[Effect]) -> State:
    """The state in which the checks that PREFLIGHT awaits have to hold."""
    if not effects:
        return State.VERIFY
    return State.DEPLOY if isinstance(effects[0], Deploy) else State.RESOLVE
