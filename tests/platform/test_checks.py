"""What preflight learns from Neon and Vercel: a yes, a no, and a could-not-tell for each check."""

from typing import Any

import pytest

from recovery.platform import neon
from recovery.platform.vercel import Production
from recovery.postgres.url import parse
from states.facts import Check, Outcome
from tests.platform.conftest import Answer, Platform

HOST = "ep-cool-wind-123456.eu-central-1.aws.neon.tech"
ENDPOINT = {"id": "ep-cool-wind-123456", "host": HOST, "branch_id": "br-main", "type": "read_write", "disabled": False}
BRANCHES = [
    {"id": "br-main", "name": "main", "default": True, "protected": True},
    {"id": "br-stage", "name": "staging", "default": False, "protected": False},
]
SHA = "a" * 40
LIVE = {"uid": "dpl_1", "url": "app-1.vercel.app", "readyState": "READY", "meta": {"githubCommitSha": SHA}}
UNTELLING = [
    (Answer({"message": "nope"}, 401), "status 401"),
    (Answer({"message": "nope"}, 403), "status 403"),
    (Answer({"message": "nope"}, 404), "status 404"),
    (Answer({}, 423), "status 423"),
    (Answer({}, 429, {"Retry-After": "999"}), "status 429"),
    (Answer({}, 502), "status 502"),
    (Answer(b"<html>"), "not JSON"),
    (Answer({}), "no list"),
    (Answer({"deployments": []}, slow=True), "no answer in time"),
]


def ask_neon(
    platform: Platform, host: str = HOST, wanted: str | None = None, branches: object = None, **endpoint: object
) -> Check:
    """The check of a project with these."""
    other = {"id": "ep-2", "host": "ep-2.neon.tech", "branch_id": "br-stage", "type": "read_write"}
    active = {**ENDPOINT, "current_state": "active", **endpoint}
    platform.says("/projects/p-1/endpoints", Answer({"endpoints": [other, active]}))
    page, rest = {"branches": BRANCHES[1:], "pagination": {"next": "c1"}}, {"branches": BRANCHES[:1]}
    platform.says("/projects/p-1/branches", Answer(page))
    platform.says("/projects/p-1/branches?c1", Answer(rest if branches is None else {"branches": branches}))
    return neon.branch_check(platform.api, "p-1", parse(f"postgresql://u:p@{host}/app"), wanted)


def test_the_default_branch(platform: Platform) -> None:
    """The host leads to the default branch's read-write compute, though it is on the second page."""
    check = ask_neon(platform)
    assert (check.outcome, check.seen) == (Outcome.HELD, "branch main, default, protected, compute active, read-write")


def test_the_pooler_is_named(platform: Platform) -> None:
    """A pooled host belongs to the same endpoint; the direct host is told."""
    first, _, rest = HOST.partition(".")
    check = ask_neon(platform, f"{first}-pooler.{rest}", current_state="idle")
    assert check.outcome is Outcome.HELD
    assert f"compute idle (through its pooler; the direct host is {HOST})" in check.seen


@pytest.mark.parametrize(
    ("host", "wanted", "endpoint", "words"),
    [
        ("ep-other.neon.tech", None, {}, "no endpoint of the project has the host ep-other.neon.tech"),
        (HOST, None, {"branch_id": "br-stage"}, "branch staging, compute active; it is not the project's default"),
        (HOST, "staging", {}, "expected the branch staging"),
        (HOST, None, {"type": "read_only"}, "its endpoint is read_only"),
        (HOST, None, {"disabled": True}, "disabled"),
    ],
)
def test_another_branch(
    platform: Platform, host: str, wanted: str | None, endpoint: dict[str, Any], words: str
) -> None:
    """A host, a branch or an endpoint that is not production's is refused, and said."""
    check = ask_neon(platform, host, wanted, **endpoint)
    assert check.outcome is Outcome.REFUSED
    assert words in check.seen
    assert check.remedy


@pytest.mark.parametrize("wanted", ["br-stage", "staging"])
def test_a_branch_that_was_named(platform: Platform, wanted: str) -> None:
    """By its id or its name another branch than the default one can be production."""
    assert ask_neon(platform, wanted=wanted, branch_id="br-stage").outcome is Outcome.HELD


def test_a_branch_that_is_not_listed(platform: Platform) -> None:
    """A list without the endpoint's branch tells nothing."""
    assert ask_neon(platform, branches=[]).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(("answer", "words"), UNTELLING)
def test_neon_does_not_tell(platform: Platform, answer: Answer, words: str) -> None:
    """No answer, or one that can't be read, is no pass."""
    ask_neon(platform)
    platform.says("/projects/p-1/branches?c1", answer)
    check = neon.branch_check(platform.api, "p-1", parse(f"postgresql://u:p@{HOST}/app"), None)
    assert (check.outcome, words in check.seen) == (Outcome.UNKNOWN, True), check
    assert check.remedy


def production(platform: Platform) -> Production:
    """Of the project, in a team."""
    return Production(platform.api, "prj_1", "team_1")


def vercel(platform: Platform, running: list[Any], ready: list[Any]) -> None:
    """What it answers, by the states that it is asked for."""
    platform.says("/v7/deployments BUILDING,QUEUED,INITIALIZING", Answer({"deployments": running}))
    platform.says("/v7/deployments READY", Answer({"deployments": ready}))


def test_no_deployment_is_under_way(platform: Platform) -> None:
    """Production is asked for, of the project and the team that were named."""
    vercel(platform, [], [LIVE])
    assert production(platform).deploy_check().outcome is Outcome.HELD
    assert platform.asked[0].query == {
        "projectId": "prj_1",
        "teamId": "team_1",
        "target": "production",
        "state": "BUILDING,QUEUED,INITIALIZING",
    }


def test_a_deployment_is_under_way(platform: Platform) -> None:
    """It is named, and passes by itself."""
    vercel(platform, [LIVE, {"uid": "dpl_2", "url": "app-2.vercel.app", "readyState": "BUILDING"}], [])
    check = production(platform).deploy_check()
    assert (check.outcome, check.busy) == (Outcome.REFUSED, True)
    assert check.seen == "the deployment app-2.vercel.app is building"


def test_the_build_that_asks_is_not_in_its_own_way(platform: Platform) -> None:
    """Where a recovery runs in a build of Vercel's, that deployment is under way; another one still counts."""
    own, other = ({"uid": uid, "readyState": "BUILDING"} for uid in ("dpl_2", "dpl_3"))
    vercel(platform, [own], [])
    one = Production(platform.api, "prj_1", "team_1", "dpl_2")
    assert one.deploy_check().outcome is Outcome.HELD
    vercel(platform, [own, other], [])
    check = one.deploy_check()
    assert check.outcome is Outcome.REFUSED
    assert "dpl_3" in check.seen


def test_the_commit_of_production(platform: Platform) -> None:
    """It is shown beside HEAD; where it was demanded it has to be the same."""
    vercel(platform, [], [LIVE])
    same = production(platform).commit_check(SHA, demanded=True)
    other = production(platform).commit_check("b" * 40, demanded=True)
    shown = production(platform).commit_check("b" * 40, demanded=False)
    assert [check.outcome for check in (same, other, shown)] == [Outcome.HELD, Outcome.REFUSED, Outcome.HELD]
    for check in (other, shown):
        assert SHA[:12] in check.seen
        assert "HEAD is bbbbbbbbbbbb" in check.seen
    assert SHA[:12] in other.remedy


@pytest.mark.parametrize(
    "ready", [[], [{**LIVE, "meta": {}}], [{**LIVE, "meta": None}], [{**LIVE, "readyState": "ERROR"}]]
)
def test_a_production_without_a_commit(platform: Platform, ready: list[Any]) -> None:
    """Where none is known that is said; where it was demanded that is no pass."""
    vercel(platform, [], ready)
    assert production(platform).commit_check(SHA, demanded=True).outcome is Outcome.UNKNOWN
    assert production(platform).commit_check(SHA, demanded=False).outcome is Outcome.HELD


@pytest.mark.parametrize(("answer", "words"), UNTELLING)
def test_vercel_does_not_tell(platform: Platform, answer: Answer, words: str) -> None:
    """No answer, or one that can't be read, is no pass, demanded or not."""
    platform.says("/v7/deployments", answer)
    one = production(platform)
    for check in (one.deploy_check(), one.commit_check(SHA, demanded=False)):
        assert (check.outcome, words in check.seen) == (Outcome.UNKNOWN, True), check
