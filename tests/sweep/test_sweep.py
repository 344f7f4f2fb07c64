"""Killed at every instant, and again at every instant while resuming: the end is that of an uninterrupted recovery."""

import copy
from collections.abc import Iterator
from functools import cache
from itertools import count

import pytest

from tests.sweep.rehearsal import Rehearsal
from tests.sweep.scenarios import SCENARIOS


@cache
def uninterrupted(name: str) -> Rehearsal:
    """How the scenario ends if nobody is killed."""
    rehearsal = SCENARIOS[name].make()
    rehearsal.through()
    return rehearsal


#: Scenario and state from which a recovery is known to end well: equal states go on alike.
_well: set[tuple[str, bytes]] = set()
#: Those after which every second death was tried.
_swept: set[tuple[str, bytes]] = set()


def check(name: str, rehearsal: Rehearsal) -> None:
    """The same end, every effect once, and a journal that is a path."""
    state = (name, rehearsal.state())
    if state in _well:
        return
    rehearsal = copy.deepcopy(rehearsal)
    deaths = [seen[-1] for seen in rehearsal.seen]
    ended = rehearsal.through()
    scenario, expected = SCENARIOS[name], uninterrupted(name)
    assert (ended.exit_code, ended.state) == (scenario.exit_code, scenario.state), f"{deaths}: {ended.refusal}"
    assert rehearsal.world() == expected.world(), deaths
    rehearsal.check_journal()
    _well.add(state)


def killed_at(rehearsal: Rehearsal, at: int) -> Iterator[Rehearsal]:
    """The rehearsal, killed at this instant; once more with its command going on, where one was at work."""
    for orphan in (False, True):
        copied = copy.deepcopy(rehearsal)
        if copied.once(at, orphan=orphan) is not None:
            return  # it came to its end before that instant
        yield copied
        if copied.seen[-1][-1].startswith(("before ", "after ")):
            return


INSTANTS = [(name, at) for name in SCENARIOS for at in range(1, len(uninterrupted(name).seen[0]) + 1)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_uninterrupted(name: str) -> None:
    """Each scenario ends as it is said to."""
    check(name, SCENARIOS[name].make())


@pytest.mark.parametrize(("name", "at"), INSTANTS)
def test_every_instant_and_every_pair(name: str, at: int) -> None:
    """Killed at one instant, then at each one of the process that goes on, or at none."""
    for once in killed_at(SCENARIOS[name].make(), at):
        check(name, once)
        if (name, once.state()) in _swept:
            continue
        for again in count(1):
            twice = list(killed_at(once, again))
            if not twice:
                break
            for rehearsal in twice:
                check(name, rehearsal)
        _swept.add((name, once.state()))
