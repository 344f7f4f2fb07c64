"""Others at work on the same database."""

from collections.abc import Callable

from states.table import State
from tests.acceptance.further import further
from tests.acceptance.scene import (
    APPLIED,
    MARKED_APPLIED,
    PRISMA_LOCK,
    STUCK,
    Held,
    Scene,
    Terminal,
)
from tests.staging import Case
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]


def test_two_recoveries_do_not_run_at_once(make: Make) -> None:
    """While one is at work the other exits with 5 and does nothing, or waits; the one goes on undisturbed."""
    scene = further(make, "marked")
    scene.rehearse(deploy="hold")
    held = Held(scene.rehearsed)
    first = scene.start("run", "--yes")
    held.wait()
    journal = len(scene.events())
    second = scene.cli("run", "--yes")
    assert second.code == 5, second
    assert "lock.recovery" in second.said
    assert scene.ledger() == MARKED_APPLIED
    assert len(scene.events()) == journal
    third = scene.start("run", "--yes", "--wait")
    assert third.stdout is not None
    assert "Waiting, at most 10 min 0 s more: Another recovery of this database is at work" in third.stdout.readline()
    held.go()
    said, _ = first.communicate()
    assert first.returncode == 0, said
    said, _ = third.communicate()
    assert third.returncode == 0, said
    assert scene.path() == [State.PREFLIGHT, State.INSPECT, State.VERIFY, State.PIPELINE_READY]
    assert scene.ledger() == APPLIED


def test_evidence_that_changes_before_the_effect_stops_it(make: Make) -> None:
    """A rival who holds Prisma's lock and changes the schema after it was judged: exit code 5, no row is marked."""
    scene = make("exists")
    run = Terminal(scene, "run")
    with scene.connect() as rival:
        run.until("Type “applied”")
        rival.execute(f"SELECT pg_advisory_lock({PRISMA_LOCK})")
        run.type("applied")
        run.until("$ prisma migrate resolve --applied")
        rival.execute("ALTER TABLE password_reset_tokens DROP COLUMN used_at")
    assert run.end() == 5, run.said
    assert "resolve.evidence_changed" in run.said
    assert scene.ledger() == STUCK
    assert scene.path()[-2:] == [State.RESOLVE, State.BLOCKED]
    again = scene.cli("run", "--yes")
    assert again.code == 3, again
    assert "classify.drifted" in again.out
    assert scene.ledger() == STUCK


def test_somebody_who_resolves_or_adds_by_hand_meanwhile_is_seen(make: Make) -> None:
    """What another person marked while the question stood is not marked a second time: exit code 5.

    The next run asks whether to deploy; a migration that is added to the folder after that was agreed to is not
    deployed, nor is any other: exit code 5.
    """
    scene = make("exists")
    scene.rehearse()
    run = Terminal(scene, "run")
    run.until("Type “applied”")
    assert scene.incident.prisma("migrate", "resolve", "--applied", FAILED).returncode == 0
    run.type("applied")
    assert run.end() == 5, run.said
    assert "resolve.evidence_changed" in run.said
    run = Terminal(scene, "run")
    run.until("Type “deploy”")
    late = scene.folder / "prisma/migrations/20260301000000_late/migration.sql"
    late.parent.mkdir()
    late.write_text("DROP TABLE places;\n")
    run.type("deploy")
    assert run.end() == 5, run.said
    assert "deploy.plan_changed" in run.said
    assert scene.ledger() == MARKED_APPLIED
    assert scene.commands() == []
