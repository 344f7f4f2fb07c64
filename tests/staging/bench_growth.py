"""Times `prisma-recovery inspect` on ever longer scripts, and on ever more pending migrations, beside bare runs.

Bare: the same statements are sent one by one to a server like the scratch server, which is started for that. Each
round times both in turn. A length costs the same per statement, or per migration, as a shorter one if it grows in
proportion.
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
from tests.staging.failures import SETTINGS, Stager
from tests.staging.histories import Attempt, Source
from tests.staging.postgres import Server, start
from tests.staging.truth import PERSON

#: How many INSERTs a script has.
STATEMENTS = (100, 500, 1000, 5000)
#: How many migrations are pending; the last is as many as somebody really had.
PENDING = (25, 100, 205)
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


def bare(base: list[Source], sources: list[Source]) -> float:
    """Seconds to start a scratch server, and to send it the statements of these migrations one by one."""
    began = time.perf_counter()
    with scratch.embedded() as server, server.connect(server.create()) as connection:
        for source in base:
            connection.execute(source.text.encode())
        for source in sources:
            for statement in filter(str.strip, source.text.split(";\n")):
                connection.execute(statement.encode())
    return time.perf_counter() - began


def compare(name: str, count: int, rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> float:
    """Prints one line, and returns our seconds for each of the `count`."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    here, there = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(a / b for a, b in pairs)
    each = 1000 * here / count
    print(f"{count:5} {name:<22} inspect {here:6.2f} s   bare {there:6.2f} s   {ratio:5.2f} x   {each:6.2f} ms each")
    return each


def _seconds(way: Way, cache: Path, tells: bytes = b'"verdict"') -> float:
    return timed(way, cache, tells)[0]


def _prepare(cache: Path, way: Way) -> None:
    if not cache.exists():
        prepare([cache], way)


def of_script(server: Server, root: Path, cache: Path, count: int, rounds: int) -> float:
    """Inspects a failed migration of that many INSERTs."""
    base, last = [table(0)], inserts(count)
    folder = write((*base, last), root / f"rows{count}")
    stager = Stager(server, f"rows_{count}")
    for source in base:
        stager.deploy(source)
    for _ in stager.case("failed", stager.base, PERSON, Attempt(last)):
        way = Way("", server.url(stager.base), folder, cached=False)
        _prepare(cache, way)
        each = compare("INSERTs", count, rounds, partial(_seconds, way, cache), partial(bare, base, [last]))
        own, together = memory(way, cache)
        print(f"      peak {own} MB, with its server {together} MB")
        stager.close()
        return each
    raise AssertionError("a case is always staged")


def of_pending(server: Server, root: Path, cache: Path, count: int, rounds: int) -> float:
    """Inspects a database that lacks the last so many migrations."""
    sources = [table(number) for number in range(APPLIED + count)]
    folder = write(tuple(sources), root / f"pending{count}")
    stager = Stager(server, f"pending_{count}")
    for source in sources[:APPLIED]:
        stager.deploy(source)
    way = Way("", server.url(stager.base), folder, cached=False)
    _prepare(cache, way)
    each = compare(
        "pending migrations", count, rounds, partial(_seconds, way, cache, b'"pending"'), partial(bare, [], sources)
    )
    stager.close()
    return each


def main() -> None:
    """Measures, and prints a line for each length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with start(settings=SETTINGS) as server, tempfile.TemporaryDirectory() as work:
        root = Path(work)
        root.chmod(0o755)  # the server may run as another user
        cache = root / "cache"
        print(f"PostgreSQL {server.version}; {os.cpu_count()} cores; medians of {rounds} rounds")
        for lengths, measure in ((STATEMENTS, of_script), (PENDING, of_pending)):
            each = [measure(server, root, cache, count, rounds) for count in lengths]
            print(f"      {lengths[-1]} against {lengths[0]}: {each[-1] / each[0]:.2f} x each")


if __name__ == "__main__":
    main()
