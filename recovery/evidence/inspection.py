"""INSPECT's observation: ledger and migrations folder, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from recovery.prisma import logs
from recovery.prisma.scripts import Scripts
from states.deployment import Failure
from states.facts import History, Row


@dataclass(frozen=True, slots=True)
class Inspection:
    """Ledger and migrations folder as they are now.

    Attributes:
        history: which migrations are applied, failed, pending or rolled back.
        rows: every row of the ledger.
        failures: each failed migration with the cause of its failure.
        checksums: SHA-256 of each migration's file in the folder, by the migration's name.
    """

    history: History
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    checksums: dict[str, str]


def inspection(scripts: Scripts, rows: Sequence[Row]) -> Inspection:
    """Compares the ledger with the migrations folder, and reads the cause of each failure from its logs."""
    history = scripts.history(rows)
    failures = []
    for name in dict.fromkeys(row.migration for row in rows if row.failed):
        last = next(row for row in reversed(rows) if row.migration == name and row.failed)
        failures.append(Failure(name, logs.cause(last.logs), last.logs))
    for name in (*history.failed, *history.pending):
        scripts.present(name)  # an unreadable file must be refused now, not half-way through the recovery
    checksums = {name: migration.checksum for name, migration in scripts.migrations.items()}
    return Inspection(history, tuple(rows), tuple(failures), checksums)
