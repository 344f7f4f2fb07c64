"""The sweep is worth what it catches: bugs planted on purpose, each of which some death brings to light."""

from collections.abc import Callable
from typing import Any

import pytest

from recovery.effects.results import Performed
from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind
from recovery.run.engine import Engine
from recovery.run.pipeline import PipelineRunner
from recovery.run.ports import Ended
from recovery.testing import MemoryJournal, Ticks
from states import effects
from tests.sweep.rehearsal import NOON, Rehearsal, Store
from tests.sweep.scenarios import SCENARIOS


class Repeating(PipelineRunner):
    """Runs a step in doubt again without a word."""

    def _known(self, run: str) -> dict[str, int | None]:
        return {step: code for step, code in super()._known(run).items() if code is not None}


class Hasty(Engine):
    """Writes the outcome of an effect before the effect, and believes it."""

    def _perform(self, effect: effects.Effect, payload: dict[str, Any], act: Callable[[], Performed]) -> Performed:
        early = {"effect": effect.id, "migration": payload.get("migration", ""), "rows": [], "shown": True}
        self._append(Kind.OBSERVED, self._machine.current, {**early, "unchanged": ""})
        return super()._perform(effect, payload, act)


class Forgetful(MemoryJournal):
    """Keeps what it is given until the next event comes: the last one is not flushed."""

    def __init__(self, store: Store, ticks: Ticks) -> None:
        super().__init__("t", store, lambda: NOON, ticks)
        self._kept: tuple[str, str, str, dict[str, Any]] | None = None

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """Appends what came before."""
        before, self._kept = self._kept, (run, kind, state, payload)
        written = super().append(*before) if before else None
        seq = written.seq + 1 if written else len(super().events(run)) + 1
        return JournalEvent(run, seq, "", kind, state, payload)


def plant(rehearsal: Rehearsal, bug: type) -> Rehearsal:
    """The rehearsal, with a part of it replaced."""
    if issubclass(bug, Engine):
        rehearsal.engine = bug
    elif issubclass(bug, PipelineRunner):
        rehearsal.runner = bug
    else:
        rehearsal.journals = bug
    return rehearsal


def survives(name: str, bug: type) -> bool:
    """No single death shows that anything is wrong."""
    scenario = SCENARIOS[name]
    expected = scenario.make()
    expected.through()
    for at in range(1, len(expected.seen[0]) + 1):
        rehearsal = plant(scenario.make(), bug)
        try:
            rehearsal.once(at)
            ended: Ended = rehearsal.through()
            assert (ended.exit_code, ended.state) == (scenario.exit_code, scenario.state)
            assert rehearsal.world() == expected.world()
            rehearsal.check_journal()
        except AssertionError:
            return False
    return True


@pytest.mark.parametrize(("name", "bug"), [("pipeline", Repeating), ("exists", Hasty), ("exists", Forgetful)])
def test_a_planted_bug_is_caught(name: str, bug: type) -> None:
    """Repeating without observing, an outcome before its effect, a journal that is not flushed."""
    assert not survives(name, bug)


def test_nothing_is_caught_where_nothing_is_planted() -> None:
    """The same loop passes on the engine as it is."""
    assert survives("pipeline", Engine)
