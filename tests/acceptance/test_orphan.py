"""A session whose client is gone holds Prisma's lock, with the real Prisma CLI."""

from collections.abc import Callable

from recovery.postgres.locks import PRISMA_LOCK
from states.table import State
from tests.acceptance.scene import Scene
from tests.staging import Case

Make = Callable[[Case], Scene]


def test_the_orphan_that_is_named_is_ended_and_the_run_goes_on(make: Make) -> None:
    """Who it was, and that it is gone, is told by the run and by its report."""
    scene = make("exists")
    with scene.connect() as orphan:
        orphan.execute("SELECT pg_advisory_lock(%s)", (PRISMA_LOCK,))
        orphan.commit()
        pid = orphan.info.backend_pid
        done = scene.cli("run", "--yes", "--end-orphan", str(pid))
        assert done.code == 0, done
        assert f"$ SELECT pg_terminate_backend({pid})" in done.out
        assert scene.path()[-1] is State.PIPELINE_READY
        assert scene.sql(f"SELECT FROM pg_stat_activity WHERE pid = {pid}") == []
    report = scene.cli("report", "--markdown").out
    assert f"Session {pid} was ended" in report
