"""E17: on drawn cases, no decision leaves the effects of a migration in production twice, in part, or not at all."""

import pytest

from tests import staging
from tests.integration.rules.production import SharedWorkshop
from tests.staging.fuzz.drawing import GROUP
from tests.staging.fuzz.oracle import Answer
from tests.staging.fuzz.search import Refused, judged
from tests.staging.fuzz.staging import SETTINGS, Judged, Stager

#: The oldest server, which differs from the one that scripts are replayed on, and the newest; each with its seed.
SEEDS = {13: 13, 18: 18}
#: Groups of cases with a history of their own. `scripts/bench fuzz` searches further.
GROUPS = 3


@pytest.mark.parametrize("version", SEEDS)
def test_no_decision_is_unsafe(version: int, workshop: SharedWorkshop) -> None:
    """Each drawn case has a decision, which the server's own computation does not contradict."""
    with staging.start(version, settings=SETTINGS) as server:
        on = Stager(server, workshop)
        found = list(judged(on, SEEDS[version], range(GROUPS), range(GROUPS * GROUP), handwork=True))
        on.close()
    bad = [each for each in found if isinstance(each, Judged) and each.answer in (Answer.UNSAFE, Answer.CRASHED)]
    told = [f"{each.answer} {each.case.label}: {each.case.event}: {each.decisions}: {each.case.kinds}" for each in bad]
    assert not told, "\n".join(told)
    assert sum(isinstance(each, Refused) for each in found) < len(found) / 5
