"""The rules of a fleet: outcomes, waves, stops; by example, and over all fleets."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from states.exit_codes import Exit
from states.fleet import (
    ENDED,
    TRIES,
    Limits,
    LookFacts,
    Moves,
    Outcome,
    Status,
    Wave,
    after_recovery,
    again,
    look_exit,
    moves,
    needs_nothing,
    outcome,
    progress,
    repeated,
    rest_seconds,
    run_exit,
    same_database,
    share,
    waves,
)

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (LookFacts(), Outcome.HEALTHY),
        (LookFacts(pending=("b",)), Outcome.PENDING),
        (LookFacts(unsettled=("a",), pending=("b",)), Outcome.FAILED),
        (LookFacts(pending=("b",), differs=True), Outcome.DRIFT),
        (LookFacts(unprovable="why", differs=True), Outcome.UNKNOWN),
        (LookFacts(unsettled=("a",), lost=True), Outcome.BASELINE),
    ],
)
def test_an_outcome_is_what_a_run_would_meet_first(facts: LookFacts, found: Outcome) -> None:
    """What the ledger lost comes before what failed, that before a difference, and that before what is pending."""
    assert outcome(facts) is found


def test_only_a_healthy_database_without_an_unfinished_recovery_needs_nothing() -> None:
    """Drift may keep the gate closed, and an unfinished recovery has to end, so both are worked on."""
    assert [each for each in Outcome if needs_nothing(each, unfinished=False)] == [Outcome.HEALTHY]
    assert not any(needs_nothing(each, unfinished=True) for each in Outcome)


def test_the_exit_code_of_a_look_tells_only_if_asked() -> None:
    """What needs somebody comes before what can't be reached; pending is nothing to complain of."""
    every = list(Outcome)
    assert look_exit(every, exit_code=False) is Exit.READY
    assert look_exit(every, exit_code=True) is Exit.BLOCKED
    assert look_exit([Outcome.HEALTHY, Outcome.UNREACHABLE], exit_code=True) is Exit.UNREACHABLE
    assert look_exit([Outcome.HEALTHY, Outcome.PENDING], exit_code=True) is Exit.READY


@pytest.mark.parametrize(
    ("exit_code", "code", "passed", "status"),
    [
        (Exit.READY, "", 0, Status.READY),
        (Exit.BLOCKED, "classify.drifted", 0, Status.PERSON),
        (Exit.PREFLIGHT, "preflight.git.clean", 0, Status.PERSON),
        (Exit.USAGE, "config.unknown_key", 0, Status.PERSON),
        (Exit.VERIFY_FAILED, "verify.differs", 0, Status.PERSON),
        (Exit.FAILURE, "command.bug", 0, Status.FAILED),
        (Exit.INTERRUPTED, "engine.stopped", 9, Status.WAITING),
        (Exit.BUSY, "lock.recovery", 1, Status.WAITING),
        (Exit.BUSY, "lock.recovery", TRIES, Status.FAILED),
        (Exit.UNREACHABLE, "database.lost", TRIES - 1, Status.WAITING),
        (Exit.FAILURE, "journal.unwritable", 1, Status.WAITING),
    ],
)
def test_where_a_target_stands_after_its_recovery(exit_code: Exit, code: str, passed: int, status: Status) -> None:
    """What passes by itself is tried again, but not for ever; an interruption costs no try."""
    assert after_recovery(exit_code, code, passed) is status


def test_a_busy_target_rests_longer_each_time() -> None:
    """So that all tries last about a minute: longer than a server's restart."""
    rests = [rest_seconds(passed) for passed in range(1, TRIES)]
    assert rests == sorted(set(rests))
    assert 45 < sum(rests) < 90


def test_waves_are_canaries_then_groups_then_the_rest() -> None:
    """Canaries are taken from the first group; groups that are named first come first."""
    labels = {"a": {"tier": "free"}, "b": {"tier": "paid"}, "c": {"tier": "free"}, "d": {}, "e": {"tier": "inner"}}
    assert waves(labels, 1, "tier", ("inner", "free")) == (
        Wave("canary", ("e",)),
        Wave("tier=free", ("a", "c")),
        Wave("tier=paid", ("b",)),
        Wave("rest", ("d",)),
    )
    assert waves(labels) == (Wave("rest", ("a", "b", "c", "d", "e")),)


FLEETS = st.dictionaries(
    st.text("abcdef", min_size=1), st.fixed_dictionaries({}, optional={"by": st.sampled_from("xyz")})
)


@given(FLEETS, st.integers(0, 5), st.sampled_from([None, "by"]), st.lists(st.sampled_from("xyzw"), unique=True))
def test_every_target_is_in_exactly_one_wave(
    labels: Mapping[str, Mapping[str, str]], canary: int, by: str | None, first: list[str]
) -> None:
    """None is left out, and none comes twice, whatever the labels are."""
    found = [name for wave in waves(labels, canary, by, first) for name in wave.targets]
    assert sorted(found) == sorted(labels)
    assert all(wave.targets for wave in waves(labels, canary, by, first))


PLAN = (Wave("canary", ("a",)), Wave("rest", ("b", "c", "d")))


def stands(**said: Status) -> dict[str, Status]:
    return {name: said.get(name, Status.WAITING) for name in "abcd"}


def test_a_wave_begins_when_the_one_before_it_has_ended() -> None:
    """And no more are at work than may be, those of the wave before included."""
    limits = Limits(at_once=2, canary=True)
    assert moves(PLAN, stands(), limits) == Moves(("a",))
    assert moves(PLAN, stands(a=Status.AT_WORK), limits) == Moves()
    assert moves(PLAN, stands(a=Status.READY), limits) == Moves(("b", "c"))
    assert moves(PLAN, stands(a=Status.READY, b=Status.AT_WORK), limits) == Moves(("c",))
    assert moves(PLAN, stands(a=Status.READY), limits, resting={"b"}) == Moves(("c", "d"))


def test_a_canary_that_is_not_ready_stops_the_run() -> None:
    """That is what it is there for. Without canaries one that needs a person holds nobody up."""
    stopped = moves(PLAN, stands(a=Status.PERSON), Limits(canary=True))
    assert "canaries" in stopped.stop
    assert stopped.ended
    assert not stopped.hand_out
    assert moves(PLAN, stands(a=Status.PERSON), Limits()) == Moves(("b", "c", "d"))


@pytest.mark.parametrize(
    ("limits", "stops"),
    [
        (Limits(stop_after=2), True),
        (Limits(stop_after=3), False),
        (Limits(stop_after_in_wave=1), True),
        (Limits(stop_after_in_wave=2), False),
    ],
)
def test_failures_stop_a_run(limits: Limits, *, stops: bool) -> None:
    """Counted over the run, or within a wave; what is at work is waited for."""
    now = moves(PLAN, stands(a=Status.FAILED, b=Status.PERSON, c=Status.AT_WORK), limits)
    assert bool(now.stop) is stops
    assert not now.ended
    assert bool(now.hand_out) is not stops


@pytest.mark.parametrize(("at_once", "workers", "each"), [(4, 0, 4), (4, 1, 4), (4, 2, 2), (4, 3, 2), (4, 9, 1)])
def test_each_worker_takes_its_share(at_once: int, workers: int, each: int) -> None:
    """Together they take all that is handed out, and none takes all of it while others idle."""
    assert share(at_once, workers) == each


def test_a_person_can_stop_a_run() -> None:
    """It has ended once nothing is at work."""
    asked = moves(PLAN, stands(a=Status.READY, b=Status.AT_WORK), Limits(), asked_to_stop=True)
    assert asked.stop
    assert not asked.ended
    assert moves(PLAN, stands(a=Status.READY), Limits(), asked_to_stop=True).ended
    assert moves(PLAN, dict.fromkeys("abcd", Status.READY), Limits(), asked_to_stop=True) == Moves(ended=True)


@given(FLEETS, st.integers(0, 3), st.integers(1, 4), st.none() | st.integers(1, 3), st.data())
def test_a_run_ends_and_keeps_its_limits(
    labels: Mapping[str, Mapping[str, str]], canary: int, at_once: int, stop_after: int | None, data: st.DataObject
) -> None:
    """However the recoveries end, in whatever order: never too many at once, waves in order, none handed out twice."""
    plan = waves(labels, canary, "by")
    limits = Limits(at_once, stop_after, canary=canary > 0)
    now = dict.fromkeys(labels, Status.WAITING)
    handed: list[str] = []
    wave_of = {name: at for at, wave in enumerate(plan) for name in wave.targets}
    for _ in range(3 * len(labels) + 1):
        next_ = moves(plan, now, limits)
        if next_.ended:
            break
        for name in next_.hand_out:
            assert now[name] is Status.WAITING
            assert all(now[other] in ENDED for other in labels if wave_of[other] < wave_of[name])
            now[name] = Status.AT_WORK
            handed.append(name)
        at_work = [name for name, each in now.items() if each is Status.AT_WORK]
        assert 0 < len(at_work) <= at_once
        now[data.draw(st.sampled_from(at_work))] = data.draw(st.sampled_from(sorted(ENDED)))
    else:
        pytest.fail("it never ended")
    assert len(handed) == len(set(handed))
    assert next_.stop or set(handed) == set(labels)


def test_the_exit_code_of_a_run() -> None:
    """A failure comes before a person, and that before what was not handed out."""
    assert run_exit([Status.READY], stopped=False) is Exit.READY
    assert run_exit([Status.READY, Status.WAITING], stopped=True) is Exit.INTERRUPTED
    assert run_exit([Status.WAITING, Status.PERSON], stopped=True) is Exit.BLOCKED
    assert run_exit([Status.PERSON, Status.FAILED], stopped=False) is Exit.FAILURE


def test_progress_counts_and_foretells() -> None:
    """The rate is of those that were worked on; without any it is not known."""
    now = [Status.READY, Status.READY, Status.WAITING, Status.AT_WORK, Status.PERSON, Status.FAILED]
    told = progress(now, worked_on=2, seconds=10.0)
    assert (told.total, told.done, told.at_work, told.waiting, told.person, told.failed) == (6, 2, 1, 1, 1, 1)
    assert told.rate == pytest.approx(0.2)
    assert told.left_seconds == pytest.approx(10.0)
    assert progress(now, 0, 10.0).left_seconds is None


def test_names_and_databases_that_come_twice_are_found() -> None:
    """Each name once, however often it comes; each database with all its names."""
    assert repeated(["a", "b", "a", "c", "a", "b"]) == ("a", "b")
    assert same_database({"a": ("1", "5"), "b": ("1", "6"), "c": ("1", "5")}) == (("a", "c"),)


def test_what_ended_badly_is_tried_again() -> None:
    """All of it, or what was chosen; a name that is none of the run's is a mistake."""
    now = {"a": Status.READY, "b": Status.PERSON, "c": Status.FAILED, "d": Status.WAITING}
    assert again(now, ()) == ("b", "c")
    assert again(now, ("c", "a")) == ("c",)
    with pytest.raises(ValueError, match="x"):
        again(now, ("x",))
