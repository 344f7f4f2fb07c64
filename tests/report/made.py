"""Journals of recoveries on ports in memory, and the same with hostile names and texts in every place."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from recovery.effects.results import RestorePoint
from recovery.journal import JournalEvent
from recovery.run.engine import Engine
from recovery.run.ports import Question
from recovery.testing import MemoryDatabase, MemoryJournal, MemoryWorld
from states.facts import Obstacle, Origin, Trace

SCRIPT = "<script>alert(1)</script>"
FIRST, FAILED, LATER = "20260101_first", f"20260102_{SCRIPT}", "20260103_later"
LONG = "x" * 400
#: Markup of every kind, quotes, a bar, a line break, code, a mention, an image, a link.
NASTY = f"{SCRIPT} \"'`|*_[a](javascript:alert(2)) <img src=x onerror=alert(3)> @someone &lt; \n# head {{{{7*7}}}}"
TRACE = Trace(f"table public.{LONG}", "before", 1, NASTY, None, FAILED, NASTY, "somebody", "strong", NASTY)


class Policy:
    """Says yes, or no, to all."""

    def __init__(self, *, agrees: bool = True) -> None:
        self._agrees = agrees

    def consents(self, question: Question) -> bool:
        """The word that it was made with."""
        del question
        return self._agrees


def production(script: str = f"CREATE TABLE a (); CREATE TABLE {LONG} ()", *there: str) -> MemoryDatabase:
    """One migration deployed, one failed of which these tables are there, one pending."""
    folder = {FIRST: "CREATE TABLE first ()", FAILED: script, LATER: "CREATE TABLE later ()"}
    database = MemoryDatabase(folder)
    database.deployed(FIRST)
    database.tables |= set(there)
    database.begin(FAILED)
    return database


def recovered(database: MemoryDatabase, *, agrees: bool = True, restore_point: bool = False) -> list[JournalEvent]:
    """The events of a run on it, a second apart, by the real engine."""
    seconds = itertools.count()
    journal = MemoryJournal("t", clock=lambda: datetime(2026, 2, 17, 3, tzinfo=UTC) + timedelta(seconds=next(seconds)))
    made = RestorePoint("pg_dump", "/srv/shop/restore 1.sql", "0/16B3748", "2026-02-17T03:00:00Z", "psql -f EMPTY")
    world = MemoryWorld(database)
    try:
        engine = Engine(
            world,
            journal,
            Policy(agrees=agrees),
            lambda _: None,
            lambda: "20260217-030000-abc123",
            (lambda _: made) if restore_point else None,
        )
        ended = engine.run("postgresql://app@db.example.com:5432/shop?schema=public", "DATABASE_URL in the environment")
    finally:
        world.close()
    return list(journal.events(ended.run))


def traced(events: list[JournalEvent], *traces: Trace, **of_evidence: Any) -> list[JournalEvent]:  # noqa: ANN401 - JSON
    """The events, with traces in the evidence, and whatever else is to be there."""
    origin = msgspec.to_builtins(Origin("postgres", "one_transaction" if len(traces) > 1 else ""))
    known = {"forensics": msgspec.to_builtins(traces), "origin": origin, **of_evidence}

    def more(payload: dict[str, Any]) -> dict[str, Any]:
        evidence = payload.get("evidence")
        return payload | {"evidence": evidence | known} if isinstance(evidence, dict) else payload

    return _each(events, more)


def hostile(events: list[JournalEvent]) -> list[JournalEvent]:
    """Every text that a person or a program wrote, replaced by one that is markup; the structure is as it was."""
    kept = {
        "from",
        "to",
        "code",
        "effect",
        "verdict",
        "decision",
        "outcome",
        "kind",
        "sqlstate",
        "id",
        "state",
        "digest",
    }
    kept |= {
        "order",
        "by",
        "certainty",
        "pace",
        "migration",
        "time",
        "step",
        "started_at",
        "finished_at",
        "rolled_back_at",
    }
    obstacle = msgspec.to_builtins(Obstacle(1, "duplicates", 3, NASTY, NASTY))
    difference = {"object": f"table {LONG}", "property": NASTY, "expected": NASTY, "actual": None}

    def nasty(value: Any, key: str = "") -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {name: nasty(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [nasty(each, key) for each in value]
        return NASTY if isinstance(value, str) and key not in kept else value

    events = traced(
        events, TRACE, TRACE, obstacles=[obstacle], differences=[difference], logs="", runner={"source": ""}
    )
    return _each(events, nasty)


def _each(events: list[JournalEvent], change: Callable[[dict[str, Any]], dict[str, Any]]) -> list[JournalEvent]:
    return [msgspec.structs.replace(event, payload=change(event.payload)) for event in events]
