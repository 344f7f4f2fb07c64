"""Times `prisma-recovery inspect --json`, as a whole process, on a history whose last migration failed.

Cold: nothing was replayed before, only the scratch server's data directory is prepared. Cached: the same database was
inspected before. Bare: a server like the scratch server is started, and runs the same scripts, each as one query, as
somebody would who only wants to know whether they run. Each round times all variants in turn, so that a machine that
becomes slower slows all of them. The results are the ratios within each round, and their median.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recovery.files import cache_folder
from recovery.replay import scratch
from tests.staging.bench_verdicts import history_of
from tests.staging.cache import compile_product
from tests.staging.failures import SETTINGS, Stager
from tests.staging.histories import Attempt, Source
from tests.staging.postgres import Server, start
from tests.staging.truth import PERSON

#: Numbers of unrelated tables in production.
FEW, MANY = 10, 10_000
#: How many tables one transaction makes; it holds a lock on each.
BATCH = 250
#: Seconds between two measurements of a process's memory.
LOOK = 0.02


@dataclass(frozen=True)
class Way:
    """One variant to time."""

    name: str
    url: str
    folder: Path
    cached: bool


def inspect(way: Way, cache: Path) -> list[str]:
    """The command line to time."""
    if not way.cached:
        shutil.rmtree(cache / "replays", ignore_errors=True)
    return ["prisma-recovery", "inspect", "--json", "--database-url", way.url, "--migrations", str(way.folder)]


def bare(sources: tuple[Source, ...]) -> float:
    """Seconds by the clock to start a scratch server and to replay these scripts on it."""
    began = time.perf_counter()
    with scratch.embedded() as server, server.connect(server.create()) as connection:
        for source in sources:
            connection.execute(source.text.encode(), prepare=False)
    return time.perf_counter() - began


def _environment(cache: Path) -> dict[str, str]:
    return os.environ | {"PRISMA_RECOVERY_CACHE": str(cache)}


def timed(way: Way, cache: Path, tells: bytes = b'"verdict"') -> tuple[float, float]:
    """Seconds by the clock, and processor seconds of the process and the children that it waited for.

    Raises:
        RuntimeError: the command failed, or its output lacks what it is to tell.
    """
    command = inspect(way, cache)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=way.folder, env=_environment(cache), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or tells not in output:
        raise RuntimeError(f"{' '.join(command)} failed:\n{output.decode()}")
    return seconds, usage.ru_utime + usage.ru_stime


def memory(way: Way, cache: Path) -> tuple[int, int]:
    """Peak memory in megabytes: of the process alone, and with all its descendants, shared pages counted once."""
    process = subprocess.Popen(
        inspect(way, cache),
        cwd=way.folder,
        env=_environment(cache),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    own = together = 0
    while process.poll() is None:
        own = max(own, _kilobytes(f"/proc/{process.pid}/status", "VmHWM:"))
        together = max(together, sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in _tree(process.pid)))
        time.sleep(LOOK)
    return own // 1024, together // 1024


def _kilobytes(path: str, word: str) -> int:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return 0  # the process has ended meanwhile
    return next((int(line.split()[1]) for line in lines if line.startswith(word)), 0)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return  # the process has ended meanwhile
    for thread in threads:
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _tree(int(child))


def stage(server: Server, name: str, sources: tuple[Source, ...], tables: int) -> str:
    """The URL of a production in which all migrations but the last are applied, and the last one failed."""
    stager = Stager(server, name)
    for source in sources[:-1]:
        stager.deploy(source)
    with stager.connect(stager.base) as connection:
        for first in range(0, tables, BATCH):
            last = min(first + BATCH, tables) - 1
            connection.execute(
                "DO $$ BEGIN FOR i IN "
                f"{first} .. {last} LOOP EXECUTE format('CREATE TABLE foreign_team.unrelated_%s (id int PRIMARY KEY,"
                " name text NOT NULL, at timestamptz DEFAULT now())', i); END LOOP; END $$"
            )
        connection.execute("ANALYZE")
    for _ in stager.case("failed", stager.base, PERSON, Attempt(sources[-1])):
        stager.close()
        return server.url(stager.base)
    raise AssertionError("a case is always staged")


def write(sources: tuple[Source, ...], folder: Path) -> Path:
    """Writes the history as a migrations folder."""
    for source in sources:
        path = folder / source.name / "migration.sql"
        path.parent.mkdir(parents=True)
        path.write_bytes(source.text.encode())
    return folder


def prepare(caches: list[Path], way: Way) -> None:
    """Makes cache folders that hold everything that is prepared once on a machine, but no replays.

    Args:
        caches: the folders to make.
        way: a variant whose command prepares what the machine lacks.
    """
    subprocess.run(inspect(way, cache_folder()), check=True, stdout=subprocess.DEVNULL)
    for cache in caches:
        cache.mkdir(mode=0o755)
        for prepared in cache_folder().iterdir():
            if prepared.name.startswith(("scratch", "server-")):
                (cache / prepared.name).symlink_to(prepared)


def main() -> None:
    """Measures, and prints medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", help="a folder of Prisma migrations, or a PyPI package that holds one")
    parser.add_argument("-n", "--rounds", type=int, default=5)
    parser.add_argument("--server", type=int, default=None, help="PostgreSQL's major version as production")
    arguments = parser.parse_args()
    name, sources = history_of(arguments.history)
    half = sources[: (len(sources) + 1) // 2]
    compile_product()
    with start(arguments.server, settings=SETTINGS) as server, tempfile.TemporaryDirectory() as work:
        root = Path(work)
        root.chmod(0o755)  # the server may run as another user
        caches = [root / "cold", root / "cached"]
        whole_folder, half_folder = write(sources, root / "all"), write(half, root / "half")
        few, many = (stage(server, f"inspect_{tables}", sources, tables) for tables in (FEW, MANY))
        some = stage(server, "inspect_half", half, FEW)
        prepare(caches, Way("", few, whole_folder, cached=True))
        ways = [
            Way("cold", few, whole_folder, cached=False),
            Way("cached", few, whole_folder, cached=True),
            Way(f"cold, {MANY} unrelated tables", many, whole_folder, cached=False),
            Way(f"cached, {MANY} unrelated tables", many, whole_folder, cached=True),
            Way("cold, half of the history", some, half_folder, cached=False),
        ]
        seconds: dict[str, list[float]] = {way.name: [] for way in ways}
        work_done: dict[str, list[float]] = {way.name: [] for way in ways}
        alone = []
        for number in range(arguments.rounds + 1):  # the first one fills caches and is not counted
            replayed = bare(sources)
            if number:
                alone.append(replayed)
            for way in ways:
                clock, processor = timed(way, caches[way.cached])
                if number:
                    seconds[way.name].append(clock)
                    work_done[way.name].append(processor)
        peaks = {way.name: memory(way, caches[way.cached]) for way in ways}
    print(
        f"{name}: {len(sources)} migrations, the last one failed; PostgreSQL {server.version}; {os.cpu_count()} cores"
    )
    for way_name, measured in seconds.items():
        own, together = peaks[way_name]
        print(
            f"{way_name:<34} median {statistics.median(measured):5.2f} s   min {min(measured):5.2f}"
            f"   max {max(measured):5.2f}   processor {statistics.median(work_done[way_name]):5.2f} s"
            f"   peak {own:4} MB, with its server {together:4} MB"
        )
    cold, cached, cold_many, cached_many, cold_half = seconds.values()
    print(f"bare                               median {statistics.median(alone):5.2f} s   min {min(alone):5.2f}")
    print(f"cold / bare                        {_ratio(cold, alone):.2f} x   (aim: at most 1.30)")
    print(f"cached / bare                      {_ratio(cached, alone):.2f} x   (aim: at most 0.25)")
    print(f"cached / cold                      {_ratio(cached, cold):.2f} x")
    print(f"{MANY} / {FEW} unrelated tables, cold   {_ratio(cold_many, cold):.2f} x   (aim: 1)")
    print(f"{MANY} / {FEW} unrelated tables, cached {_ratio(cached_many, cached):.2f} x   (aim: 1)")
    parts = len(sources) / len(half)
    print(f"all / half of the history, cold    {_ratio(cold, cold_half):.2f} x   (aim: at most {parts:.2f})")


def _ratio(these: list[float], those: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(these, those, strict=True))


if __name__ == "__main__":
    main()
