"""Killed at every instant, and again at every instant while resuming: the end is that of an uninterrupted recovery."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from tests.sweep.rehearsal import Rehearsal
from tests.sweep.scenarios import SCENARIOS


@cache
def uninterrupted(name: str) -> Rehearsal:
    """How the scenario ends if nobody is killed."""
    rehearsal = SCENARIOS[name].make()
    rehearsal.through()
    return rehearsal


@dataclass(frozen=True)
class Death:
    """What a process leaves that died.

    Attributes:
        state: all that outlives it.
        seen: the instants of all processes so far; the last one of each is that of its death.
        rehearsal: the one that it was part of.
    """

    state: bytes
    seen: list[list[str]]
    rehearsal: Rehearsal

    def resumed(self) -> Rehearsal:
        """A rehearsal that goes on from there."""
        return self.rehearsal.after(self.state, [list(each) for each in self.seen])


#: Scenario and state from which a recovery is known to end well: equal states go on alike.
_well: set[tuple[str, bytes]] = set()
#: Those after which every second death was tried, and how many these were.
_swept: dict[tuple[str, bytes], int] = {}


def check(name: str, death: Death) -> None:
    """The same end, every effect once, and a journal that is a path."""
    if (name, death.state) in _well:
        return
    rehearsal = death.resumed()
    deaths = [seen[-1] for seen in rehearsal.seen]
    ended = rehearsal.through()
    scenario, expected = SCENARIOS[name], uninterrupted(name)
    assert (ended.exit_code, ended.state) == (scenario.exit_code, scenario.state), f"{deaths}: {ended.refusal}"
    assert rehearsal.world() == expected.world(), deaths
    rehearsal.check_journal()
    _well.add((name, death.state))


def killed_at(rehearsal: Rehearsal, at: int, *, orphan: bool = False) -> Death:
    """Killed at this instant; its command dies with it, or goes on alone."""
    copied = rehearsal.copied()
    assert copied.once(at, orphan=orphan) is None, f"it ended before instant {at}"
    return Death(copied.state(), copied.seen, copied)


def outlived(instant: str) -> bool:
    """A command is at work at that instant, which can go on alone."""
    return not instant.startswith(("before ", "after "))


def deaths(rehearsal: Rehearsal) -> Iterator[Death]:
    """Every death of one process: one lives through, and at each instant what it would leave is kept.

    Nothing is written between an instant and the death at it, so this is what a death there leaves. Where a command
    could go on alone the process is killed indeed.
    """
    living = rehearsal.copied()
    kept: list[bytes] = []
    living.once(look=lambda: kept.append(living.state()))
    before, instants = living.seen[:-1], living.seen[-1]
    for number, state in enumerate(kept, start=1):
        yield Death(state, [*before, instants[:number]], rehearsal)
        if outlived(instants[number - 1]):
            yield killed_at(rehearsal, number, orphan=True)


INSTANTS = [(name, at) for name in SCENARIOS for at in range(1, len(uninterrupted(name).seen[0]) + 1)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_uninterrupted(name: str) -> None:
    """Each scenario ends as it is said to."""
    rehearsal = SCENARIOS[name].make()
    check(name, Death(rehearsal.state(), [], rehearsal))


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_kept_at_an_instant_is_what_a_death_there_leaves(name: str) -> None:
    """The deaths that are read off a living process are those of processes that are killed."""
    kept = [death for death in deaths(SCENARIOS[name].make()) if death.rehearsal.seen == []]
    for number, death in enumerate(kept, start=1):
        killed = killed_at(SCENARIOS[name].make(), number)
        assert (death.state, death.seen) == (killed.state, killed.seen)


@pytest.mark.parametrize(("name", "at"), INSTANTS)
def test_every_instant_and_every_pair(name: str, at: int, record_property: Callable[[str, object], None]) -> None:
    """Killed at one instant, then at each one of the process that goes on, or at none."""
    made = SCENARIOS[name].make()
    once = [killed_at(made, at)]
    if outlived(once[0].seen[-1][-1]):
        once.append(killed_at(made, at, orphan=True))
    for first in once:
        check(name, first)
        if (name, first.state) not in _swept:
            tried = 0
            for second in deaths(first.resumed()):
                check(name, second)
                tried += 1
            _swept[name, first.state] = tried
    record_property("deaths", len(once))
    record_property("pairs", sum(_swept[name, first.state] for first in once))
