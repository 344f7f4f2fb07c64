"""What a deploy would lock and write anew, and which deploy can be rehearsed at all."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from states.baseline import Baseline
from states.baseline_answers import BaselineFacts
from states.effects import Deploy, Effect, MarkApplied, MarkRolledBack
from states.evidence import Decision, Verdict
from states.facts import History, Subject
from states.inspection import InspectFacts
from states.rehearsals import (
    LOCKS,
    LockedTable,
    Touched,
    after_marks,
    as_production,
    deployed,
    locked,
    to_rehearse,
    unrehearsed,
)
from tests.states.strategies import replay_of, steps_of

X = ("table public.x", "exists")
PENDING = InspectFacts(History(("m0",), (), ("m1", "m2")))
FAILED = InspectFacts(History(("m0",), ("m1",), ("m2",)))
UNLEDGERED = replace(PENDING, baseline=BaselineFacts(Baseline(Verdict.DRIFTED, Decision.OPERATOR)))
BOTH = Deploy(("m1", "m2"))


def test_only_what_an_application_waits_for_is_told() -> None:
    """Of each table the strongest lock, with the statement that takes it first, and every rewrite."""
    seen = [
        Touched(1, "public.a", "RowExclusiveLock", rewrites=False),
        Touched(1, "public.b", "ShareLock", rewrites=False),
        Touched(2, "public.b", "AccessExclusiveLock", rewrites=True),
        Touched(3, "public.b", "AccessExclusiveLock", rewrites=True),
        Touched(3, "public.c", "", rewrites=True),
        Touched(4, "public.d", "AccessExclusiveLock", rewrites=False),
        Touched(5, "public.e", "AccessExclusiveLock", rewrites=False),
    ]
    assert locked(seen, {"public.a": 9, "public.b": 5, "public.e": 7}) == (
        LockedTable("public.e", "AccessExclusiveLock", 5, (), 7),
        LockedTable("public.b", "AccessExclusiveLock", 2, (2, 3), 5),
        LockedTable("public.d", "AccessExclusiveLock", 4, (), None),
        LockedTable("public.c", "", 3, (3,), None),
    )


touches = st.builds(
    Touched, st.integers(1, 4), st.sampled_from(("a", "b", "c")), st.sampled_from(("", *LOCKS)), st.booleans()
)


@given(st.lists(touches, max_size=6))
@settings(max_examples=50)
def test_no_lock_that_stops_an_application_is_left_out(seen: list[Touched]) -> None:
    """Whatever was seen on a table, its row shows a lock as strong as any, and the strongest come first."""
    found = {each.table: each for each in locked(seen, {})}
    for each in seen:
        shown = found.get(each.table)
        assert shown is not None or not each.rewrites
        assert shown is not None or ("", *LOCKS).index(each.lock) <= LOCKS.index("RowExclusiveLock") + 1
        assert shown is None or ("", *LOCKS).index(shown.lock) >= ("", *LOCKS).index(each.lock)
    strengths = [("", *LOCKS).index(each.lock) for each in found.values()]
    assert strengths == sorted(strengths, reverse=True)


def test_production_stands_where_a_pending_one_begins() -> None:
    """By comparison, or since it is marked rolled back before; and only those that are coming count."""
    replay = replay_of(steps_of({X: "yes"}))
    absent, there = (
        Subject(name, (), (replay,), "a", production) for name, production in (("m1", {}), ("m2", {X: "yes"}))
    )
    assert as_production(("m1", "m2"), [], [absent, there]) == {"m1"}
    assert as_production(("m2", "m3"), [MarkRolledBack("m2"), MarkApplied("m3")], [absent, there]) == {"m2"}


@pytest.mark.parametrize(
    ("effects", "names"),
    [([], ()), ([MarkApplied("m1")], ()), ([BOTH, MarkApplied("m1")], ()), ([MarkApplied("m0"), BOTH], ("m1", "m2"))],
)
def test_a_plan_deploys_by_its_last_effect(effects: Sequence[Effect], names: tuple[str, ...]) -> None:
    """What follows a deploy is planned only after a look at what it did."""
    assert deployed(effects) == names


@pytest.mark.parametrize(
    ("effects", "facts", "expected"),
    [
        ([MarkRolledBack("m1"), BOTH], FAILED, (MarkRolledBack("m1"), BOTH)),
        # What is pending is in the way of a run, and is shown all the same.
        ([], PENDING, (BOTH,)),
        ([], FAILED, ()),
        ([], UNLEDGERED, ()),
        ([], replace(PENDING, history=History(("m0",), (), ())), ()),
    ],
)
def test_a_deploy_is_rehearsed_where_it_is_known_on_what_it_would_run(
    effects: Sequence[Effect], facts: InspectFacts, expected: tuple[Effect, ...]
) -> None:
    """The planned one, else the one of all that is pending, unless something has to be decided first."""
    assert to_rehearse(effects, facts) == expected


@pytest.mark.parametrize(
    ("facts", "names", "first"),
    [(FAILED, ["m2"], "m1 failed, which has"), (UNLEDGERED, ["m1", "m2"], "how far production has the history has")],
)
def test_what_was_not_rehearsed_says_why(facts: InspectFacts, names: list[str], first: str) -> None:
    """By the migration that is to be decided first, for each that is pending."""
    found = unrehearsed(facts)
    assert [each.migration for each in found] == names
    assert {each.untold for each in found} == {(f"It was not rehearsed, because {first} to be decided first.",)}


def test_what_the_run_marked_rolled_back_is_rehearsed_as_absent() -> None:
    """Of one that a person decided on, or that is to be decided still, production may have something."""
    verdicts = {"m1": "not_applied", "m2": "partial"}
    assert after_marks(BOTH, verdicts, {"m1", "m2"}) == (MarkRolledBack("m1"), BOTH)
    assert after_marks(BOTH, verdicts, {"m2"}) == (BOTH,)
