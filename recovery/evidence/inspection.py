"""INSPECT's observation: ledger and migrations folder, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from recovery.prisma import logs
from recovery.prisma.scripts import Scripts
from states.deployment import Failure
from states.facts import History, Row


@dataclass(frozen=True, slots=True)
class Inspection:
    """Ledger and folder, as they are now.

    Attributes:
        failures: migrations with an unfinished row, and why they failed.
        checksums: of each file in the folder.
    """

    history: History
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    checksums: dict[str, str]


def inspection(scripts: Scripts, rows: Sequence[Row]) -> Inspection:
    """Ledger and folder side by side, with the cause of each failure."""
    history = scripts.history(rows)
    failures = []
    for name in dict.fromkeys(row.migration for row in rows if row.failed):
        last = next(row for row in reversed(rows) if row.migration == name and row.failed)
        failures.append(Failure(name, logs.cause(last.logs), last.logs))
    for name in (*history.failed, *history.pending):
        scripts.present(name)  # one that can't be read is refused now: half-way through the recovery it is too late
    checksums = {name: migration.checksum for name, migration in scripts.migrations.items()}
    return Inspection(history, tuple(rows), tuple(failures), checksums)
