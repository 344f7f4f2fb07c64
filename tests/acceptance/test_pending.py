"""Pending migrations that production has already, with the real Prisma CLI: `prisma db push`, or somebody's hand."""

import json
import re
import signal
from collections.abc import Callable

from states.table import State
from tests.acceptance.scene import BEFORE, DEPLOYED, Scene, Terminal, eventually
from tests.acceptance.test_consent import auto
from tests.acceptance.test_crash import alone
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
NAMES = (FAILED, *PENDING)


def script(scene: Scene, name: str) -> str:
    """A migration's script."""
    return (scene.folder / "prisma" / "migrations" / name / "migration.sql").read_text()


def never_attempted(make: Make, case: Case, *made: str) -> Scene:
    """A healthy history with three pending migrations; of the first, production has what the case says."""
    scene = make(case)
    scene.sql("DELETE FROM _prisma_migrations WHERE finished_at IS NULL")
    for name in made:
        scene.sql(script(scene, name))
    scene.rehearse()
    return scene


def commands(scene: Scene) -> list[list[str]]:
    """What Prisma was told to do: the word and the name."""
    return [[command[1], *(w for w in command if w in NAMES)] for command in scene.commands()]


def test_what_is_there_is_marked_and_the_rest_deployed(make: Make) -> None:
    """Of three, only the second was made by hand; it is marked, the one before it and the one behind it are deployed.

    `inspect` and the plan say what follows. To agree to a deploy is not to agree to a mark; typed, the question says
    what it is about. Killed once the mark is there, the next run sees it, and repeats nothing.
    """
    there = PENDING[0]
    scene = never_attempted(make, "absent", there)
    before = scene.everything()
    inspected = json.loads(scene.cli("inspect", "--json").out)
    assert inspected["failed"] == []
    assert inspected["uncompared"] == ""
    assert inspected["history"]["pending"] == list(NAMES)
    (found,) = inspected["present"]
    assert (found["migration"], found["verdict"], found["decision"]) == (there, "applied", "mark_applied")
    steps = found["progress"]["steps_total"]
    assert (found["started_at"], found["progress"]["steps_in_place"]) == ("", [steps, steps])
    assert "was never attempted, and is in the database" in scene.cli("inspect").out
    planned = scene.cli("run", "--plan")
    assert planned.code == 0, planned
    shown = re.findall("would run: (.*)", planned.out)
    assert shown == [f"prisma migrate resolve --applied {there}", "prisma migrate deploy"]
    auto(scene, "deploy", "not_applied")
    done = scene.cli("run")
    assert done.code == 3, done
    assert "classify.consent" in done.out
    terminal = Terminal(scene, "run")
    terminal.until("Type “applied”")
    assert f"prisma migrate resolve --applied {there}" in terminal.said
    assert "never attempted, but is wholly in production" in terminal.said
    terminal.type("no")
    assert terminal.end() == 3
    assert scene.everything() == before
    assert scene.effects("intended") == []
    scene.rehearse(resolve="die after")
    assert scene.cli("run", "--yes").code == -signal.SIGKILL
    marked = [*BEFORE, (there, "finished", 0)]
    assert scene.ledger() == marked
    eventually(lambda: alone(scene))
    scene.rehearse()
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert "goes on" in done.out
    assert scene.ledger() == [*marked, (FAILED, "finished", 1), DEPLOYED[1]]
    assert commands(scene) == [["resolve", there], ["deploy"]]


def test_a_deploy_that_would_fail_is_not_begun(make: Make) -> None:
    """Half of the first is there: exit code 3, what is in the way, nothing changed.

    Undone by hand, all is deployed: then nothing is said of what is pending, and no consent but that is asked.
    """
    scene = never_attempted(make, "partial")
    auto(scene, "deploy")
    before = scene.everything()
    planned = scene.cli("run", "--plan")
    assert planned.code == 3, planned
    assert "deploy.would_fail" in planned.out
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert "(deploy.would_fail)" in done.out
    assert (
        "A deploy would fail: statement 1 makes table public.password_reset_tokens, which is already there" in done.out
    )
    assert "What differs" in done.out
    assert "index public.password_reset_tokens_user_id_idx" in done.out
    assert scene.everything() == before
    assert scene.effects("intended") == []
    scene.sql("DROP TABLE password_reset_tokens")
    again = scene.cli("run")
    assert again.code == 0, again
    assert "never attempted" not in again.out
    assert scene.ledger() == [*BEFORE, (FAILED, "finished", 1), *DEPLOYED]
    assert State.CLASSIFY not in scene.path()


def test_what_no_schema_shows_is_for_a_person(make: Make) -> None:
    """The table is there, and whether its rows were written nobody sees: a person approves, as applied only."""
    scene = never_attempted(make, "exists")
    path = scene.folder / "prisma" / "migrations" / FAILED / "migration.sql"
    path.write_text(path.read_text() + "\nUPDATE places SET name = upper(name);\n")
    scene.commit("with data")
    before = scene.everything()
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert "deploy.would_fail" in done.out
    assert "Statement 6 is open" in done.out
    (found,) = json.loads(scene.cli("inspect", "--json").out)["present"]
    digest = found["evidence_digest"]
    assert f"approve {FAILED} --applied --evidence {digest}" in done.out
    reason = ("--evidence", digest, "--reason", "the rows are as they should be")
    refused = scene.cli("approve", FAILED, "--rolled-back", *reason)
    assert (refused.code, "approve.not_attempted" in refused.err) == (2, True)
    assert scene.everything() == before
    assert scene.cli("approve", FAILED, "--applied", *reason).code == 0
    auto(scene, "applied")
    done = scene.cli("run")
    assert (done.code, "(deploy.consent)" in done.out) == (3, True), done
    assert scene.ledger() == [*BEFORE, (FAILED, "finished", 0)]
    assert ("Café Morgenrot",) in scene.sql("SELECT name FROM places")


def test_without_a_scratch_server_a_deploy_is_possible_as_before(make: Make) -> None:
    """What is pending can't be compared then: that is said, and the deploy is the user's to begin."""
    scene = never_attempted(make, "absent")
    text = scene.configuration.read_text()
    scene.configuration.write_text(f'{text}\n[scratch]\nurl = "postgresql://nobody@127.0.0.1:1/none"\n')
    done = scene.cli("run", "--yes")
    assert "could not be compared" in done.out
    assert scene.ledger() == [*BEFORE, (FAILED, "finished", 1), *DEPLOYED]
    assert done.code == 6, done
    assert "scratch.unreachable" in done.out


def test_a_folder_that_was_renamed_after_its_attempt_was_rolled_back(make: Make) -> None:
    """It is judged by that attempt, Prisma marks nothing under a name that it does not know, and the deploy runs it."""
    scene = make("absent")
    scene.sql("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    migrations, renamed = scene.folder / "prisma" / "migrations", f"{FAILED}_again"
    (migrations / FAILED).rename(migrations / renamed)
    done = scene.cli("run", "--yes", "--waive", "git.clean=the folder has another name")
    assert done.code == 0, done
    assert f"{renamed} is not in the database" in done.out
    assert scene.ledger() == [*BEFORE, (FAILED, "rolled back", 0), (renamed, "finished", 1), *DEPLOYED]
