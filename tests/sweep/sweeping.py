"""Deaths of a process, what each leaves, and whether the recovery that goes on from there ends well."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

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


Count = Callable[[str, object], None]


def sweep_pairs(name: str, count: Count) -> None:
    """Every death of a recovery, and every death of the process that goes on from there: all end well.

    Args:
        name: the scenario.
        count: told how many deaths and pairs of deaths there were.
    """
    made = SCENARIOS[name].make()
    #: Deaths after which every second one was tried, and how many these were.
    swept: dict[bytes, int] = {}
    firsts = list(deaths(made))
    for first in firsts:
        check(name, first)
        if first.state not in swept:
            seconds = list(deaths(first.resumed()))
            for second in seconds:
                check(name, second)
            swept[first.state] = len(seconds)
    assert firsts
    count("instants", len(uninterrupted(name).seen[0]))
    count("deaths", len(firsts))
    count("pairs", sum(swept[first.state] for first in firsts))
