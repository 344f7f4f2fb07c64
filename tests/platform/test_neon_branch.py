"""A branch as a restore point: made once, from the right one, and seen to be finished."""

import pytest

from recovery.errors import PreflightError, UnreachableError
from recovery.platform.neon import Branch, make_branch
from tests.platform.conftest import Answer, Platform

PATH = "/projects/p-1/branches"
ENDPOINTS = [{"host": "ep-1.neon.tech", "branch_id": "br-main"}, {"host": "ep-2.neon.tech", "branch_id": "br-stage"}]
MADE = {"branch": {"id": "br-new", "name": "back"}, "operations": [{"id": "op-1", "status": "running"}]}


def make(platform: Platform, clock: float = 0.0) -> Branch:
    """A branch called `back`, of the host's branch; no time passes between two looks at it."""
    api, times = platform.api(), iter((0.0, *[clock] * 100))
    try:
        return make_branch(api, "p-1", "ep-1-pooler.neon.tech", "back", lambda _: None, lambda: next(times))
    finally:
        api.close()


@pytest.fixture
def neon(platform: Platform) -> Platform:
    """A project with two branches, on which a new one takes a while."""
    platform.says("/projects/p-1/endpoints", Answer({"endpoints": ENDPOINTS}))
    platform.says(f"GET {PATH}", Answer({"branches": [{"id": "br-main", "name": "main"}]}))
    platform.says(f"POST {PATH}", Answer({}, 423), Answer(MADE, 201))
    operation = [Answer({"operation": {"status": status}}) for status in ("running", "finished")]
    platform.says("/projects/p-1/operations/op-1", *operation)
    return platform


def posted(platform: Platform) -> list[object]:
    """What it was asked to make."""
    return [asked.body for asked in platform.asked if asked.method == "POST"]


def test_a_branch_is_made(neon: Platform) -> None:
    """From the branch that the host leads to, and waited for; a locked project is tried again."""
    assert make(neon) == Branch("br-new", "br-main")
    assert posted(neon) == [{"branch": {"name": "back", "parent_id": "br-main"}}] * 2
    assert [asked.path for asked in neon.asked][-2:] == ["/projects/p-1/operations/op-1"] * 2


def test_a_branch_is_made_once(neon: Platform) -> None:
    """Where a run died after it had it made, it is found by its name."""
    neon.says(f"GET {PATH}", Answer({"branches": [{"id": "br-back", "name": "back", "current_state": "ready"}]}))
    assert make(neon) == Branch("br-back", "br-main")
    assert posted(neon) == []


@pytest.mark.parametrize(
    ("status", "clock", "words"),
    [("failed", 0.0, "ended as failed"), ("running", 61.0, "within 60 s"), ("odd", 0.0, "odd"), (None, 0.0, "None")],
)
def test_a_branch_that_is_not_finished(neon: Platform, status: str | None, clock: float, words: str) -> None:
    """Is no restore point."""
    neon.says("/projects/p-1/operations/op-1", Answer({"operation": {"status": status}}))
    with pytest.raises(PreflightError) as caught:
        make(neon, clock)
    assert caught.value.code == "restore_point.failed"
    assert words in caught.value.fact


def test_a_host_of_another_project(neon: Platform) -> None:
    """Nothing is made where the target is not in the project."""
    neon.says("/projects/p-1/endpoints", Answer({"endpoints": ENDPOINTS[1:]}))
    with pytest.raises(PreflightError) as caught:
        make(neon)
    assert "no endpoint of the project p-1 has the host ep-1.neon.tech" in caught.value.fact
    assert posted(neon) == []


def test_an_answer_that_never_came(neon: Platform) -> None:
    """It may have been made: not asked for again now, and found by the next run."""
    neon.says(f"POST {PATH}", Answer({}, 502))
    with pytest.raises(UnreachableError) as caught:
        make(neon)
    assert "whether the request was carried out is not known" in caught.value.fact
    assert len(posted(neon)) == 1
