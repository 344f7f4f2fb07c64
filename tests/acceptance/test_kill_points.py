"""Some of the points at which `scripts/bench crash` kills recoveries, from the same definition."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain

import pytest

from recovery.postgres.locks import PRISMA_LOCK
from tests.staging.bench_crash import Worker
from tests.staging.crash.points import points
from tests.staging.crash.production import EFFECT, Production, eventually
from tests.staging.crash.truth import check, finish

POINTS = {point.name: point for point in points()}
#: Of each kind of death one that the world in memory (tests/sweep) can't die, and that no other test here dies. Those
#: of a row come one after the other to one recovery.
CHOSEN = (
    (
        "exists: within effect.intended mark_applied",
        "exists: server down mark_applied locked",
        "exists: Prisma and its session, before marked applied",
    ),
    ("exists: mark_applied queued", "exists: both and the session, before index"),
    ("exists: mark_applied barred", "exists: the recovery, before counted"),
    ("exists: after compare, with Prisma", "exists: lock lost deploy locked"),
)
#: The session of the mark, and not that of the deploy that was begun beside it.
AT_WORK = f"pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = {PRISMA_LOCK})"
#: In seconds: what is looked for is held fast meanwhile, so that it makes no difference how long it is waited for.
PATIENCE = 1.0


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """Stages productions on a server of its own, which some points bring down."""
    with ExitStack() as stack:
        made = Worker(tmp_path_factory.mktemp("productions"))
        stack.callback(made.close)
        yield made


@pytest.fixture
def production(worker: Worker) -> Iterator[Production]:
    """With its failed migration in place."""
    made = worker.stage.make("exists")
    yield made
    made.close()


@pytest.mark.parametrize("names", CHOSEN)
def test_whoever_dies_the_next_run_ends_as_if_nobody_had(
    worker: Worker, production: Production, names: tuple[str, ...]
) -> None:
    """The same world as uninterrupted, every effect once, the journal a path in the table of edges."""
    for name in names:
        POINTS[name].happen(production)
        eventually(production.alone, f"the end of what is left of {name}")
    finish(production)
    check(production, worker.expected("exists"))


def test_every_append_and_every_command_is_among_the_points() -> None:
    """What is chosen here is a part of what the bench takes, and that is more than sixty."""
    assert set(chain(*CHOSEN)) <= set(POINTS)
    assert len(POINTS) >= 60


def test_what_a_dead_command_has_left_in_the_server_is_waited_for(worker: Worker, production: Production) -> None:
    """RULES F5: its session is at work between the two writes of a mark. Nothing is decided before it is gone."""
    with production.barrier("marked applied") as reached:
        process = production.start()
        reached()
        process.kill()
        production.kill_command()
        assert production.sql(f"SELECT count(*) FROM pg_stat_activity WHERE {EFFECT} AND {AT_WORK}") != [(0,)]
        before = production.incident.ledger()
        busy = production.run(patience=PATIENCE)
        assert busy.code == 5, busy.said
        assert "pid" in busy.said
        assert production.incident.ledger() == before
    eventually(production.alone, "the end of its session")
    finish(production)
    check(production, worker.expected("exists"))


def test_a_command_is_not_over_while_its_session_is_at_work(worker: Worker, production: Production) -> None:
    """RULES F5: Prisma is killed, and what it began goes on in the server: that is no end from which to conclude."""
    with production.barrier("marked applied") as reached:
        process = production.start(patience=PATIENCE)
        reached()
        production.kill_command()
        done = process.end()
        assert done.code == 5, done.said
        assert "effect.running" in done.said
        assert [event.kind for event in production.events()][-2] == "effect.intended"
    eventually(production.alone, "the end of its session")
    finish(production)
    check(production, worker.expected("exists"))


def test_a_harness_that_sees_nothing_would_be_of_no_use(worker: Worker, production: Production) -> None:
    """What is held against the end finds a script that ran twice, and a mark that nobody announced."""
    finish(production)
    expected = worker.expected("exists")
    check(production, expected)
    production.sql("UPDATE places SET energy = energy + 1")
    with pytest.raises(Exception, match="another end"):
        check(production, expected)
    production.sql("UPDATE places SET energy = energy - 1")
    with production.connect() as connection:
        connection.execute("SET application_name = 'prisma-recovery effect x'")
        connection.execute("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE rolled_back_at IS NOT NULL")
    with pytest.raises(Exception, match="took place twice"):
        check(production, expected)
