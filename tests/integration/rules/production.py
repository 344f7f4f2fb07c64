"""A production whose ledger is written by hand, so that any sequence of events can be staged on it."""

import hashlib
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from recovery.evidence.investigator import Investigator
from recovery.evidence.proof import Proof, Prover
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.prisma.git import Repository
from recovery.prisma.migrations import read
from recovery.prisma.scripts import Scripts
from recovery.replay.history import HistoryReplay
from recovery.replay.scratch import ScratchServer
from recovery.replay.workshop import Workshop
from recovery.sql.script import Script
from states.evidence import Decision, Evidence, Verdict
from tests.staging import Server
from tests.staging.failures import LEDGER

FAILED = "20260110_failed"
LOGS = "Database error code: 42P07"

APPLIED = (Verdict.APPLIED, Decision.MARK_APPLIED)
NOT_APPLIED = (Verdict.NOT_APPLIED, Decision.MARK_ROLLED_BACK)
PARTIAL = (Verdict.PARTIAL, Decision.OPERATOR)
UNDECIDABLE = (Verdict.UNDECIDABLE, Decision.OPERATOR)
DRIFTED = (Verdict.DRIFTED, Decision.OPERATOR)
#: No attempt ran what no schema shows. Whether a person did is not known (RULES E21).
NOT_ATTEMPTED = (Verdict.NOT_APPLIED, Decision.OPERATOR)
WAIT = (Verdict.IN_PROGRESS, Decision.WAIT)

#: The table of every history had another name for a while, so that its age in the catalog proves nothing.
STIRRED = "ALTER TABLE t RENAME TO stirred; ALTER TABLE stirred RENAME TO t;"

#: The history that productions begin with.
FIRST = "20260101_first"
FIRST_SCRIPT = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE SEQUENCE s;"
#: Of a server, the database that productions are copied from.
PREPARED = "prepared_production"
#: What a history must hold for roles and extensions to be stood in for.
_STOOD_IN_FOR = re.compile("grant|revoke|role|rolname|owner|authorization|policy|user|extension", re.IGNORECASE)
#: Histories that are kept at a time, each with a session.
_KEPT = 32

_numbers = count(1)


def verdict(evidence: Evidence) -> tuple[Verdict, Decision]:
    """What was found, and what follows from it."""
    return evidence.verdict, evidence.decision


class SharedWorkshop(Workshop):
    """A workshop that serves one production after another: each finds what it would find in one of its own.

    It keeps several histories, where a run needs one, and stands in anew wherever that depends on something else.
    """

    def __init__(self, open_server: Callable[[], AbstractContextManager[ScratchServer]], schema: str) -> None:
        super().__init__(open_server, schema)
        self._stood_in_for: object = None
        self._kept: dict[object, HistoryReplay] = {}

    def stand_in(self, production: psycopg.Connection[Any], scripts: Iterable[str]) -> None:
        """As a workshop of its own would."""
        texts = tuple(scripts)
        there = production.execute(
            "SELECT current_user, ARRAY(SELECT (extname, extversion, version())::text FROM pg_extension"
            " WHERE extname <> 'plpgsql' ORDER BY 1),"
            " ARRAY(SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^public$|^information_schema$')"
        ).fetchone()
        wanted: object = (there and str(there), tuple(text for text in texts if _STOOD_IN_FOR.search(text)))
        if there and there[2]:
            wanted = object()  # what is in other schemas may be another thing each time
        if wanted != self._stood_in_for:
            self._stood_in = False
            super().stand_in(production, texts)
            self._stood_in_for = wanted

    def history(self, scripts: list[Script], of: int | None = None) -> HistoryReplay:
        """One that is kept, if it is of exactly these scripts and what was stood in for."""
        wanted = (tuple(scripts), self._stood_in_for)
        kept = self._kept.pop(wanted, None)
        if kept is None:
            self._history = None  # else it would be grown, or closed
            kept = super().history(scripts, of)
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept))).close()
        self._kept[wanted] = kept
        return kept

    def _stop(self) -> None:
        for kept in self._kept.values():
            kept.release()
        super()._stop()


@dataclass
class Production:
    """A database with a ledger written by hand, and the folder of its migrations.

    Attributes:
        user: the role that looks at it.
        parameters: of Prisma's URL, as `?schema=app`.
        elsewhere: folders with scripts that the folder of migrations has lost.
    """

    server: Server
    folder: Path
    workshop: Workshop
    database: str = field(default_factory=lambda: f"rules_{next(_numbers)}")
    minutes: Iterator[int] = field(default_factory=lambda: count(1))
    user: str = "postgres"
    parameters: str = ""
    elsewhere: tuple[Path, ...] = ()

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[Any]]:
        """A session that ends at once.

        The server may show it a moment longer, and one whose last statement was the script's, or wrote the ledger,
        would count as at work.
        """
        with self.server.connect(self.database) as connection:
            yield connection
            if connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
                connection.execute("SELECT 1")

    def run(self, script: str) -> None:
        """Runs a script on production, in a session that ends at once."""
        with self._session() as connection:
            connection.execute(script.encode())

    def apart(self, *statements: str) -> None:
        """Runs statements each on its own, as Prisma 7.4 does."""
        with self._session() as connection:
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
        with self._session() as connection:
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
        return Scripts(self.folder, read(self.folder), Repository.find(self.folder), self.elsewhere)

    def judge(
        self,
        name: str = FAILED,
        sleep: Callable[[float], None] = lambda _: None,
        settled: Sequence[str] = (),
        assume: frozenset[str] = frozenset(),
    ) -> Evidence:
        """The evidence, where a run has settled these before; no time passes between two looks at a held lock."""
        target = self.target()
        try:
            judging = Investigator(target, self.scripts(), self.workshop, sleep, assume)
            return judging.classify(name, settled).evidence
        finally:
            target.close()

    def prove(self, deployed: Sequence[str] = ()) -> Proof:
        """Production beside the replay of its whole history."""
        target = self.target()
        try:
            return Prover(target, self.scripts(), self.workshop).prove(target.rows(), frozenset(deployed))
        finally:
            target.close()


def begun(server: Server, workshop: Workshop, folder: Path) -> Production:
    """A production with one finished migration: a table t with a row, and a sequence s.

    Args:
        server: its server; the first time, what is copied from then on is made there.
        workshop: replays its history.
        folder: for its folder of migrations.
    """
    one = Production(server, folder / "migrations", workshop)
    try:
        server.create_database(one.database, PREPARED)
    except psycopg.errors.InvalidCatalogName:  # there is none to be copied yet
        made = Production(server, folder / "prepared", workshop, database=PREPARED)
        server.create_database(PREPARED)
        made.run(LEDGER)
        made.finished(FIRST, FIRST_SCRIPT)
        made.run("INSERT INTO t VALUES (1, 1)")
        server.create_database(one.database, PREPARED)
    one.file(FIRST, FIRST_SCRIPT)
    next(one.minutes)  # the one of the first migration's row
    return one
