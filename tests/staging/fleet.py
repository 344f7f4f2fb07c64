"""Stages fleets: many databases, or many schemas of one database, with one history, and in mixed states.

The ledgers are written by hand here, as Prisma writes them, since a thousand deploys would take half an hour.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psycopg import sql

from tests.staging.failures import LEDGER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import psycopg

    from tests.staging.postgres import Server


def history(count: int) -> dict[str, str]:
    """A history of so many migrations, like those that Prisma writes: tables, columns, indexes, enums, foreign keys."""
    scripts = {}
    for n in range(count):
        table, before = f'"Thing{n // 4}"', f'"Thing{max(0, n // 4 - 1)}"'
        if n % 4 == 0:
            text = (
                f"CREATE TYPE \"Kind{n // 4}\" AS ENUM ('NEW', 'DONE');\n"
                f'CREATE TABLE {table} (\n    "id" TEXT NOT NULL,\n'
                f'    "kind" "Kind{n // 4}" NOT NULL DEFAULT \'NEW\',\n'
                f'    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,\n'
                f'    CONSTRAINT "Thing{n // 4}_pkey" PRIMARY KEY ("id")\n);\n'
            )
        elif n % 4 == 1:
            text = f'ALTER TABLE {table} ADD COLUMN "name" TEXT NOT NULL DEFAULT \'\', ADD COLUMN "parentId" TEXT;\n'
        elif n % 4 == 2:
            text = f'CREATE UNIQUE INDEX "Thing{n // 4}_name_key" ON {table}("name", "parentId");\n'
        else:
            text = (
                f'ALTER TABLE {table} ADD CONSTRAINT "Thing{n // 4}_parentId_fkey" FOREIGN KEY ("parentId") '
                f'REFERENCES {before}("id") ON DELETE SET NULL ON UPDATE CASCADE;\n'
            )
        scripts[f"2025{n // 28 % 12 + 1:02}{n % 28 + 1:02}{n:06}_m{n}"] = text
    return scripts


def write(scripts: dict[str, str], folder: Path) -> Path:
    """Writes a history as a migrations folder."""
    folder.mkdir(parents=True)
    (folder / "migration_lock.toml").write_text('provider = "postgresql"\n')
    for name, text in scripts.items():
        (folder / name).mkdir()
        (folder / name / "migration.sql").write_text(text)
    return folder


def deploy(
    connection: psycopg.Connection, scripts: dict[str, str], names: Sequence[str], schema: str = "public"
) -> None:
    """Runs scripts and writes the ledger, as a deploy does."""
    connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
    there = connection.execute("SELECT to_regclass('_prisma_migrations')").fetchone()
    if there is None or there[0] is None:
        connection.execute(LEDGER)
    for name in names:
        connection.execute(scripts[name].encode())
        record(connection, name, scripts[name])


def record(connection: psycopg.Connection, name: str, text: str, *, failed: str | None = None) -> None:
    """Writes the row of an attempt: finished, or failed with these logs."""
    connection.execute(
        "INSERT INTO _prisma_migrations VALUES (gen_random_uuid(), %s, CASE WHEN %s::text IS NULL THEN"
        " clock_timestamp() END, %s, %s, NULL, clock_timestamp(), %s)",
        (hashlib.sha256(text.encode()).hexdigest(), failed, name, failed, 0 if failed else 1),
    )


def databases(server: Server, prefix: str, template: str, count: int) -> list[str]:
    """So many copies of a database."""
    names = [f"{prefix}_{number:04}" for number in range(count)]
    for name in names:
        server.create_database(name, template)
    return names
