"""What is begun before it is needed: once, and ended where nobody came for it."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from staging import Case

from recovery.ahead import Ahead
from tests.acceptance.scene import Held, Scene


def statuses(scene: Scene) -> int:
    """How often `prisma migrate status` was begun."""
    given = [json.loads(line) for line in (scene.rehearsed / "commands").read_text().splitlines()]
    return sum("status" in arguments for arguments in given)


def test_a_run_makes_one_proof(make: Callable[[Case], Scene], tmp_path: Path) -> None:
    """The one begun ahead is the one that is waited for; and while nothing changes there is no other."""
    scene = make("exists")
    scene.rehearse()
    scene.variables["PRISMA_RECOVERY_CACHE"] = str(tmp_path / "cache")
    for _ in range(2):
        done = scene.cli("run", "--plan")
        assert done.code == 0, done.out + done.err
        assert statuses(scene) == 1


def test_what_nobody_came_for_is_ended(make: Callable[[Case], Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """Command and server alike: a refusal before either was needed must leave neither behind."""
    scene = make("exists")
    scene.rehearse(other="hold")
    monkeypatch.setenv("PRISMA_RECOVERY_CACHE", str(scene.rehearsed))  # no proof is kept there
    held = Held(scene.rehearsed)
    with closing(Ahead(scene.folder, scene.environment(), prisma=True)) as ahead:
        held.wait()
        server = ahead.server.result()
    with pytest.raises(ProcessLookupError):
        os.kill(held.pid, 0)
    assert server.gone
    assert not server.folder.exists()


def test_without_a_project(tmp_path: Path) -> None:
    """It is no error yet: whoever needs Prisma says so."""
    with closing(Ahead(tmp_path, os.environ, prisma=True)) as ahead:
        assert ahead.sentinel is None
