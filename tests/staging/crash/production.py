"""A production, and processes at work on it that can be stopped, killed, and run again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from recovery.journal.stores import FileStore
from tests.staging import warm
from tests.staging.crash.instants import Fate, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from recovery.journal import JournalEvent
    from tests.staging.incident import Incident
    from tests.staging.postgres import Server

#: Nothing here takes that long; what does has failed.
SECONDS = 120.0
#: Sessions of a recovery, and of the Prisma commands that one has started.
OURS = "application_name LIKE 'prisma-recovery%'"
EFFECT = "application_name LIKE 'prisma-recovery effect%'"
LOCK = "application_name = 'prisma-recovery lock'"
#: First key of the advisory locks that are barriers; see witness.sql.
_BARRIERS = 7


class BrokenError(Exception):
    """A promise does not hold, or an instant never came; says which."""


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Waits until it is true.

    Raises:
        BrokenError: it never is.
    """
    deadline = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise BrokenError(f"never: {what}")
        time.sleep(0.02)


@dataclass(frozen=True)
class Done:
    """How a process ended: its exit code (negative: the signal), and what it said."""

    code: int
    said: str

    def must(self, *codes: int) -> Done:
        """Raise unless the exit code is one of these."""
        if self.code not in codes:
            raise BrokenError(f"exit code {self.code} instead of {' or '.join(map(str, codes))}:\n{self.said}")
        return self


@dataclass(frozen=True)
class Started:
    """A process at work."""

    process: warm.Process
    output: Path
    instants: Path

    def end(self) -> Done:
        """Waits for its end."""
        code = self.process.wait(SECONDS)
        return Done(code, self.output.read_text(errors="replace"))

    def stopped(self) -> None:
        """Waits until it has stopped itself at its instant.

        Raises:
            BrokenError: it ended without coming there.
        """
        stat = Path("/proc", str(self.process.pid), "stat")

        def stopped() -> bool:
            with contextlib.suppress(OSError):
                return stat.read_text().rpartition(")")[2].split()[0] == "T"
            return False

        eventually(lambda: stopped() or self.process.poll() is not None, "the instant")
        if self.process.poll() is not None:
            raise BrokenError(f"it ended before that instant: {self.end()}")

    def go(self) -> None:
        """Lets it go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and waits for its end."""
        self.process.kill()
        self.process.wait(SECONDS)

    def passed(self) -> list[str]:
        """The names of the instants that it has seen."""
        return self.instants.read_text().splitlines()


@dataclass(frozen=True)
class Production:
    """One production, one checkout, and whoever works on them.

    Attributes:
        arguments: of the recovery.
        started: every process that was begun, so that none is left.
    """

    incident: Incident
    server: Server
    arguments: tuple[str, ...]
    started: list[Started] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The checkout."""
        return self.incident.project

    @property
    def database(self) -> str:
        """Its name."""
        return self.incident.database_url.rpartition("/")[2]

    def connect(self) -> psycopg.Connection[Any]:
        """As the superuser, in autocommit."""
        return self.server.connect(self.database)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs a statement."""
        with self.connect() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(
        self,
        *arguments: str,
        at: str = "",
        fate: Fate = "die",
        patience: float | None = None,
        folder: Path | None = None,
    ) -> Started:
        """Begins `prisma-recovery`, by default with its own arguments; with `at`, to meet its fate at that instant."""
        beside = f"{self.folder}-{len(self.started)}"
        plan = Plan(f"{beside}.instants", at, fate, patience)
        with Path(f"{beside}.output").open("wb") as output, Path(os.devnull).open("rb") as nothing:
            process = warm.nursery().start(
                arguments or self.arguments,
                cwd=folder or self.folder,
                env={**os.environ, **self.incident.environment(), **plan.environment()},
                descriptors=(nothing.fileno(), output.fileno(), output.fileno()),
                main="tests.staging.crash.instants:begin",
            )
        self.started.append(Started(process, Path(output.name), Path(plan.passed)))
        return self.started[-1]

    def run(self, *arguments: str, patience: float | None = None) -> Done:
        """Runs `prisma-recovery` to its end."""
        return self.start(*arguments, patience=patience).end()

    def events(self) -> list[JournalEvent]:
        """All that the journal holds, oldest first."""
        return [event for _, _, events in FileStore(self.folder).everything() for event in events]

    def command(self) -> int:
        """Process group of the Prisma command at work; a deploy that was begun beside a mark is not at work yet.

        Raises:
            BrokenError: there is none.
        """
        found: dict[bool, int] = {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if b"migrate" in words and (process / "cwd").resolve() == self.folder.resolve():
                    found[b"resolve" in words] = os.getpgid(int(process.name))
        if not found:
            raise BrokenError("no Prisma command is at work")
        return found[max(found)]

    def kill_command(self) -> None:
        """SIGKILL to the Prisma command at work, and to all that it started."""
        os.killpg(self.command(), signal.SIGKILL)

    def alone(self) -> bool:
        """No session of a recovery, or of a command of one, is there."""
        return self.sql(f"SELECT FROM pg_stat_activity WHERE datname = current_database() AND {OURS}") == []

    @contextlib.contextmanager
    def barrier(self, name: str) -> Iterator[Callable[[], None]]:
        """Down until the block ends; gives what waits until a command stands before it."""
        with contextlib.closing(self.connect()) as connection:
            connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (_BARRIERS, name))
            waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = %s"

            def reached() -> None:
                eventually(lambda: connection.execute(waiting, (_BARRIERS,)).rowcount == 1, f"barrier {name}")

            yield reached

    def end_sessions(self, which: str) -> None:
        """Ends sessions in the server, and waits for their end."""
        there = f"datname = current_database() AND pid <> pg_backend_pid() AND {which}"
        self.sql(f"SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE {there}")

    def crash_server(self) -> None:
        """SIGKILL to one of its processes: the server ends all others at once, and recovers from its log."""
        connection = self.server.connect()
        os.kill(connection.info.backend_pid, signal.SIGKILL)

        def ended() -> bool:
            try:
                connection.execute("SELECT 1")
            except psycopg.Error:
                return True
            return False

        def answers() -> bool:
            try:
                self.sql("SELECT 1")
            except psycopg.OperationalError:
                return False
            return True

        eventually(ended, "the server's crash")
        eventually(answers, "the server's recovery")

    def close(self) -> None:
        """Ends what is left of it, and removes it."""
        for each in self.started:
            each.kill()
        with contextlib.suppress(BrokenError):
            self.kill_command()
        self.server.drop_database(self.database)
        shutil.rmtree(self.folder.parent)
