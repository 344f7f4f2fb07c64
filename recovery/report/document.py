"""The JSON of `inspect --json`. It may grow fields; those that are here are never lost or changed."""

import msgspec

from recovery.pending import Compared
from states.facts import Check, History
from states.verdict import Evidence

SCHEMA_VERSION = 1


class TargetDocument(msgspec.Struct, frozen=True):
    """Where the database is; never a user or a password."""

    host: str
    database: str
    schema: str
    server_version: str


class HistoryDocument(msgspec.Struct, frozen=True):
    """Ledger and folder: `applied` counts, the others name."""

    applied: int
    pending: tuple[str, ...]
    modified: tuple[str, ...]
    missing_locally: tuple[str, ...]


class InspectDocument(msgspec.Struct, frozen=True):
    """All that `inspect` found.

    Attributes:
        present: pending migrations, never attempted, of which production has something already; looked at where none
            failed.
        uncompared: why pending ones, or some of them, could not be compared with production; empty if all were.
    """

    schema_version: int
    target: TargetDocument
    history: HistoryDocument
    failed: tuple[Evidence, ...]
    checks: tuple[Check, ...]
    present: tuple[Evidence, ...]
    uncompared: str


def document(
    target: TargetDocument,
    history: History,
    failed: tuple[Evidence, ...],
    checks: tuple[Check, ...],
    compared: Compared,
) -> InspectDocument:
    """The document of one inspection."""
    return InspectDocument(
        SCHEMA_VERSION,
        target,
        HistoryDocument(len(history.applied), history.pending, history.modified, history.missing_locally),
        failed,
        checks,
        tuple(classified.evidence for classified in compared.found),
        compared.missing,
    )


def encode(value: object) -> str:
    """Any of our records as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
