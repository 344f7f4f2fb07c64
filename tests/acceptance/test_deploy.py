"""A deploy that fails: for the same cause again, and for a new one."""

import json
from collections.abc import Callable

from staging import Case
from staging.incident import FAILED, PENDING

from states.table import State
from tests.acceptance.scene import APPLIED, MARKED_APPLIED, MARKED_ROLLED_BACK, Scene

Make = Callable[[Case], Scene]


def test_a_deploy_that_fails_again_for_the_same_cause_blocks_with_the_logs(make: Make) -> None:
    """Wrongly approved as not there, the migration runs into the same conflict: exit code 3, and what Prisma logged."""
    scene = make("drifted")
    assert scene.cli("run").code == 3
    (failed,) = json.loads(scene.cli("inspect", "--json").out)["failed"]
    approval = ("--evidence", failed["evidence_digest"], "--reason", "it looked as if it were not there")
    assert scene.cli("approve", FAILED, "--rolled-back", *approval).code == 0
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert "deploy.failed_again" in done.out
    assert "object_exists (42P07)" in done.out
    assert 'relation "password_reset_tokens" already exists' in done.out
    assert scene.ledger() == [*MARKED_ROLLED_BACK, (FAILED, "failed", 0)]
    assert scene.path()[-2:] == [State.DEPLOY, State.BLOCKED]
    again = scene.cli("run", "--yes")
    assert again.code == 3, again
    assert "classify.drifted" in again.out
    assert scene.effects("intended") == ["mark_rolled_back", "deploy"]


def test_a_new_failure_is_judged_like_the_first_and_recovered_once_its_cause_is_gone(make: Make) -> None:
    """A pending migration that fails is classified in the same run, and deployed once what was in its way is gone."""
    scene = make("exists")
    scene.sql("ALTER TABLE places ADD COLUMN energy integer")
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert f"{PENDING[0]} failed: object_exists" in done.out
    assert "classify.drifted" in done.out
    assert scene.path()[-3:] == [State.INSPECT, State.CLASSIFY, State.BLOCKED]
    assert scene.ledger() == [*MARKED_APPLIED, (PENDING[0], "failed", 0)]
    scene.sql("ALTER TABLE places DROP COLUMN energy")
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert scene.ledger() == [*MARKED_APPLIED, (PENDING[0], "rolled back", 0), *APPLIED[-2:]]
    assert scene.effects("intended") == ["mark_applied", "deploy", "mark_rolled_back", "deploy"]
