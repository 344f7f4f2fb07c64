"""A restore point is made once a run, before its first effect, and without it there is no effect."""

from dataclasses import dataclass, field
from typing import Any

from recovery.effects.results import RestorePoint
from recovery.errors import PreflightError
from recovery.journal.run_record import Kind
from recovery.run.engine import Engine
from states.exit_codes import Exit
from tests.sweep.rehearsal import Rehearsal
from tests.sweep.scenarios import absent


@dataclass
class Keeper:
    """Makes a restore point, or fails."""

    fails: Exception | None = None
    made: list[str] = field(default_factory=list)

    def __call__(self, run: str) -> RestorePoint:
        """See `MakeRestorePoint`."""
        if self.fails is not None:
            raise self.fails
        self.made.append(run)
        return RestorePoint("pg_dump", f"restore-{run}.sql", "0/1", "2026-01-01T00:00:00Z", "psql")


def rehearse(keeper: Keeper) -> Rehearsal:
    """A recovery that marks a migration and then deploys, with this restore point."""

    class Keeping(Engine):
        """With a restore point."""

        def __init__(self, *ports: Any) -> None:  # noqa: ANN401 - those of the engine
            super().__init__(*ports, restore_point=keeper)

    rehearsal = absent()
    rehearsal.engine = Keeping
    return rehearsal


def kinds(rehearsal: Rehearsal) -> list[str]:
    """What of it is in the journal, and the effects."""
    wanted = (Kind.RESTORE_POINT, Kind.INTENDED)
    return [e.kind for run in rehearsal.journal().runs() for e in rehearsal.journal().events(run) if e.kind in wanted]


def test_before_the_first_effect() -> None:
    """Once, though the run has two effects; and it is journaled before the intent of the first."""
    keeper = Keeper()
    rehearsal = rehearse(keeper)
    assert rehearsal.through().exit_code is Exit.READY
    assert kinds(rehearsal) == [Kind.RESTORE_POINT, Kind.INTENDED, Kind.INTENDED]
    assert tuple(keeper.made) == rehearsal.journal().runs()


def test_without_a_restore_point_there_is_no_effect() -> None:
    """Where it can't be made the run is blocked, and nothing was changed; the next run tries again."""
    keeper = Keeper(PreflightError("restore_point.failed", "No.", "See."))
    rehearsal = rehearse(keeper)
    before = rehearsal.world()
    ended = rehearsal.once()
    assert ended is not None
    assert (ended.exit_code, ended.refusal and ended.refusal.code) == (Exit.PREFLIGHT, "restore_point.failed")
    assert (rehearsal.world(), kinds(rehearsal), rehearsal.commands) == (before, [], [])
    keeper.fails = None
    assert rehearsal.through().exit_code is Exit.READY
    assert kinds(rehearsal)[0] == Kind.RESTORE_POINT


def test_killed_at_every_instant() -> None:
    """Once journaled it is not made again; and no effect is ever without it."""
    whole = rehearse(Keeper())
    whole.through()
    for at in range(1, len(whole.seen[0]) + 1):
        keeper = Keeper()
        rehearsal = rehearse(keeper)
        assert rehearsal.once(at) is None
        known = kinds(rehearsal).count(Kind.RESTORE_POINT)
        made = len(keeper.made)
        assert rehearsal.through().exit_code is Exit.READY
        assert kinds(rehearsal)[0] == Kind.RESTORE_POINT
        assert kinds(rehearsal).count(Kind.RESTORE_POINT) == 1
        assert len(keeper.made) == (made if known else made + 1)
