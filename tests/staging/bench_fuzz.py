"""Searches for decisions that would not leave the effects of a migration in production exactly once (RULES E17).

decided: the decision is right. asked: a person is asked, and no decision would be right. either: both would be.
undecided: a person is asked although one would be right. repaired: a person is asked, and a plan of repair, which is
carried out on a copy, leads to where one is right. would fail: the deploy after it fails, loudly. unsafe: the effects
would be there twice, in part, or not at all. unseen: nothing is said of a pending migration, and the deploy would do
that. crashed: there is no decision at all.
"""

import argparse
import multiprocessing
import os
import queue
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.staging.fuzz.drawing import GROUP
from tests.staging.fuzz.folders import write
from tests.staging.fuzz.model import FOR_A_PERSON, Event
from tests.staging.fuzz.oracle import Answer
from tests.staging.fuzz.search import Refused, judged, shrunk, stager
from tests.staging.fuzz.staging import Judged

#: Seconds between two checks whether a worker has died.
LOOK = 5.0
#: Of the unsafe cases of one event and decision, how many are made smaller.
SHRUNK = 2


@dataclass(frozen=True)
class Job:
    """What to search.

    Attributes:
        numbers: the cases to judge.
        server: PostgreSQL's major version of production; None for the newest.
        keep: the folder for unsafe cases; None for none.
        assume: what is assumed of people.
        tells: of an undecided case, it is found out whether anything could have decided it.
    """

    seed: int
    numbers: Sequence[int]
    server: int | None
    keep: Path | None
    assume: frozenset[str]
    tells: bool = False


def work(job: Job, number: int, jobs: int, results: Any) -> None:  # noqa: ANN401 - multiprocessing's queues have no public type
    """Judges every `jobs`-th group; at the end makes unsafe cases smaller. Puts None into `results` when it is done."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent reports the results so far
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stager(job.server, job.assume, tells=job.tells) as on:
            groups = sorted({each // GROUP for each in job.numbers})[number::jobs]
            unsafe = []
            for found in judged(on, job.seed, groups, job.numbers, handwork="no_handwork" not in job.assume):
                results.put(found)
                if isinstance(found, Judged) and found.answer is Answer.UNSAFE:
                    unsafe.append(found)
            results.put(None)
            for found in _of_each_kind(unsafe) if job.keep else ():
                results.put(write(shrunk(on, found), job.keep or Path()))
    except BaseException as error:
        results.put(RuntimeError(f"a worker failed: {type(error).__name__}: {error}"))
        raise
    results.put(number)


def _of_each_kind(unsafe: Sequence[Judged]) -> Iterator[Judged]:
    seen: Counter[object] = Counter()
    for found in unsafe:
        kind = found.case.event, found.decisions
        seen[kind] += 1
        if seen[kind] <= SHRUNK:
            yield found


def search(job: Job, jobs: int) -> Iterator[Judged | Refused | Path | None]:
    """Each case as it is judged, None when a worker has judged its last, and each folder that was written.

    Raises:
        RuntimeError: a worker failed, or ended before its work was done.
    """
    context = multiprocessing.get_context("fork")
    results: Any = context.Queue()
    workers = [context.Process(target=work, args=(job, number, jobs, results), daemon=True) for number in range(jobs)]
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
        if isinstance(found, int):
            done += 1
        elif isinstance(found, RuntimeError):
            raise found
        else:
            yield found
    for worker in workers:
        worker.join()


def lines(found: Sequence[Judged], refused: Sequence[Refused], seconds: float) -> Iterator[str]:
    """The table: each event with its cases, by what their decisions come to."""
    columns = [*Answer]
    yield f"{'event':62} {'cases':>6} " + " ".join(f"{each:>10}" for each in columns)
    for event in Event:
        mine = Counter(each.answer for each in found if each.case.event is event)
        yield f"{event:62} {mine.total():6} " + " ".join(f"{mine[each] or '':>10}" for each in columns)
    every = Counter(each.answer for each in found)
    yield f"{'all':62} {every.total():6} " + " ".join(f"{every[each] or '':>10}" for each in columns)
    ours = [each for each in found if each.case.event not in FOR_A_PERSON]
    schema = [each for each in ours if each.case.schema_only and each.exact]
    undecided = sum(each.answer is Answer.UNDECIDED for each in schema)
    yield f"schema only, and exactly before or after: {len(schema)} cases, {undecided} undecided"
    yield from (f"  {_line(each)}: {each.reasons}" for each in schema if each.answer is Answer.UNDECIDED)
    decidable = [each for each in ours if each.answer in (Answer.DECIDED, Answer.UNDECIDED)]
    undecided = sum(each.answer is Answer.UNDECIDED for each in decidable)
    alike = sum(each.alike for each in decidable)
    yield (
        f"all that rows and schema decide: {len(decidable)} cases, {undecided} undecided"
        f"{f'; of these nothing tells {alike} from a course that wants another decision' if alike else ''}"
    )
    plans = Counter(each.answer for one in found for each in one.repaired)
    yield "plans of repair: " + (", ".join(f"{count} {answer}" for answer, count in sorted(plans.items())) or "none")
    yield f"{len(refused)} could not be staged; {len(found) / seconds:.1f} cases a second"


def _line(one: Judged) -> str:
    odd = (each for each in one.repaired if each.answer in (Answer.UNSAFE, Answer.CRASHED, Answer.FAILS))
    plans = "".join(f"; {each.answer} {each.words}" for each in odd)
    return f"{one.answer} {one.case.label} {one.case.event}: {', '.join(one.decisions)}: {one.case.kinds}{plans}"


def main() -> None:
    """Searches, and prints the table and each unsafe or crashed case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000, help="how many cases")
    parser.add_argument("--only", type=int, action="append", default=[], help="the number of a case to judge alone")
    parser.add_argument("--server", type=int, default=None, help="PostgreSQL's major version as production")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, each with its own servers")
    parser.add_argument("--keep", type=Path, default=None, help="make unsafe cases smaller, and write them there")
    parser.add_argument("--assume", action="append", default=[], choices=["no-handwork"], help="what people did not do")
    parser.add_argument("--tells", action="store_true", help="find out which undecided cases nothing could decide")
    chosen = parser.parse_args()
    numbers = chosen.only or range(chosen.count)
    job = Job(
        chosen.seed,
        numbers,
        chosen.server,
        chosen.keep,
        frozenset(each.replace("-", "_") for each in chosen.assume),
        chosen.tells,
    )
    found: list[Judged] = []
    refused: list[Refused] = []
    folders: list[Path] = []
    began = ended = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for each in search(job, chosen.jobs):
            if isinstance(each, Judged):
                found.append(each)
                plans = {plan.answer for plan in each.repaired}
                if each.answer in (Answer.UNSAFE, Answer.CRASHED) or Answer.CRASHED in plans or Answer.FAILS in plans:
                    print(_line(each), file=sys.stderr, flush=True)
            elif isinstance(each, Refused):
                refused.append(each)
            elif isinstance(each, Path):
                folders.append(each)
            ended = ended if isinstance(each, Path) else time.monotonic()
    except KeyboardInterrupt:
        print("interrupted: not everything was staged", file=sys.stderr)
    for one in sorted(found, key=lambda each: each.case.event.name):
        if one.answer in (Answer.UNSAFE, Answer.CRASHED):
            print(_line(one))
    print("\n".join(lines(found, refused, ended - began)))
    print(*folders, sep="\n", end="\n" if folders else "")
    if any(each.answer in (Answer.UNSAFE, Answer.CRASHED) for each in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
