"""Holds the reading of a part of the schema, after each statement of whole histories, to the reading of all of it.

Each statement that is confined to what it names is run in a scratch database; then both readings are made and compared.
A line for each history tells how many statements there are, how many are confined, and how long the readings took.
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg

from recovery.postgres import catalog
from recovery.replay import scratch
from recovery.replay.again import Reader
from recovery.replay.scratch import ScratchServer
from recovery.sql.statements import ScriptError, parse
from tests.staging.bench_verdicts import history_of
from tests.staging.histories import Source

PATH = ("public",)


@dataclass
class Held:
    """The statements of a history whose partial reading was held to the whole one.

    Attributes:
        confined: how many.
        parts: seconds of the partial readings.
        wholes: seconds of the whole ones.
        wrong: statements after which the two differ, with what differs.
    """

    confined: int = 0
    parts: float = 0.0
    wholes: float = 0.0
    wrong: list[tuple[str, str]] = field(default_factory=list)


def held(server: ScratchServer, sources: Iterable[Source]) -> Held:
    """Runs a history statement by statement; what fails is passed over."""
    found = Held()
    with server.connect(server.create()) as connection:
        connection.execute("CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY)")
        now = catalog.read(connection)
        for source in sources:
            try:
                statements = parse(source.text)
            except ScriptError:
                continue
            connection.execute("SET search_path = public")
            for statement in statements:
                if statement.control:
                    continue
                newest = connection.execute("SELECT max(oid)::bigint FROM pg_class").fetchone()
                reader = Reader(connection, now, int(newest[0]) if newest else 0, worth=0)
                try:
                    connection.execute(statement.sql.encode())
                except psycopg.Error:
                    continue
                began = time.perf_counter()
                part = reader.after(statement, now, PATH) if statement.confined else None
                between = time.perf_counter()
                now = catalog.read(connection)
                if part is not None:
                    found.confined += 1
                    found.parts += between - began
                    found.wholes += time.perf_counter() - between
                    if part != now:
                        found.wrong.append((statement.sql, str(sorted(part.items() ^ now.items())[:6])))
    return found


def main() -> None:
    """Compares, and prints a line for each history; ends with 1 if a partial reading is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("histories", nargs="+", help="folders of Prisma migrations, or PyPI packages that hold one")
    wrong = 0
    for argument in parser.parse_args().histories:
        name, sources = history_of(argument)
        with scratch.embedded() as server:
            found = held(server, sources)
        print(
            f"{name}: {found.confined} statements confined; parts {found.parts:.1f} s, wholes {found.wholes:.1f} s;"
            f" {len(found.wrong)} wrong",
            flush=True,
        )
        for sql, what in found.wrong:
            print(f"  {sql[:200]}\n    {what}")
        wrong += len(found.wrong)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
