"""What keeps an effect from going wrong, each rule in the sequence of events that it is there for."""

from collections.abc import Callable
from threading import Thread

import psycopg

from states.table import State
from tests.acceptance.further import agree_to, further
from tests.acceptance.scene import MARKED_APPLIED, PRISMA_LOCK, STUCK, Held, Scene, Terminal, eventually
from tests.staging import Case
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]
LATE = "20260301000000_late"


def pending(scene: Scene, script: str) -> None:
    """One more migration, committed."""
    path = scene.folder / "prisma" / "migrations" / LATE / "migration.sql"
    path.parent.mkdir()
    path.write_text(script)
    scene.commit("Late")


def take_when_free(rival: psycopg.Connection) -> None:
    """Prisma's lock, as another deploy waits for it."""
    rival.execute(f"SELECT pg_advisory_lock({PRISMA_LOCK})")


def test_a_command_that_another_one_stands_before_is_ended(make: Make) -> None:
    """F1: whoever is served first could change what the evidence was about. Exit code 5, and nothing was marked."""
    scene = make("exists")
    scene.rehearse(resolve="hold")
    held = Held(scene.rehearsed)
    run = scene.start("run", "--yes")
    held.wait()
    with scene.connect() as rival:
        waiting = Thread(target=take_when_free, args=(rival,))
        waiting.start()
        said, _ = run.communicate()
        waiting.join()
        assert run.returncode == 5, said
        assert "another session asked for Prisma's lock before it" in said
        assert scene.ledger() == STUCK
    assert not (scene.rehearsed / "ended").exists()
    assert scene.effects("observed") == ["mark_applied"]


def test_what_we_hold_open_keeps_no_index_from_being_built(make: Make) -> None:
    """F3: CREATE INDEX CONCURRENTLY waits for every open snapshot: we have none, nor has who comes second."""
    scene = further(make, "marked")
    pending(scene, "CREATE INDEX CONCURRENTLY users_late_idx ON users (created_at);\n")
    building = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND wait_event_type = 'Lock'"
    )
    with scene.connect() as writer:
        run = Terminal(scene, "run", "--yes", "--journal", "target")
        run.until("$ prisma migrate deploy")
        writer.execute("BEGIN; INSERT INTO users (id, email, password_hash) VALUES ('p', 'p', 'p')")
        with scene.connect() as looker:
            eventually(lambda: looker.execute(building).fetchone() == (1,))
            second = scene.cli("run", "--yes", "--journal", "target")
            assert second.code == 5, second
        writer.execute("COMMIT")
        assert run.end() == 0, run.said
    assert scene.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_late_idx'::regclass") == [(True,)]


def test_a_deploy_that_says_it_succeeded_is_not_believed(make: Make) -> None:
    """F6: a script that opens a transaction and never commits it: Prisma exits with 0, its row is unfinished."""
    scene = further(make, "recovered")
    pending(scene, "BEGIN;\nCREATE TABLE late (id INT);\n")
    agree_to(scene, "deploy")
    done = scene.cli("run")
    assert done.code == 3, done
    assert State.PIPELINE_READY not in scene.path()
    assert scene.ledger()[-1] == (LATE, "failed", 0)
    (observed,) = [e.payload for e in scene.events() if e.kind == "effect.observed" and e.payload["effect"] == DEPLOY]
    assert (observed["exit_code"], observed["shown"]) == (0, False)


DEPLOY = f"deploy:{LATE}"


def test_a_file_that_changes_once_the_command_was_let_go_keeps_the_gate_closed(make: Make) -> None:
    """F6: what Prisma has run is not what was planned. Exit code 7, and it stays closed."""
    scene = further(make, "recovered")
    pending(scene, "CREATE TABLE late (id INT);\n")
    scene.rehearse(deploy="hold")
    held = Held(scene.rehearsed)
    run = scene.start("run", "--yes")
    held.wait()
    path = scene.folder / "prisma" / "migrations" / LATE / "migration.sql"
    path.write_text("CREATE TABLE late (id INT, more INT);\n")
    held.go()
    said, _ = run.communicate()
    assert run.returncode == 7, said
    assert "verify.checksum" in said
    assert LATE in said
    again = scene.cli("run", "--yes", "--waive", "git.clean=to see whether it is forgotten")
    assert again.code == 7, again


def test_a_restored_database_begins_a_new_run_and_a_copy_has_a_journal_of_its_own(make: Make) -> None:
    """F10: what the journal saw is not there any more. The old run is given up, and a new one decides from evidence.

    A copy of production that is recovered from the same folder is another recovery.
    """
    scene = make("exists")
    agree_to(scene, "applied")
    assert scene.cli("run").code == 3
    assert scene.ledger() == MARKED_APPLIED
    scene.server.drop_database(scene.database)
    scene.server.create_database(scene.database, "staged_exists")
    copy = f"{scene.database}_copy"
    scene.server.create_database(copy, scene.database)
    url = ("--database-url", scene.server.url(copy), "--expect-database", copy)
    copied = scene.cli("run", *url)
    assert "(deploy.consent)" in copied.out, copied
    assert "goes on" not in copied.out
    assert scene.ledger() == STUCK
    scene.server.drop_database(copy)
    done = scene.cli("run")
    assert "(deploy.consent)" in done.out, done
    assert "goes on" not in done.out
    assert FAILED in done.out
    assert scene.ledger() == MARKED_APPLIED
    moves: dict[str, list[str]] = {}
    for event in scene.events():
        if event.kind == "state.moved":
            moves.setdefault(event.run, []).append(event.payload["to"])
    ends = sorted(to[-1] for to in moves.values())
    assert ends == [State.ABORTED, State.BLOCKED, State.BLOCKED]
    assert scene.effects("intended") == ["mark_applied"] * 3
