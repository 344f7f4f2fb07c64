"""A deploy that fails: for the same cause again, and for a new one."""

import hashlib
import json
import shutil
from collections.abc import Callable

from states.table import State
from tests.acceptance.further import agree_to, further
from tests.acceptance.scene import APPLIED, BASE, MARKED_APPLIED, MARKED_ROLLED_BACK, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]


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
    scene = further(make, "recovered")
    path = scene.folder / "prisma" / "migrations" / FAILED / "migration.sql"
    corrected = path.read_text()
    scene.sql("CREATE TABLE password_reset_leftover (id int)")
    path.write_text(corrected + "\nCREATE TABLE password_reset_leftover (id int);\n")
    scene.commit("what failed")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    scene.sql(f"UPDATE _prisma_migrations SET checksum = '{checksum}' WHERE rolled_back_at IS NOT NULL")
    scene.sql("UPDATE _prisma_migrations SET applied_steps_count = 1")
    path.write_text(corrected)
    scene.commit("corrected")
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert "verify.differs" in done.said
    assert "password_reset_leftover" in done.said
    scene.sql("DROP TABLE password_reset_leftover")
    assert scene.cli("run", "--yes").code == 0


def test_an_empty_database_gets_everything_and_one_without_a_ledger_the_rest(make: Make) -> None:
    """One command serves every environment: without a ledger and without any object, all migrations are deployed.

    Where there is no ledger, and the schema is what the first migrations make, Prisma refuses with P3005: these are
    marked, once somebody agrees, and the rest is deployed. Where production equals the history nowhere, what differs
    from the nearest state is shown, and no command is run.
    """
    scene = make("absent")
    scene.sql("DROP TABLE _prisma_migrations")
    scene.sql("ALTER TABLE users RENAME COLUMN password_hash TO password")
    done = scene.cli("run", "--yes")
    assert (done.code, "(baseline.differs)" in done.out) == (3, True), done
    assert "password_hash" in done.out
    scene.sql("ALTER TABLE users RENAME COLUMN password TO password_hash")
    seen = json.loads(scene.cli("inspect", "--json").out)["baseline"]
    assert (seen["verdict"], seen["decision"], seen["up_to"]) == ("applied", "mark_applied", BASE[-1])
    assert (seen["marked"], seen["open"]) == (list(BASE), [])
    planned = scene.cli("run", "--plan")
    assert f"prisma migrate resolve --applied {BASE[0]} (and one for each of 4 more)" in planned.out
    assert "prisma migrate deploy" in planned.out
    assert scene.effects("intended") == []
    # From here on with a history of three, so that each kind of command runs, and none of them five times.
    for name in (*BASE[2:], *PENDING):
        shutil.rmtree(scene.folder / "prisma" / "migrations" / name)
    scene.commit("a short history")
    scene.sql("DROP SCHEMA public CASCADE")
    scene.sql("CREATE SCHEMA public")
    looked = scene.cli("inspect", "--verbose")
    assert (looked.code, "the schema public is empty" in looked.out) == (0, True), looked
    done = scene.cli("run", "--yes")
    assert (done.code, "READY" in done.out) == (0, True), done
    assert scene.ledger() == [(name, "finished", 1) for name in (*BASE[:2], FAILED)]
    assert scene.effects("observed") == ["deploy"]
    scene.sql("DROP TABLE _prisma_migrations, password_reset_tokens")
    asked = scene.cli("run")
    assert (asked.code, "(baseline.consent)" in asked.out) == (3, True), asked
    assert scene.effects("intended") == ["deploy"]
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert scene.ledger() == [*((name, "finished", 0) for name in BASE[:2]), (FAILED, "finished", 1)]
    assert scene.effects("observed") == ["deploy", "mark_applied", "mark_applied", "deploy"]
