"""Times `prisma-recovery inspect` on ever longer scripts, and on ever more pending migrations, beside bare runs.

Bare: the same statements are sent one by one to a server like the scratch server, which is started for that. Each
round times both in turn, by the clock and by the processor: on a busy machine only the latter tells. A length costs the
same per statement, or per migration, as a shorter one if it grows in proportion.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from recovery.replay import scratch
from tests.staging.bench_inspect import Way, memory, prepare, timed, write
from tests.staging.cache import compile_product
from tests.staging.failures import SETTINGS, Stager
from tests.staging.histories import Attempt, Source
from tests.staging.postgres import Server, start
from tests.staging.truth import PERSON

#: How many INSERTs a script has.
STATEMENTS = (100, 500, 1000, 2000, 5000)
#: How many migrations are pending; somebody really had 205.
PENDING = (25, 100, 205, 1000)
#: How many migrations were applied before that.
APPLIED = 20


def table(number: int) -> Source:
    """A migration as Prisma generates them: a table with an index and a foreign key."""
    before = max(number - 1, 0)
    return Source(
        f"2025{number:010}_table",
        f'CREATE TABLE "t{number}" ("id" SERIAL NOT NULL, "name" TEXT NOT NULL, "before" INTEGER,'
        f' CONSTRAINT "t{number}_pkey" PRIMARY KEY ("id"));\n'
        f'CREATE INDEX "t{number}_name_idx" ON "t{number}"("name");\n'
        f'ALTER TABLE "t{number}" ADD CONSTRAINT "t{number}_before_fkey" FOREIGN KEY ("before")'
        f' REFERENCES "t{before}"("id") ON DELETE SET NULL ON UPDATE CASCADE;\n',
    )


def inserts(count: int) -> Source:
    """A migration that adds a column and fills a table."""
    rows = "\n".join(f'INSERT INTO "t0" ("id", "name") VALUES ({n}, \'name {n}\');' for n in range(count))
    return Source("30000000000000_rows", f'ALTER TABLE "t0" ADD COLUMN "more" TEXT;\n{rows}\n')


def bare(base: list[Source], sources: list[Source]) -> tuple[float, float]:
    """Seconds and processor seconds to start a scratch server, and to send it these statements one by one."""
    began, used = time.perf_counter(), _used()
    with scratch.embedded() as server, server.connect(server.create()) as connection:
        for source in base:
            connection.execute(source.text.encode())
        for source in sources:
            for statement in filter(str.strip, source.text.split(";\n")):
                connection.execute(statement.encode())
    return time.perf_counter() - began, _used() - used


def _used() -> float:
    """Processor seconds of this process and of all children that have ended."""
    return sum(os.times()[:4])


def compare(
    name: str,
    count: int,
    rounds: int,
    ours: Callable[[], tuple[float, float]],
    theirs: Callable[[], tuple[float, float]],
) -> tuple[float, float]:
    """Prints one line, and returns for each of the `count` our milliseconds by the clock and by the processor."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    (here, work), (there, their_work) = (
        [statistics.median(pair[side][way] for pair in pairs) for way in (0, 1)] for side in (0, 1)
    )
    ratio, ratio_of_work = (statistics.median(a[way] / b[way] for a, b in pairs) for way in (0, 1))
    each = 1000 * here / count, 1000 * work / count
    print(
        f"{count:5} {name:<22} inspect {here:6.2f} s   bare {there:6.2f} s   {ratio:5.2f} x   {each[0]:6.2f} ms each"
        f"   processor {work:5.2f} s   bare {their_work:5.2f} s   {ratio_of_work:5.2f} x   {each[1]:6.2f} ms each",
        flush=True,
    )
    return each


def _prepare(cache: Path, way: Way) -> None:
    if not cache.exists():
        prepare([cache], way)


def of_script(server: Server, root: Path, cache: Path, count: int, rounds: int) -> tuple[float, float]:
    """Inspects a failed migration of that many INSERTs."""
    base, last = [table(0)], inserts(count)
    folder = write((*base, last), root / f"rows{count}")
    stager = Stager(server, f"rows_{count}")
    for source in base:
        stager.deploy(source)
    for _ in stager.case("failed", stager.base, PERSON, Attempt(last)):
        way = Way("", server.url(stager.base), folder, cached=False)
        _prepare(cache, way)
        each = compare("INSERTs", count, rounds, partial(timed, way, cache), partial(bare, base, [last]))
        _tell_memory(way, cache)
        stager.close()
        return each
    raise AssertionError("a case is always staged")


def of_pending(server: Server, root: Path, cache: Path, count: int, rounds: int) -> tuple[float, float]:
    """Inspects a database that lacks the last so many migrations."""
    sources = [table(number) for number in range(APPLIED + count)]
    folder = write(tuple(sources), root / f"pending{count}")
    stager = Stager(server, f"pending_{count}")
    for source in sources[:APPLIED]:
        stager.deploy(source)
    way = Way("", server.url(stager.base), folder, cached=False)
    _prepare(cache, way)
    each = compare(
        "pending migrations", count, rounds, partial(timed, way, cache, b'"pending"'), partial(bare, [], sources)
    )
    _tell_memory(way, cache)
    stager.close()
    return each


def _tell_memory(way: Way, cache: Path) -> None:
    own, together = memory(way, cache)
    print(f"      peak {own} MB, with its server {together} MB", flush=True)


def main() -> None:
    """Measures, and prints a line for each length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    compile_product()
    with start(settings=SETTINGS) as server, tempfile.TemporaryDirectory() as work:
        root = Path(work)
        root.chmod(0o755)  # the server may run as another user
        cache = root / "cache"
        print(f"PostgreSQL {server.version}; {os.cpu_count()} cores; medians of {rounds} rounds")
        for lengths, measure in ((STATEMENTS, of_script), (PENDING, of_pending)):
            each = [measure(server, root, cache, count, rounds) for count in lengths]
            first, last = each[0], each[-1]
            print(
                f"      {lengths[-1]} against {lengths[0]}: {last[0] / first[0]:.2f} x each,"
                f" processor {last[1] / first[1]:.2f} x each"
            )


if __name__ == "__main__":
    main()
