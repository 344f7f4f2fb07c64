"""Stages failures whose true answer is known, on real histories, and counts how the verdicts compare with the truth.

right: the decision is true, or a person is asked and no decision would be true. open: a statement leaves no trace in
the schema, and a person is asked. undecided: a person is asked although the schema tells. wrong: the decision is
false. crashed: there is no verdict at all.
"""

import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import os
import queue
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from recovery.replay import scratch
from tests.staging.bench_cases import Bench, Checkout, Record, Targets, record
from tests.staging.bench_summary import lines
from tests.staging.cache import fetch_package
from tests.staging.failures import SETTINGS, Stager
from tests.staging.histories import Source, commit_history, read_history
from tests.staging.kinds import failures
from tests.staging.postgres import Server, start

#: Migrations that a worker takes at a time.
PORTION = 5
#: Seconds between two checks whether a worker has died.
LOOK = 5.0


@dataclasses.dataclass(frozen=True)
class Job:
    """The cases to stage.

    Attributes:
        histories: name and migrations of each history.
        every: every Nth migration is made to fail.
        server: PostgreSQL's major version of production; None for the newest.
        share: one in this many of the possible differences made by hand is staged.
        skip: how many migrations at the beginning of each history are only deployed.
    """

    histories: tuple[tuple[str, tuple[Source, ...]], ...]
    every: int
    server: int | None
    share: int = 1
    skip: int = 0

    def portions(self) -> Iterator[tuple[int, int, int]]:
        """The portions of work, in the order in which workers take them: history, first migration, end of the range."""
        for number, (_, sources) in enumerate(self.histories):
            for first in range(self.skip, len(sources), PORTION):
                yield number, first, min(first + PORTION, len(sources))


class Staging:
    """A history on a server: the database that grows with it, its checkout, and the workshop that replays it."""

    def __init__(self, server: Server, name: str, sources: Sequence[Source], root: Path) -> None:
        """Begins with nothing deployed.

        Args:
            server: the server that holds the production.
            name: the history's name, for the records.
            sources: the history's migrations.
            root: an empty folder for the checkout.
        """
        self._name = name
        self._sources = sources
        self._checkout = Checkout(sources, commit_history(sources, root))
        self._targets = Targets(server)
        self._stager = Stager(server, f"bench_{root.name}")
        self._stager.leaving = self._targets.leave
        self._workshop = Bench(scratch.embedded, "public")
        self._workshop.trunk = tuple(source.name for source in sources)
        self._deployed = 0

    def cases(self, positions: Sequence[int], share: int) -> Iterator[Record | str]:
        """Every case of some migrations, in order, or a remark on a migration that can't be deployed on this server."""
        for position in positions:
            self._deploy_to(position)
            after = self._sources[position + 1] if position + 1 < len(self._sources) else None
            for case in failures(self._stager, self._sources[position], after, share):
                yield record(self._targets, self._name, case, self._checkout, self._workshop)
            yield from self._deploy_to(position + 1)

    def _deploy_to(self, position: int) -> list[str]:
        remarks = []
        for source in self._sources[self._deployed : position]:
            if not self._stager.deploy(source):
                self._workshop.trunk = tuple(name for name in self._workshop.trunk if name != source.name)
                remarks.append(f"not deployable here: {self._name}/{source.name}")
        self._deployed = position
        return remarks

    def close(self) -> None:
        """Ends the sessions and the workshop."""
        self._targets.close()
        self._stager.close()
        self._workshop.close()


def work(job: Job, portions: Any, results: Any) -> None:  # noqa: ANN401 - multiprocessing's queues have no public type
    """Works on portions until none is left. Puts cases and remarks into `results`, and its peak memory at the end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent reports the results so far
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with (
            start(job.server, settings=SETTINGS) as server,
            tempfile.TemporaryDirectory() as folder,
            contextlib.ExitStack() as open_ones,
        ):
            current, staging = -1, None
            while (portion := portions.get()) is not None:
                number, first, last = portion
                name, sources = job.histories[number]
                if number != current or staging is None:
                    open_ones.close()
                    current = number
                    staging = Staging(server, name, sources, Path(folder) / str(number))
                    open_ones.callback(staging.close)
                for found in staging.cases([p for p in range(first, last) if p % job.every == 0], job.share):
                    results.put(found)
                print(f"{name}: {last} of {len(sources)}", file=sys.stderr, flush=True)
    except BaseException as error:
        results.put(f"a worker failed: {type(error).__name__}: {error}")
        raise
    finally:
        results.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure(job: Job, jobs: int) -> Iterator[Record | str | int]:
    """Every case as it is finished, remarks, and each worker's peak memory in kilobytes.

    Raises:
        RuntimeError: a worker ended before its work was done.
    """
    context = multiprocessing.get_context("fork")
    portions: Any = context.Queue()
    results: Any = context.Queue()
    for portion in [*job.portions(), *[None] * jobs]:
        portions.put(portion)
    workers = [context.Process(target=work, args=(job, portions, results), daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    done = 0
    while done < jobs:
        try:
            found = results.get(timeout=LOOK)
        except queue.Empty:
            if not any(worker.is_alive() for worker in workers):
                raise RuntimeError("a worker ended before its work was done") from None
            continue
        done += isinstance(found, int)
        yield found
    for worker in workers:
        worker.join()


def history_of(argument: str) -> tuple[str, tuple[Source, ...]]:
    """The history in a folder, or in a PyPI package of that name.

    Raises:
        SystemExit: there is no history.
    """
    folder = Path(argument)
    if not folder.is_dir():
        found = sorted(fetch_package(argument).glob("**/migrations/*/migration.sql"))
        if not found:
            raise SystemExit(f"{argument} is neither a folder nor a package with migrations")
        folder = found[0].parents[1]
    sources = read_history(folder)
    if not sources:
        raise SystemExit(f"{folder} holds no migrations")
    return Path(argument).name, tuple(sources)


def main() -> None:
    """Measures, and prints one line per kind, and each case that was wrong or undecided."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("histories", nargs="+", help="folders of Prisma migrations, or PyPI packages that hold one")
    parser.add_argument("--every", type=int, default=1, help="take each Nth migration")
    parser.add_argument("--share", type=int, default=1, help="of the differences made by hand, take one in so many")
    parser.add_argument("--skip", type=int, default=0, help="only deploy so many migrations at the beginning")
    parser.add_argument("--server", type=int, default=None, help="PostgreSQL's major version as production")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, each with its own servers")
    parser.add_argument("--json", type=Path, default=None, help="write all cases there")
    arguments = parser.parse_args()
    histories = tuple(history_of(each) for each in arguments.histories)
    job = Job(histories, arguments.every, arguments.server, arguments.share, arguments.skip)
    began = time.monotonic()
    records: list[Record] = []
    remarks: list[str] = []
    memory = 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for found in measure(job, arguments.jobs):
            if isinstance(found, Record):
                records.append(found)
                if found.answer in ("wrong", "crashed"):
                    print(f"{found.answer}: {found.history}/{found.migration}: {found.kind}", file=sys.stderr)
            elif isinstance(found, str):
                remarks.append(found)
            else:
                memory = max(memory, found)
    except KeyboardInterrupt:
        remarks.append("interrupted: not everything was staged")
    print("\n".join(lines(records, remarks, memory // 1024, time.monotonic() - began)))
    if arguments.json:
        document = {"remarks": remarks, "cases": [dataclasses.asdict(each) for each in records]}
        arguments.json.write_text(json.dumps(document, indent=1))
    if any(each.answer in ("wrong", "crashed") for each in records) or any("failed" in each for each in remarks):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
