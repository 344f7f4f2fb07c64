"""Journals that an earlier release wrote are read, mean the same, and are gone on with."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from recovery.journal import Journal
from recovery.journal.postgres import PostgresJournal
from recovery.journal.run_record import RunRecord, record_of
from recovery.journal.sqlite import SqliteJournal
from recovery.journal.sqlite_file import journal_file
from recovery.postgres.url import parse
from recovery.run.pipeline import step_key
from states.evidence import Decision
from states.facts import Cause
from states.table import State
from tests.sweep.rehearsal import FAILED, LATER, STEPS
from tests.sweep.scenarios import SCENARIOS

Opener = Callable[[str], Journal]
JOURNALS = Path(__file__).parents[1] / "data" / "journals"
#: Each release that could be upgraded from. Its journals are never made again.
RELEASES = ("0.1.0",)
#: Target and scenario; the instant at which the process that wrote it was killed.
KILLED = {
    "approved": "after effect.intended",
    "failing_once": "after migration.failed",
    "pipeline": "before step promote",
}


@pytest.fixture(params=[(release, store) for release in RELEASES for store in ("sqlite", "postgres")], ids="-".join)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the release's journals, by target."""
    release, store = request.param
    opened: list[Journal] = []
    if store == "postgres":
        url = request.getfixturevalue("database")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((JOURNALS / f"{release}.sql").read_bytes())
    else:
        path = journal_file(tmp_path)
        path.parent.mkdir()
        shutil.copy(JOURNALS / f"{release}.sqlite3", path)

    def open_one(target: str) -> Journal:
        made = SqliteJournal.open(tmp_path, target) if store == "sqlite" else PostgresJournal.open(parse(url), target)
        opened.append(made)
        return made

    yield open_one
    for journal in opened:
        journal.close()


def remembered(journal: Journal) -> RunRecord:
    """What its one run knows."""
    (run,) = journal.runs()
    return record_of(journal.events(run))


def test_what_was_intended_approved_and_settled_is_known(golden: Opener) -> None:
    """The deploy is in doubt; the mark before it is not, nor on whose word it was made."""
    memory = remembered(golden("approved"))
    assert (memory.state, memory.in_doubt) == (State.DEPLOY, f"deploy:{FAILED},{LATER}")
    assert memory.changed
    assert memory.resolved == {FAILED: f"mark_rolled_back:{FAILED}"}
    assert set(memory.planned) == {FAILED, LATER}
    approval = memory.approvals[FAILED]
    assert (approval.decision, approval.reason) == (Decision.MARK_ROLLED_BACK, "looked")
    assert memory.evidence[FAILED]["digest"] == approval.evidence_digest


def test_what_failed_is_known_with_its_cause(golden: Opener) -> None:
    """So that a deploy that fails for the same cause again is known to."""
    memory = remembered(golden("failing_once"))
    assert (memory.state, memory.in_doubt) == (State.DEPLOY, "")
    assert [failure.migration for failure in memory.failures] == [FAILED, LATER]
    assert memory.failures[-1].cause == Cause("40P01", "deadlock", transient=True)


def test_which_steps_ran_is_known(golden: Opener) -> None:
    """One is done, the other in doubt."""
    memory = remembered(golden("pipeline"))
    assert (memory.state, memory.pipeline) == (State.PIPELINE_READY, True)
    assert memory.steps == {step_key(STEPS[0]): 0, step_key(STEPS[1]): None}


@pytest.mark.parametrize("name", KILLED)
def test_it_is_gone_on_with(golden: Opener, name: str) -> None:
    """From the production that the killed process left, it ends as an uninterrupted recovery does."""
    expected = SCENARIOS[name].make()
    expected.through()
    at = max(number for number, instant in enumerate(expected.seen[0], start=1) if instant == KILLED[name])
    rehearsal = SCENARIOS[name].make()
    assert rehearsal.once(at) is None
    journal = golden(name)
    before = {run: journal.events(run) for run in journal.runs()}
    rehearsal.journals = lambda _store, _ticks: golden(name)
    ended = rehearsal.through()
    assert (ended.exit_code, ended.state) == (SCENARIOS[name].exit_code, SCENARIOS[name].state)
    assert rehearsal.world() == expected.world()
    rehearsal.check_journal()
    for run, events in before.items():
        assert golden(name).events(run)[: len(events)] == events
