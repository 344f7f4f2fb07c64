"""What is begun before it is needed: once, and ended where nobody came for it."""

import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from recovery.app.head_start import Ahead
from recovery.config import load
from recovery.prisma.project import find
from recovery.prisma.sentinel import Sentinel, sentinel
from tests.acceptance.scene import Held, Scene
from tests.staging import Case


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


def test_a_proof_that_cannot_be_kept_is_still_one(tmp_path: Path) -> None:
    """Another process makes it again, that is all."""
    (tmp_path / "taken").touch()
    with closing(Sentinel(tmp_path / "taken", "key", lambda _: True)) as sentinel:
        assert sentinel.holds()
        assert not sentinel.kept


def test_only_a_proof_is_kept(tmp_path: Path) -> None:
    """What failed, or could not be told, is tried again by the next process."""
    for found in (False, None):
        with closing(Sentinel(tmp_path, "key", lambda _, found=found: found)) as sentinel:
            assert sentinel.holds() is found
            assert not sentinel.kept
    with closing(Sentinel(tmp_path, "key", lambda _: True)) as sentinel:
        assert sentinel.holds()
    with closing(Sentinel(tmp_path, "key", lambda _: False)) as sentinel:
        assert sentinel.begin().result()
        assert sentinel.answered


def test_a_folder_that_cannot_be_read_leaves_no_key(
    make: Callable[[Case], Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the proof would rest on is not known then, so it is made anew each time; it is no bug to be traced."""
    scene = make("exists")

    known, settings = find(scene.folder), load(None, scene.folder)

    def unreadable(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", unreadable)
    with closing(sentinel(known, settings, scene.environment())) as found:
        assert not found.kept
