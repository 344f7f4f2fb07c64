"""A deploy that was begun beside a mark waits until the mark was observed, and a deploy comes next (RULES F13)."""

from collections.abc import Iterator

import pytest

from recovery.testing import MemoryDatabase
from states.exit_codes import Exit
from tests.sweep.rehearsal import FAILED, Rehearsal
from tests.sweep.scenarios import SCENARIOS, exists

ENDED = "before the deploy is ended that was begun"


class Refusing(MemoryDatabase):
    """Prisma's command to mark a migration does nothing."""

    def marking_applied(self, name: str) -> Iterator[str]:
        """Nothing."""
        del name
        return iter(())


def words(rehearsal: Rehearsal) -> list[str]:
    """The commands that began."""
    return [effect.partition(":")[0] for effect, _ in rehearsal.commands]


def test_the_mark_fails() -> None:
    """Nothing is deployed, and what was begun is ended."""
    rehearsal = exists()
    made = rehearsal.database
    rehearsal.database = Refusing(made.folder, made.tables, made.rows)
    ended = rehearsal.once()
    assert ended is not None
    assert (ended.exit_code, ended.refusal and ended.refusal.code) == (Exit.BLOCKED, "resolve.not_shown")
    assert (words(rehearsal), rehearsal.seen[0][-1] == ENDED) == (["mark_applied"], True)


def test_the_deploy_is_not_right_any_more() -> None:
    """What comes next has been in production all along, so that it is marked; the deploy that was begun is ended."""
    rehearsal = SCENARIOS["exists_later_too"].make()
    assert rehearsal.through().exit_code is Exit.READY
    assert words(rehearsal) == ["mark_applied", "mark_applied"]
    assert rehearsal.seen[0].count(ENDED) == 1


@pytest.mark.parametrize("who", ["edit", "drop"])
def test_somebody_acts_between_the_two(who: str) -> None:
    """A file is edited, or the marked table dropped: the deploy waits for another look, or runs what was planned."""
    rehearsal = exists()
    database = rehearsal.database

    def act() -> None:
        if who == "drop":
            database.drop("b")
        else:
            database.folder["20260103_later"] += "; CREATE TABLE edited ()"

    rehearsal.once()
    instants = rehearsal.seen[0]
    at = instants.index(f"{FAILED}: marked applied") + 2
    rehearsal = exists()
    database = rehearsal.database
    rehearsal.once(meanwhile={at: act})
    assert rehearsal.seen[0][:at] == instants[:at]
    before = next(each for each in instants[at:] if each.startswith("before deploy"))
    assert before in rehearsal.seen[0]
    rehearsal.check_journal()
