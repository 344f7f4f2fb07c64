"""A name for the evidence on a migration, by which an approval or a second look knows it again (RULES F9, E31)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

from states.facts import Row, Subject

#: Raised whenever a changed rule can change a verdict, so that approvals and caches made under older rules are void.
RULES_VERSION = 32


def digest(subject: Subject, target: Sequence[str], base: Sequence[tuple[str, str]]) -> str:
    """A name for exactly this evidence: any change of the evidence gives another digest (RULES F9)."""
    rows: list[Row] = sorted(subject.attempts, key=lambda row: row.id)
    parts = {
        "rules": RULES_VERSION,
        "target": list(target),
        "migration": subject.migration,
        "attempts": [said_by(row) for row in rows],
        "present": subject.present,
        "scripts": sorted([replay.checksum, *map(list, sorted(replay.footprint))] for replay in subject.replays),
        "base": [list(pair) for pair in base],
        "production": sorted([*key, value] for key, value in subject.production.items()),
        "overtaken_by": list(subject.overtaken_by),
        "unreplayed": list(subject.unreplayed),
        "places": sorted([obj, *columns] for obj, columns in subject.places.items()),
        "kept": sorted(subject.kept),
        "remained": sorted(subject.remained),
        "unmoved": sorted(subject.unmoved),
        "firing": sorted(subject.firing),
        "undropped": sorted(subject.undropped),
        "unaltered": sorted(subject.unaltered),
        "alike": sorted([obj, *others] for obj, others in subject.alike.items()),
        "empty": sorted(subject.empty),
        "assume": sorted(subject.assume),
        "marking": subject.marking,
        "made_again_by": list(subject.made_again_by),
        "filled": sorted([*key, value] for key, value in subject.filled.items()),
        "undecided": list(subject.undecided),
        "twins": sorted([each.checksum, each.said, each.by, each.same] for each in subject.twins),
        "stops": sorted(astuple(stop) for stop in subject.stops),
        "unreadable": subject.unreadable,
    }
    if subject.finished_as:
        parts["finished_as"] = [subject.finished_as, subject.counted]
    if subject.answered:  # without any, the digest is the one that answers are given for
        parts["answered"] = sorted([number, done] for number, done in subject.answered.items())
    return named(parts)


def said_by(row: Row) -> list[Any]:
    """What a row of the ledger says; not the server's transaction that wrote it, which a rewritten table changes."""
    return [getattr(row, each.name) for each in fields(row) if each.compare]


def named(parts: object) -> str:
    """A name for exactly these parts, of which each can be written as JSON."""
    encoded = json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()
    return "sha256:" + hashlib.sha256(encoded).hexdigest()
