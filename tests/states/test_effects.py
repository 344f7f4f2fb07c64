"""The effects as data: the names by which a journal knows them again, and what the ledger shows of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from states.effects import (
    Deploy,
    Effect,
    EndOrphan,
    MarkApplied,
    MarkRolledBack,
    PrismaEffect,
    Repair,
    killed,
    of_id,
    shown,
)
from states.facts import Row
from states.plans import Way
from tests.states.strategies import row

FAILED, WITHDRAWN, FINISHED = row(1), row(2, rolled_back=True), row(3, finished=True)
OTHER = replace(FINISHED, id="4", migration="m2")
APPLIED, ROLLED_BACK, BOTH = MarkApplied("m1"), MarkRolledBack("m1"), Deploy(("m1", "m2"))


@pytest.mark.parametrize(
    ("effect", "rows", "there"),
    [
        (APPLIED, [FINISHED], True),
        (APPLIED, [WITHDRAWN, FINISHED], True),
        (APPLIED, [FAILED, FINISHED], False),
        # Cut off between the two writes of `--applied` (F5).
        (APPLIED, [WITHDRAWN], False),
        (APPLIED, [OTHER], False),
        (ROLLED_BACK, [WITHDRAWN], True),
        (ROLLED_BACK, [WITHDRAWN, FINISHED], True),
        (ROLLED_BACK, [FAILED, WITHDRAWN], False),
        (ROLLED_BACK, [], False),
        (BOTH, [FINISHED, OTHER], True),
        (BOTH, [FINISHED], False),
        (BOTH, [FINISHED, replace(OTHER, finished_at=None)], False),
    ],
)
def test_the_ledger_alone_shows_an_effect(effect: PrismaEffect, rows: list[Row], *, there: bool) -> None:
    """F6: whatever the command said, each of its migrations has the row that it writes, and none that blocks."""
    assert shown(effect, rows) is there
    assert shown(effect, rows[::-1]) is there


def test_an_orphan_is_named_by_its_session() -> None:
    """It is no migration's, so no migration's name is taken for it."""
    assert EndOrphan(7).id == "end_orphan:7"


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
effects = (
    st.builds(MarkApplied, names)
    | st.builds(MarkRolledBack, names)
    | st.builds(Repair, names, st.sampled_from(Way), st.just(""))
    | st.builds(Deploy, st.lists(names, min_size=1, max_size=3).map(tuple))
)


@given(effects)
@settings(max_examples=60)
def test_an_effect_is_known_again_by_its_name(effect: Effect) -> None:
    """Whatever characters the migration's name has; what a deploy planned is kept beside its name."""
    planned = effect.migrations if isinstance(effect, Deploy) else ()
    assert of_id(effect.id, planned) == effect


@pytest.mark.parametrize(
    ("exit_code", "signal"),
    [
        (-9, "SIGKILL"),
        (137, "SIGKILL"),
        (-15, "SIGTERM"),
        (143, "SIGTERM"),
        (0, ""),
        (1, ""),
        (9, ""),
        (130, ""),
        (None, ""),
    ],
)
def test_a_command_that_was_killed_is_told_by_its_exit_code(exit_code: int | None, signal: str) -> None:
    """Directly, or by way of a shell; only for SIGKILL lack of memory can be the reason."""
    said = killed(exit_code)
    assert (f"({signal})" in said) if signal else said == ""
    assert ("memory" in said) is (signal == "SIGKILL")
