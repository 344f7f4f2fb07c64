"""The journal in PostgreSQL: several machines, one recovery; and a target that looks as if it were not there."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from states.table import State
from tests.acceptance.scene import APPLIED, MARKED_APPLIED, STUCK, Held, Scene, Terminal, eventually
from tests.journal.wire import Wire
from tests.staging import Case, Server, start
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]
VARIABLE = "PRISMA_RECOVERY_JOURNAL"
OURS = "SELECT nspname::text FROM pg_namespace WHERE nspname = 'prisma_recovery'"
PASSWORD = "quiet/horse&battery#9"  # noqa: S105 - the test's own server's
ALONE = """
SELECT count(*) FROM pg_stat_activity a
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'prisma-recovery%'
"""


@pytest.fixture
def another(server: Server) -> Iterator[str]:
    """URL of a database that is not the target."""
    server.create_database("journals")
    yield server.url("journals")
    server.drop_database("journals")


def test_a_killed_run_is_finished_by_another_machine(make: Make, tmp_path: Path) -> None:
    """Killed after its intent, elsewhere `status` tells of it, and `run` goes on and repeats nothing that happened.

    With the journal in the target; Prisma's own command says the same after it as without.
    """
    scene = make("exists")
    scene.variables[VARIABLE] = "target"
    other = scene.elsewhere(tmp_path)
    scene.rehearse(resolve="die before")
    assert scene.cli("run", "--yes").code == -signal.SIGKILL
    assert scene.ledger() == STUCK
    (run,) = {event.run for event in scene.events()}
    assert scene.events()[-1].kind == "effect.intended"
    eventually(lambda: scene.sql(ALONE) == [(0,)])
    (standing,) = json.loads(other.cli("status", "--json").out)["runs"]
    assert (standing["run"], standing["state"]) == (run, State.RESOLVE)
    other.rehearse()
    done = other.cli("run", "--yes")
    assert done.code == 0, done
    assert f"{run} goes on" in " ".join(done.out.split())
    assert scene.ledger() == APPLIED
    assert {event.run for event in scene.events()} == {run}
    assert scene.path()[-1] is State.PIPELINE_READY
    assert [command[1] for command in scene.commands()] == ["resolve"]
    assert [command[1] for command in other.commands()] == ["resolve", "deploy"]
    assert not (scene.folder / ".prisma-recovery").exists()
    assert not (other.folder / ".prisma-recovery").exists()
    assert scene.sql(OURS) == [("prisma_recovery",)]
    status = scene.incident.prisma("migrate", "status")
    assert (status.returncode, "up to date" in status.stdout) == (0, True), status


def test_a_person_decides_from_anywhere(make: Make, tmp_path: Path) -> None:
    """An approval that is recorded elsewhere, without the project, counts here; so does giving up.

    Verdict, checks and digest are the same with our schema in production as without it.
    """
    scene = make("drifted")
    journal = ("--journal", "target")

    def seen() -> dict[str, object]:
        document: dict[str, object] = json.loads(scene.cli("inspect", "--json").out)
        return document

    before = seen()
    assert scene.cli("run", "--yes", *journal).code == 3
    assert scene.sql(OURS) == [("prisma_recovery",)]
    assert seen() == before
    (event,) = [e for e in Scene(scene.incident, scene.server, {VARIABLE: "target"}).events() if "digest" in e.payload]
    bare = scene.elsewhere(tmp_path)
    for path in (bare.folder / "prisma", bare.configuration):
        path.rename(tmp_path / path.name)
    digest = ("--evidence", event.payload["digest"], "--reason", "the team looked at it")
    approved = bare.cli("approve", FAILED, "--applied", *digest, *journal)
    assert approved.code == 0, approved
    (decided,) = json.loads(scene.cli("status", "--json", *journal).out)["runs"]
    assert [command["line"] for command in decided["commands"]] == ["prisma-recovery run --journal target"]
    assert "Run again" in decided["next"]
    assert scene.ledger() == STUCK
    given_up = bare.cli("abort", *journal, "--database-url", scene.incident.database_url)
    assert given_up.code == 0, given_up
    assert "ABORTED" in scene.cli("status", *journal).out
    assert "The journal holds no recovery" in scene.cli("status").out


def test_only_a_run_that_may_go_on_makes_the_schema(make: Make) -> None:
    """Looking, planning, asking, deciding make none; nor does a run that preflight refuses."""
    scene = make("exists")
    scene.variables[VARIABLE] = "target"
    before = scene.everything()
    evidence = ("--applied", "--evidence", "sha256:0", "--reason", "x")
    for command, code in (
        (("inspect",), 0),
        (("run", "--plan"), 0),
        (("status",), 0),
        (("approve", FAILED, *evidence), 2),
        (("abort",), 2),
        (("pipeline",), 3),
        (("run", "--yes", "--expect-database", "other"), 4),
    ):
        done = scene.cli(*command)
        assert done.code == code, done
        assert scene.everything() == before
    assert "expected the database other" in done.out
    assert scene.sql(OURS) == []
    assert not (scene.folder / ".prisma-recovery").exists()


def test_two_machines_do_not_run_at_once_and_without_the_journal_nothing_is_changed(
    make: Make, tmp_path: Path, server: Server
) -> None:
    """While one is at work the other exits with 5, and leaves no event in the journal that they share.

    The journal goes away while a person is asked: the agreed effect does not happen, exit code 6.
    """
    scene = make("exists")
    other = scene.elsewhere(tmp_path)
    other.variables[VARIABLE] = "target"
    with Wire(server.host, server.port) as wire:
        scene.variables[VARIABLE] = f"postgresql://postgres:hush%2Fhush@127.0.0.1:{wire.port}/{scene.database}"
        run = Terminal(scene, "run")
        run.until("Type “applied”")
        before = other.events()
        second = other.cli("run", "--yes")
        assert second.code == 5, second
        assert "lock.recovery" in second.said
        assert other.events() == before
        wire.close()
        run.type("applied")
        assert run.end() == 6, run.said
    assert "journal.unreachable" in run.said
    assert "Nothing more was done" in run.said
    assert "hush" not in run.said
    assert scene.ledger() == STUCK
    scene.variables[VARIABLE] = "target"
    assert "effect.intended" not in [event.kind for event in scene.events()]
    done = scene.cli("run")
    assert (done.code, "classify.consent" in done.out, "goes on" in done.out) == (3, True, True), done


def test_an_outcome_that_could_not_be_recorded_is_observed(
    make: Make, tmp_path: Path, server: Server, another: str
) -> None:
    """The journal goes away while Prisma is at work: exit code 6; another machine's run looks, and repeats nothing.

    It is in a database that is not the target, in which nothing of ours is then.
    """
    scene = make("exists")
    other = scene.elsewhere(tmp_path)
    other.variables[VARIABLE] = another
    scene.rehearse(resolve="hold")
    held = Held(scene.rehearsed)
    with Wire(server.host, server.port) as wire:
        scene.variables[VARIABLE] = f"postgresql://postgres@127.0.0.1:{wire.port}/journals"
        run = scene.start("run", "--yes")
        held.wait()
        wire.close()
        held.go()
        said, _ = run.communicate()
    assert run.returncode == 6, said
    assert "journal.unreachable" in said
    assert scene.ledger() == MARKED_APPLIED
    assert other.events()[-1].kind == "effect.intended"
    other.rehearse()
    done = other.cli("run", "--yes")
    assert done.code == 0, done
    assert scene.ledger() == APPLIED
    assert [command[1] for command in other.commands()] == ["deploy"]
    assert not (other.folder / ".prisma-recovery").exists()
    assert scene.sql(OURS) == []


def test_the_journals_password_is_seen_nowhere(make: Make, tmp_path: Path) -> None:
    """No output, file, command line or child's environment holds it, when all goes well and when nothing does."""
    scene = make("exists")
    scene.cold = True  # its command line is looked at, too
    scene.rehearse(resolve="look around", deploy="look around")
    step = json.dumps(["sh", "-c", "env; echo from a file: $0", "x"])
    text = scene.configuration.read_text().partition("# What may run only")[0]
    with start(password=PASSWORD) as server:
        server.create_database("journals")
        url = server.url("journals")
        assert quote(PASSWORD, safe="") in url
        scene.variables[VARIABLE] = url
        scene.configuration.write_text(f'{text}\n[[pipeline.steps]]\nname = "env"\ncommand = {step}\n')
        said = [scene.cli("run", "--yes", "--pipeline", "--verbose")]
        scene.cold = False
        said += [
            scene.cli("status"),
            scene.cli("pipeline"),
            scene.cli("abort"),
        ]
        assert [done.code for done in said] == [0, 0, 0, 2], said[0]
        assert "DATABASE_URL=" in said[0].out
        assert VARIABLE not in said[0].out
        other = scene.elsewhere(tmp_path)
        other.variables[VARIABLE] = url.replace("quiet", "loud")
        said.append(other.cli("run"))
        other.variables[VARIABLE] = url.replace("postgresql://", "mysql://")
        said.append(other.cli("run"))
    said.append(scene.cli("run"))
    assert [done.code for done in said[-3:]] == [1, 2, 6], said[-3:]
    codes = ("journal.refused", "journal.url", "journal.unreachable")
    assert [code in done.said for code, done in zip(codes, said[-3:], strict=True)] == [True] * 3
    seen = [path for path in scene.rehearsed.iterdir() if path.name in ("seen", "commands")]
    told = [done.said.encode() for done in said] + [path.read_bytes() for path in seen]
    assert not any(secret in text for text in told for secret in (b"battery", PASSWORD.encode(), os.fsencode(url)))
