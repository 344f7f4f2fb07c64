"""The JSON of `inspect --json`. It may grow fields; those that are here are never lost or changed."""

import msgspec

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
    """All that `inspect` found."""

    schema_version: int
    target: TargetDocument
    history: HistoryDocument
    failed: tuple[Evidence, ...]
    checks: tuple[Check, ...]


def document(
    target: TargetDocument, history: History, failed: tuple[Evidence, ...], checks: tuple[Check, ...]
) -> InspectDocument:
    """The document of one inspection."""
    return InspectDocument(
        SCHEMA_VERSION,
        target,
        HistoryDocument(len(history.applied), history.pending, history.modified, history.missing_locally),
        failed,
        checks,
    )


def encode(value: object) -> str:
    """Any of our records as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
