"""Hypothesis profiles (the same examples on every run in CI, other ones elsewhere), and what `--quick` runs."""

import gc
import os
import shutil
import sys
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from recovery.files import cache_folder
from tests.staging.cache import CACHE

settings.register_profile(
    "default", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# Whoever wants no bytecode beside the sources gets it elsewhere: every process that a test starts would compile
# the whole program again.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(CACHE / "bytecode")
    sys.dont_write_bytecode = False

TESTS = Path(__file__).parent
# A cache of this checkout's own: what other code has kept, or this code while it was broken, decides no test here. It
# lies in the usual cache folder, since servers that may not run as root have to reach it. Workers inherit it.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["PRISMA_RECOVERY_CACHE"] = str(cache_folder() / f"tests-{zlib.crc32(bytes(TESTS)):08x}")
    shutil.rmtree(cache_folder() / "sentinel", ignore_errors=True)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through it for garbage again and again takes a worker 3 % of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


#: Files with few tests that take long. They begin first, so that no worker is left alone with one of them at the end.
LONG = (
    "test_fleet.py",
    "test_run.py",
    "test_kinds.py",
    "test_fuzz.py",
    "test_kill_points.py",
    "test_consent.py",
    "test_journal.py",
    "test_crash.py",
    "test_verdicts.py",
    "test_pairs_long.py",
    "test_pairs_marked.py",
    "test_pairs_baseline.py",
    "test_rivals.py",
)
#: Folders of which each test takes seconds.
SLOW = {"acceptance", "docs"}
#: Folders of which everything is quick. Elsewhere a test says so itself.
QUICK = {"states", "unit", "guard"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is quick by its folder, and puts the files that take long in front."""
    for item in items:
        if _folder(item) in QUICK:
            item.add_marker("quick")
    tests = Counter(item.path for item in items)
    place = {name: number for number, name in enumerate(LONG)}

    def order(item: pytest.Item) -> tuple[int, bool, int, str]:
        return place.get(item.path.name, len(LONG)), _folder(item) not in SLOW, -tests[item.path], str(item.path)

    items.sort(key=order)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]
