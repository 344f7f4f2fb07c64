"""Kills recoveries of a real PostgreSQL with the real Prisma at many points, and runs them again.

Each must end as an uninterrupted one does, with every effect once, and with a journal whose moves are all in the table
of edges. In two races, two recoveries are started together, and somebody deploys between evidence and effect. Prints
one line per kind of point, and the name of each point that failed; the exit code is then 1.
"""

import argparse
import collections
import itertools
import queue
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.staging.crash import races, truth
from tests.staging.crash.points import EVENTS, Point, points
from tests.staging.crash.production import BrokenError
from tests.staging.crash.scenarios import Stage
from tests.staging.postgres import start

#: How often each of the two races is run.
RACES = 50
#: An acknowledged commit must survive the server's crash.
SETTINGS = {"synchronous_commit": "on"}


@dataclass(frozen=True)
class Outcome:
    """How a try at a point ended; `broken` says what went wrong, and is empty if all went well."""

    point: Point
    broken: str
    seconds: float


class Worker:
    """A server of its own, and the uninterrupted end of each scenario on it."""

    def __init__(self, folder: Path) -> None:
        self._server = start(settings=SETTINGS)
        self.stage = Stage(self._server, folder)
        self._expected: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        """Stops the server."""
        self._server.stop()

    def expected(self, scenario: str) -> dict[str, Any]:
        """The state of the world after an uninterrupted recovery.

        Raises:
            BrokenError: that recovery fails, or appends other events than the points are named after.
        """
        if scenario not in self._expected:
            production = self.stage.make(scenario)
            try:
                process = production.start()
                process.end().must(0)
                appended = tuple(name[7:] for name in process.passed() if name.startswith("before ") and "." in name)
                # Where the proof of Prisma's target is not kept yet, its check is recorded once more.
                appended = tuple(name for name in appended if name != "preflight.checked #2")
                if scenario == "exists" and appended != EVENTS:
                    raise BrokenError(f"it appends {appended}, and the points know {EVENTS}")
                found = truth.world(production)
                truth.check(production, found)
            finally:
                production.close()
            self._expected[scenario] = found
        return self._expected[scenario]

    def try_once(self, point: Point) -> Outcome:
        """Tries a point on a production of its own."""
        began, broken = time.monotonic(), ""
        try:
            expected = self.expected(point.scenario)
            production = self.stage.make(point.scenario)
            try:
                point.happen(production)
                truth.finish(production)
                truth.check(production, expected)
            finally:
                production.close()
        except Exception as error:  # noqa: BLE001 - any error is reported under the point's name, and the bench goes on
            broken = f"{type(error).__name__}: {error}"
        return Outcome(point, broken, time.monotonic() - began)


def chosen(repeats: int, number_of_races: int, only: list[str]) -> Iterator[Point]:
    """The races, then every point, repeatedly; with `only`, those whose kind or name holds one of its words."""
    found = [*itertools.islice(itertools.cycle(races.together()), number_of_races)]
    found += itertools.islice(itertools.cycle(races.rivals()), number_of_races)
    found += [point for _ in range(repeats) for point in points()]
    for point in found:
        if not only or any(word in point.kind or word in point.name for word in only):
            yield point


def _work(todo: list[Point], jobs: int) -> Iterator[Outcome]:
    workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        made = [Worker(Path(folder) / str(number)) for number in range(jobs)]
        try:
            for worker in made:
                workers.put(worker)

            def one(point: Point) -> Outcome:
                worker = workers.get()
                try:
                    return worker.try_once(point)
                finally:
                    workers.put(worker)

            yield from pool.map(one, todo)
        finally:
            pool.shutdown(cancel_futures=True)
            for worker in made:
                worker.close()


def report(outcomes: list[Outcome]) -> Iterator[str]:
    """One line per kind, then each failure."""
    yield f"{'kind':<18}{'points':>8}{'runs':>8}{'ended well':>12}{'broken':>8}{'median s':>10}"
    kinds: dict[str, list[Outcome]] = collections.defaultdict(list)
    for each in outcomes:
        kinds[each.point.kind].append(each)
    for kind, found in [*kinds.items(), ("all", outcomes)]:
        well = sum(not each.broken for each in found)
        middle = sorted(each.seconds for each in found)[len(found) // 2] if found else 0.0
        distinct = len({each.point.name for each in found})
        yield f"{kind:<18}{distinct:>8}{len(found):>8}{well:>12}{len(found) - well:>8}{middle:>10.1f}"
    for each in outcomes:
        if each.broken:
            yield f"\n{each.point.kind}, {each.point.name}:\n{each.broken}"


def main() -> None:
    """The command line: kills, runs again, and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--repeats", type=int, default=5, help="how often each point is tried")
    parser.add_argument("--races", type=int, default=RACES, help="how often each of the two races is run")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="only if kind or name holds TEXT; repeatable"
    )
    parser.add_argument("--jobs", type=int, default=2, help="number of parallel workers")
    arguments = parser.parse_args()
    began = time.monotonic()
    outcomes: list[Outcome] = []
    todo = list(chosen(arguments.repeats, arguments.races, arguments.only))
    try:
        for outcome in _work(todo, arguments.jobs):
            outcomes.append(outcome)
            word = "BROKEN" if outcome.broken else "well"
            print(f"{len(outcomes)}/{len(todo)} {word} {outcome.point.name}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(f"interrupted after {len(outcomes)} of {len(todo)}", file=sys.stderr)
    for line in report(outcomes):
        print(line)
    print(f"\n{time.monotonic() - began:.0f} s with {arguments.jobs} jobs")
    if not outcomes or any(each.broken for each in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
