"""Measures a look at a fleet, and a run of it; or kills its workers at random instants, and counts what ends well.

A look: databases per second, processor time per database of this process and of the server, and memory, for so many
databases, or schemas of one database, whose history has so many migrations. A run: processor time per database beside
that of the Prisma commands that it takes by themselves. The machine may be busy with other things: compare processor
times, and see the load.

`--campaign`: a mixed fleet with the real CLI and two workers, of which one is killed at random instants, while the
control database is restarted. At the end each database must be ready or wait for its person, as an uninterrupted
recovery leaves it, with no effect twice, and none left out. The exit code is 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.app.session import Options
from recovery.fleet.control import Control
from recovery.fleet.looking import each_look, looking
from recovery.fleet.own_control import OwnControl
from recovery.fleet.targets import FleetMember
from recovery.postgres.url import parse
from recovery.replay.lending import ScratchPool
from states.fleet import ENDED, Status
from tests.staging import fleet, postgres
from tests.staging.incident import FAILED, PENDING, Incident, stage, start_prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.staging.postgres import Server

PROGRAM = Path(sys.executable).with_name("prisma-recovery")
#: Seconds between two kills: at least, and at most.
APART = (1.0, 9.0)
#: More databases than these take several gigabytes, and are staged on disk.
MOST_IN_MEMORY = 400
#: A campaign that takes longer has lost a database.
PATIENCE_SECONDS = 3600


def server_seconds(server: Server) -> float:
    """Processor time of a server and of its sessions that have ended, in seconds."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(server.folder).encode() in (entry / "cmdline").read_bytes():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def staged(server: Server, count: int, migrations: int, *, schemas: bool) -> tuple[dict[str, str], list[FleetMember]]:
    """A history, and a fleet in which every database, or schema, has it."""
    scripts = fleet.history(migrations)
    if not schemas:
        server.create_database("template")
        with server.connect("template") as connection:
            fleet.deploy(connection, scripts, list(scripts))
        names = fleet.databases(server, "tenant", "template", count)
        return scripts, [FleetMember(name, parse(server.url(name))) for name in names]
    server.create_database("tenants")
    members = []
    for number in range(count):
        schema = f"tenant_{number:04}"
        with server.connect("tenants") as connection:
            connection.execute(f"CREATE SCHEMA {schema}".encode())
            fleet.deploy(connection, scripts, list(scripts), schema)
        members.append(FleetMember(schema, parse(f"{server.url('tenants')}?schema={schema}")))
    return scripts, members


def look(count: int, migrations: int, *, schemas: bool) -> str:
    """A look at so many, as one line."""
    if count > MOST_IN_MEMORY:
        postgres.MEMORY = "/nonexistent"
    with (
        postgres.start(settings={"max_locks_per_transaction": "256"}) as server,
        tempfile.TemporaryDirectory() as work,
        contextlib.closing(ScratchPool()) as pool,
    ):
        scripts, members = staged(server, count, migrations, schemas=schemas)
        folder = fleet.write(scripts, Path(work) / "migrations")
        found: collections.Counter[str] = collections.Counter()
        with looking(Path(work), Options(migrations=folder), {}, members, pool) as looker:
            for _ in looker.look(members[:1]):
                pass  # the replay is made once, whatever the number
            began, ours, theirs = time.monotonic(), time.process_time(), server_seconds(server)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for one in each_look(looker, members):
                found[one.outcome] += 1
            took, cpu = time.monotonic() - began, time.process_time() - ours
            server_cpu = server_seconds(server) - theirs
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        each = 1000 / count
        what = "schemas" if schemas else "databases"
        return (
            f"{count:>5} {what:<9} {count / took:>6.1f} a second   "
            f"processor time each: {cpu * each:>5.1f} ms here, {server_cpu * each:>5.1f} ms server, "
            f"so {2000 / ((cpu + server_cpu) * each):>5.1f} a second on two idle cores   "
            f"memory {memory // 1024} MB, +{grown / 1024:.1f} MB   replays {looker.ends.replayed}   "
            f"{ {str(outcome): many for outcome, many in found.items()} }"
        )


class Staged:
    """A mixed fleet with the real project, and its control database."""

    def __init__(self, folder: Path, server: Server, count: int, *, cases: tuple[str, ...]) -> None:
        """Makes the databases, in turn of each case."""
        self.folder, self.server = folder, server
        self.incident: Incident = stage("exists", folder / "project", server, database="first")
        self._healthy()
        self.cases: dict[str, str] = {}
        for number in range(count):
            case = cases[number % len(cases)]
            name = f"{case}_{number:04}"
            server.create_database(name, _TEMPLATES[case])
            self.cases[name] = case
        self.control = OwnControl(folder)
        self.targets = folder / "fleet.jsonl"
        lines = (json.dumps({"name": name, "url": server.url(name)}) for name in self.cases)
        self.targets.write_text("\n".join(lines) + "\n")
        self.environment = {
            key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "DIRECT_URL")
        } | self.incident.environment() | {"PRISMA_RECOVERY_CONTROL": self.control.url.url}  # fmt: skip

    def _healthy(self) -> None:
        """A template of a healthy database: the whole history, deployed by Prisma."""
        if self.server.has_database("staged_healthy"):
            return
        self.server.create_database("staged_healthy", "staged_before")
        url = self.server.url("staged_healthy")
        done = self.incident.prisma("migrate", "deploy", DATABASE_URL=url)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command of the fleet, as a process."""
        log = (self.folder / "log").open("ab")
        with log:
            return subprocess.Popen(
                [PROGRAM, "fleet", *words, "--targets", str(self.targets)],
                cwd=self.incident.project,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def restart_control(self) -> None:
        """Restarts the control database as a crash would."""
        self.control._pg_ctl("restart", "-m", "immediate", "-w")  # noqa: SLF001 - what only a test does

    def broken(self) -> Iterator[str]:
        """What is not as an uninterrupted recovery leaves it."""
        with contextlib.closing(Control(self.control.url)) as control:
            run = control.run()
            rows = {each.name: each for each in control.targets(run.run)} if run is not None else {}
        for name in self.cases.keys() - rows.keys():
            yield f"{name} was left out"
        for name, row in rows.items():
            case = self.cases[name]
            wanted = Status.PERSON if case in ("drifted", "partial") else Status.READY
            if row.stands is not wanted:
                yield f"{name} is {row.status}, not {wanted}: {row.code} {row.said}"
            ledger = self.ledger(name)
            if ledger != _LEDGERS[case]:
                yield f"{name} has the ledger {ledger}"

    def ledger(self, name: str) -> list[str]:
        """The rows of a database from the failed migration on, oldest first."""
        query = (
            "SELECT CASE WHEN rolled_back_at IS NOT NULL THEN 'rolled back' WHEN finished_at IS NULL THEN 'failed' ELSE"
            " 'finished' END || ' ' || applied_steps_count || ' ' || migration_name FROM _prisma_migrations"
            " WHERE migration_name >= %s ORDER BY started_at, migration_name"
        )
        with self.server.connect(name) as connection:
            return [row[0] for row in connection.execute(query, (FAILED,))]

    def close(self) -> None:
        """Stops the control database, and removes it."""
        self.control.close()
        self.control.forget()


_TEMPLATES = {
    "healthy": "staged_healthy",
    "pending": "staged_before",
    **{case: f"staged_{case}" for case in ("exists", "absent", "drifted", "partial")},
}
_DEPLOYED = [f"finished 1 {name}" for name in PENDING]
_LEDGERS = {
    "healthy": [f"finished 1 {FAILED}", *_DEPLOYED],
    "pending": [f"finished 1 {FAILED}", *_DEPLOYED],
    "exists": [f"rolled back 0 {FAILED}", f"finished 0 {FAILED}", *_DEPLOYED],
    "absent": [f"rolled back 0 {FAILED}", f"finished 1 {FAILED}", *_DEPLOYED],
    "drifted": [f"failed 0 {FAILED}"],
    "partial": [f"failed 0 {FAILED}"],
}
MIXED = ("healthy", "pending", "exists", "absent", "healthy", "pending", "drifted", "partial")


def campaign(count: int, kills: int, restarts: int, seed: int) -> int:
    """Kills workers of a mixed fleet; how many promises were broken."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, not secret
    with tempfile.TemporaryDirectory() as folder, start_prepared() as server:
        Path(folder).chmod(0o755)
        here = Staged(Path(folder), server, count, cases=MIXED)
        try:
            began, killed, restarted = time.monotonic(), 0, 0
            workers = [here.start("run", "--yes", "--at-once", "4")]
            _await(here, workers)
            workers.append(here.start("worker", "--stay"))
            pause = time.monotonic() + draw.uniform(*APART)
            while time.monotonic() - began < PATIENCE_SECONDS and not _ended(here):
                time.sleep(0.2)
                if time.monotonic() < pause:
                    continue
                pause = time.monotonic() + draw.uniform(*APART)
                if killed < kills:
                    at = draw.randrange(len(workers))
                    workers[at].send_signal(signal.SIGKILL)
                    workers[at].wait()
                    killed += 1
                    workers[at] = here.start("worker", "--stay")
                    print(f"{time.monotonic() - began:6.0f} s: kill {killed} of worker {at}", file=sys.stderr)
                if restarted < restarts and killed >= (restarted + 1) * kills / (restarts + 1):
                    here.restart_control()
                    restarted += 1
                    print(f"{time.monotonic() - began:6.0f} s: control database restarted", file=sys.stderr)
            took = time.monotonic() - began
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            for worker in workers:
                worker.wait(120)
            broken = list(here.broken())
            attempts, over = _attempts(here)
            print(
                f"{count} databases ({', '.join(sorted(set(MIXED)))}), two workers, {killed} kills, {restarted} "
                f"restarts of the control database: {took:.0f} s, {attempts} attempts, {over} "
                f"taken over from a dead worker, {len(broken)} promises broken; load {os.getloadavg()[0]:.1f}"
            )
            said = (here.folder / "log").read_text(errors="replace")
            if "Traceback" in said:
                broken.append("a stack trace:\n" + said[said.index("Traceback") :][:3000])
            for each in broken:
                print(each)
            return len(broken)
        finally:
            for worker in workers:
                if worker.poll() is None:
                    worker.kill()
                    worker.wait()
            here.close()


def _await(here: Staged, workers: list[subprocess.Popen[bytes]]) -> None:
    """Until the run has begun."""
    while True:
        with contextlib.closing(Control(here.control.url)) as control:
            if control.run() is not None:
                return
        if workers[0].poll() is not None:
            raise RuntimeError((here.folder / "log").read_text())
        time.sleep(0.2)


def _ended(here: Staged) -> bool:
    try:
        with contextlib.closing(Control(here.control.url)) as control:
            run = control.run()
            return run is not None and all(each.stands in ENDED for each in control.targets(run.run))
    except Exception:  # noqa: BLE001 - while it is being restarted
        return False


def _attempts(here: Staged) -> tuple[int, int]:
    """How often something was handed out, and taken over from a worker that died."""
    with contextlib.closing(Control(here.control.url)) as control:
        run = control.run()
        rows = control.targets(run.run) if run is not None else ()
    return sum(each.attempts for each in rows), sum(each.taken_over for each in rows)


def run(count: int) -> str:
    """A run of so many databases that all need a mark and a deploy, beside the bare commands."""
    with tempfile.TemporaryDirectory() as folder, start_prepared() as server:
        Path(folder).chmod(0o755)
        here = Staged(Path(folder), server, count + 2, cases=("exists",))
        try:
            bare = []
            names = list(here.cases)
            for name in names[-2:]:
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                url = server.url(name)
                for words in (("resolve", "--applied", FAILED), ("deploy",)):
                    done = here.incident.prisma("migrate", *words, DATABASE_URL=url)
                    if done.returncode != 0:
                        raise RuntimeError(done.stdout + done.stderr)
                bare.append(_used(before))
            lines = (json.dumps({"name": name, "url": server.url(name)}) for name in names[:-2])
            here.targets.write_text("\n".join(lines) + "\n")
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            worker = here.start("run", "--yes", "--at-once", "4")
            if worker.wait(PATIENCE_SECONDS) != 0:
                raise RuntimeError((here.folder / "log").read_text())
            used, took = _used(before), time.monotonic() - began
            least = min(bare)
            return (
                f"{count} databases, each a mark and a deploy: {took / count:.2f} s each by the clock, "
                f"{used / count:.2f} s of processor each; the two bare commands take {least:.2f} s of processor, so "
                f"{used / count / least:.2f} times the limit; load {os.getloadavg()[0]:.1f}"
            )
        finally:
            here.close()


def _used(before: resource.struct_rusage) -> float:
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--count", type=int, action="append", help="databases; by default 200 and 1000")
    parser.add_argument("--migrations", type=int, default=100, help="length of the history")
    parser.add_argument("--only", choices=("databases", "schemas", "run"), help="measure this only")
    parser.add_argument("--campaign", action="store_true", help="kill workers at random instants instead")
    parser.add_argument("--kills", type=int, default=20, help="how often, with --campaign")
    parser.add_argument("--restarts", type=int, default=2, help="of the control database, with --campaign")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn, with --campaign")
    arguments = parser.parse_args()
    if shutil.which("cp") is None:
        raise SystemExit("cp is needed")
    if arguments.campaign:
        sys.exit(campaign((arguments.count or [200])[0], arguments.kills, arguments.restarts, arguments.seed) > 0)
    for count in arguments.count or [200, 1000]:
        for schemas in (False, True):
            if arguments.only in (None, "schemas" if schemas else "databases"):
                print(look(count, arguments.migrations, schemas=schemas), flush=True)
    if arguments.only in (None, "run"):
        print(run((arguments.count or [20])[0] if arguments.only else 20), flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
