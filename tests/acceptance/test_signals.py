"""^C and SIGTERM while Prisma is at work."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from staging import Case

from tests.acceptance.scene import APPLIED, SECONDS, Scene

Make = Callable[[Case], Scene]
AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'prisma-recovery effect%'"
BLOCKED = AT_WORK + " AND wait_event_type = 'Lock' AND query LIKE '%places%'"


def until(scene: Scene, query: str, count: int) -> None:
    """Looks until that many sessions are found; a deadline, and no time that decides."""
    deadline = time.monotonic() + SECONDS
    while scene.sql(query) != [(count,)]:
        assert time.monotonic() < deadline, f"never {count}: {query}"


@contextmanager
def deploying(scene: Scene) -> Iterator[subprocess.Popen[str]]:
    """A recovery whose deploy waits for somebody who reads `places`; that somebody leaves at the block's end."""
    with scene.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("LOCK TABLE places IN ACCESS SHARE MODE")
        process = scene.start("run", "--yes")
        until(scene, BLOCKED, 1)
        yield process
        reader.execute("ROLLBACK")


def test_the_first_signal_lets_the_deploy_end_and_says_so(make: Make) -> None:
    """SIGTERM waits for the command, records its outcome, exits with 130; the next run repeats nothing."""
    scene = make("exists")
    with deploying(scene) as process:
        process.send_signal(signal.SIGTERM)
        said = ""
        assert process.stdout is not None
        while "waiting for this command to end" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert process.poll() is None
    rest, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, said + rest
    assert "prisma-recovery run" in rest
    assert scene.ledger() == APPLIED
    assert scene.effects("observed") == ["mark_applied", "deploy"]
    again = scene.cli("run", "--yes")
    assert again.code == 0, again
    assert scene.effects("intended") == ["mark_applied", "deploy"]


def test_the_second_signal_leaves_at_once_and_the_next_run_recovers(make: Make) -> None:
    """The deploy goes on alone; as long as it does the next run is busy, then it goes on from what is true."""
    scene = make("exists")
    with deploying(scene) as process:
        process.send_signal(signal.SIGTERM)  # not SIGINT: a test run in the background ignores it, and so its children
        assert process.stdout is not None
        while "waiting for this command to end" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)  # not SIGINT: a test run in the background ignores it, and so its children
        process.communicate(timeout=SECONDS)
        assert process.returncode == 130
        assert scene.sql(AT_WORK) == [(1,)]
        assert scene.effects("observed") == ["mark_applied"]
    until(scene, AT_WORK, 0)
    again = scene.cli("run", "--yes")
    assert again.code == 0, again
    assert scene.ledger() == APPLIED
    assert scene.effects("intended") == ["mark_applied", "deploy"]
