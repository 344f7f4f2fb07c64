"""Killed at every instant of every scenario, once: the end is that of an uninterrupted recovery."""

from pathlib import Path

import pytest

from tests.sweep.scenarios import SCENARIOS
from tests.sweep.sweeping import Death, check, deaths, killed_at, uninterrupted

pytestmark = pytest.mark.quick
everywhere = pytest.mark.parametrize("name", SCENARIOS)


@everywhere
def test_uninterrupted(name: str) -> None:
    """Each scenario ends as it is said to."""
    rehearsal = SCENARIOS[name].make()
    check(name, Death(rehearsal.state(), [], rehearsal))


@everywhere
def test_what_is_kept_at_an_instant_is_what_a_death_there_leaves(name: str) -> None:
    """The deaths that are read off a living process are those of processes that are killed."""
    kept = [death for death in deaths(SCENARIOS[name].make()) if death.rehearsal.seen == []]
    assert len(kept) == len(uninterrupted(name).seen[0])
    for number, death in enumerate(kept, start=1):
        killed = killed_at(SCENARIOS[name].make(), number)
        assert death.rehearsal.contents(death.state) == killed.rehearsal.contents(killed.state)
        assert death.seen == killed.seen


@everywhere
def test_every_instant(name: str) -> None:
    """Killed at any of them, with its command or without, the recovery goes on to the same end."""
    for death in deaths(SCENARIOS[name].make()):
        check(name, death)


def test_every_scenario_is_swept_in_pairs() -> None:
    """Each belongs to a file of its part, and each file has a part."""
    files = {path.stem.removeprefix("test_pairs_") for path in Path(__file__).parent.glob("test_pairs_*.py")}
    assert files == {scenario.part for scenario in SCENARIOS.values()}
