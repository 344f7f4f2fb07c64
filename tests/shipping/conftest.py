"""What is published, built once, and an environment that has only what a plain install brings."""

import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.staging.node import find_node

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with wheel, sdist and npm package, as `scripts/dist` makes and checks them."""
    folder = tmp_path_factory.mktemp("published")
    environment = os.environ | find_node().environment()
    done = subprocess.run(
        [ROOT / "scripts" / "dist", folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def needed(name: str) -> set[str]:
    """The distributions that a plain install of this one brings, itself included."""
    names: set[str] = set()
    waiting = [(name, "")]
    while waiting:
        found, extra = waiting.pop()
        if found in names and not extra:
            continue
        names.add(found)
        for text in distribution(found).requires or ():
            each = Requirement(text)
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                key = re.sub(r"[-_.]+", "-", each.name).lower()
                waiting += [(key, wanted) for wanted in ("", *each.extras) if key not in names]
    return names


@pytest.fixture(scope="session")
def programs(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment into which the wheel is installed, beside what it says that it needs."""
    place = tmp_path_factory.mktemp("plain") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    for name in needed("prisma-recovery") - {"prisma-recovery"}:
        for top in {Path(*file.parts[:1]) for file in distribution(name).files or () if ".." not in file.parts}:
            here, there = packages / top, Path(str(distribution(name).locate_file(top)))
            if not here.exists() and there.exists() and top.name != "__pycache__":
                here.symlink_to(there)
    pip = [sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", *published.glob("*.whl")], check=True)
    return place / "bin"
