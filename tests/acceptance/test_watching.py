"""While a deploy lasts: who blocks it is seen, in a terminal at once and by a machine, and nothing is disturbed."""

import json
from collections.abc import Callable

from tests.acceptance.further import further
from tests.acceptance.scene import APPLIED, Scene, Terminal
from tests.staging import Case
from tests.staging.incident import PENDING

Make = Callable[[Case], Scene]


def test_a_deploy_that_is_blocked_shows_by_whom(make: Make) -> None:
    """In a terminal a line that moves names the migration, the lock and the session; it is gone when the deploy is."""
    scene = further(make, "marked")
    with scene.connect() as other:
        other.autocommit = False
        other.execute("LOCK TABLE places IN ACCESS SHARE MODE")
        pid = other.info.backend_pid
        terminal = Terminal(scene, "run", "--yes", term="xterm-256color")
        terminal.until(f"blocked by pid {pid} (")
        assert f"{PENDING[0]} for" in terminal.said
        assert "waits for AccessExclusiveLock on public.places" in terminal.said
        other.rollback()
    assert terminal.end() == 0
    assert scene.ledger() == APPLIED
    assert "blocked by" not in terminal.said.rpartition("PIPELINE_READY")[2]


def test_a_machine_is_told_by_whom(make: Make) -> None:
    """The events name the migration at work, how many are through, the lock, and the session that holds it."""
    scene = further(make, "marked")
    with scene.connect() as other:
        other.autocommit = False
        other.execute("LOCK TABLE places IN ACCESS SHARE MODE")
        pid = other.info.backend_pid
        process = scene.start("run", "--yes", "--events")
        assert process.stdout is not None
        told = next(
            line
            for line in map(json.loads, process.stdout)
            if line["event"] == "progressed" and line["task"] == "command" and line["blocked_by"]
        )
        other.rollback()
    for _ in process.stdout:
        pass
    assert process.wait() == 0
    assert (told["migration"], told["done"], told["total"]) == (PENDING[0], 0, len(PENDING))
    assert told["waits_for"] == "AccessExclusiveLock on public.places"
    assert told["blocked_by"][0].startswith(f"pid {pid} (")


def test_a_question_is_not_disturbed(make: Make) -> None:
    """In a terminal that moves lines, nothing is written behind a question until it is answered."""
    scene = make("exists")
    terminal = Terminal(scene, "run", term="xterm-256color")
    terminal.until("anything else to stop: ")
    terminal.type("no")
    assert terminal.end() == 3
    answered = terminal.said.rpartition("anything else to stop: ")[2]
    assert answered.lstrip().startswith("no\n")
    assert "\x1b[?25h" in terminal.said, "the cursor is shown again"
