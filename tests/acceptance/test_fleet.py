"""The fleet's commands with the real Prisma CLI and the real DBOS."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery.fleet.own_control import OwnControl
from tests.acceptance.scene import BASE, Done, Held, Scene, database_name, eventually
from tests.staging import Case, Server
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
DEPLOYED = [*BASE, FAILED, *PENDING]


class Fleet:
    """Databases of a fleet, copied from staged ones, and the project of a scene."""

    def __init__(self, scene: Scene, server: Server, folder: Path) -> None:
        self.scene = scene
        self._server = server
        self._file = folder / "fleet.jsonl"
        self.urls: dict[str, str] = {}
        self.made: list[str] = []

    def add(self, name: str, template: str) -> None:
        """Adds a database under this name, and writes the list anew."""
        database = database_name()
        self._server.create_database(database, template)
        self.made.append(database)
        self.urls[name] = self._server.url(database)
        self.write()

    def write(self) -> None:
        """Writes the list."""
        self._file.write_text("".join(json.dumps({"name": n, "url": u}) + "\n" for n, u in self.urls.items()))

    def words(self, *arguments: str) -> tuple[str, ...]:
        """A command line."""
        listed = () if arguments[0] in ("status", "stop", "retry") else ("--targets", str(self._file))
        return ("fleet", *arguments, *listed)

    def cli(self, *arguments: str) -> Done:
        """Runs a command."""
        return self.scene.cli(*self.words(*arguments))

    def json(self, *arguments: str) -> dict[str, Any]:
        """Runs a command, and reads its document."""
        done = self.cli(*arguments, "--json")
        assert done.out.startswith("{"), done
        return dict(json.loads(done.out))

    def status(self) -> dict[str, str]:
        """Where each target stands."""
        return {each["name"]: each["status"] for each in self.json("status")["targets"]}

    def ledger(self, name: str) -> list[tuple[str, bool, bool]]:
        """Name, finished, rolled back of each row of a database, oldest first."""
        query = "SELECT migration_name, finished_at IS NOT NULL, rolled_back_at IS NOT NULL FROM _prisma_migrations"
        with self._server.connect(self.urls[name].rpartition("/")[2]) as connection:
            return connection.execute(f"{query} ORDER BY started_at, migration_name".encode()).fetchall()


@pytest.fixture
def fleet(make: Make, server: Server, tmp_path: Path) -> Iterator[Fleet]:
    """An empty fleet, with the control database on the same server."""
    made = Fleet(make("exists"), server, tmp_path)
    control = database_name()
    server.create_database(control)
    made.scene.variables["PRISMA_RECOVERY_CONTROL"] = server.url(control)
    yield made
    for process in made.scene.processes:
        process.kill()
        process.wait()
    for database in (*made.made, control):
        server.drop_database(database)


def test_what_a_killed_worker_had_is_taken_over_and_nothing_is_done_twice(fleet: Fleet) -> None:
    """In waves; one that needs a person holds nobody up; the other worker's journal says what is done already."""
    scene = fleet.scene
    fleet.add("exists", "staged_exists")
    fleet.add("drifted", "staged_drifted")
    fleet.add("pending", "staged_before")
    scene.rehearse(resolve="die after")

    def resolved() -> int:
        return sum("resolve" in command for command in scene.commands())

    planned = fleet.json("run", "--plan")
    assert {each["name"]: each["found"] for each in planned["targets"]} == {
        "exists": "failed",
        "drifted": "failed",
        "pending": "pending",
    }
    assert planned["run"] == ""
    first = scene.start(*fleet.words("run", "--yes", "--at-once", "1"))
    first.communicate(timeout=180)
    assert first.returncode == -signal.SIGKILL
    scene.rehearse()
    other = scene.start(*fleet.words("worker"))
    said, _ = other.communicate(timeout=180)
    assert other.returncode == 0, said
    assert fleet.status() == {"exists": "ready", "drifted": "person", "pending": "ready"}
    told = fleet.json("status")
    assert [each["taken_over"] for each in told["targets"]] == [1, 0, 0]
    assert told["targets"][1]["code"] == "classify.drifted"
    assert told["ended"]
    done = [(name, True, False) for name in DEPLOYED]
    assert fleet.ledger("exists") == [*done[:5], (FAILED, False, True), *done[5:]]
    assert fleet.ledger("pending") == done
    assert fleet.ledger("drifted") == [*done[:5], (FAILED, False, False)]
    assert resolved() == 1
    # Its person mends it, and lets it be tried again: the run goes on, and the others are not looked at.
    with scene.server.connect(fleet.urls["drifted"].rpartition("/")[2]) as connection:
        connection.execute("DROP TABLE password_reset_tokens")
    assert "no target nobody" in fleet.cli("retry", "nobody").said
    assert fleet.cli("retry").code == 0
    assert fleet.status()["drifted"] == "waiting"
    again = fleet.cli("run", "--yes")
    assert again.code == 0, again
    assert fleet.ledger("drifted") == [*done[:5], (FAILED, False, True), *done[5:]]
    assert resolved() == 2


def test_a_healthy_fleet_starts_no_command(fleet: Fleet) -> None:
    """Neither Prisma nor a recovery; with the control database on a server of our own, that ends with the command."""
    scene = fleet.scene
    del scene.variables["PRISMA_RECOVERY_CONTROL"]
    scene.rehearse()
    fleet.add("one", "staged_before")
    with contextlib.ExitStack() as end:
        own = OwnControl(scene.folder)
        end.callback(own.forget)
        end.callback(own.close)
        assert fleet.cli("run", "--yes").code == 0
        assert [command[1] for command in scene.commands()] == ["deploy"]
        again = fleet.json("run", "--yes")
        assert [(each["status"], each["found"], each["attempts"]) for each in again["targets"]] == [
            ("ready", "healthy", 0)
        ]
        assert len(scene.commands()) == 1
        assert fleet.cli("run", "--yes", "--at-once", "0").code == 2
        fleet.urls["twice"] = fleet.urls["one"]
        fleet.write()
        twice = fleet.cli("run", "--yes")
        assert twice.code == 2
        assert "one and twice lead to one and the same database" in twice.said
        fleet.urls["twice"] = fleet.urls["one"].rpartition("/")[0] + "/nowhere"
        fleet.write()
        gone = fleet.cli("run", "--yes")
        assert gone.code == 6
        assert "twice can't be reached" in gone.said
        assert len(scene.commands()) == 1


def test_an_interrupt_leaves_nothing_half_begun(fleet: Fleet) -> None:
    """It waits for the deploy at work, hands out nothing more, and the next run goes on; so it does after a stop."""
    scene = fleet.scene
    fleet.add("one", "staged_before")
    fleet.add("two", "staged_before")
    scene.rehearse(deploy="hold")
    held = Held(scene.rehearsed)
    first = scene.start(*fleet.words("run", "--yes", "--at-once", "1"))
    held.wait()
    assert "Nothing more is handed out: a person asked it to stop." in fleet.cli("stop").said
    first.send_signal(signal.SIGTERM)  # as ^C, which is ignored where the tests run in the background
    scene.rehearse()
    held.go()
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 130, said
    assert "fleet.interrupted" in said or "of the fleet stopped" in said  # whichever it heeds first
    eventually(lambda: fleet.ledger("one")[-1][0] == PENDING[-1])
    assert fleet.status()["two"] == "waiting"
    assert len(fleet.ledger("two")) == len(BASE)
    assert fleet.cli("run", "--yes").code == 0
    assert fleet.status() == {"one": "ready", "two": "ready"}
    assert [command[1] for command in scene.commands()] == ["deploy", "deploy"]


def test_a_second_interrupt_ends_at_once(fleet: Fleet) -> None:
    """The command at work goes on alone, and the next worker finds out what it did."""
    scene = fleet.scene
    fleet.add("one", "staged_before")
    scene.rehearse(deploy="hold")
    held = Held(scene.rehearsed)
    first = scene.start(*fleet.words("run", "--yes"))
    held.wait()
    while first.poll() is None:  # the first may come before the loop that it is to stop
        first.send_signal(signal.SIGTERM)  # as ^C, which is ignored where the tests run in the background
        with contextlib.suppress(subprocess.TimeoutExpired):
            first.wait(1)
    assert first.returncode == 130, first.communicate()[0]
    scene.rehearse()
    held.go()
    assert fleet.cli("run", "--yes").code == 0
    assert fleet.ledger("one") == [(name, True, False) for name in DEPLOYED]
