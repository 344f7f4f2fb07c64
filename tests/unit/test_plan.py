"""A plan, and the run that follows it: how far each looks, and where it would stop."""

import pytest

from recovery import events
from recovery.run.plan import plan
from recovery.testing import MemoryDatabase, MemoryWorld
from states.exit_codes import Exit
from states.facts import Check, Outcome
from states.table import State
from tests.sweep.rehearsal import FAILED, LATER, Rehearsal, history


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


@pytest.mark.parametrize("ran", [True, False])
def test_nothing_is_marked_while_the_deploy_after_it_would_fail(*, ran: bool) -> None:
    """A pending migration is there in part: plan and run say so before the failed one is marked."""
    database = history("CREATE TABLE a ()", later="CREATE TABLE later (); CREATE TABLE last ()")
    database.tables |= {"later", "a"} if ran else {"later"}
    database.begin(FAILED)
    before = [*database.rows]
    seen: list[events.Event] = []
    world = MemoryWorld(database)
    planned = plan(world, seen.append)
    world.close()
    assert planned.refusal is not None
    assert (planned.effects, planned.refusal.code) == ((), "classify.deploy_would_fail")
    assert LATER in planned.refusal.fact
    assert [each.evidence.migration for each in seen if isinstance(each, events.PresentFound)] == [LATER]
    ended = Rehearsal(database).once()
    assert ended is not None
    assert (ended.state, ended.exit_code) == (State.BLOCKED, Exit.BLOCKED)
    assert ended.refusal is not None
    assert ended.refusal.code == "classify.deploy_would_fail"
    assert database.rows == before


def test_a_mark_that_was_begun_is_finished_first() -> None:
    """RULES F5: cut off between Prisma's two writes, any deploy would run the script again, so the mark comes first."""
    database = history("CREATE TABLE a ()", later="CREATE TABLE later (); CREATE TABLE last ()")
    database.tables |= {"a"}
    database.begin(FAILED)
    rehearsal = Rehearsal(database)
    undisturbed = rehearsal.copied()
    undisturbed.once()
    assert rehearsal.once(die_at=undisturbed.seen[-1].index(f"{FAILED}: rolled back") + 1) is None
    database.tables |= {"later"}
    rehearsal.once()
    assert any(row.finished and row.migration == FAILED for row in database.rows)
