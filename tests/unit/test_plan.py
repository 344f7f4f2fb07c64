"""A plan looks at production also where a run would stop for the sake of the checkout."""

import pytest

from recovery import events
from recovery.run.plan import plan
from recovery.testing import MemoryDatabase, MemoryWorld
from states.facts import Check, Outcome
from states.table import State


class Checked(MemoryWorld):
    """A world in memory in which one more check is made."""

    def __init__(self, database: MemoryDatabase, check: Check) -> None:
        super().__init__(database)
        self._check = check

    def checks(self) -> tuple[Check, ...]:
        """See `World.checks`."""
        return (*super().checks(), self._check)


@pytest.mark.parametrize(
    ("name", "outcome", "looks"),
    [
        ("git.commit", Outcome.UNKNOWN, True),
        ("git.clean", Outcome.REFUSED, True),
        ("target.primary", Outcome.REFUSED, False),
        ("deploy.lock", Outcome.REFUSED, False),
        ("target.identity", Outcome.UNKNOWN, False),
    ],
)
def test_the_verdict_is_shown_where_only_the_checkout_is_wanting(name: str, outcome: Outcome, *, looks: bool) -> None:
    """Without git the verdict is what a person came for; the refusal is as before, and nothing would be run."""
    database = MemoryDatabase({"1_a": "CREATE TABLE a ()"})
    database.begin("1_a")
    seen: list[events.Event] = []
    world = Checked(database, Check(name, outcome, "as it is", "the test", "Mend it."))
    try:
        planned = plan(world, seen.append)
    finally:
        world.close()
    assert any(isinstance(event, events.EvidenceFound) for event in seen) is looks
    assert planned.effects == ()
    assert planned.state is State.PREFLIGHT
    assert planned.refusal is not None
    assert planned.refusal.code == f"preflight.{name}"
