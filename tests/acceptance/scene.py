"""A staged incident, and the real command line at work on it in a process of its own."""

import atexit
import fcntl
import functools
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from recovery.config import JOURNAL_VARIABLE, TARGET
from recovery.journal import JournalEvent
from recovery.journal.stores import FileStore, PostgresStore, Store
from recovery.postgres import catalog
from recovery.postgres.url import parse
from states.table import EDGES, State
from tests.staging import Case, Incident, Server, stage, start_prepared, toolchain, warm
from tests.staging.incident import FAILED, PENDING

PROGRAM = Path(sys.executable).with_name("prisma-recovery")
#: Nothing here takes that long; a test that waits longer has failed.
SECONDS = 60
PRISMA_LOCK = 72707369
BASE = (
    "20251103091500_init",
    "20251119143000_add_place_location",
    "20251204080000_add_intake",
    "20251218160000_close_places",
    "20260112101500_touch_places",
)
#: The ledger as an uninterrupted recovery leaves it: name, state, applied_steps_count.
BEFORE = [(name, "finished", 1) for name in BASE]
DEPLOYED = [(name, "finished", 1) for name in PENDING]
STUCK = [*BEFORE, (FAILED, "failed", 0)]
MARKED_APPLIED = [*BEFORE, (FAILED, "rolled back", 0), (FAILED, "finished", 0)]
APPLIED = [*MARKED_APPLIED, *DEPLOYED]
MARKED_ROLLED_BACK = [*BEFORE, (FAILED, "rolled back", 0)]
RUN_AGAIN = [*MARKED_ROLLED_BACK, (FAILED, "finished", 1), *DEPLOYED]

_numbers = count(1)

# Stands where the project's CLI would, and passes every command on to it. What happens around that is said by
# REHEARSAL: for "resolve" and "deploy", what to do before or after.
WRAPPER = """
import json, os, signal, subprocess, sys, urllib.parse
word = "resolve" if "resolve" in sys.argv else "deploy" if "deploy" in sys.argv else "other"
do = json.loads(os.environ.get("REHEARSAL", "{}")).get(word, "")
recovery = os.getppid()
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, f"group of {word}"), "w") as group:
    print(os.getpgrp(), file=group)
def log():
    with open(os.path.join(here, "commands"), "a") as commands:
        print(json.dumps(sys.argv[1:]), file=commands)
if word == "other":
    log()
if do == "look around":
    url = os.environ["DATABASE_URL"]
    secret = urllib.parse.unquote(urllib.parse.urlsplit(url).password or "")
    print("as a CLI might say:", url, "with", secret, flush=True)
    with open(os.path.join(here, "seen"), "ab") as seen:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                seen.write(open(f"/proc/{pid}/cmdline", "rb").read() + b"\\n")
            except OSError:
                pass
if do == "hold":
    with open(os.path.join(here, "held"), "w") as held:
        held.write(f"{os.getpid()}\\n")
    with open(os.path.join(here, "go")) as go:
        go.read()
if do == "die before":
    log()
    os.kill(recovery, signal.SIGKILL)
    sys.exit(1)
if do == "die, then go on":
    os.kill(recovery, signal.SIGKILL)
real = json.loads(os.environ["REHEARSAL_REAL"])
# A pipe that nobody reads any more would end the command at some point or other.
out = subprocess.DEVNULL if do.startswith("die") else None
code = subprocess.run([*real, *sys.argv[1:]], stdout=out, stderr=out).returncode
if code == 0 and word != "other":  # a deploy that is begun beside a mark is no command before it is let through
    log()
with open(os.path.join(here, "ended"), "a") as ended:
    print(word, file=ended)
if do == "die after":
    os.kill(recovery, signal.SIGKILL)
sys.exit(code)
"""


@functools.cache
def server() -> Server:
    """One server for the whole process."""
    running = start_prepared()
    atexit.register(running.stop)
    return running


def database_name() -> str:
    """A database that no other test has."""
    return f"production_{next(_numbers)}"


@dataclass(frozen=True)
class Done:
    """How a command ended; `said` is what it printed on stdout, then on stderr."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All of it."""
        return self.out + self.err

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.said}"


class Held:
    """A Prisma command that the wrapper holds before it is begun."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("held", "go"):
            (folder / name).unlink(missing_ok=True)
            os.mkfifo(folder / name)
        self._reader = os.open(folder / "held", os.O_RDONLY | os.O_NONBLOCK)
        self.pid = 0

    def wait(self) -> None:
        """Until the command is there."""
        ready, _, _ = select.select([self._reader], [], [], SECONDS)
        assert ready, "the command was never begun"
        self.pid = int(os.read(self._reader, 100))
        os.close(self._reader)

    def go(self) -> None:
        """Lets it go on."""
        (self._folder / "go").write_text("")

    def kill(self) -> None:
        """Ends it and all that it started."""
        os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Waits for no command any more."""
        os.close(self._reader)


@dataclass
class Scene:
    """One staged incident."""

    incident: Incident
    server: Server
    variables: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[Any]] = field(default_factory=list)
    #: Commands are started as a person would, also where all that counts is what they do: see `warm`.
    cold: bool = False

    @property
    def folder(self) -> Path:
        """The project's."""
        return self.incident.project

    @property
    def database(self) -> str:
        """Its name."""
        return self.incident.database_url.rpartition("/")[2]

    @property
    def configuration(self) -> Path:
        """prisma-recovery.toml."""
        return self.folder / "prisma-recovery.toml"

    def environment(self) -> dict[str, str]:
        """What commands in the project's folder inherit."""
        others = ("DIRECT_URL", "DATABASE_URL_UNPOOLED", JOURNAL_VARIABLE)
        outside = {k: v for k, v in os.environ.items() if k not in others}
        return outside | self.incident.environment() | self.variables

    def cli(self, *arguments: str) -> Done:
        """Runs `prisma-recovery` in the project's folder, and nobody can be asked."""
        done = self._cold(arguments) if self.cold else self._warm(arguments)
        assert "Traceback" not in done.err, done.err
        return done

    def _warm(self, arguments: tuple[str, ...]) -> Done:
        return Done(*warm.run(arguments, cwd=self.folder, env=self.environment(), timeout=SECONDS * 2))

    def _cold(self, arguments: tuple[str, ...]) -> Done:
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS * 2,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same without waiting for its end."""
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def rehearse(self, **what: str) -> None:
        """From now on the wrapper does this around `resolve` or `deploy`; nothing: only passes them on."""
        wrapper = self.folder.parent / f"{self.folder.name}-wrapper" / "prisma.py"
        if not wrapper.exists():
            wrapper.parent.mkdir()
            wrapper.write_text(WRAPPER)
            text = self.configuration.read_text()
            command = json.dumps([sys.executable, str(wrapper)])
            self.configuration.write_text(f"{text}\n[prisma]\ncommand = {command}\n")
        tools = toolchain()
        real = [str(tools.node.program), str(self.folder / "node_modules/prisma/build/index.js")]
        self.variables |= {"REHEARSAL": json.dumps(what), "REHEARSAL_REAL": json.dumps(real)}

    @property
    def rehearsed(self) -> Path:
        """Where the wrapper writes what it saw."""
        return self.folder.parent / f"{self.folder.name}-wrapper"

    def commands(self) -> list[list[str]]:
        """Arguments of each command that succeeded, or died before it began; but for `migrate status`."""
        written = self.rehearsed / "commands"
        given = [json.loads(line) for line in written.read_text().splitlines()] if written.exists() else []
        return [arguments for arguments in given if "status" not in arguments]

    def kill_deploy(self) -> None:
        """SIGKILL to the `migrate deploy` that is running, and to all that it started."""
        os.killpg(int((self.rehearsed / "group of deploy").read_text()), signal.SIGKILL)

    def ledger(self) -> list[tuple[str, str, int]]:
        """Name, state and steps of each row, oldest first."""
        return [
            (
                row.migration_name,
                "rolled back" if row.rolled_back_at else "finished" if row.finished_at else "failed",
                row.applied_steps_count,
            )
            for row in self.incident.ledger()
        ]

    def commit(self, message: str) -> None:
        """Commits what was changed in the project, and what is new there."""
        who = ("-c", "user.name=staging", "-c", "user.email=staging@localhost", "-c", "commit.gpgsign=false")
        for words in (("add", "--all"), ("commit", "--quiet", "-m", message)):
            subprocess.run(["git", *who, *words], cwd=self.folder, check=True)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement on production, by hand as it were."""
        with self.server.connect(self.database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def everything(self) -> tuple[object, ...]:
        """The ledger in full and the whole schema: equal as long as nothing was changed."""
        with self.server.connect(self.database) as connection:
            return self.incident.ledger(), catalog.read(connection)

    def connect(self) -> psycopg.Connection:
        """As the superuser, in autocommit."""
        return self.server.connect(self.database)

    def store(self) -> Store:
        """Where its journal is: as its variables say, else in its folder."""
        where = self.variables.get(JOURNAL_VARIABLE)
        if not where:
            return FileStore(self.folder)
        return PostgresStore(parse(self.incident.database_url if where == TARGET else where))

    def events(self) -> list[JournalEvent]:
        """All that the journal holds, oldest first."""
        return [event for _, _, events in self.store().everything() for event in events]

    def elsewhere(self, folder: Path) -> "Scene":
        """Another machine at work on the same database: a working copy and a home of its own, and the same journal."""
        project = folder / "another" / "project"
        ours = shutil.ignore_patterns(".prisma-recovery")
        shutil.copytree(self.folder, project, symlinks=True, ignore=ours)
        home = folder / "another" / "home"
        home.mkdir()
        incident = replace(self.incident, project=project)
        return Scene(incident, self.server, {**self.variables, "HOME": str(home)}, cold=self.cold)

    def effects(self, kind: str) -> list[str]:
        """The effects that were intended or observed, as `mark_applied`, `deploy`."""
        return [e.payload["effect"].partition(":")[0] for e in self.events() if e.kind == f"effect.{kind}"]

    def path(self) -> list[State]:
        """The states that the last run went through, each move an edge of the table."""
        runs: dict[str, list[State]] = {}
        edges = {(edge.source, edge.target) for edge in EDGES}
        for event in self.events():
            path = runs.setdefault(event.run, [State.PREFLIGHT])
            if event.kind == "state.moved":
                move = State(event.payload["from"]), State(event.payload["to"])
                assert move in edges
                assert move[0] is path[-1]
                path.append(move[1])
        return list(runs.values())[-1]


class Terminal:
    """`prisma-recovery` in a terminal, with somebody who reads and types."""

    def __init__(self, scene: Scene, *arguments: str, term: str = "dumb") -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=scene.folder,
            env=scene.environment() | {"TERM": term},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        scene.processes.append(self.process)
        self.said = ""

    def until(self, text: str) -> None:
        """Reads until `text` is there."""
        deadline = time.monotonic() + SECONDS
        while text not in self.said:
            assert self._read(deadline), f"{text!r} never came:\n{self.said}"

    def type(self, line: str) -> None:
        """Types a line and Return."""
        os.write(self._master, f"{line}\n".encode())

    def kill(self) -> None:
        """SIGKILL, as power loss would end it."""
        self.process.kill()
        self.end()

    def end(self) -> int:
        """Reads to the end; the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        os.close(self._master)
        return self.process.wait(SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        try:
            read = os.read(self._master, 65536) if ready else b""
        except OSError:  # the other end is closed
            return False
        self.said += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until `holds()` is true; fails if it never is."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def scenes(folder: Path, running: Server) -> Iterator[Callable[[Case], Scene]]:
    """Makes scenes; at the end nothing that they started is left."""
    made: list[Scene] = []

    def make(case: Case, prisma: int = 6) -> Scene:
        project = folder / f"project{len(made)}"
        made.append(Scene(stage(case, project, running, database=database_name(), prisma=prisma), running))
        return made[-1]

    yield make
    for process in (process for scene in made for process in scene.processes):
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
