"""A production whose ledger is written by hand, so that any sequence of events can be staged on it."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from recovery.evidence.investigator import Investigator
from recovery.evidence.proof import Proof, Prover
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.prisma.git import Repository
from recovery.prisma.migrations import read
from recovery.prisma.scripts import Scripts
from recovery.replay.workshop import Workshop
from states.verdict import Decision, Evidence, Verdict
from tests.staging import Server

LEDGER = """
CREATE TABLE _prisma_migrations (
    id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz,
    migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0
)
"""
FAILED = "20260110_failed"
LOGS = "Database error code: 42P07"

APPLIED = (Verdict.APPLIED, Decision.MARK_APPLIED)
NOT_APPLIED = (Verdict.NOT_APPLIED, Decision.MARK_ROLLED_BACK)
PARTIAL = (Verdict.PARTIAL, Decision.OPERATOR)
UNDECIDABLE = (Verdict.UNDECIDABLE, Decision.OPERATOR)
DRIFTED = (Verdict.DRIFTED, Decision.OPERATOR)
WAIT = (Verdict.IN_PROGRESS, Decision.WAIT)

_numbers = count(1)


def verdict(evidence: Evidence) -> tuple[Verdict, Decision]:
    """What was found, and what follows from it."""
    return evidence.verdict, evidence.decision


@dataclass
class Production:
    """A database with a ledger written by hand, and the folder of its migrations.

    Attributes:
        user: the role that looks at it.
        parameters: of Prisma's URL, as `?schema=app`.
    """

    server: Server
    folder: Path
    workshop: Workshop
    database: str = field(default_factory=lambda: f"rules_{next(_numbers)}")
    minutes: Iterator[int] = field(default_factory=lambda: count(1))
    user: str = "postgres"
    parameters: str = ""

    def run(self, script: str) -> None:
        """Runs a script on production, in a session that ends at once."""
        with self.server.connect(self.database) as connection:
            connection.execute(script.encode())

    def apart(self, *statements: str) -> None:
        """Runs statements each on its own, as Prisma 7.4 does."""
        with self.server.connect(self.database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def file(self, name: str, script: str) -> str:
        """Puts a migration into the folder; its checksum."""
        path = self.folder / name / "migration.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(script.encode())
        return hashlib.sha256(script.encode()).hexdigest()

    def commit(self) -> None:
        """Commits the folder as it is now to a git repository, made by the first commit."""
        root = self.folder.parent
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false")
        for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "change")):
            subprocess.run(["git", *identity, "-C", root, *arguments], check=True, capture_output=True)

    def row(
        self,
        name: str,
        checksum: str,
        *,
        finished: bool,
        steps: int,
        logs: str | None = None,
        rolled_back: bool = False,
    ) -> None:
        """Writes a row of the ledger, a minute after the last one."""
        at = f"2026-01-01 00:{next(self.minutes):02}:00+00"
        with self.server.connect(self.database) as connection:
            connection.execute(
                "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, rolled_back_at,"
                " applied_steps_count, logs) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s)",
                (checksum, name, at, at if finished else None, at if rolled_back else None, steps, logs),
            )

    def finished(self, name: str, script: str, steps: int = 1) -> None:
        """A migration that was deployed, now."""
        self.run(script)
        self.row(name, self.file(name, script), finished=True, steps=steps)

    def before(self, script: str) -> None:
        """A further migration that was deployed before the failed one; empty for none."""
        if script:
            self.finished("20260102_before", script)

    def failed(
        self,
        script: str,
        name: str = FAILED,
        *,
        steps: int = 0,
        logs: str | None = LOGS,
        rolled_back: bool = False,
    ) -> None:
        """A migration that failed; what it left in the schema is up to the test."""
        checksum = self.file(name, script)
        self.row(name, checksum, finished=False, steps=steps, logs=logs, rolled_back=rolled_back)

    def target(self) -> Target:
        """The database as the program sees it."""
        return Target(parse(self.server.url(self.database, self.user) + self.parameters), "the test")

    def scripts(self) -> Scripts:
        """The folder's, and those of its git repository if it is in one."""
        return Scripts(self.folder, read(self.folder), Repository.find(self.folder))

    def judge(self, name: str = FAILED, sleep: Callable[[float], None] = lambda _: None) -> Evidence:
        """The evidence; no time passes between two looks at a held lock."""
        target = self.target()
        try:
            return Investigator(target, self.scripts(), self.workshop, sleep).classify(name).evidence
        finally:
            target.close()

    def prove(self, deployed: Sequence[str] = ()) -> Proof:
        """Production beside the replay of its whole history."""
        target = self.target()
        try:
            return Prover(target, self.scripts(), self.workshop).prove(target.rows(), frozenset(deployed))
        finally:
            target.close()
