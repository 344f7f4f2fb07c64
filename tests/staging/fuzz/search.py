"""Draws, stages and judges the cases of a seed, on one server."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recovery.replay import scratch
from tests.integration.rules.production import SharedWorkshop
from tests.staging.fuzz.drawing import GROUP, SHARED, draw_case, draw_group
from tests.staging.fuzz.oracle import Answer
from tests.staging.fuzz.shrinking import shrink
from tests.staging.fuzz.staging import SETTINGS, Judged, Stager, Unstageable
from tests.staging.postgres import start

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from tests.staging.fuzz.model import Case, Statement


@dataclass(frozen=True)
class Refused:
    """A case that could not be staged, and why."""

    label: str
    why: str


@contextlib.contextmanager
def stager(version: int | None, assume: frozenset[str] = frozenset(), *, tells: bool = False) -> Iterator[Stager]:
    """A stager with servers of its own.

    Args:
        version: PostgreSQL's major version of the productions.
        assume: see `Stager`.
        tells: see `Stager`.
    """
    with start(version, settings=SETTINGS) as server, contextlib.ExitStack() as stack:
        workshop = SharedWorkshop(scratch.embedded, "public")
        stack.callback(workshop.close)
        made = Stager(server, workshop, assume, repairs=True, tells=tells)
        stack.callback(made.close)
        yield made


def cases(on: Stager, seed: int, group: int) -> Iterator[Case | Refused]:
    """The cases of one group. Statements that the server refuses are left out of their scripts."""
    number = group * GROUP
    for drawn in draw_group(seed, group):
        statements: Sequence[Statement] = drawn.statements
        for _ in range(SHARED):
            case = draw_case(seed, number, drawn, statements) if statements else None
            if case is not None and statements is drawn.statements:
                case, statements = _runnable(on, case, statements)
                if statements is not drawn.statements and statements:
                    case = draw_case(seed, number, drawn, statements)
            yield case if case is not None and statements else Refused(f"{seed}/{number}", "no statement runs")
            number += 1


def _runnable(on: Stager, case: Case, statements: Sequence[Statement]) -> tuple[Case, Sequence[Statement]]:
    """The case, and those of its statements that run on its production; the very same ones if all do."""
    try:
        on.ideal(case, (case.script,))
    except Unstageable:
        try:
            return case, on.accepted(case, statements)
        except Unstageable:
            return case, ()
    return case, statements


def judged(
    on: Stager, seed: int, groups: Sequence[int], numbers: Container[int], *, handwork: bool
) -> Iterator[Judged | Refused]:
    """The cases of some groups, judged.

    Args:
        on: stages them.
        seed: the run's.
        groups: their numbers.
        numbers: of their cases, those to judge.
        handwork: a person's hand on rows is among the cases.
    """
    for group in groups:
        for case in cases(on, seed, group):
            if int(case.label.partition("/")[2]) not in numbers:
                continue
            if isinstance(case, Refused):
                yield case
            elif handwork or not case.hand_on_rows:
                try:
                    yield on.judge(case)
                except Unstageable as error:
                    yield Refused(case.label, str(error))


def shrunk(on: Stager, found: Judged) -> Judged:
    """An unsafe case, as small as it is still unsafe."""
    smallest = found

    def holds(case: Case) -> bool:
        nonlocal smallest
        try:
            again = on.judge(case)
        except Unstageable:
            return False
        if again.answer is Answer.UNSAFE:
            smallest = again
        return again.answer is Answer.UNSAFE

    shrink(found.case, holds)
    return smallest
