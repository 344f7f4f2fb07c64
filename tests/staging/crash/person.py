"""The person whom a recovery asks: looks at what is true, and says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from recovery.journal.run_record import Kind

if TYPE_CHECKING:
    from tests.staging.crash.production import Done, Production

_RAN = """
SELECT coalesce((SELECT bool_or((to_jsonb(p) ->> 'energy')::int > 0) FROM places p), false),
       (SELECT bool_or(name LIKE '%!') FROM intake_batches)
"""


def decide(production: Production, done: Done) -> bool:
    """Decides what that run has asked; False if it has asked nothing that looking can tell."""
    if step := re.search(r"The step (\w+) was begun, and how it ended is not known", done.said):
        ran = production.folder / "done"
        word = "--done" if ran.exists() and step[1] in ran.read_text().split() else "--repeat"
        production.run("pipeline", word, step[1]).must(0, 3)
        return True
    if "(classify.undecidable)" not in done.said:
        return False
    asked = [event.payload for event in production.events() if event.kind == Kind.CLASSIFIED][-1]
    ((scored, named),) = production.sql(_RAN)
    there = scored if "scores" in asked["migration"] else named
    answer = "--applied" if there else "--rolled-back"
    evidence = ("--evidence", asked["digest"], "--reason", "the rows show it")
    production.run("approve", asked["migration"], answer, *evidence).must(0)
    return True
