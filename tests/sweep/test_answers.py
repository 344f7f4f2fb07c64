"""What a person said of statements counts again where a repair was killed and nothing of it was done."""

import pytest

from recovery.journal.run_record import Kind, RunRecord, record_of
from recovery.run.engine import Engine
from recovery.run.policy import auto
from recovery.run.ports import Policy
from recovery.testing import Died, MemoryWorld, Ticks
from states.facts import Answers
from states.table import State
from tests.sweep.rehearsal import FAILED, Agreed, Rehearsal
from tests.sweep.scenarios import partial, partial_apart

SAID = Answers("sha256:asked", {1: True})


class Transactional(MemoryWorld):
    """A world that knows of this transaction whether it was rolled back."""

    rolled_back = True

    def undone(self, transaction: int) -> bool:
        """See `World.undone`."""
        assert transaction == 7
        return self.rolled_back


def once(rehearsal: Rehearsal, policy: Policy, ticks: Ticks | None = None) -> None:
    """One process, which may die."""
    world = Transactional(rehearsal.database, ticks)
    try:
        Engine(world, rehearsal.journal(), policy, lambda _: None, lambda: "run").run("t", "s")
    except Died:
        pass
    finally:
        world.close()


def killed(rehearsal: Rehearsal, *after: tuple[str, dict[str, object]]) -> RunRecord:
    """The record once a repair was killed before its first write, and the next process has looked.

    Args:
        rehearsal: of something half done.
        after: what the journal says that the repair had begun.
    """
    once(rehearsal, auto())
    payload = {"migration": FAILED, "evidence": SAID.evidence, "statements": {"1": True}, "reason": "x"}
    rehearsal.journal().append("run", Kind.APPROVED, State.BLOCKED, payload)
    once(rehearsal, Agreed(), Ticks(1))
    for kind, of in after:
        rehearsal.journal().append("run", kind, State.RESOLVE, of)
    assert record_of(rehearsal.journal().events("run")).in_doubt == f"complete:{FAILED}"
    once(rehearsal, auto())
    return record_of(rehearsal.journal().events("run"))


BEGUN = (Kind.TRANSACTION_BEGUN, {"effect": f"complete:{FAILED}", "transaction": 7})


def test_a_repair_that_had_not_begun_leaves_them() -> None:
    """Its transaction has no number yet, so no statement of it ran."""
    assert killed(partial()).answers == {FAILED: SAID}


@pytest.mark.parametrize(("rolled_back", "left"), [(True, {FAILED: SAID}), (False, {})])
def test_the_server_knows_what_became_of_a_transaction(
    monkeypatch: pytest.MonkeyPatch, *, rolled_back: bool, left: dict[str, Answers]
) -> None:
    """One that was committed, or of which nothing is known, makes them void, and a person is asked again."""
    monkeypatch.setattr(Transactional, "rolled_back", rolled_back)
    assert killed(partial(), BEGUN).answers == left


def test_a_statement_that_was_begun_by_itself_makes_them_void() -> None:
    """It may have been committed, and nothing tells that of work on rows."""
    begun = (Kind.STATEMENT_INTENDED, {"effect": f"complete:{FAILED}", "statement": 1})
    assert killed(partial_apart(), begun).answers == {}
