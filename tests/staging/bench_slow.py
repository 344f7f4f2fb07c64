"""Runs the demo's cases on a slow or a busy machine: each must end as it should, and nothing slow is called busy.

With `--share`, all that a case starts (the server, Prisma, the recovery) has that part of one core together, by a
control group, which only root can make. With `--load`, so many processes that do nothing but compute run beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.staging.incident import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GROUPS = Path("/sys/fs/cgroup")
#: Microseconds within which the share is given out.
_PERIOD = 100_000
_NAME = f"prisma-recovery-bench-{os.getpid()}"


@contextlib.contextmanager
def limited(share: float | None) -> Iterator[Callable[[], None] | None]:
    """A function that a process calls on itself to have only this part of a core; None where there is no limit.

    Raises:
        OSError: no control group can be made here.
    """
    if share is None:
        yield None
        return
    quota = int(share * _PERIOD)
    if (_GROUPS / "cpu" / "cgroup.procs").exists():  # the first version has a tree of its own for each resource
        group = _GROUPS / "cpu" / _NAME
        settings = {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(quota)}
    else:
        group = _GROUPS / _NAME
        settings = {"cpu.max": f"{quota} {_PERIOD}"}
    group.mkdir()
    try:
        for name, value in settings.items():
            (group / name).write_text(value)

        def enter() -> None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

        yield enter
    finally:
        deadline = time.monotonic() + 60
        while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        group.rmdir()


@contextlib.contextmanager
def loaded(processes: int) -> Iterator[None]:
    """So many processes that compute, until the block ends."""
    at_work = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in at_work:
            each.kill()
            each.wait()


def one(case: str, limit: Callable[[], None] | None, *, cold: bool) -> tuple[bool, float, str]:
    """Whether the demo's case ended as it should, its seconds, and what it printed."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as cache:
        variables = {"PRISMA_RECOVERY_CACHE": cache} if cold else {}
        done = subprocess.run(
            [sys.executable, "-m", "tests.staging.demo", "--case", case],
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            preexec_fn=limit,
        )
    said = done.stdout
    well = done.returncode == 0 and "Traceback" not in said and "BUSY" not in said
    return well, time.monotonic() - began, said


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, help="part of one core that a case has, as 0.25")
    parser.add_argument("--load", type=int, default=0, help="processes that compute beside it")
    parser.add_argument("--times", type=int, default=1, help="how often each case is run")
    parser.add_argument("--only", choices=CASES, action="append", help="only this case; repeatable")
    parser.add_argument("--cold", action="store_true", help="with an empty cache, as on a fresh machine")
    arguments = parser.parse_args()
    failed = 0
    if shutil.which("git") is None:
        sys.exit("git is needed")
    with limited(arguments.share) as limit, loaded(arguments.load):
        for time_ in range(arguments.times):
            for case in arguments.only or CASES:
                well, seconds, said = one(case, limit, cold=arguments.cold)
                failed += not well
                busiest = os.getloadavg()[0]
                word = "as it should" if well else "NOT as it should"
                print(f"{time_ + 1} {case:<10}{seconds:>7.1f} s  {word}  (load {busiest:.1f})", flush=True)
                if not well:
                    print(said, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
