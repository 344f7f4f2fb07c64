"""E17: on drawn cases, no decision leaves the effects of a migration in production twice, in part, or not at all."""

import pytest

from tests import staging
from tests.integration.rules.production import SharedWorkshop
from tests.staging.fuzz.drawing import GROUP
from tests.staging.fuzz.oracle import Answer
from tests.staging.fuzz.search import Refused, judged
from tests.staging.fuzz.staging import SETTINGS, Judged, Stager

#: The oldest server, which differs from the one that scripts are replayed on, and the newest; each with a seed, and
#: groups of cases in which a simpler rule is unsafe. `scripts/bench fuzz` searches further.
DRAWN = {13: (13, [0, 1, 2]), 18: (2, [8, 22, 28])}


@pytest.mark.parametrize("version", DRAWN)
def test_no_decision_is_unsafe(version: int, workshop: SharedWorkshop) -> None:
    """Each drawn case has a decision, which the server's own computation does not contradict."""
    seed, groups = DRAWN[version]
    numbers = [group * GROUP + each for group in groups for each in range(GROUP)]
    with staging.start(version, settings=SETTINGS) as server:
        on = Stager(server, workshop)
        found = list(judged(on, seed, groups, numbers, handwork=True))
        on.close()
    bad = [each for each in found if isinstance(each, Judged) and each.answer in (Answer.UNSAFE, Answer.CRASHED)]
    told = [f"{each.answer} {each.case.label}: {each.case.event}: {each.decisions}: {each.case.kinds}" for each in bad]
    assert not told, "\n".join(told)
    assert sum(isinstance(each, Refused) for each in found) < len(found) / 5
