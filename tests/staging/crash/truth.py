"""What must be true in the end, whoever died: the world of an uninterrupted recovery, and every effect once."""

from __future__ import annotations

import collections
from datetime import datetime
from typing import TYPE_CHECKING, Any

from recovery.journal.run_record import Kind, record_of
from recovery.postgres import catalog
from states.table import EDGES, State
from tests.staging.crash.person import decide
from tests.staging.crash.production import BrokenError, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recovery.journal import JournalEvent
    from tests.staging.crash.production import Production

#: Runs within which a recovery has to come to its end, a person's decisions included.
RUNS = 6
_WRITES = "SELECT at, by_whom, what, migration, attempt FROM staging.writes ORDER BY number"


def world(production: Production) -> dict[str, Any]:
    """All that is true: the schema, what the ledger says of each migration, the rows that scripts write, the steps.

    Prisma leaves a dead row behind where it was killed itself; how often each migration finished counts.
    """
    rows = production.incident.ledger()
    finished = collections.Counter(row.migration_name for row in rows if row.finished_at is not None)
    open_ = sorted(row.migration_name for row in rows if row.finished_at is None and row.rolled_back_at is None)
    with production.connect() as connection:
        schema = {key: value for key, value in catalog.read(connection).items() if "staging" not in key[0]}
    steps = production.folder / "done"
    return {
        "schema": schema,
        "finished": dict(finished),
        "failed": open_,
        "places": production.sql("SELECT id, energy FROM places ORDER BY id"),
        "batches": production.sql("SELECT id, name FROM intake_batches ORDER BY id"),
        "steps": steps.read_text().split() if steps.exists() else [],
    }


def finish(production: Production) -> None:
    """Runs it until it is ready. Whoever is still at work makes it busy, and a person decides what is open.

    Raises:
        BrokenError: another exit code, or no end.
    """
    for _ in range(RUNS):
        alone = production.alone()
        done = production.run()
        if done.code == 0:
            return
        if done.code == 5 and not alone:
            eventually(production.alone, "the end of what the dead one left at work")
        elif not (done.code == 3 and decide(production, done)):
            raise BrokenError(f"run again, it ends with {done.code}:\n{done.said}")
    raise BrokenError(f"it does not end:\n{done.said}")


def check(production: Production, expected: dict[str, Any]) -> None:
    """Holds the end against that of an uninterrupted recovery.

    Raises:
        BrokenError: they differ; an effect took place twice; or the journal is no path, or knows of no intent.
    """
    found = world(production)
    if found != expected:
        wrong = {key: (found[key], expected[key]) for key in found if found[key] != expected[key] and key != "schema"}
        schema = set(found["schema"].items()) ^ set(expected["schema"].items())
        raise BrokenError(f"another end than uninterrupted: {wrong} {sorted(schema)[:6]}")
    writes = [_Write(*row) for row in production.sql(_WRITES)]
    _once(writes)
    events = production.events()
    _path(events)
    _announced(writes, events)


class _Write:
    """One write to the ledger, by anybody, as the witness has it."""

    def __init__(self, at: datetime, by: str, what: str, migration: str, attempt: str) -> None:
        self.at = at
        self.ours = by.startswith("prisma-recovery effect")
        self.what = what
        self.migration = migration
        self.attempt = attempt

    def __str__(self) -> str:
        return f"{self.migration} {self.what} at {self.at:%H:%M:%S.%f}"


def _once(writes: Sequence[_Write]) -> None:
    ends = collections.Counter(each.migration for each in writes if each.what in ("finished", "marked applied"))
    marks = collections.Counter(each.attempt for each in writes if each.what == "rolled back")
    if twice := [name for name, times in (ends + marks).items() if times > 1]:
        raise BrokenError(f"took place twice: {twice}")


def _path(events: Sequence[JournalEvent]) -> None:
    edges = {(edge.source, edge.target) for edge in EDGES}
    for run in dict.fromkeys(event.run for event in events):
        at = State.PREFLIGHT
        for event in events:
            if event.run == run and event.kind == Kind.MOVED:
                move = State(event.payload["from"]), State(event.payload["to"])
                if move[0] is not at or move not in edges:
                    raise BrokenError(f"{move} after {at} is no move")
                at = move[1]
        if record_of(event for event in events if event.run == run).state is not State.PIPELINE_READY:
            raise BrokenError(f"the journal ends in {at}")


def _announced(writes: Sequence[_Write], events: Sequence[JournalEvent]) -> None:
    """No command of ours wrote what the journal had not announced by then."""
    for each in writes:
        if not each.ours:
            continue
        before = [e for e in events if e.kind == Kind.INTENDED and datetime.fromisoformat(e.time) <= each.at]
        intent = before[-1].payload if before else {}
        named = [intent.get("migration"), *intent.get("planned", ())]
        if each.migration not in named:
            raise BrokenError(f"{each}, and the journal had announced {intent.get('effect')}")


def judged(production: Production) -> None:
    """Every mark of ours is on what its evidence was about: nobody wrote to that migration's rows in between.

    Raises:
        BrokenError: a mark that is not.
    """
    writes = [_Write(*row) for row in production.sql(_WRITES)]
    judgements = [event for event in production.events() if event.kind == Kind.CLASSIFIED]
    for mark in writes:
        if not mark.ours or mark.what not in ("rolled back", "marked applied"):
            continue
        about = [e for e in judgements if e.payload["migration"] == mark.migration]
        times = [datetime.fromisoformat(e.time) for e in about if datetime.fromisoformat(e.time) < mark.at]
        if not times:
            raise BrokenError(f"{mark}: without evidence")
        strangers = [w for w in writes if not w.ours and w.migration == mark.migration and times[-1] < w.at < mark.at]
        if strangers:
            raise BrokenError(f"{mark}: after its evidence somebody else did: {', '.join(map(str, strangers))}")
