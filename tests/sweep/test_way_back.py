"""A way back is made once a run, before its first effect, and without it there is no effect."""

from dataclasses import dataclass, field
from typing import Any

from recovery.engine import Engine
from recovery.errors import PreflightError
from recovery.memory import Kind
from recovery.ports import RestorePoint
from states.answers import Exit
from tests.sweep.rehearsal import Rehearsal
from tests.sweep.scenarios import absent


@dataclass
class Keeper:
    """Makes a way back, or fails."""

    fails: Exception | None = None
    made: list[str] = field(default_factory=list)

    def __call__(self, run: str) -> RestorePoint:
        """See `WayBack`."""
        if self.fails is not None:
            raise self.fails
        self.made.append(run)
        return RestorePoint("pg_dump", f"restore-{run}.sql", "0/1", "2026-01-01T00:00:00Z")


def rehearse(keeper: Keeper) -> Rehearsal:
    """A recovery that marks a migration and then deploys, with this way back."""

    class Keeping(Engine):
        """With a way back."""

        def __init__(self, *ports: Any) -> None:  # noqa: ANN401 - those of the engine
            super().__init__(*ports, way_back=keeper)

    rehearsal = absent()
    rehearsal.engine = Keeping
    return rehearsal


def kinds(rehearsal: Rehearsal) -> list[str]:
    """What of it is in the journal, and the effects."""
    wanted = (Kind.WAY_BACK, Kind.INTENDED)
    return [e.kind for run in rehearsal.journal().runs() for e in rehearsal.journal().events(run) if e.kind in wanted]


def test_before_the_first_effect() -> None:
    """Once, though the run has two effects; and it is journaled before the intent of the first."""
    keeper = Keeper()
    rehearsal = rehearse(keeper)
    assert rehearsal.through().exit_code is Exit.READY
    assert kinds(rehearsal) == [Kind.WAY_BACK, Kind.INTENDED, Kind.INTENDED]
    assert tuple(keeper.made) == rehearsal.journal().runs()


def test_without_a_way_back_there_is_no_effect() -> None:
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
    assert kinds(rehearsal)[0] == Kind.WAY_BACK


def test_killed_at_every_instant() -> None:
    """Once journaled it is not made again; and no effect is ever without it."""
    whole = rehearse(Keeper())
    whole.through()
    for at in range(1, len(whole.seen[0]) + 1):
        keeper = Keeper()
        rehearsal = rehearse(keeper)
        assert rehearsal.once(at) is None
        known = kinds(rehearsal).count(Kind.WAY_BACK)
        made = len(keeper.made)
        assert rehearsal.through().exit_code is Exit.READY
        assert kinds(rehearsal)[0] == Kind.WAY_BACK
        assert kinds(rehearsal).count(Kind.WAY_BACK) == 1
        assert len(keeper.made) == (made if known else made + 1)
