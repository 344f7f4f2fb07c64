"""The sweep is worth what it catches: bugs planted on purpose, each of which some death brings to light."""

from collections.abc import Sequence
from typing import Any

import pytest

from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind
from recovery.run import course
from recovery.run.diary import Diary
from recovery.run.pipeline import PipelineRunner
from recovery.run.ports import Ended
from recovery.testing import MemoryJournal, MemoryWorld, Ticks
from states.facts import Row
from states.table import State
from tests.sweep.rehearsal import NOON, Rehearsal, Store
from tests.sweep.scenarios import SCENARIOS
from tests.sweep.sweeping import uninterrupted


class Repeating(PipelineRunner):
    """Runs a step in doubt again without a word."""

    def _known(self, run: str) -> dict[str, int | None]:
        return {step: code for step, code in super()._known(run).items() if code is not None}


class Hasty(Diary):
    """Writes the outcome of an effect before the effect, and believes it."""

    def intended(self, state: State, intent: dict[str, Any], command: str, before: Sequence[Row]) -> None:
        """Writes the outcome, then the intent."""
        early = {"effect": intent["effect"], "migration": intent.get("migration", ""), "rows": [], "shown": True}
        self.append(Kind.OBSERVED, state, {**early, "unchanged": ""})
        super().intended(state, intent, command, before)


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


class Untied(MemoryWorld):
    """A deploy that was begun beside a mark goes on alone when the process dies."""

    def close(self) -> None:
        """Lets it go on."""
        if self._begun is not None:
            self._on_command(self._begun)
            for _ in self._database.deploying(*self._begun.migrations):
                pass
        super().close()


def plant(monkeypatch: pytest.MonkeyPatch, bug: type, rehearsal: Rehearsal) -> None:
    """Puts the bug where its like was."""
    if issubclass(bug, Diary):
        monkeypatch.setattr(course, "Diary", bug)
    elif issubclass(bug, MemoryWorld):
        rehearsal.worlds = bug
    elif issubclass(bug, PipelineRunner):
        rehearsal.runner = bug
    else:
        rehearsal.journals = bug


def survives(name: str, bug: type | None = None) -> bool:
    """No single death shows that anything is wrong."""
    scenario = SCENARIOS[name]
    expected = uninterrupted(name)
    for at in range(1, len(expected.seen[0]) + 1):
        with pytest.MonkeyPatch.context() as monkeypatch:
            rehearsal = scenario.make()
            if bug is not None:
                plant(monkeypatch, bug, rehearsal)
            try:
                rehearsal.once(at)
                ended: Ended = rehearsal.through()
                assert (ended.exit_code, ended.state) == (scenario.exit_code, scenario.state)
                assert rehearsal.world() == expected.world()
                rehearsal.check_journal()
            except AssertionError:
                return False
    return True


@pytest.mark.parametrize(
    ("name", "bug"), [("pipeline", Repeating), ("exists", Hasty), ("exists", Forgetful), ("exists", Untied)]
)
def test_a_planted_bug_is_caught(name: str, bug: type) -> None:
    """Repeating without observing, an outcome before its effect, a journal not flushed, a deploy that nobody let go."""
    assert not survives(name, bug)


def test_nothing_is_caught_where_nothing_is_planted() -> None:
    """The same loop passes on the parts as they are."""
    assert survives("pipeline")
