"""Excerpts of observations that are journaled for the report: redacted, and short enough to keep.

The machine never reads them back.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from recovery.evidence.proof import Proof
from states.baseline import Baseline
from states.evidence import Evidence
from states.facts import Check, History, Row
from states.rehearsals import Rehearsal

#: The longest text that is kept, in characters, such as a statement, an error or a definition.
TEXT_KEPT = 4_000
#: How many differences are kept of a migration that is not in question.
DIFFERENCES_KEPT = 50

#: Fields that hold one of our own words. They are not redacted, since a password can be the same word.
OUR_WORDS = frozenset({"state", "order", "by", "certainty", "verdict", "decision", "kind", "pace"})

Redact = Callable[[str], str]


def plain(text: str) -> str:
    """Returns the text unchanged: no redaction."""
    return text


def cut(value: Any, redact: Redact) -> Any:  # noqa: ANN401 - JSON
    """JSON with each of its texts redacted, and cut if it is long."""
    if isinstance(value, str):
        text = redact(value)
        return text if len(text) <= TEXT_KEPT else f"{text[:TEXT_KEPT]}… ({len(text) - TEXT_KEPT} characters more)"
    if isinstance(value, dict):
        return {key: each if key in OUR_WORDS else cut(each, redact) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [cut(each, redact) for each in value]
    return value


def checks(made: Sequence[Check], redact: Redact) -> dict[str, dict[str, Any]]:
    """The checks of preflight, by name."""
    return {
        check.name: {
            **asdict(check),
            "seen": redact(check.seen),
            "source": redact(check.source),
            "remedy": redact(check.remedy),
        }
        for check in made
    }


def evidence(found: Evidence, redact: Redact) -> dict[str, Any]:
    """The evidence on a migration, as it is shown."""
    return dict(cut(msgspec.to_builtins(found), redact))


def baseline(found: Baseline, redact: Redact) -> dict[str, Any]:
    """How far production has the history, as it is shown, with few of the differences."""
    told = dict(cut(msgspec.to_builtins(found), redact))
    return {**told, "differences": told["differences"][:DIFFERENCES_KEPT]}


def rehearsals(found: Sequence[Rehearsal], redact: Redact) -> dict[str, Any]:
    """What a deploy would do, as it is shown."""
    return {"rehearsals": cut(msgspec.to_builtins(found), redact)}


def history(found: History) -> dict[str, Any]:
    """The ledger beside the folder; of applied migrations only their number."""
    return {**msgspec.to_builtins(found), "applied": len(found.applied)}


def ledger(rows: Sequence[Row], redact: Redact) -> dict[str, Any]:
    """The number of rows in the ledger, and each row that is not plainly applied."""
    odd = [row for row in rows if not _plain(row)]
    return {"total": len(rows), "rows": [_row(row, redact) for row in odd]}


def changes(before: Sequence[Row], after: Sequence[Row], redact: Redact) -> dict[str, Any]:
    """The changes of the ledger: its number of rows now, new and updated rows, and the ids of deleted rows."""
    known, now = {row.id: row for row in before}, {row.id for row in after}
    changed = [{**_row(row, redact), "new": row.id not in known} for row in after if known.get(row.id) != row]
    return {"total": len(after), "changed": changed, "gone": [id_ for id_ in known if id_ not in now]}


def proof(found: Proof, redact: Redact) -> dict[str, Any]:
    """How production compares with its history, with few of the differences elsewhere."""
    told = dict(cut(msgspec.to_builtins(found), redact))
    for each in told["elsewhere"]:
        each["more"] = max(0, len(each["differences"]) - DIFFERENCES_KEPT)
        each["differences"] = each["differences"][:DIFFERENCES_KEPT]
    return told


def _plain(row: Row) -> bool:
    return row.finished and row.applied_steps_count > 0 and not row.logs


def _row(row: Row, redact: Redact) -> dict[str, Any]:
    return {**msgspec.to_builtins(row), "logs": None if row.logs is None else cut(row.logs, redact)}
