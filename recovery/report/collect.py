"""A sink that collects a command's events into one JSON document, for `run --json` and `pipeline --json`."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from recovery import events
from recovery.effects.results import RestorePoint
from recovery.report.document import (
    EffectDocument,
    FoundDocument,
    MoveDocument,
    ProofDocument,
    RunDocument,
    StepDocument,
    history_document,
)
from states.answers import Refusal
from states.table import State


class Collector:
    """A sink that builds a `RunDocument` from events."""

    def __init__(self, command: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts with an empty document.

        Args:
            command: `run`, `plan` or `pipeline`.
            clock: seconds, monotonic.
        """
        self._clock = clock
        self._since = clock()
        self._waited = False
        self._state: State | None = None
        self._effects: dict[str, EffectDocument] = {}
        self._whole: EffectDocument | None = None
        self._evidence: dict[str, Any] = {}
        self._present: dict[str, Any] = {}
        self._document = RunDocument(command)

    def __call__(self, event: events.Event) -> None:  # noqa: C901, PLR0912, PLR0915 - a case an event
        """Adds one event to the document."""
        match event:
            case events.RunWaits():
                self._waited = True
            case events.RunStarted():
                if self._waited:
                    self._since = self._clock()
                self._have(run=event.run, resumed=event.resumed, target=event.target)
            case events.ChecksMade():
                self._state = State.PREFLIGHT
                self._have(checks=event.checks)
            case events.CheckMade():
                made = event.check
                self._have(checks=tuple(made if made.name == c.name else c for c in self._document.checks))
            case events.StateEntered():
                self._left(event.because)
                self._state = event.state
            case events.Inspected():
                self._have(history=history_document(event.history))
            case events.EvidenceFound():
                self._evidence[event.evidence.migration] = event.evidence
            case events.PresentFound():
                self._present[event.evidence.migration] = event.evidence
            case events.PendingUncompared():
                self._have(uncompared=event.reason)
            case events.PendingRehearsed():
                self._have(rehearsals=event.rehearsals)
            case events.BaselineFound():
                self._have(baseline=event.baseline)
            case events.EffectProposed(effect=effect) if effect.startswith("baseline:"):
                self._whole = EffectDocument.proposed(event)
            case events.EffectProposed():
                self._effects[event.effect] = EffectDocument.proposed(event)
            case events.EffectStarted():
                self._begun(event)
            case events.EffectEnded():
                ended = {"shown": event.shown, "seconds": round(event.seconds, 3), "unchanged": event.unchanged}
                self._effect(event.effect, **ended)
            case events.EffectFound():
                self._have(found=FoundDocument(event.effect, event.command, event.shown))
            case events.RestorePointMade():
                self._have(restore_point=RestorePoint(event.kind, event.place, event.lsn, event.taken, event.back))
            case events.SchemaCompared():
                self._have(proof=ProofDocument(event.proven, event.differing, event.elsewhere))
            case events.StepEnded():
                step = StepDocument(event.step, event.exit_code, round(event.seconds, 3), event.already_done)
                self._have(steps=(*self._document.steps, step))
            case events.Refused():
                self._left(event.refusal.fact)
                self._state = State.BLOCKED
                self._have(refusal=event.refusal)
            case events.Failed():
                self._have(refusal=event.refusal)
            case events.RunEnded():
                self._state = event.state
            case _:
                pass  # output and progress are for a person who watches

    def _all_effects(self) -> tuple[EffectDocument, ...]:
        """The effects in order; the marks of a baseline as one, where none of them was started."""
        marked = any(each.started and each.effect.startswith("mark_applied:") for each in self._effects.values())
        whole = () if self._whole is None or marked else (self._whole,)
        return (*whole, *self._effects.values())

    def _have(self, **fields: Any) -> None:  # noqa: ANN401 - the document's own fields
        self._document = msgspec.structs.replace(self._document, **fields)

    def _effect(self, effect: str, **fields: Any) -> None:  # noqa: ANN401 - the effect's own fields
        known = self._effects.get(effect)
        if known is not None:
            self._effects[effect] = msgspec.structs.replace(known, **fields)

    def _begun(self, event: events.EffectStarted) -> None:
        """An effect was started; the marks of a baseline were proposed all at once."""
        if event.effect not in self._effects and self._whole is not None:
            whole = self._whole
            self._effects[event.effect] = EffectDocument(
                event.effect, event.command, whole.consequence, whole.untouched
            )
        self._effect(event.effect, started=True)

    def _left(self, because: str) -> None:
        now = self._clock()
        if self._state is not None:
            move = MoveDocument(self._state, because, round(now - self._since, 3))
            self._have(path=(*self._document.path, move))
        self._since = now

    def document(self, exit_code: int, refusal: Refusal | None = None) -> RunDocument:
        """The finished document.

        Args:
            exit_code: the command's exit code.
            refusal: why the command stopped, if no event said so.
        """
        self._have(
            state=self._state,
            exit_code=exit_code,
            evidence=tuple(self._evidence.values()),
            present=tuple(self._present.values()),
            effects=self._all_effects(),
            refusal=self._document.refusal or refusal,
        )
        return self._document
