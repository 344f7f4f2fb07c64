"""Histories of migrations, and the rows and logs of a migration that failed."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from recovery.prisma.git import Repository


@dataclass(frozen=True)
class Source:
    """A migration of a history."""

    name: str
    text: str

    @functools.cached_property
    def checksum(self) -> str:
        """The checksum of the script, as Prisma writes it into the ledger."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Attempt:
    """A row of the ledger, for an attempt that ran the script of `source`."""

    source: Source
    finished: bool = False
    steps: int = 0
    logs: str | None = None
    rolled_back: bool = False


def read_history(folder: Path) -> list[Source]:
    """The migrations of a folder, in the order of their names."""
    scripts = sorted(folder.glob("*/migration.sql"))
    return [Source(path.parent.name, path.read_bytes().decode()) for path in scripts]


def commit_history(sources: Iterable[Source], root: Path) -> Repository:
    """A git checkout whose only commit holds the history under `prisma/migrations`."""
    for source in sources:
        path = root / "prisma" / "migrations" / source.name / "migration.sql"
        path.parent.mkdir(parents=True)
        path.write_bytes(source.text.encode())
    git = ["git", "-C", str(root), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "History"]):
        subprocess.run([*git, *command], check=True, stdout=subprocess.DEVNULL)
    return Repository(root)


def native_logs(source: Source, error: psycopg.Error | None) -> str | None:
    """The ledger's `logs` as Prisma's native engine writes them."""
    if error is None:
        return None
    said = error.diag
    return (
        "A migration failed to apply. New migrations cannot be applied before the error is recovered from.\n\n"
        f"Migration name: {source.name}\n\nDatabase error code: {error.sqlstate}\n\n"
        f"Database error:\nERROR: {said.message_primary}\n\n"
        f'DbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E{error.sqlstate}), '
        f'message: "{_escaped(said.message_primary)}", detail: None, hint: None, position: None, where_: None, '
        f'schema: None, table: None, column: None, datatype: None, constraint: None, file: Some("{said.source_file}"), '
        f'line: Some({said.source_line}), routine: Some("{said.source_function}") }}\n'
    )


def prose_logs(error: psycopg.Error | None) -> str | None:
    """The ledger's `logs` as Prisma's JavaScript engine writes them."""
    return None if error is None else f"Error querying the database: ERROR: {error.diag.message_primary}"


def _escaped(text: str | None) -> str:
    return (text or "").replace("\\", "\\\\").replace('"', '\\"')
