"""Failed migrations of known truth, staged on a real server from any history of Prisma migrations.

No Prisma runs here: the ledger's rows are written as Prisma writes them, and the scripts are run on the
server as Prisma runs them, so that hundreds of failures can be staged in a minute.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from recovery.postgres import catalog
from recovery.replay.script import ScriptError, parse

if TYPE_CHECKING:
    from staging.postgres import Server

LEDGER = """
CREATE TABLE _prisma_migrations (
    id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz,
    migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)
"""
#: What a production has besides its history; none of it is any migration's business.
DRIFT = """
CREATE SCHEMA foreign_team;
CREATE TABLE foreign_team.audit (id bigint PRIMARY KEY, said text);
CREATE INDEX audit_said ON foreign_team.audit (said);
CREATE VIEW foreign_team.recent AS SELECT id FROM foreign_team.audit;
CREATE TABLE zz_report_cache (key text PRIMARY KEY, value jsonb);
"""


@dataclass(frozen=True)
class Source:
    """A migration of a history."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """As Prisma writes it into the ledger."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Staged:
    """A failure in a database of its own.

    Attributes:
        kind: how it was staged.
        truth: applied, not_applied, or neither; what a decision must not contradict.
        database: where.
    """

    kind: str
    truth: str
    database: str


def read_history(folder: Path) -> list[Source]:
    """The migrations of a folder, in their order."""
    scripts = sorted(folder.glob("*/migration.sql"))
    return [Source(path.parent.name, path.read_bytes().decode()) for path in scripts]


Stage = Callable[[psycopg.Connection[Any]], bool]


class Stager:
    """Stages failures of one migration after another, on a database that grows with the history."""

    def __init__(self, server: Server, prefix: str) -> None:
        """Makes the production that everything is copied from: its ledger, and some drift."""
        self._server = server
        self._base = f"{prefix}_base"
        self._prefix = prefix
        self._number = 0
        server.drop_database(self._base)
        server.create_database(self._base)
        with server.connect(self._base) as connection:
            connection.execute(LEDGER)
            connection.execute(DRIFT)

    def deploy(self, source: Source) -> bool:
        """Applies a migration to the base for good; False, and nothing done, where this server can't run it."""
        with self._server.connect(self._base) as connection:
            if not _run(connection, source.text):
                return False
            write_row(connection, source, finished=True, steps=1)
        return True

    def failures(self, source: Source, after: Source | None) -> Iterator[Staged]:
        """Every failure that can be staged of a migration; each is dropped when the next is asked for.

        Args:
            source: the migration, whose history is deployed.
            after: the one after it, to be stamped over it; None for the last.
        """
        try:
            statements = [p.sql for p in parse(source.text)]
        except ScriptError:
            return
        steps = _states(self._server, self._base, self._prefix, source.text, statements)
        if steps is None:
            return
        kinds: list[tuple[str, str, Stage]] = [
            ("nothing in", "not_applied", lambda c: write_row(c, source)),
            ("all in, steps 0", "applied", lambda c: _run(c, source.text) and write_row(c, source)),
            ("all in, steps 1", "applied", lambda c: _run(c, source.text) and write_row(c, source, steps=1)),
            ("made by hand, exactly", "applied", lambda c: _run(c, source.text) and _failed_again(c, source)),
        ]
        if steps[0] != steps[-1]:
            kinds.append(("undone by hand", "not_applied", lambda c: write_row(c, source, logs="ERROR: undone")))
            middle = [j for j in range(1, len(statements)) if steps[j] not in (steps[0], steps[-1])]
            kinds += [_half(source, statements[:j]) for j in sorted({middle[0], middle[-1]} if middle else ())]
            made = {key: value for key, value in steps[-1].items() if steps[0].get(key) != value}
            kinds += [_otherwise(source, what, change) for what, change in differences(made, steps[-1])]
        if after is not None:
            kinds.append(
                (
                    "a later one stamped over it",
                    "not_applied",
                    lambda c: write_row(c, source) and write_row(c, after, finished=True),
                )
            )
        for kind, truth, stage in kinds:
            self._number += 1
            name = f"{self._prefix}_{self._number}"
            self._server.create_database(name, self._base)
            try:
                with self._server.connect(name) as connection:
                    done = stage(connection)
                    if done and kind.startswith(("one difference", "first statements")):
                        now = catalog.read(connection)
                        done = now not in (steps[0], steps[-1])
                if done:
                    yield Staged(kind, truth, name)
            finally:
                self._server.drop_database(name)


def write_row(
    connection: psycopg.Connection[Any],
    source: Source,
    *,
    finished: bool = False,
    steps: int = 0,
    logs: str | None = None,
    rolled_back: bool = False,
) -> bool:
    """A row as Prisma leaves it."""
    connection.execute(
        "INSERT INTO _prisma_migrations VALUES (%s, %s, CASE WHEN %s THEN clock_timestamp() END, %s, %s,"
        " CASE WHEN %s THEN clock_timestamp() END, clock_timestamp(), %s)",
        (str(uuid.uuid4()), source.checksum, finished, source.name, logs, rolled_back, steps),
    )
    return True


def _half(source: Source, statements: list[str]) -> tuple[str, str, Stage]:
    return "first statements only", "neither", lambda c: _piecewise(c, statements) and _failed_again(c, source)


def _otherwise(source: Source, what: str, change: str) -> tuple[str, str, Stage]:
    def stage(connection: psycopg.Connection[Any]) -> bool:
        done = _run(connection, source.text) and _run(connection, change)
        return done and write_row(connection, source, logs='ERROR: relation "x" already exists')

    return f"one difference: {what}", "neither", stage


def _failed_again(connection: psycopg.Connection[Any], source: Source) -> bool:
    """The script is run there for real, and its row holds what PostgreSQL says."""
    try:
        connection.execute(source.text.encode())
    except psycopg.Error as error:
        connection.execute("ROLLBACK")
        return write_row(connection, source, logs=f"ERROR: {error.diag.message_primary}")
    return False  # it can be run twice, so no conflict stops it


def _run(connection: psycopg.Connection[Any], text: str) -> bool:
    try:
        connection.execute(text.encode())
    except psycopg.Error:
        connection.execute("ROLLBACK")
        return False
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.execute("ROLLBACK")
    connection.execute("SET search_path = public")
    return True


def _piecewise(connection: psycopg.Connection[Any], statements: list[str]) -> bool:
    for statement in statements:
        try:
            connection.execute(statement.encode())
        except psycopg.Error:
            connection.execute("ROLLBACK")
            return False
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.execute("COMMIT")
    connection.execute("SET search_path = public")
    return True


def _states(
    server: Server, base: str, prefix: str, text: str, statements: list[str]
) -> list[dict[tuple[str, str], str]] | None:
    """The schema before, after each statement where they can be run one by one, and after the whole script."""
    name = f"{prefix}_steps"
    server.drop_database(name)
    server.create_database(name, base)
    try:
        with server.connect(name) as connection:
            found = [catalog.read(connection)]
            for statement in statements:
                if not _piecewise_one(connection, statement):
                    break
                found.append(catalog.read(connection))
        server.drop_database(name)
        server.create_database(name, base)
        with server.connect(name) as connection:
            if not _run(connection, text):
                return None
            end = catalog.read(connection)
        found += [found[-1]] * (len(statements) + 1 - len(found))
        return [*found[:-1], end]
    finally:
        server.drop_database(name)


def _piecewise_one(connection: psycopg.Connection[Any], statement: str) -> bool:
    try:
        connection.execute(statement.encode())
    except psycopg.Error:
        connection.execute("ROLLBACK")
        return False
    return True


def differences(made: dict[tuple[str, str], str], end: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """One change by hand for each way in which somebody's own version of the script could differ from it."""
    seen: set[str] = set()
    for obj, prop in sorted(made):
        for what, change in _changes(obj, prop, end):
            if what not in seen:
                seen.add(what)
                yield what, change


def _changes(obj: str, prop: str, end: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    kind, _, name = obj.partition(" ")
    match (kind, *words_of(prop)):
        case ("table", "column", column):
            yield from _column_changes(name, column, lambda word: end.get((obj, f"column {column} {word}")))
        case ("table", "constraint", constraint):
            yield "a constraint missing", f"ALTER TABLE {name} DROP CONSTRAINT {constraint} CASCADE"
        case ("table", "exists"):
            yield "a constraint more", f"ALTER TABLE {name} ADD CONSTRAINT by_hand CHECK (true)"
        case ("index", "exists"):
            yield "an index missing", f"DROP INDEX {name}"
            keys, table, bare = end.get((obj, "columns"), ""), end.get((obj, "table")), name.split(".")[-1]
            if "," not in keys and "(" not in keys:
                yield "another index", f"DROP INDEX {name}; CREATE INDEX {bare} ON {table} ({keys}) WHERE false"
        case ("type", "labels"):
            yield "a label more", f"ALTER TYPE {name} ADD VALUE 'by hand'"


def _column_changes(table: str, column: str, property_of: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
    alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
    yield "a column missing", f"ALTER TABLE {table} DROP COLUMN {column} CASCADE"
    if property_of("type") in ("text", "integer", "boolean"):
        yield "another type", f"{alter} DROP DEFAULT; {alter} TYPE varchar(77) USING {column}::text"
    yield "another nullability", f"{alter} {'DROP' if property_of('nullability') == 'not null' else 'SET'} NOT NULL"
    if property_of("default") is not None:
        yield "another default", f"{alter} DROP DEFAULT"
    elif property_of("type") == "text":
        yield "a default more", f"{alter} SET DEFAULT 'by hand'"


def words_of(prop: str) -> list[str]:
    """`column "a b" type` as its words: a quoted name is one."""
    return re.findall(r'"(?:[^"]|"")*"|\S+', prop)


def describe(counts: dict[str, dict[str, int]]) -> Iterator[str]:
    """A table of verdicts by kind, as lines."""
    yield f"{'kind':<34} {'right':>6} {'open':>6} {'undecided':>10} {'wrong':>6}"
    for kind, found in sorted(counts.items()):
        row = [found.get(word, 0) for word in ("right", "open", "undecided", "wrong")]
        yield f"{kind:<34} {row[0]:>6} {row[1]:>6} {row[2]:>10} {row[3]:>6}"
