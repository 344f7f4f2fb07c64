"""Failures of known truth, staged on the suite's own history, and the verdicts on them."""

import collections
from pathlib import Path

import pytest
import staging
from staging.bench_verdicts import investigate, judge
from staging.failures import Stager, read_history

from recovery.replay import scratch
from recovery.replay.background import Workshop

HISTORY = Path(staging.__file__).parent / "project" / "prisma" / "migrations"


@pytest.mark.parametrize("version", [18, 13])
def test_no_verdict_is_wrong_and_none_is_left_to_a_person_that_the_schema_decides(version: int) -> None:
    """Every way of failing that can be staged of every migration, on the oldest and the newest server."""
    sources = read_history(HISTORY)
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    against = []
    workshop = Workshop(scratch.embedded, "public")
    try:
        with staging.start(version) as server:
            stager = Stager(server, "verdicts")
            for position, source in enumerate(sources):
                after = sources[position + 1] if position + 1 < len(sources) else None
                for staged in stager.failures(source, after):
                    evidence = investigate(server, staged, sources, source.name, workshop)
                    found = judge(staged, evidence)
                    counts[staged.kind][found] += 1
                    if found in ("wrong", "undecided"):
                        against.append((source.name, staged.kind, evidence.verdict, evidence.reasons))
                assert stager.deploy(source)
    finally:
        workshop.close()
    assert against == []
    assert sum(sum(found.values()) for found in counts.values()) > 60
    assert {"nothing in", "all in, steps 0", "all in, steps 1", "made by hand, exactly", "undone by hand"} < set(counts)
    assert {"first statements only", "a later one stamped over it", "one difference: a column missing"} < set(counts)
