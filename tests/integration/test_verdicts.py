"""Failures of known truth, staged on the suite's own histories, and the verdicts on them."""

from collections import Counter
from pathlib import Path

import pytest

from tests import staging
from tests.staging.bench_cases import Record
from tests.staging.bench_verdicts import Staging
from tests.staging.failures import SETTINGS
from tests.staging.histories import read_history

INCIDENT = Path(staging.__file__).parent / "project" / "prisma" / "migrations"
HISTORY = Path(__file__).parents[1] / "data" / "history"
#: Of what can be made differently by hand, one in as many is staged here; `scripts/bench verdicts` takes all.
SHARE = 8
#: Of the migrations, one in as many is failed on a server.
STEP = 16
#: What must have been staged, by how its name begins.
KINDS = {
    "nothing in, no logs",
    "nothing in, refused",
    "nothing in, two attempts",
    "all in, steps 0",
    "all in, steps 1",
    "all in, undone by hand",
    "all in, a later one run over it",
    "made by hand, exactly",
    "made by hand, otherwise written",
    "made by hand, not its work on rows",
    "first statements of a rolled-back attempt",
    "in the way, run as one",
    "in the way and removed, one by one",
    "edited, the old one lost",
    "edited, the old one in git",
    "one difference: ",
}


@pytest.mark.parametrize(("version", "first"), [(18, 5), (13, 7)])
def test_no_verdict_is_wrong_and_none_is_left_to_a_person_that_the_schema_decides(
    version: int, first: int, tmp_path: Path
) -> None:
    """Every way of failing that can be staged, of other migrations on the newest server than on the oldest."""
    records: list[Record] = []
    with staging.start(version, settings=SETTINGS) as server:
        for folder in (INCIDENT, HISTORY):
            sources = read_history(folder)
            staged = Staging(server, folder.name, sources, tmp_path / folder.parent.name)
            try:
                for found in staged.cases(range(first, len(sources), STEP), SHARE):
                    assert isinstance(found, Record), found
                    records.append(found)
            finally:
                staged.close()
    against = [each for each in records if each.answer in ("wrong", "crashed")]
    assert against == []
    decidable = [each for each in records if each.decidable]
    undecided = [each for each in decidable if each.answer == "undecided"]
    assert len(undecided) * 50 <= len(decidable), undecided
    counts = Counter(kind for each in records for kind in KINDS if each.kind.startswith(kind))
    assert set(counts) == KINDS
    assert len(records) > 120, len(records)
