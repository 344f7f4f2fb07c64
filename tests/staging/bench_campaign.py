"""Faults at random instants of recoveries with the real Prisma on a real PostgreSQL; then each is run again.

Each must end as an uninterrupted recovery does, with every effect once, without a stack trace, and without being called
busy where nobody else is at work; and nothing may be left: no process, no folder of a scratch server. As root it runs
in process and mount namespaces of its own, so that what is left there is its own. Prints a line for each kind of fault,
and each instant that broke a promise; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import collections
import os
import queue
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.replay import leftovers
from tests.staging import warm
from tests.staging.bench_crash import Worker
from tests.staging.crash import faults, truth
from tests.staging.crash.faults import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSIDE = "STAGING_CAMPAIGN"
#: Where scratch servers have their folders.
_PLACES = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108 - where they are


@dataclass(frozen=True)
class Outcome:
    """How it ended; `broken` says what went wrong, and is empty if all went well."""

    instant: Instant
    codes: tuple[int, ...]
    broken: str


def one(worker: Worker, seed: int, number: int, span: float) -> Outcome:
    """Tries one instant on a production of its own."""
    instant, broken = faults.draw(seed, number, span), ""
    production = worker.stage.make(instant.scenario)
    try:
        expected = worker.expected(instant.scenario)
        alone = faults.happen(instant, production).end()
        if alone.code == 5 and instant.kind in ("clock", "processor"):
            broken = f"called busy, and is slow:\n{alone.said}"
        truth.finish(production)
        truth.check(production, expected)
    except Exception as error:  # noqa: BLE001 - any error is reported with its instant, and the campaign goes on
        broken = broken or f"{type(error).__name__}: {error}"
    finally:
        said = [each.output.read_text(errors="replace") for each in production.started]
        codes = tuple(each.process.poll() or 0 for each in production.started)
        production.close()
    traces = [text for text in said if "Traceback" in text or "Exception ignored" in text]
    if traces and not broken:
        broken = f"a stack trace:\n{traces[0]}"
    return Outcome(instant, codes, broken)


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and command line of each living process."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if state != "Z":
            found[int(entry.name)] = int(parent), words
    return found


def left_behind(before: set[int]) -> list[str]:
    """Processes that are not of those, nor their descendants; and folders that belong to nobody alive."""
    deadline = time.monotonic() + 30
    while True:
        now = _processes()

        def ours(pid: int, now: dict[int, tuple[int, str]] = now) -> bool:
            while pid not in before:
                if pid not in now or pid == 1:
                    return False
                pid = now[pid][0]
            return pid != 1

        found = [f"process {pid}: {words[:120]}" for pid, (_, words) in now.items() if pid != 1 and not ours(pid)]
        if not found or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    folders = [each for place in _PLACES for each in place.glob(f"{leftovers.PREFIX}*")]
    return found + [f"folder {each}" for each in folders if (each / "lock").exists()]


def campaign(seed: int, count: int, first: int, jobs: int) -> Iterator[Outcome | str]:
    """The outcome of each instant, then what is left behind."""
    workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        made = [Worker(Path(folder) / str(number)) for number in range(jobs)]
        try:
            warm.nursery()
            spans = []
            for worker in made:
                worker.expected("exists")
                production = worker.stage.make("exists")
                began = time.monotonic()
                production.start().end().must(0)
                spans.append(time.monotonic() - began)
                production.close()
                workers.put(worker)
            before = set(_processes())

            def try_one(number: int) -> Outcome:
                worker = workers.get()
                try:
                    return one(worker, seed, number, max(spans))
                finally:
                    workers.put(worker)

            yield from pool.map(try_one, range(first, first + count))
            # What a killed one left is the next one's to remove.
            production = made[0].stage.make("exists")
            production.start().end().must(0)
            production.close()
            yield from left_behind(before)
        finally:
            pool.shutdown(cancel_futures=True)
            for worker in made:
                worker.close()


def report(outcomes: list[Outcome], left: list[str]) -> Iterator[str]:
    """A line for each kind and fault, then each failure."""
    yield f"{'fault':<34}{'instants':>10}{'inside a command':>18}{'ended well':>12}"
    faults_: dict[str, list[Outcome]] = collections.defaultdict(list)
    for each in outcomes:
        faults_[f"{each.instant.kind}: {each.instant.fault}"].append(each)
    for name, found in [*sorted(faults_.items()), ("all", outcomes)]:
        inside = sum(each.instant.after is None for each in found)
        yield f"{name:<34}{len(found):>10}{inside:>18}{sum(not each.broken for each in found):>12}"
    broken = [each.broken for each in outcomes if each.broken]
    words = {
        "wrong or lost": "another end than uninterrupted",
        "twice": "took place twice",
        "a stack trace": "a stack trace",
        "slow, called busy": "called busy",
    }
    counts = {name: sum(text in each for each in broken) for name, text in words.items()}
    counts["anything else"] = len(broken) - sum(counts.values())
    counts["left behind"] = len(left)
    yield ", ".join(f"{name}: {count}" for name, count in counts.items())
    codes = collections.Counter(each.codes[0] for each in outcomes if each.codes)
    yield "exit codes at the fault: " + ", ".join(f"{code}: {times}" for code, times in sorted(codes.items()))
    yield from left
    for each in outcomes:
        if each.broken:
            yield f"\n{each.instant} (exit codes {each.codes}):\n{each.broken}"


def _apart() -> None:
    """Goes on in namespaces of its own, where that can be had."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None or os.environ.get(_INSIDE):
        return
    script = 'mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec "$@"'
    command = [sys.executable, "-m", "tests.staging.bench_campaign", *sys.argv[1:]]
    os.environ[_INSIDE] = "1"
    apart = [unshare, "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh"]
    os.execv(unshare, [*apart, *command])  # noqa: S606 - no shell is needed for it


def main() -> None:
    """The command line: draws, runs, and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--count", type=int, default=200, help="number of instants")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--first", type=int, default=0, help="number of the first instant")
    parser.add_argument("--jobs", type=int, default=2, help="number of parallel workers")
    arguments = parser.parse_args()
    _apart()
    began = time.monotonic()
    outcomes: list[Outcome] = []
    left: list[str] = []
    try:
        for found in campaign(arguments.seed, arguments.count, arguments.first, arguments.jobs):
            if isinstance(found, str):
                left.append(found)
                continue
            outcomes.append(found)
            word = "BROKEN" if found.broken else "well"
            print(f"{len(outcomes)}/{arguments.count} {word} {found.instant}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(f"interrupted after {len(outcomes)}", file=sys.stderr)
    for line in report(outcomes, left):
        print(line)
    print(f"\n{time.monotonic() - began:.0f} s with {arguments.jobs} jobs, load {os.getloadavg()[0]:.1f}")
    if not outcomes or left or any(each.broken for each in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
