"""What is pending is rehearsed before anybody is asked whether to deploy it."""

from collections.abc import Sequence

from recovery import events
from recovery.evidence.pending import Compared
from recovery.journal.run_record import Kind
from recovery.run.engine import Engine
from recovery.run.policy import auto
from recovery.testing import MemoryWorld
from states.effects import Deploy, Effect, MarkRolledBack
from states.exit_codes import Exit
from states.rehearsals import LockedTable, Rehearsal
from tests.sweep.rehearsal import FAILED, LATER
from tests.sweep.scenarios import absent

FOUND = (Rehearsal(LATER, (LockedTable("public.big", "AccessExclusiveLock", 1),)),)


class Rehearsing(MemoryWorld):
    """A world in which tables are locked."""

    def rehearse(self, planned: Sequence[Effect], compared: Compared | None = None) -> tuple[Rehearsal, ...]:
        """See `World.rehearse`."""
        assert planned == (MarkRolledBack(FAILED), Deploy((FAILED, LATER))), (
            "what was rolled back is known to be absent"
        )
        assert compared is not None, "what is known already is not looked for again"
        return FOUND


def test_it_is_told_and_recorded_before_consent() -> None:
    """Nobody has agreed to the deploy yet, and the report of the run has it."""
    rehearsal, seen = absent(), list[events.Event]()
    world = Rehearsing(rehearsal.database)
    try:
        ended = Engine(world, rehearsal.journal(), auto("not_applied"), seen.append, lambda: "run").run("t", "s")
    finally:
        world.close()
    assert ended.exit_code is Exit.BLOCKED
    assert ended.refusal is not None
    assert ended.refusal.code == "deploy.consent"
    told = [event for event in seen if isinstance(event, events.PendingRehearsed | events.EffectProposed)]
    assert told[-2] == events.PendingRehearsed(FOUND)
    assert isinstance(told[-1], events.EffectProposed)
    recorded = [event.payload for event in rehearsal.journal().events("run") if event.kind == Kind.REHEARSED]
    assert [each["rehearsals"][0]["migration"] for each in recorded] == [LATER]
