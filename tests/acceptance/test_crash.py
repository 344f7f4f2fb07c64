"""SIGKILL at each place where it hurts, and the next run."""

import json
import signal
from collections.abc import Callable

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


def standing(scene: Scene, left_in: State) -> None:
    """Nobody is at work any more, and `status` says where the recovery is and how to go on."""
    eventually(lambda: alone(scene))
    status = scene.cli("status")
    assert status.code == 0, status
    assert left_in in status.out
    assert "prisma-recovery run" in status.out


def goes_on(scene: Scene, left_in: State, rows: Rows) -> str:
    """`status` says how to go on, and one more run, whose words are returned, ends as one that nobody disturbed."""
    standing(scene, left_in)
    scene.rehearse()
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert "goes on" in done.out
    assert scene.ledger() == rows
    assert scene.path()[-1] is State.PIPELINE_READY
    assert scene.sql(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'places'::regclass AND attname = 'golden_item_id'"
    ) == [(1,)]
    (ended,) = json.loads(scene.cli("status", "--json").out)["runs"]
    assert ended["state"] == "PIPELINE_READY"
    return done.out


def told(said: str, *, took_place: bool) -> None:
    """What became of the command that somebody died at is told."""
    said = " ".join(said.split())
    assert "The last process died during prisma migrate" in said
    assert ("shows it, so it is not repeated" in said) is took_place
    assert ("does not show it, so it is decided anew" in said) is not took_place


def killed(scene: Scene, between: Rows, effect: str, **crash: str) -> str:
    """One more run, whose words are returned: it dies with this effect intended, and the ledger is as is said."""
    eventually(lambda: alone(scene))
    scene.rehearse(**crash)
    done = scene.cli("run", "--yes")
    assert done.code == -signal.SIGKILL, done
    if "go on" in str(crash):
        eventually((scene.rehearsed / "ended").exists)
    assert scene.ledger() == between
    last = scene.events()[-1]
    assert (last.kind, last.payload["effect"].partition(":")[0]) == ("effect.intended", effect)
    return done.out


def test_a_run_that_is_killed_again_and_again_repeats_only_what_did_not_happen(make: Make) -> None:
    """SIGKILL before and after each of two commands took effect; each run goes on from what is true.

    In turn: intended, and not marked; marked, and not recorded; while a deploy waits for the recovery, and the tether
    ends it; deployed, and not recorded. The last run has nothing left to do but to prove the schema.
    """
    scene = make("exists")
    killed(scene, STUCK, "mark_applied", resolve="die before")
    standing(scene, State.RESOLVE)
    told(killed(scene, MARKED_APPLIED, "mark_applied", resolve="die after"), took_place=False)
    standing(scene, State.RESOLVE)
    scene.rehearse(deploy="hold")
    held = Held(scene.rehearsed)
    run = scene.start("run", "--yes")
    held.wait()
    eventually(lambda: scene.effects("intended")[-1:] == ["deploy"])
    run.kill()
    said, _ = run.communicate()  # the tether ends the deploy
    told(said, took_place=True)
    assert scene.ledger() == MARKED_APPLIED
    killed(scene, APPLIED, "deploy", deploy="die after")
    told(goes_on(scene, State.DEPLOY, APPLIED), took_place=True)
    assert [command[1] for command in scene.commands()] == ["resolve", "resolve", "deploy"]
    assert scene.effects("intended") == ["mark_applied", "mark_applied", "deploy", "deploy"]
    (ended,) = json.loads(scene.cli("status", "--json").out)["runs"]
    assert [(done["effect"].partition(":")[0], done["shown"]) for done in ended["done"]] == [
        ("mark_applied", False),
        ("mark_applied", True),
        ("deploy", False),
        ("deploy", True),
    ]
    assert "its process died; the ledger shows it" in scene.cli("report", "--markdown").out


def test_a_command_that_goes_on_after_its_recovery_was_killed_is_not_repeated(make: Make) -> None:
    """Prisma marks the migration as rolled back when nobody waits for it any more; the next run deploys only."""
    scene = make("absent")
    killed(scene, MARKED_ROLLED_BACK, "mark_rolled_back", resolve="die, then go on")
    told(goes_on(scene, State.RESOLVE, RUN_AGAIN), took_place=True)
    assert [command[1] for command in scene.commands()] == ["resolve", "deploy"]


def test_a_run_killed_before_an_effect_has_intended_nothing(make: Make) -> None:
    """Killed while it waits for another deploy to end, and at each question: it has begun nothing, and asks again."""
    scene = make("exists")
    with scene.connect() as rival:
        rival.execute(f"SELECT pg_advisory_lock({PRISMA_LOCK})")
        waiting = scene.start("run")
        assert waiting.stdout is not None
        while "begins" not in (line := waiting.stdout.readline()):
            assert line, "it never began"
        waiting.kill()
        waiting.wait()
    standing(scene, State.PREFLIGHT)
    run = Terminal(scene, "run")
    run.until("Type “applied”")
    assert "goes on" in run.said
    assert scene.effects("intended") == []
    assert scene.ledger() == STUCK
    run.type("applied")
    run.until("Type “deploy”")
    run.kill()
    assert scene.effects("intended") == ["mark_applied"]
    assert scene.ledger() == MARKED_APPLIED
    standing(scene, State.DEPLOY)
    asked = scene.cli("run")
    assert (asked.code, "goes on" in asked.out, "(deploy.consent)" in asked.out) == (3, True, True), asked
    assert scene.effects("intended") == ["mark_applied"]


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
        # Asked elsewhere: within one transaction the list of sessions is that of its first look.
        eventually(lambda: scene.sql(waiting) == [(1,)])
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
        run = scene.start("run", "--repair")
        eventually(lambda: rival.execute(waiting).fetchone() == (1,))
        run.kill()
        run.communicate()
    eventually(lambda: alone(scene))
    assert [event.kind for event in scene.events()[-2:]] == ["effect.intended", "transaction.begun"]
    assert scene.sql("SELECT to_regclass('password_reset_tokens_user_id_idx') IS NULL") == [(True,)]
    done = scene.cli("run", "--repair")
    assert (done.code, "(classify.consent)" in done.out) == (3, True), done  # to mark it, to which --repair is no word
    said = " ".join(done.out.split())
    assert f"The last process died during the plan to complete {FAILED}: production does not show it" in said
    assert [effect.partition(":")[0] for effect in scene.effects("intended")] == ["complete", "complete"]
    assert scene.sql("SELECT to_regclass('password_reset_tokens_user_id_idx') IS NULL") == [(False,)]
