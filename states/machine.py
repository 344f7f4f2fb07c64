"""The state machine of a recovery: the table of edges, run by the library `transitions`.

A state's answer fires every move, from one place.
"""

from collections.abc import Callable
from types import UnionType
from typing import Any

from transitions import Machine as Transitions

from states import baseline_answers, classification, deployment, inspection, preflight, resolution, verification
from states.answers import Answer, Go, Refusal
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts
from states.deployment import DeployFacts
from states.inspection import InspectFacts
from states.preflight import PreflightFacts
from states.resolution import ResolveFacts
from states.table import EDGES, State
from states.verification import VerifyFacts

Facts = PreflightFacts | InspectFacts | ClassifyFacts | BaselineFacts | ResolveFacts | DeployFacts | VerifyFacts


def _classify(facts: ClassifyFacts | BaselineFacts) -> Answer:
    return baseline_answers.decide(facts) if isinstance(facts, BaselineFacts) else classification.decide(facts)


#: For each state: the type of the facts that it reads, and the function that decides from them.
DECIDES: dict[State, tuple[type | UnionType, Callable[[Any], Answer]]] = {
    State.PREFLIGHT: (PreflightFacts, preflight.decide),
    State.INSPECT: (InspectFacts, inspection.decide),
    State.CLASSIFY: (ClassifyFacts | BaselineFacts, _classify),
    State.RESOLVE: (ResolveFacts, resolution.decide),
    State.DEPLOY: (DeployFacts, deployment.decide),
    State.VERIFY: (VerifyFacts, verification.decide),
}


class ImpossibleMoveError(Exception):
    """The requested move is not in the table of edges. Always a bug."""


class RecoveryMachine:
    """The state of one recovery. `advance`, `refuse`, `rerun` and `abort` are the only moves.

    After each trigger its answer is checked and the state is read back.
    """

    def __init__(self, state: State = State.PREFLIGHT) -> None:
        self.state: str = state.value
        self._answer: Answer | None = None

    @property
    def current(self) -> State:
        """The state that the recovery is in."""
        return State(self.state)

    def advance(self, facts: Facts) -> Answer:
        """Decides in the current state from its facts, and moves to the state of the answer (BLOCKED for a refusal).

        Raises:
            ImpossibleMoveError: the current state decides nothing, or does not read such facts.
        """
        if self.current not in DECIDES:
            raise ImpossibleMoveError(f"{self.current} decides nothing")
        kind, decide = DECIDES[self.current]
        if not isinstance(facts, kind):
            raise ImpossibleMoveError(f"{self.current} does not read {type(facts).__name__}")
        answer: Answer = decide(facts)
        self._move(answer, _TRIGGER.get(answer.to, "_advance"))
        return answer

    def refuse(self, refusal: Refusal) -> Refusal:
        """Moves to BLOCKED, for a refusal that arose before the state had its facts."""
        self._move(refusal, "_block")
        return refusal

    def rerun(self) -> None:
        """Moves from BLOCKED back to PREFLIGHT, because facts that were true before may have changed."""
        self._move(Go(State.PREFLIGHT, "run again"), "_rerun")

    def abort(self, reason: str) -> None:
        """Moves to ABORTED: a person gave up this recovery."""
        self._move(Go(State.ABORTED, reason), "_abort")

    def _move(self, answer: Answer, trigger: str) -> None:
        before = self.current
        self._answer = answer
        possible = trigger in TRANSITIONS.get_triggers(before.value)
        moved = possible and bool(TRANSITIONS.events[trigger].trigger(self))
        if not moved or self.current is not answer.to:
            raise ImpossibleMoveError(f"no edge leads from {before} to {answer.to}")


_TRIGGER = {State.BLOCKED: "_block", State.ABORTED: "_abort"}
_FROM_BLOCKED = {State.PREFLIGHT: "_rerun", State.ABORTED: "_abort"}


def _leads_to(target: State) -> Callable[[Any], bool]:
    def holds(event: Any) -> bool:  # noqa: ANN401 - transitions hands over its own event type, untyped
        answer = event.model._answer  # noqa: SLF001 - the model is ours
        return answer is not None and answer.to is target

    return holds


def _of_edges() -> Transitions:
    """The table of edges, as one machine for all recoveries: each is handed to it as the model of a trigger.

    `transitions` is used without automatic `to_*` triggers (they bypass guards), without a queue (a queued machine
    answers True when a guard refused) and without work in callbacks.
    """
    made = Transitions(
        model=None,
        states=[each.value for each in State],
        initial=State.PREFLIGHT.value,
        auto_transitions=False,
        queued=False,
        send_event=True,
    )
    for edge in EDGES:
        made.add_transition(
            trigger=_TRIGGER.get(edge.target, "_advance")
            if edge.source is not State.BLOCKED
            else _FROM_BLOCKED[edge.target],
            source=edge.source.value,
            dest=edge.target.value,
            conditions=_leads_to(edge.target),
        )
    return made


#: What `transitions` makes of the table of edges. It keeps no state of its own.
TRANSITIONS = _of_edges()
