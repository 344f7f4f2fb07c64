"""Makes a case smaller while what was found of it stays true."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.staging.fuzz.model import Case, Event, Step

#: How many smaller cases are tried at most.
TRIES = 60


def shrink(case: Case, holds: Callable[[Case], bool], tries: int = TRIES) -> Case:
    """The smallest case found of which `holds` is still true, by leaving out one thing after another.

    Args:
        case: it holds of this one.
        holds: false also where the smaller case can't be staged.
        tries: how often it is called at most.
    """
    left = tries
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(case):
            if left == 0:
                return case
            left -= 1
            if holds(smaller):
                case, progress = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Cases with one thing less, what matters most first."""
    for position in reversed(range(len(case.steps))) if len(case.steps) > 1 else ():
        yield from _if_two(_without(case, position))
    if len(case.history) > 1:
        merged = tuple(text for texts in case.history for text in texts)
        yield replace(case, history=(merged,))
    if len(case.rows) > 1:
        yield replace(case, rows=case.rows[:1])
    yield from _fewer_texts(case)
    if case.wrapped:
        yield replace(case, wrapped=False)
    if len(case.later) > 1:
        yield from (replace(case, later=case.later[:at] + case.later[at + 1 :]) for at in range(len(case.later)))
    for position, step in enumerate(case.steps):
        if step.hand is not None or step.undone:
            yield _with(case, position, replace(step, hand=None, undone=False))
    if case.cut > 0:
        yield from _if_two(replace(case, cut=case.cut - 1))


def _if_two(case: Case) -> Iterator[Case]:
    """The case, unless one of its two migrations would be empty."""
    if case.event is not Event.TWO or 0 < case.cut < len(case.steps):
        yield case


def _fewer_texts(case: Case) -> Iterator[Case]:
    for number, texts in enumerate(case.history):
        for at in reversed(range(len(texts))):
            fewer = texts[:at] + texts[at + 1 :]
            kept = (*case.history[:number], *((fewer,) if fewer else ()), *case.history[number + 1 :])
            if kept:
                yield replace(case, history=kept)
    for at in reversed(range(len(case.rows))):
        yield replace(case, rows=case.rows[:at] + case.rows[at + 1 :])


def _without(case: Case, position: int) -> Case:
    """Without a statement; the place where it was cut moves with the others."""
    steps = case.steps[:position] + case.steps[position + 1 :]
    cut, done = (mark - (mark > position) for mark in (case.cut, case.done))
    return replace(case, steps=steps, cut=cut, done=done)


def _with(case: Case, position: int, step: Step) -> Case:
    return replace(case, steps=(*case.steps[:position], step, *case.steps[position + 1 :]))
