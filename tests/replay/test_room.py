"""A full disk below the scratch server: one sentence, and nothing is concluded from it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PREPARE = """
from recovery.errors import RecoveryError
from recovery.replay.embedded import Embedded
try:
    Embedded().stop()
except RecoveryError as error:
    print(error.shown)
"""
REPLAY = """
from recovery.errors import RecoveryError
from recovery.replay import scratch
from recovery.replay.workshop import Workshop
from recovery.sql.script import Script
workshop = Workshop(scratch.embedded, "public")
rows = "CREATE TABLE filled AS SELECT repeat('x', 1000) FROM generate_series(1, 50000)"
tables = [Script("m1", "", "CREATE TABLE t (a int)"), Script("m2", "", rows)]
try:
    print(workshop.submit(lambda: workshop.history(tables).skipped).result())
except RecoveryError as error:
    print(error.shown)
finally:
    workshop.close()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter: a scratch server of root's runs as another one."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def said(code: str, *, sizes: dict[str, str], variables: dict[str, str]) -> str:
    """What Python says after this code, with file systems of these sizes, in a mount namespace of its own."""
    mounts = [f"mount -t tmpfs -o size={size},mode=1777 tmpfs '{place}'" for place, size in sizes.items()]
    for place in sizes:
        Path(place).mkdir(exist_ok=True)
    root = () if os.geteuid() == 0 else ("--map-root-user",)
    done = subprocess.run(
        [
            "unshare",
            *root,
            "--mount",
            "sh",
            "-c",
            f'{" && ".join(mounts)} && exec "$@"',
            "sh",
            sys.executable,
            "-c",
            code,
        ],
        cwd=Path(__file__).parents[2],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("full", ["cache", "temporary"])
def test_no_room_to_make_the_server(folder: Path, full: str) -> None:
    """The folder that is full is named, in as many lines as any other error has."""
    places = {name: str(folder / name) for name in ("cache", "temporary")}
    told = said(
        PREPARE,
        sizes={place: "64k" if name == full else "200m" for name, place in places.items()},
        variables={"PRISMA_RECOVERY_CACHE": places["cache"], "TMPDIR": places["temporary"]},
    )
    assert "(scratch.disk_full)" in told
    assert f"no room left in {places[full]}," in told
    assert "Nothing was changed" in told
    assert len(told.splitlines()) == 3


def test_no_room_while_a_history_is_replayed(folder: Path) -> None:
    """What failed for want of room is no statement's fault: nothing is left out of the history, and nothing decided."""
    place = str(folder / "temporary")
    told = said(REPLAY, sizes={place: "48m", "/dev/shm": "64m"}, variables={"TMPDIR": place})  # noqa: S108
    assert "(scratch.disk_full)" in told
    assert len(told.splitlines()) == 3
