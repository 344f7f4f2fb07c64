"""A deploy that fails: for the same cause again, and for a new one."""

import hashlib
import json
from collections.abc import Callable

from states.table import State
from tests.acceptance.further import agree_to, further
from tests.acceptance.scene import APPLIED, BASE, DEPLOYED, MARKED_APPLIED, MARKED_ROLLED_BACK, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]


def test_what_was_wrongly_approved_as_not_there_is_not_run_into_the_same_conflict(make: Make) -> None:
    """The table that the script makes is there, so a deploy would fail again: nothing is marked, and nothing is run."""
    scene = make("drifted")
    assert scene.cli("run").code == 3
    (failed,) = json.loads(scene.cli("inspect", "--json").out)["failed"]
    approval = ("--evidence", failed["evidence_digest"], "--reason", "it looked as if it were not there")
    assert scene.cli("approve", FAILED, "--rolled-back", *approval).code == 0
    before = scene.ledger()
    done = scene.cli("run", "--yes")
    assert (done.code, "classify.cause_holds" in done.out) == (3, True), done
    assert "password_reset_tokens" in done.out
    assert (scene.ledger(), scene.effects("intended")) == (before, [])


def test_a_new_failure_is_judged_like_the_first_and_recovered_once_its_cause_is_gone(make: Make) -> None:
    """A pending migration that fails is classified in the same run, and deployed once what was in its way is gone.

    What is in its way is of another kind: that a deploy would fail on it is not foreseen.
    """
    scene = further(make, "marked")
    scene.sql("CREATE TABLE places_energy_formality_idx (note text)")
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert f"{PENDING[0]} failed: object_exists" in done.out
    assert "classify.drifted" in done.out
    assert scene.path()[-3:] == [State.INSPECT, State.CLASSIFY, State.BLOCKED]
    assert scene.ledger() == [*MARKED_APPLIED, (PENDING[0], "failed", 0)]
    scene.sql("DROP TABLE places_energy_formality_idx")
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert scene.ledger() == [*MARKED_APPLIED, (PENDING[0], "rolled back", 0), *APPLIED[-2:]]
    assert scene.effects("intended") == ["deploy", "mark_rolled_back", "deploy"]


def test_an_attempt_made_by_hand_after_ours_is_classified_too(make: Make) -> None:
    """What this run marked rolled back is settled for the rows of then: a later attempt ran, and is not run again."""
    scene = make("absent")
    agree_to(scene, "not_applied")
    assert scene.cli("run").code == 3
    assert scene.ledger() == MARKED_ROLLED_BACK
    script = (scene.folder / "prisma" / "migrations" / FAILED / "migration.sql").read_text()
    scene.sql(script)
    scene.sql(
        "INSERT INTO password_reset_tokens (id, user_id, token_hash, expires_at) VALUES ('k', 'u_ada', 'h', now())"
    )
    scene.sql(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, rolled_back_at, applied_steps_count)"
        f" SELECT gen_random_uuid()::text, checksum, migration_name, now(), 1 FROM _prisma_migrations"
        f" WHERE migration_name = '{FAILED}'"
    )
    scene.configuration.write_text(scene.configuration.read_text().replace("not_applied", "applied"))
    done = scene.cli("run")
    assert "(deploy.consent)" in done.out, done
    assert scene.effects("observed") == ["mark_rolled_back", "mark_applied"]
    assert scene.sql("SELECT id FROM password_reset_tokens") == [("k",)]


def test_what_a_rolled_back_script_left_behind_keeps_the_gate_closed(make: Make) -> None:
    """The file was corrected and deployed under the same name; what its old version made is still in production."""
    scene = make("absent")
    path = scene.folder / "prisma" / "migrations" / FAILED / "migration.sql"
    old = path.read_text()
    scene.sql("CREATE TABLE password_reset_leftover (id int)")
    path.write_text(old + "\nCREATE TABLE password_reset_leftover (id int);\n")
    scene.commit("what failed")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    scene.sql(f"UPDATE _prisma_migrations SET checksum = '{checksum}' WHERE migration_name = '{FAILED}'")
    scene.sql(
        f"UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '{FAILED}'"
    )  # as Prisma does
    path.write_text(old)
    scene.commit("corrected")
    assert scene.incident.prisma("migrate", "deploy").returncode == 0
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert "verify.differs" in done.said
    assert "password_reset_leftover" in done.said
    scene.sql("DROP TABLE password_reset_leftover")
    assert scene.cli("run", "--yes").code == 0


def test_an_empty_database_gets_everything(make: Make) -> None:
    """One command serves every environment: without a ledger and without any object, all migrations are deployed."""
    scene = make("absent")
    scene.sql("DROP SCHEMA public CASCADE")
    scene.sql("CREATE SCHEMA public")
    looked = scene.cli("inspect", "--verbose")
    assert (looked.code, "the schema public is empty" in looked.out) == (0, True), looked
    done = scene.cli("run", "--yes")
    assert (done.code, "READY" in done.out) == (0, True), done
    names = [name for (name,) in scene.sql("SELECT migration_name FROM _prisma_migrations ORDER BY started_at")]
    assert names == sorted(each.name for each in (scene.folder / "prisma" / "migrations").iterdir() if each.is_dir())
    assert scene.cli("run", "--yes").code == 0


def test_without_a_ledger_what_production_has_is_marked_and_the_rest_deployed(make: Make) -> None:
    """Prisma refuses with P3005. The schema is what five migrations make: they are marked, once somebody agrees."""
    scene = make("absent")
    scene.sql("DROP TABLE _prisma_migrations")
    seen = json.loads(scene.cli("inspect", "--json").out)["baseline"]
    assert (seen["verdict"], seen["decision"], seen["up_to"]) == ("applied", "mark_applied", BASE[-1])
    assert (seen["marked"], seen["open"]) == (list(BASE), [])
    planned = scene.cli("run", "--plan")
    assert f"prisma migrate resolve --applied {BASE[0]} (and one for each of 4 more)" in planned.out
    assert "prisma migrate deploy" in planned.out
    asked = scene.cli("run")
    assert (asked.code, "(baseline.consent)" in asked.out) == (3, True), asked
    assert scene.effects("intended") == []
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert scene.ledger() == [*((name, "finished", 0) for name in BASE), (FAILED, "finished", 1), *DEPLOYED]
    assert scene.effects("observed") == ["mark_applied"] * 5 + ["deploy"]


def test_production_that_equals_the_history_nowhere_is_left_alone(make: Make) -> None:
    """What differs from the nearest state is shown, and no command is run."""
    scene = make("absent")
    scene.sql("DROP TABLE _prisma_migrations")
    scene.sql("ALTER TABLE users DROP COLUMN password_hash")
    done = scene.cli("run", "--yes")
    assert (done.code, "(baseline.differs)" in done.out) == (3, True), done
    assert "password_hash" in done.out
    assert scene.effects("intended") == []
