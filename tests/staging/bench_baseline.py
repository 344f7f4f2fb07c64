"""Stages productions whose ledger is gone, emptied, or begins too late, and has `prisma-recovery run` make a baseline.

Everything is the real thing: Prisma deploys the first part of a history, the ledger is taken away, and the recovery is
killed once while it marks, and run again. Where rows are in doubt, it is told, as a person would, that all of it ran.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from recovery.postgres import catalog
from tests.staging.bench_verdicts import history_of
from tests.staging.histories import Source
from tests.staging.incident import PROJECT, Incident
from tests.staging.node import toolchain
from tests.staging.postgres import Server, start

PROGRAM = Path(sys.executable).with_name("prisma-recovery")
#: How the ledger is lost, by its word on the command line.
LOSSES = {
    "dropped": "DROP TABLE _prisma_migrations",
    "emptied": "DELETE FROM _prisma_migrations",
    "late": "DELETE FROM _prisma_migrations WHERE migration_name <= '{half}'",
}
#: No single run takes that long, in seconds.
LONGEST = 3_600


class BrokenError(Exception):
    """A promise does not hold; says which."""


@dataclass(frozen=True)
class Told:
    """How one production was recovered."""

    history: str
    loss: str
    had: int
    of: int
    marked: int
    killed_at: int
    asked: bool
    compared_seconds: float
    seconds: float

    def __str__(self) -> str:
        asked = ", rows were in doubt" if self.asked else ""
        return (
            f"{self.history}, ledger {self.loss}: {self.had} of {self.of} in production, {self.marked} marked (killed "
            f"at {self.killed_at}{asked}), the rest deployed; inspect {self.compared_seconds:.1f} s, "
            f"all runs {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Staged:
    """A production, and the project that belongs to it."""

    incident: Incident
    server: Server
    database: str

    def recovery(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the command to its end."""
        with self.started(*arguments) as process:
            out, err = process.communicate(timeout=LONGEST)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def started(self, *arguments: str, output: int | IO[str] = subprocess.PIPE) -> "subprocess.Popen[str]":
        """Starts the command; a pipe that nobody reads would stop it before long."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.incident.project,
            env={**_outside(), **self.incident.environment()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )

    def sql(self, statement: str) -> list[Any]:
        """Runs a statement on production."""
        with self.server.connect(self.database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def finished(self) -> list[tuple[str, int]]:
        """Name and steps of each finished row, in the order of `finished_at`; none without a ledger."""
        if not self.sql("SELECT 1 FROM pg_class WHERE relname = '_prisma_migrations'"):
            return []
        rows = self.sql(
            "SELECT migration_name, applied_steps_count FROM _prisma_migrations"
            " WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY finished_at, migration_name"
        )
        return [(name, steps) for name, steps in rows]


def _outside() -> dict[str, str]:
    left_out = ("DIRECT_URL", "DATABASE_URL_UNPOOLED", "PRISMA_RECOVERY_JOURNAL")
    return {key: value for key, value in os.environ.items() if key not in left_out}


def project(folder: Path, sources: Sequence[Source], database: str) -> None:
    """A Prisma project with these migrations, which are whoever's: its models do not matter to `migrate deploy`."""
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("README.md", "node_modules", "migrations", "data"))
    (folder / "gitignore").rename(folder / ".gitignore")
    (folder / "node_modules").symlink_to(toolchain().node_modules, target_is_directory=True)
    settings = f'[production]\nhost = "127.0.0.1"\ndatabase = "{database}"\n'
    (folder / "prisma-recovery.toml").write_text(settings)
    written(folder, sources)


def written(folder: Path, sources: Sequence[Source]) -> None:
    """Puts these migrations, and no others, into the project."""
    migrations = folder / "prisma" / "migrations"
    shutil.rmtree(migrations, ignore_errors=True)
    for source in sources:
        path = migrations / source.name / "migration.sql"
        path.parent.mkdir(parents=True)
        path.write_bytes(source.text.encode())
    (migrations / "migration_lock.toml").write_text('provider = "postgresql"\n')


def deployed(incident: Incident) -> None:
    """Deploys all that the project holds.

    Raises:
        BrokenError: Prisma could not.
    """
    done = incident.prisma("migrate", "deploy")
    if done.returncode:
        raise BrokenError(f"prisma migrate deploy failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def committed(folder: Path) -> None:
    """Makes the project a git checkout with one commit."""
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "History")):
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@contextlib.contextmanager
def staged(server: Server, sources: Sequence[Source], had: int, loss: str) -> Iterator[Staged]:
    """A production that has the first migrations, without what their ledger told of them."""
    database = f"baseline_{had}_{loss}"
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "project"
        server.create_database(database)
        project(folder, sources[:had], database)
        one = Staged(Incident("exists", folder, server.url(database)), server, database)
        try:
            deployed(one.incident)
            written(folder, sources)
            committed(folder)
            one.sql(LOSSES[loss].format(half=sources[max(0, had // 2 - 1)].name))
            yield one
        finally:
            server.drop_database(database)


def killed_while_marking(one: Staged, before: int, at: int) -> int:
    """Runs the recovery, and kills it once so many are marked; how many are then.

    Raises:
        BrokenError: it ended before.
    """
    with tempfile.TemporaryFile("w+") as said, one.started("run", "--yes", output=said) as process:
        deadline = time.monotonic() + LONGEST
        while len(one.finished()) < before + at:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                said.seek(0)
                raise BrokenError(f"it was to be killed at {at} marks, and ended ({process.wait()}):\n{said.read()}")
            time.sleep(0.02)
        process.kill()
        process.wait()
    # The command that was at work outlives it, and ends by itself.
    while one.sql("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'prisma-recovery effect%'"):
        time.sleep(0.05)
    return len(one.finished()) - before


def recovered(one: Staged, history: str, sources: Sequence[Source], had: int, loss: str) -> Told:
    """Has the recovery make the baseline, and checks that the end is that of a ledger that was never lost.

    Raises:
        BrokenError: it is not.
    """
    before = len(one.finished())
    began = time.monotonic()
    looked = one.recovery("inspect", "--json")
    compared = time.monotonic() - began
    seen = json.loads(looked.stdout)["baseline"]
    if seen is None or seen["verdict"] not in ("applied", "undecidable"):
        raise BrokenError(f"inspect does not find how far production is: {json.dumps(seen)[:3000]}{looked.stderr}")
    lacking = [source.name for source in sources[:had] if source.name not in dict(one.finished())]
    began, asked = time.monotonic(), seen["decision"] == "operator"
    if asked:
        first = one.recovery("run", "--yes")
        if first.returncode != 3 or "baseline.rows" not in first.stdout:
            raise BrokenError(f"it was to ask about rows, and did not:\n{first.stdout}{first.stderr}")
        if len(one.finished()) != before:
            raise BrokenError("it marked something before anybody decided")
        # The last that had run: with what looks the same after it, that is what a person has to say.
        said = next(name for name in reversed(seen["range"]) if name in lacking)
        digest = re.findall(r"--evidence (sha256:\w+)", first.stdout)[0]
        told = one.recovery("approve", said, "--baseline", "--evidence", digest, "--reason", "all of it ran")
        if told.returncode:
            raise BrokenError(f"the approval was not taken:\n{told.stdout}{told.stderr}")
    killed_at = killed_while_marking(one, before, max(1, len(lacking) // 3))
    last = one.recovery("run", "--yes")
    if last.returncode:
        raise BrokenError(f"it was to end well:\n{last.stdout[-4000:]}{last.stderr}")
    seconds = time.monotonic() - began
    rows = one.finished()
    expected = {s.name: 0 if s.name in lacking else 1 for s in sources}
    if len(rows) != len(sources) or dict(rows) != expected:
        raise BrokenError(f"the ledger is not as it must be: {rows}")
    if one.sql("SELECT id FROM _prisma_migrations WHERE finished_at IS NULL OR rolled_back_at IS NOT NULL"):
        raise BrokenError("a row is unfinished, or rolled back")
    return Told(history, loss, had, len(sources), len(lacking), killed_at, asked, compared, seconds)


def whole(server: Server, sources: Sequence[Source]) -> dict[tuple[str, str], str]:
    """The schema that Prisma makes of the whole history."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "project"
        server.create_database("baseline_whole")
        project(folder, sources, "baseline_whole")
        try:
            deployed(Incident("exists", folder, server.url("baseline_whole")))
            with server.connect("baseline_whole") as connection:
                return catalog.read(connection)
        finally:
            server.drop_database("baseline_whole")


def as_whole(one: Staged, expected: dict[tuple[str, str], str]) -> None:
    """Raises unless production has the schema that Prisma makes of the whole history.

    Raises:
        BrokenError: it has another one.
    """
    with one.server.connect(one.database) as connection:
        there = catalog.read(connection)
    if there != expected:
        raise BrokenError(f"the schema differs in {sorted(there.items() ^ expected.items())[:5]}")


def main() -> None:
    """Stages what the command line says, and prints how each ended."""
    parser = argparse.ArgumentParser(prog="scripts/bench baseline", description=__doc__)
    parser.add_argument("history", help="a folder of migrations, or a PyPI package that holds one")
    parser.add_argument("--at", type=int, action="append", help="how many migrations production has; repeatable")
    parser.add_argument("--loss", choices=sorted(LOSSES), action="append", help="how the ledger is lost; repeatable")
    parser.add_argument("--server", type=int, help="PostgreSQL's major version of production")
    chosen = parser.parse_args()
    name, sources = history_of(chosen.history)
    broken = 0
    with start(chosen.server) as server:
        expected = whole(server, sources)
        for loss in chosen.loss or ["dropped"]:
            for had in chosen.at or [len(sources)]:
                try:
                    with staged(server, sources, had, loss) as one:
                        print(recovered(one, name, sources, had, loss), flush=True)
                        as_whole(one, expected)
                except BrokenError as error:
                    broken += 1
                    print(f"BROKEN: {name}, ledger {loss}, {had} in production: {error}", flush=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
