"""What a recovery can meet, each small enough to be killed at every instant and every pair of instants."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from states.exit_codes import Exit
from states.facts import Orphan
from states.table import State
from tests.sweep.rehearsal import FAILED, LATER, STEPS, Rehearsal, history

SCRIPT = "CREATE TABLE a (); CREATE TABLE b ()"


@dataclass(frozen=True)
class Scenario:
    """How production is made, and how an uninterrupted recovery ends.

    Attributes:
        part: in which file its pairs of deaths are swept; files are spread over processes.
    """

    make: Callable[[], Rehearsal]
    part: str
    exit_code: Exit
    state: State


def exists() -> Rehearsal:
    """The script ran, its row is unfinished."""
    database = history(SCRIPT)
    database.tables |= {"a", "b"}
    database.begin(FAILED)
    return Rehearsal(database)


def exists_later_too() -> Rehearsal:
    """So did the next one, which is seen only once the first is marked: a deploy that was begun is ended."""
    rehearsal = exists()
    rehearsal.database.tables |= {"later"}
    return rehearsal


def counted() -> Rehearsal:
    """The script ran, data too, and Prisma counted it."""
    database = history(f"{SCRIPT}; INSERT INTO first DEFAULT VALUES")
    database.tables |= {"a", "b"}
    database.update(database.begin(FAILED), applied_steps_count=1)
    return Rehearsal(database)


def absent() -> Rehearsal:
    """Nothing of it is there; a deploy brings it, and what is pending, with data."""
    database = history(SCRIPT, later="CREATE TABLE later (); INSERT INTO later DEFAULT VALUES")
    database.begin(FAILED)
    return Rehearsal(database)


def absent_statementwise() -> Rehearsal:
    """As `absent`, by a Prisma that commits each statement by itself."""
    rehearsal = absent()
    rehearsal.database.statementwise = True
    return rehearsal


def several() -> Rehearsal:
    """Three unfinished rows, one of them beside a finished one of its name."""
    database = history(SCRIPT)
    database.folder["20260102_more"] = "CREATE TABLE more ()"
    database.tables |= {"a", "b"}
    database.begin(FAILED)
    database.begin("20260102_more")
    database.begin("20260101_first")
    return Rehearsal(database)


def orphaned() -> Rehearsal:
    """A session whose client is gone holds Prisma's lock; somebody agrees to end it."""
    rehearsal = exists()
    rehearsal.database.orphan = Orphan(
        7, "u", "", "local", "12:00:00 UTC", 60.0, "SELECT pg_terminate_backend(7)", "1 2"
    )
    return rehearsal


def half_marked() -> Rehearsal:
    """Somebody's `resolve --applied` died between its two writes: rolled back, and not applied."""
    database = history(SCRIPT)
    database.tables |= {"a", "b"}
    database.update(database.begin(FAILED), rolled_back_at=database.now())
    return Rehearsal(database)


def failing_once() -> Rehearsal:
    """The deploy meets a deadlock, is classified, and passes."""
    rehearsal = absent()
    rehearsal.database.causes["CREATE TABLE later ()"] = ["40P01"]
    return rehearsal


def failing_for_good() -> Rehearsal:
    """The deploy fails for the same cause again."""
    rehearsal = absent()
    rehearsal.database.causes["CREATE TABLE later ()"] = ["23505"] * 20
    return rehearsal


def in_place() -> Rehearsal:
    """Nothing failed; what is pending is in production already."""
    database = history(SCRIPT)
    database.tables |= {"a", "b"}
    return Rehearsal(database)


def partial() -> Rehearsal:
    """Half of it is there: the rest is run by a plan that was agreed to, as one transaction."""
    database = history(f"{SCRIPT}; CREATE TABLE c ()")
    database.tables |= {"a"}
    database.begin(FAILED)
    return Rehearsal(database)


def partial_apart() -> Rehearsal:
    """The same by a plan whose statements are committed one by one."""
    rehearsal = partial()
    rehearsal.database.apart = True
    return rehearsal


def partial_open() -> Rehearsal:
    """Half of it is there, and nothing would show that its rows are: a person finishes it by hand."""
    database = history(f"{SCRIPT}; INSERT INTO first DEFAULT VALUES")
    database.tables |= {"a"}
    database.begin(FAILED)
    return Rehearsal(database)


def drifted() -> Rehearsal:
    """What the script drops is gone, and what it makes is there with something that it only names: nobody decides."""
    database = history("DROP TABLE gone; CREATE TABLE a ()")
    database.folder["20260101_second"] = "CREATE TABLE gone ()"
    database.deployed("20260101_second")
    database.tables |= {"a"}
    database.begin(FAILED)
    return Rehearsal(database)


def approved() -> Rehearsal:
    """A data statement leaves it open; a person has looked, and approved."""
    database = history(f"{SCRIPT}; INSERT INTO first DEFAULT VALUES")
    database.begin(FAILED)
    rehearsal = Rehearsal(database)
    blocked = rehearsal.once()
    assert blocked is not None
    assert rehearsal.look_for_rows(blocked)
    rehearsal.seen.clear()
    return rehearsal


def pipeline() -> Rehearsal:
    """Two steps behind the gate, neither of which may run twice."""
    rehearsal = exists()
    rehearsal.steps = STEPS
    rehearsal.person = Rehearsal.decide_step
    return rehearsal


def nothing_wrong() -> Rehearsal:
    """A healthy database with something pending."""
    rehearsal = absent()
    rehearsal.database.rows.pop()
    return rehearsal


def no_ledger() -> Rehearsal:
    """The ledger is gone. Production has the first two, and the third is to be deployed."""
    database = history("CREATE TABLE a ()")
    database.tables |= {"a"}
    database.rows.clear()
    return Rehearsal(database)


def late_ledger() -> Rehearsal:
    """The ledger begins with the last one that ran; those before it were overwritten, and are not there one by one."""
    database = history("DROP TABLE first; CREATE TABLE a ()")
    database.deployed(FAILED, LATER)
    database.rows = [replace(row, id="the only one") for row in database.rows if row.migration == LATER]
    database.folder["20260104_next"] = "CREATE TABLE next ()"
    return Rehearsal(database)


def rows_in_doubt() -> Rehearsal:
    """The ledger is gone, and the last one only writes rows: a person has said that it ran."""
    database = history(SCRIPT, later="INSERT INTO a DEFAULT VALUES")
    database.deployed(FAILED, LATER)
    database.rows.clear()
    rehearsal = Rehearsal(database)
    blocked = rehearsal.once()
    assert blocked is not None
    assert rehearsal.approve_baseline(blocked)
    rehearsal.seen.clear()
    return rehearsal


_READY = (Exit.READY, State.PIPELINE_READY)
_BLOCKED = (Exit.BLOCKED, State.BLOCKED)
SCENARIOS = {
    make.__name__: Scenario(make, part, *ends)
    for make, part, ends in (
        (exists, "marked", _READY),
        (exists_later_too, "marked", _READY),
        (counted, "marked", _READY),
        (orphaned, "marked", _READY),
        (absent, "deployed", _READY),
        (absent_statementwise, "deployed", _READY),
        (several, "long", _READY),
        (half_marked, "marked", _READY),
        (failing_once, "deployed", _READY),
        (failing_for_good, "long", _BLOCKED),
        (in_place, "marked", _READY),
        (partial, "marked", _READY),
        (partial_apart, "marked", _READY),
        (partial_open, "marked", _READY),
        (drifted, "marked", _BLOCKED),
        (approved, "marked", _READY),
        (pipeline, "marked", _READY),
        (nothing_wrong, "deployed", _READY),
        (no_ledger, "baseline", _READY),
        (late_ledger, "baseline", _READY),
        (rows_in_doubt, "baseline", _READY),
    )
}


def of_part(part: str) -> list[str]:
    """Names of the scenarios of a part."""
    return [name for name, scenario in SCENARIOS.items() if scenario.part == part]
