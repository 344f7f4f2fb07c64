"""What of an observation goes into the journal for the report: short enough to keep, and redacted.

The machine reads none of it back.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from recovery.evidence.proof import Proof
from states.facts import Check, History, Row
from states.verdict import Evidence

#: The longest text that is kept, in characters: a statement, an error, a definition.
TEXT_KEPT = 4_000
#: Differences kept of a migration that is not in question.
DIFFERENCES_KEPT = 50

#: Fields that hold one of our own words: a password that is such a word must not take it away.
OUR_WORDS = frozenset({"state", "order", "by", "certainty", "verdict", "decision", "kind", "pace"})

Redact = Callable[[str], str]


def plain(text: str) -> str:
    """Redacts nothing."""
    return text


def cut(value: Any, redact: Redact) -> Any:  # noqa: ANN401 - JSON
    """JSON with each of its texts redacted, and cut where it is long."""
    if isinstance(value, str):
        text = redact(value)
        return text if len(text) <= TEXT_KEPT else f"{text[:TEXT_KEPT]}… ({len(text) - TEXT_KEPT} characters more)"
    if isinstance(value, dict):
        return {key: each if key in OUR_WORDS else cut(each, redact) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [cut(each, redact) for each in value]
    return value


def checks(made: Sequence[Check], redact: Redact) -> dict[str, dict[str, Any]]:
    """The checks of preflight, by their names."""
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
    """All that is shown of a migration's evidence."""
    return dict(cut(msgspec.to_builtins(found), redact))


def history(found: History) -> dict[str, Any]:
    """The ledger beside the folder; of what is applied, how many there are."""
    return {**msgspec.to_builtins(found), "applied": len(found.applied)}


def ledger(rows: Sequence[Row], redact: Redact) -> dict[str, Any]:
    """How many rows there are, and those that are not plainly applied."""
    odd = [row for row in rows if not _plain(row)]
    return {"total": len(rows), "rows": [_row(row, redact) for row in odd]}


def changes(before: Sequence[Row], after: Sequence[Row], redact: Redact) -> dict[str, Any]:
    """How many rows there are now, those that are new or were written to, and the ids of those that are gone."""
    known, now = {row.id: row for row in before}, {row.id for row in after}
    changed = [{**_row(row, redact), "new": row.id not in known} for row in after if known.get(row.id) != row]
    return {"total": len(after), "changed": changed, "gone": [id_ for id_ in known if id_ not in now]}


def proof(found: Proof, redact: Redact) -> dict[str, Any]:
    """How production compares with its history."""
    told = dict(cut(msgspec.to_builtins(found), redact))
    for each in told["elsewhere"]:
        each["more"] = max(0, len(each["differences"]) - DIFFERENCES_KEPT)
        each["differences"] = each["differences"][:DIFFERENCES_KEPT]
    return told


def _plain(row: Row) -> bool:
    return row.finished and row.applied_steps_count > 0 and not row.logs


def _row(row: Row, redact: Redact) -> dict[str, Any]:
    return {**msgspec.to_builtins(row), "logs": None if row.logs is None else cut(row.logs, redact)}
