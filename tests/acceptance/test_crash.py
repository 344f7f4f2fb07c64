"""SIGKILL at each place where it hurts, and the next run."""

import json
import signal
from collections.abc import Callable

import pytest

from recovery.postgres.sessions import EFFECT_NAME
from states.table import State
from tests.acceptance.scene import (
    APPLIED,
    MARKED_APPLIED,
    MARKED_ROLLED_BACK,
    PRISMA_LOCK,
    RUN_AGAIN,
    STUCK,
    Held,
    Scene,
    Terminal,
    eventually,
)
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
Rows = list[tuple[str, str, int]]
#: A session of a Prisma command whose recovery is dead.
AT_WORK = """
SELECT count(*) FROM pg_stat_activity a
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'prisma-recovery%'
"""


def alone(scene: Scene) -> bool:
    """Nobody is connected any more: a killed process' sessions take a moment to end."""
    return scene.sql(AT_WORK) == [(0,)]


def goes_on(scene: Scene, left_in: State, rows: Rows) -> str:
    """`status` says how to go on, and one more run, whose words are returned, ends as one that nobody disturbed."""
    eventually(lambda: alone(scene))
    status = scene.cli("status")
    assert status.code == 0, status
    assert left_in in status.out
    assert "prisma-recovery run" in status.out
    scene.rehearse()
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert "goes on" in done.out
    assert scene.ledger() == rows
    assert scene.path()[-1] is State.PIPELINE_READY
    assert scene.sql(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'places'::regclass AND attname = 'golden_item_id'"
    ) == [(1,)]
    (standing,) = json.loads(scene.cli("status", "--json").out)["runs"]
    assert standing["state"] == "PIPELINE_READY"
    return done.out


def told(scene: Scene, said: str, effect: str, *, took_place: bool) -> None:
    """What became of the command that somebody died at is told, and is in the journal's accounts."""
    said = " ".join(said.split())
    assert "The last process died during prisma migrate" in said
    assert ("shows it, so it is not repeated" in said) is took_place
    assert ("does not show it, so it is decided anew" in said) is not took_place
    (standing,) = json.loads(scene.cli("status", "--json").out)["runs"]
    effects = [done["effect"] for done in standing["done"]]
    assert standing["done"][effects.index(effect)]["shown"] is took_place
    assert effects.count(effect) == (1 if took_place else 2)
    assert ("its process died; the ledger shows it" in scene.cli("report", "--markdown").out) is took_place


@pytest.mark.parametrize(
    ("case", "crash", "between", "left_in", "rows", "commands"),
    [
        pytest.param(
            "exists",
            {"resolve": "die before"},
            STUCK,
            State.RESOLVE,
            APPLIED,
            ["resolve", "resolve", "deploy"],
            id="intended-not-resolved",
        ),
        pytest.param(
            "exists",
            {"resolve": "die after"},
            MARKED_APPLIED,
            State.RESOLVE,
            APPLIED,
            ["resolve", "deploy"],
            id="resolved-not-recorded",
        ),
        pytest.param(
            "absent",
            {"resolve": "die, then go on"},
            MARKED_ROLLED_BACK,
            State.RESOLVE,
            RUN_AGAIN,
            ["resolve", "deploy"],
            id="resolved-by-an-orphan",
        ),
        pytest.param(
            "exists",
            {"deploy": "die after"},
            APPLIED,
            State.DEPLOY,
            APPLIED,
            ["resolve", "deploy"],
            id="deployed-not-recorded",
        ),
    ],
)
def test_a_run_that_is_killed_around_an_effect_is_finished_by_the_next(
    make: Make, case: Case, crash: dict[str, str], between: Rows, left_in: State, rows: Rows, commands: list[str]
) -> None:
    """Killed before or after a command took effect, the next run repeats what didn't happen, and only that."""
    scene = make(case)
    scene.rehearse(**crash)
    assert scene.cli("run", "--yes").code == -signal.SIGKILL
    if "go on" in str(crash):
        eventually((scene.rehearsed / "ended").exists)
    assert scene.ledger() == between
    last = scene.events()[-1]
    assert last.kind == "effect.intended"
    effect = last.payload["effect"]
    said = goes_on(scene, left_in, rows)
    assert [command[1] for command in scene.commands()] == commands
    told(scene, said, effect, took_place=rows == between or commands == ["resolve", "deploy"])


def test_a_run_killed_after_resolve_and_before_deploy_resolves_once(make: Make) -> None:
    """SIGKILL to the recovery, with a deploy that waits for it; the next run deploys, and resolves nothing."""
    scene = make("exists")
    scene.rehearse(deploy="hold")
    held = Held(scene.rehearsed)
    run = scene.start("run", "--yes")
    held.wait()
    eventually(lambda: scene.effects("intended")[-1:] == ["deploy"])
    run.kill()
    run.communicate()  # the tether ends the deploy
    assert scene.ledger() == MARKED_APPLIED
    effect = scene.events()[-1].payload["effect"]
    said = goes_on(scene, State.DEPLOY, APPLIED)
    assert [command[1] for command in scene.commands()] == ["resolve", "deploy"]
    assert scene.effects("intended") == ["mark_applied", "deploy", "deploy"]
    told(scene, said, effect, took_place=False)


def test_a_run_killed_before_an_effect_has_intended_nothing(make: Make) -> None:
    """Killed while it waits for another deploy to end, and at each question: it has begun nothing, and asks again."""
    scene = make("exists")
    with scene.connect() as rival:
        rival.execute(f"SELECT pg_advisory_lock({PRISMA_LOCK})")
        waiting = Terminal(scene, "run")
        waiting.until("begins")
        waiting.kill()
    eventually(lambda: alone(scene))
    status = scene.cli("status")
    assert State.PREFLIGHT in status.out
    assert "prisma-recovery run" in status.out
    first = Terminal(scene, "run")
    first.until("Type “applied”")
    first.kill()
    assert "goes on" in first.said
    assert scene.effects("intended") == []
    assert scene.ledger() == STUCK
    eventually(lambda: alone(scene))
    second = Terminal(scene, "run")
    second.until("Type “applied”")
    second.type("applied")
    second.until("Type “deploy”")
    second.kill()
    assert scene.effects("intended") == ["mark_applied"]
    assert scene.ledger() == MARKED_APPLIED
    goes_on(scene, State.DEPLOY, APPLIED)


def test_a_deploy_that_goes_on_in_the_server_after_all_is_killed_is_judged_by_the_schema(make: Make) -> None:
    """The server can finish a script whose clients are all dead. What it did is found out, and not done twice."""
    scene = make("exists")
    waiting = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted"
        f" AND l.relation = 'places'::regclass AND a.application_name LIKE '{EFFECT_NAME}%'"
    )
    scene.rehearse()
    with scene.connect() as rival:
        run = scene.start("run", "--yes")
        eventually(lambda: scene.ledger() == MARKED_APPLIED)
        rival.execute("BEGIN; LOCK TABLE places IN ROW EXCLUSIVE MODE")
        eventually(lambda: rival.execute(waiting).fetchone() == (1,))
        run.kill()
        scene.kill_deploy()
        run.communicate()
        rival.execute("COMMIT")
    eventually(lambda: alone(scene))
    stuck = scene.ledger()[-1]
    assert stuck == (PENDING[0], "failed", 0)
    landed = scene.sql(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'places'::regclass AND attname = 'energy'"
    ) == [(1,)]
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    tail = [(PENDING[0], "rolled back", 0), (PENDING[0], "finished", 0 if landed else 1), (PENDING[1], "finished", 1)]
    assert scene.ledger() == [*MARKED_APPLIED, *tail]
    assert FAILED not in [e.payload["migration"] for e in scene.events() if e.kind == "migration.classified"][1:]


def test_a_repair_that_is_killed_leaves_nothing_and_goes_on(make: Make) -> None:
    """SIGKILL while its transaction waits for a table: it is rolled back, and the next run says so, and does it."""
    scene = make("partial")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'password_reset_tokens'::regclass"
    with scene.connect() as rival:
        rival.execute("BEGIN; LOCK TABLE password_reset_tokens IN ROW EXCLUSIVE MODE")
        run = scene.start("run", "--yes", "--repair")
        eventually(lambda: rival.execute(waiting).fetchone() == (1,))
        run.kill()
        run.communicate()
    eventually(lambda: alone(scene))
    assert [event.kind for event in scene.events()[-2:]] == ["effect.intended", "transaction.begun"]
    assert scene.sql("SELECT to_regclass('password_reset_tokens_user_id_idx') IS NULL") == [(True,)]
    done = scene.cli("run", "--yes", "--repair")
    assert done.code == 0, done
    said = " ".join(done.out.split())
    assert f"The last process died during the plan to complete {FAILED}: production does not show it" in said
    assert [effect.partition(":")[0] for effect in scene.effects("intended")] == [
        *("complete", "complete", "mark_applied", "deploy"),
    ]
