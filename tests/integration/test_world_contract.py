"""What every world promises the engine, against the one in memory and the real one alike."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Protocol

import psycopg
import pytest

from recovery.app.observer import Observer
from recovery.app.world import RealWorld
from recovery.effects.results import Performed
from recovery.errors import BusyError
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.preflight.checks import Expectation
from recovery.prisma import process
from recovery.prisma.cli import PrismaCli
from recovery.prisma.project import find, find_launcher
from recovery.prisma.sentinel import Sentinel
from recovery.replay.workshop import Workshop
from recovery.run.ports import World
from recovery.testing import MemoryDatabase, MemoryWorld
from recovery.testing.database import changes, checksum
from states.effects import Deploy, MarkApplied, MarkRolledBack
from states.evidence import Verdict
from states.plans import PlannedStatement
from tests.integration.rules.production import Production
from tests.staging import Server, toolchain
from tests.staging.failures import LEDGER
from tests.staging.incident import PROJECT

FIRST, FAILED, LATER = "20260101_first", "20260102_failed", "20260103_later"
SCRIPT = "CREATE TABLE a (); CREATE TABLE b ()"
#: What ends at all ends long before.
SECONDS = 60
#: Name, is it finished, is it rolled back, its steps, has it logs.
Rows = list[tuple[str, bool, bool, int, bool]]
_numbers = count(1)


class Staged(Protocol):
    """A production with its folder of migrations, and worlds on it."""

    def file(self, name: str, script: str) -> None:
        """Writes a migration."""

    def finished(self, name: str) -> None:
        """It was deployed."""

    def begun(self, name: str, steps: int = 0) -> None:
        """It has an unfinished row; nothing is run."""

    def run(self, script: str) -> None:
        """By hand."""

    def forget(self) -> None:
        """The ledger is dropped."""

    def world(self) -> World:
        """A world of its own; closed at the end."""


class InMemory:
    """As `recovery.testing` has it."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()

    def file(self, name: str, script: str) -> None:
        """See `Staged`."""
        self.database.folder[name] = script

    def finished(self, name: str) -> None:
        """See `Staged`."""
        self.database.deployed(name)

    def begun(self, name: str, steps: int = 0) -> None:
        """See `Staged`."""
        self.database.update(self.database.begin(name), applied_steps_count=steps)

    def run(self, script: str) -> None:
        """See `Staged`."""
        for change in changes(script):
            self.database.run("by hand", change)

    def forget(self) -> None:
        """See `Staged`."""
        self.database.rows.clear()

    def world(self) -> MemoryWorld:
        """See `Staged`."""
        return MemoryWorld(self.database)

    def close(self) -> None:
        """Nothing is left of it."""


class Real:
    """On a server, in a project of its own."""

    def __init__(self, server: Server, workshop: Workshop, root: Path) -> None:
        shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("migrations", "node_modules"))
        (root / "node_modules").symlink_to(toolchain().node_modules, target_is_directory=True)
        self._root = root
        self._production = Production(
            server, root / "prisma" / "migrations", workshop, database=f"world_{next(_numbers)}"
        )
        server.create_database(self._production.database)
        self._production.run(LEDGER)
        self._scripts: dict[str, str] = {}
        self._open: list[RealWorld | Sentinel | Target] = []

    def file(self, name: str, script: str) -> None:
        """See `Staged`."""
        self._scripts[name] = script
        self._production.file(name, script)

    def finished(self, name: str) -> None:
        """See `Staged`."""
        self._production.finished(name, self._scripts[name])

    def begun(self, name: str, steps: int = 0) -> None:
        """See `Staged`."""
        self._production.row(name, checksum(self._scripts[name]), finished=False, steps=steps)

    def run(self, script: str) -> None:
        """See `Staged`."""
        self._production.run(script)

    def forget(self) -> None:
        """See `Staged`."""
        self._production.run("DROP TABLE _prisma_migrations")

    def world(self) -> RealWorld:
        """See `Staged`."""
        url = parse(self._production.server.url(self._production.database))
        target, project = Target(url, "the test"), find(self._root)
        command = [str(toolchain().node.program), str(toolchain().prisma)]
        cli = PrismaCli(project, find_launcher(project, command), os.environ | toolchain().node.environment())
        self._open.append(target)
        expected = Expectation(None, None)
        observer = Observer(target, project.migrations, self._production.workshop, expected, lambda _: None)
        sentinel = Sentinel(self._root, None, lambda _: True)
        self._open.append(sentinel)
        world = RealWorld(observer, cli, sentinel, lambda _: None, lambda: None)
        self._open.append(world)
        return world

    def connect(self) -> psycopg.Connection:
        """Somebody else, in autocommit."""
        return self._production.server.connect(self._production.database)

    def close(self) -> None:
        """Ends its sessions, and drops the database."""
        for each in self._open:
            each.close()
        self._production.server.drop_database(self._production.database)


@pytest.fixture(params=["memory", "real"])
def staged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Staged]:
    """One migration deployed, two in the folder behind it."""
    made: InMemory | Real
    if request.param == "memory":
        made = InMemory()
    else:
        made = Real(request.getfixturevalue("server"), request.getfixturevalue("workshop"), tmp_path / "project")
    for name, script in ((FIRST, "CREATE TABLE first ()"), (FAILED, SCRIPT), (LATER, "CREATE TABLE later ()")):
        made.file(name, script)
    made.finished(FIRST)
    yield made
    made.close()


def rows(world: World) -> Rows:
    """The ledger but for what differs by nature: ids and times."""
    return [
        (row.migration, row.finished, row.rolled_back_at is not None, row.applied_steps_count, row.logs is not None)
        for row in world.inspect().rows
    ]


BEFORE = (FIRST, True, False, 1, False)


def test_one_recovery_at_a_time(staged: Staged) -> None:
    """A second world of the same production is refused while the first is open."""
    world = staged.world()
    with pytest.raises(BusyError) as caught:
        staged.world()
    assert caught.value.code == "lock.recovery"
    assert world.inspect().history.pending == (FAILED, LATER)


def test_ledger_and_folder_are_read_anew(staged: Staged) -> None:
    """What is failed and pending, and the files' checksums, as they are at each look."""
    world = staged.world()
    assert (world.inspect().history.failed, world.inspect().failures) == ((), ())
    staged.begun(FAILED)
    seen = world.inspect()
    assert (seen.history.failed, seen.history.pending) == ((FAILED,), (LATER,))
    assert [failure.migration for failure in seen.failures] == [FAILED]
    assert rows(world) == [BEFORE, (FAILED, False, False, 0, False)]
    staged.file(LATER, "CREATE TABLE other ()")
    assert world.inspect().checksums[LATER] == checksum("CREATE TABLE other ()") != seen.checksums[LATER]


@pytest.mark.parametrize(
    ("there", "steps", "verdict"),
    [
        ("", 0, Verdict.NOT_APPLIED),
        ("CREATE TABLE a ()", 0, Verdict.PARTIAL),
        ("CREATE TABLE a (); CREATE TABLE b ()", 0, Verdict.APPLIED),
        ("CREATE TABLE b ()", 0, Verdict.DRIFTED),
        ("", 1, Verdict.DRIFTED),
    ],
)
def test_a_failed_migration_is_judged_by_what_is_there(
    staged: Staged, there: str, steps: int, verdict: Verdict
) -> None:
    """The same verdict from the same production."""
    if there:
        staged.run(there)
    staged.begun(FAILED, steps)
    assert staged.world().classify(FAILED).evidence.verdict is verdict


def test_rows_that_no_schema_shows_are_open(staged: Staged) -> None:
    """Whether a data statement ran is not decided by the schema."""
    staged.file(FAILED, f"{SCRIPT}; INSERT INTO first DEFAULT VALUES")
    staged.run(SCRIPT)
    staged.begun(FAILED)
    assert staged.world().classify(FAILED).evidence.verdict is Verdict.UNDECIDABLE


def test_what_is_missing_is_run_by_a_plan(staged: Staged) -> None:
    """The ledger stays as it is; production is then what the script makes, and the verdict says so."""
    staged.run("CREATE TABLE a ()")
    staged.begun(FAILED)
    world = staged.world()
    classified = world.classify(FAILED)
    plan = classified.evidence.repair.plans[0]
    assert ([each.sql for each in plan.statements], plan.together, plan.losses) == (["CREATE TABLE b ()"], True, ())
    before, notes = rows(world), list[tuple[int, str]]()
    done = world.repair(plan, classified, lambda *note: notes.append(note))
    # In one transaction no statement is noted by itself; only the real one has a number, which is noted first.
    assert (done.unchanged, done.exit_code, [said for _, said in notes if said != "begun"]) == ("", 0, [])
    assert rows(world) == before
    after = world.classify(FAILED).evidence
    assert (after.verdict, after.repair.plans) == (Verdict.APPLIED, ())


def test_a_plan_for_other_evidence_is_not_carried_out(staged: Staged) -> None:
    """Somebody did the rest by hand meanwhile."""
    staged.run("CREATE TABLE a ()")
    staged.begun(FAILED)
    world = staged.world()
    classified = world.classify(FAILED)
    staged.run("CREATE TABLE b ()")
    done = world.repair(classified.evidence.repair.plans[0], classified, lambda *_: None)
    assert (done.unchanged != "", done.exit_code) == (True, None)


def test_a_statement_of_a_plan_that_fails_is_told(staged: Staged) -> None:
    """The end is not as rehearsed, and what PostgreSQL said is in the output."""
    staged.file(FAILED, "CREATE TABLE a (); CREATE TABLE b (); DROP TABLE first")
    staged.run("CREATE TABLE a ()")
    staged.begun(FAILED)
    world = staged.world()
    classified = world.classify(FAILED)
    plan = replace(classified.evidence.repair.plans[0], statements=(PlannedStatement("CREATE TABLE a ()"),))
    done = world.repair(plan, classified, lambda *_: None)
    assert (done.exit_code, "42P07" in done.output) == (1, True)


def test_what_is_there_is_marked_applied(staged: Staged) -> None:
    """The old attempt is rolled back, and there is a finished one without steps, with logs that are empty."""
    staged.run(SCRIPT)
    staged.begun(FAILED)
    world = staged.world()
    done = world.resolve(MarkApplied(FAILED), world.classify(FAILED))
    assert (done.unchanged, done.exit_code) == ("", 0)
    assert rows(world) == [BEFORE, (FAILED, False, True, 0, False), (FAILED, True, False, 0, True)]


@pytest.mark.parametrize("then", ["deploy", "withdraw"])
def test_a_deploy_that_is_begun_beside_a_mark_waits_for_a_word(staged: Staged, then: str) -> None:
    """It runs once, when it is let through; withdrawn it has done nothing, and another one can be had."""
    staged.run(SCRIPT)
    staged.begun(FAILED)
    world = staged.world()
    assert world.resolve(MarkApplied(FAILED), world.classify(FAILED), Deploy((LATER,))).unchanged == ""
    marked = [BEFORE, (FAILED, False, True, 0, False), (FAILED, True, False, 0, True)]
    assert rows(world) == marked
    if then == "withdraw":
        world.withdraw()
        assert rows(world) == marked
    assert world.deploy(Deploy((LATER,)), world.inspect()).exit_code == 0
    assert rows(world) == [*marked, (LATER, True, False, 1, False)]


def test_what_is_not_there_is_marked_rolled_back_and_deployed(staged: Staged) -> None:
    """All that is pending is run in the order of the names, each with a finished row of one step."""
    staged.begun(FAILED)
    world = staged.world()
    assert world.resolve(MarkRolledBack(FAILED), world.classify(FAILED)).unchanged == ""
    assert rows(world) == [BEFORE, (FAILED, False, True, 0, False)]
    done = world.deploy(Deploy((FAILED, LATER)), world.inspect())
    assert (done.unchanged, done.exit_code) == ("", 0)
    finished = [(FAILED, True, False, 1, False), (LATER, True, False, 1, False)]
    assert rows(world) == [BEFORE, (FAILED, False, True, 0, False), *finished]
    proof = world.prove(world.inspect().rows, frozenset((FAILED, LATER)))
    assert (proof.differing, proof.unprovable) == ((), ())
    assert {FAILED, LATER} <= set(proof.proven)


@pytest.mark.parametrize("by", ["the schema", "a row", "the file"])
def test_nothing_is_marked_on_evidence_that_has_changed(staged: Staged, by: str) -> None:
    """It says so, and the ledger is as it was."""
    staged.begun(FAILED)
    world = staged.world()
    judged = world.classify(FAILED)
    if by == "a row":
        staged.begun(FAILED)
    elif by == "the file":
        staged.file(FAILED, "CREATE TABLE other ()")
    else:
        staged.run("CREATE TABLE a ()")
    before = rows(world)
    assert "evidence has changed" in world.resolve(MarkRolledBack(FAILED), judged).unchanged
    assert rows(world) == before


@pytest.mark.parametrize("by", ["the file", "the ledger", "a further migration"])
def test_nothing_is_deployed_that_was_not_planned(staged: Staged, by: str) -> None:
    """It says so, and the ledger is as it was."""
    world = staged.world()
    planned = world.inspect()
    if by == "the file":
        staged.file(LATER, "CREATE TABLE other ()")
    elif by == "the ledger":
        staged.begun(FAILED)
    else:
        staged.file("20260104_further", "CREATE TABLE further ()")
    before = rows(world)
    assert "changed" in world.deploy(Deploy((FAILED, LATER)), planned).unchanged
    assert rows(world) == before


def test_a_deploy_ends_at_the_first_failure(staged: Staged) -> None:
    """Its row stays unfinished, with the database's words; what comes behind it isn't begun."""
    staged.run("CREATE TABLE b ()")
    world = staged.world()
    done = world.deploy(Deploy((FAILED, LATER)), world.inspect())
    assert (done.unchanged, done.exit_code) == ("", 1)
    assert rows(world) == [BEFORE, (FAILED, False, False, 0, True)]
    (failure,) = world.inspect().failures
    assert (failure.migration, failure.cause.sqlstate, failure.cause.transient) == (FAILED, "42P07", False)


def test_what_is_pending_and_there_is_found(staged: Staged) -> None:
    """With its verdict; what isn't there is not mentioned."""
    staged.run(SCRIPT)
    world = staged.world()
    (found,) = world.compare(world.inspect()).found
    assert (found.evidence.migration, found.evidence.verdict) == (FAILED, Verdict.APPLIED)


def test_what_the_ledger_lost_is_marked_while_the_evidence_is_the_same(staged: Staged) -> None:
    """There is no ledger: the first is marked, and the second is not, since production has changed meanwhile."""
    staged.run(SCRIPT)
    staged.forget()
    world = staged.world()
    seen = world.inspect()
    found = world.compare(seen).baseline
    assert found is not None
    assert (found.evidence.verdict, found.evidence.marked) == (Verdict.APPLIED, (FIRST, FAILED))
    done = world.resolve(MarkApplied(FIRST), found)
    assert (done.unchanged, [row[:4] for row in rows(world)]) == ("", [(FIRST, True, False, 0)])
    staged.run("DROP TABLE b")
    assert world.resolve(MarkApplied(FAILED), found).unchanged
    assert [name for name, *_ in rows(world)] == [FIRST]


def test_a_schema_that_is_not_what_its_history_makes_of_it_is_not_proven(staged: Staged) -> None:
    """A table that a finished migration made, and that is gone."""
    staged.finished(FAILED)
    staged.run("DROP TABLE b")
    world = staged.world()
    proof = world.prove(world.inspect().rows, frozenset((FAILED,)))
    assert [difference.migration for difference in proof.differing] == [FAILED]


@pytest.mark.parametrize("staged", ["real"], indirect=True)
def test_a_deploy_is_waited_for_however_long_it_takes(staged: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """RULES F11: a day passes at each look at the clock, and the command is left to end by itself."""
    days = count(step=86_400)
    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: float(next(days))))
    staged.file(FAILED, "DROP TABLE first")
    world = staged.world()
    planned = world.inspect()
    done: list[Performed] = []
    deploying = Thread(target=lambda: done.append(world.deploy(Deploy((FAILED, LATER)), planned)))
    blocked = "application_name LIKE 'prisma-recovery effect%' AND wait_event_type = 'Lock' AND query LIKE 'DROP%'"
    with staged.connect() as reader, staged.connect() as looker:
        reader.execute("BEGIN; LOCK TABLE first IN ACCESS SHARE MODE")
        deploying.start()
        deadline = time.monotonic() + SECONDS
        while looker.execute(f"SELECT FROM pg_stat_activity WHERE {blocked}").rowcount == 0:
            assert time.monotonic() < deadline, "it never came to the script"
        reader.execute("ROLLBACK")
    deploying.join(SECONDS)
    assert [each.exit_code for each in done] == [0]
    assert rows(world)[1:] == [(FAILED, True, False, 1, False), (LATER, True, False, 1, False)]
