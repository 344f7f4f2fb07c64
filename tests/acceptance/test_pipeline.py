"""The pipeline behind the gate: each step once, in order, through failures and kills."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.further import further
from tests.acceptance.scene import Scene, Terminal, eventually
from tests.staging import Case

Make = Callable[[Case], Scene]

# Writes its name down; fails, or waits to be killed, while a file of that name says so.
STEP = """
name=$1
echo "$name" >>done
if [ -e "fail-$name" ]; then exit 4; fi
if [ -e "wait-$name" ]; then echo $$ >"waiting-$name"; read -r _ <"wait-$name"; fi
"""


@pytest.fixture
def scene(make: Make) -> Scene:
    """A recovered production with steps a, b (idempotent) and c behind it."""
    one = further(make, "recovered")
    # Nobody but this machine runs them: said once, so that no test but its own is asked.
    text = 'auto = ["pipeline"]\n' + one.configuration.read_text().partition("# What may run only")[0]
    (one.folder / "step.sh").write_text(STEP)
    for name in "abc":
        idempotent = "true" if name == "b" else "false"
        command = json.dumps(["sh", "step.sh", name])
        text += f'\n[[pipeline.steps]]\nname = "{name}"\ncommand = {command}\nidempotent = {idempotent}\n'
    one.configuration.write_text(text)
    return one


def done(scene: Scene) -> str:
    """Names of the steps that were begun, in order."""
    path = scene.folder / "done"
    return "".join(path.read_text().split()) if path.exists() else ""


#: Sessions of a recovery; their locks go with them.
OURS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE 'prisma-recovery%'"
)


def killed_in(scene: Scene, name: str) -> None:
    """Runs the pipeline, and ends it by SIGKILL in the middle of this step."""
    wait = scene.folder / f"wait-{name}"
    os.mkfifo(wait)
    waiting = scene.folder / f"waiting-{name}"
    run = scene.start("run", "--yes", "--pipeline")
    eventually(lambda: waiting.exists() and waiting.read_text().endswith("\n"))
    run.kill()
    run.communicate()
    os.kill(int(waiting.read_text()), signal.SIGKILL)
    wait.unlink()
    # The server notices only when it looks at the session's socket that nobody is there any more.
    eventually(lambda: scene.sql(OURS) == [(0,)])


def test_steps_run_only_when_asked_for_and_once(scene: Scene) -> None:
    """A run without --pipeline runs none; `pipeline` runs all, in order; a second time it repeats none.

    Before that, nothing is run or recorded for a step that is not configured (exit code 2), and none is run once a
    migration that came in after the gate opened has shut it.
    """
    assert scene.cli("pipeline").code == 3
    assert scene.cli("run", "--yes").code == 0
    before = len(scene.events())
    refused = scene.cli("pipeline", "--repeat", "a", "--done", "z")
    assert refused.code == 2, refused
    assert "pipeline.unknown_step" in refused.said
    assert len(scene.events()) == before
    late = scene.folder / "prisma/migrations/20260301000000_late/migration.sql"
    late.parent.mkdir()
    late.write_text("CREATE TABLE late (id int);\n")
    scene.commit("Late")
    refused = scene.cli("pipeline")
    assert refused.code == 3, refused
    assert "pipeline.history_changed" in refused.out
    assert done(scene) == ""
    shutil.rmtree(late.parent)
    scene.commit("Not so")
    ran = scene.cli("pipeline")
    assert ran.code == 0, ran
    assert done(scene) == "abc"
    again = scene.cli("pipeline")
    assert again.code == 0, again
    assert "not repeated" in again.out
    assert done(scene) == "abc"


def test_a_step_that_fails_stops_those_after_it_until_a_person_says(scene: Scene) -> None:
    """Exit code 3, the rest not run; run again it refuses, until --repeat or --done."""
    (scene.folder / "fail-a").touch()
    failed = scene.cli("run", "--yes", "--pipeline")
    assert failed.code == 3, failed
    assert "pipeline.failed" in failed.out
    assert done(scene) == "a"
    for command in (("pipeline",), ("run", "--yes", "--pipeline")):
        refused = scene.cli(*command)
        assert refused.code == 3, refused
        assert "The step a failed with exit code 4. It was not run again." in refused.out
        assert "--repeat a" in refused.out
    (scene.folder / "fail-a").unlink()
    (scene.folder / "fail-c").touch()
    assert scene.cli("pipeline", "--repeat", "a").code == 3
    assert done(scene) == "aabc"
    assert scene.cli("pipeline", "--done", "c").code == 0
    assert done(scene) == "aabc"


def test_a_step_that_was_killed_is_in_doubt_unless_it_is_idempotent(scene: Scene) -> None:
    """Begun and not seen to end, a step is not run again by itself, whatever command is used.

    One that is declared idempotent is repeated after a kill, and those before it are not. A step is its name and its
    command: what is done in one run is done in the next, but for the idempotent one.
    """
    killed_in(scene, "b")
    assert done(scene) == "ab"
    killed_in(scene, "c")
    assert done(scene) == "abbc"
    refused = scene.cli("pipeline")
    assert refused.code == 3, refused
    assert "pipeline.in_doubt" in refused.out
    assert "how it ended is not known" in refused.out
    assert scene.cli("run", "--yes", "--pipeline").code == 3
    assert done(scene) == "abbc"
    assert scene.cli("run", "--yes").code == 0
    refused = scene.cli("pipeline")
    assert (refused.code, "pipeline.in_doubt" in refused.out) == (3, True), refused
    assert done(scene) == "abbc"
    assert scene.cli("pipeline", "--repeat", "c").code == 0
    assert done(scene) == "abbcc"
    assert scene.cli("run", "--yes", "--pipeline").code == 0
    assert done(scene) == "abbccb"


def unsaid(scene: Scene) -> None:
    """Nobody has said any more that only this machine runs the steps."""
    scene.configuration.write_text(scene.configuration.read_text().replace('auto = ["pipeline"]', ""))


def test_a_file_does_not_know_what_other_machines_ran(scene: Scene) -> None:
    """Where nobody can be asked, no step runs if one must run once and the journal is a file, `--yes` or not.

    A person says of each such step whether it was done. Where running twice does no harm, nobody is asked.
    """
    unsaid(scene)
    for command in (("run", "--yes", "--pipeline"), ("pipeline",)):
        refused = scene.cli(*command)
        assert refused.code == 3, refused
        assert "pipeline.needs_shared_journal" in refused.out
        assert "Not idempotent: a, c." in refused.out
        assert "--journal target" in refused.out
        assert done(scene) == ""
    assert scene.cli("pipeline", "--done", "a", "--repeat", "c").code == 0
    assert done(scene) == "bc"
    scene.configuration.write_text(scene.configuration.read_text().replace("idempotent = false", "idempotent = true"))
    (scene.folder / "done").unlink()
    assert scene.cli("run", "--yes", "--pipeline").code == 0
    assert done(scene) == "abc"


def test_a_person_can_say_that_nobody_else_ran_them(scene: Scene) -> None:
    """In a terminal it is asked once for all such steps, and before any step; a stray Return runs none.

    Steps that were begun before the journal was moved are not begun again for a shared one, until a person says.
    """
    unsaid(scene)
    assert scene.cli("run", "--yes").code == 0
    first = Terminal(scene, "pipeline")
    first.until("Type “pipeline”")
    assert "To be run, once: a, c" in first.said
    first.type("")
    assert first.end() == 3
    assert "pipeline.needs_shared_journal" in first.said
    assert done(scene) == ""
    second = Terminal(scene, "run", "--yes", "--pipeline")
    second.until("Type “pipeline”")
    second.type("pipeline")
    assert second.end() == 0
    assert done(scene) == "abc"
    assert scene.cli("pipeline").code == 0
    assert done(scene) == "abc"
    refused = scene.cli("run", "--yes", "--pipeline", "--journal", "target")
    assert refused.code == 3, refused
    assert "pipeline.other_journal" in refused.out
    assert done(scene) == "abc"
    assert scene.cli("pipeline", "--journal", "target", "--done", "a", "--done", "c").code == 0
    assert done(scene) == "abcb"


def test_a_shared_journal_needs_no_word_and_knows(scene: Scene, tmp_path: Path) -> None:
    """With the journal in the target nobody is asked, and a second machine repeats nothing.

    Killed in the middle of a step, it is not begun by another machine either, until a person says.
    """
    unsaid(scene)
    scene.variables["PRISMA_RECOVERY_JOURNAL"] = "target"
    other = scene.elsewhere(tmp_path)
    killed_in(scene, "c")
    refused = other.cli("pipeline")
    assert refused.code == 3, refused
    assert "pipeline.in_doubt" in refused.out
    assert (done(scene), done(other)) == ("abc", "")
    assert other.cli("pipeline", "--repeat", "c").code == 0
    assert (done(scene), done(other)) == ("abc", "c")
    again = other.cli("pipeline")
    assert again.code == 0, again
    assert again.out.count("not repeated") == 3
    assert other.cli("run", "--yes", "--pipeline").code == 0
    assert done(other) == "cb", "a new recovery runs the idempotent one, and that alone"
