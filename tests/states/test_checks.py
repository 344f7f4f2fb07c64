"""Which checks of preflight may be waived, and which are left out on a wrong target."""

from dataclasses import replace

import pytest

from states.answers import Go
from states.checks import NAMES, NOT_BY_SETTINGS, awaited, held, not_looked_at, refused, unknown, waive
from states.exit_codes import Exit
from states.facts import Check, Orphan, Outcome
from states.preflight import PreflightFacts, against, decide, demanded, lets_look, orphan

HELD = held("git.clean", "as committed", "git")
REFUSED = refused("git.clean", "not committed: a", "git", "Commit it.")
UNKNOWN = unknown("git.clean", "no git here", "git", "Install git.")
WHY = {"git.clean": "a remark only"}


@pytest.mark.parametrize(
    ("check", "by_name", "by_settings", "outcome"),
    [
        (HELD, WHY, WHY, Outcome.HELD),
        (REFUSED, WHY, {}, Outcome.WAIVED),
        (UNKNOWN, WHY, {}, Outcome.WAIVED),
        (UNKNOWN, {}, WHY, Outcome.WAIVED),
        (REFUSED, {}, WHY, Outcome.REFUSED),
        (replace(REFUSED, outcome=Outcome.AWAITED), WHY, WHY, Outcome.AWAITED),
        (REFUSED, {"git.commit": "another one"}, {"git.commit": "another one"}, Outcome.REFUSED),
    ],
)
def test_a_check_is_waived_by_its_name(
    check: Check, by_name: dict[str, str], by_settings: dict[str, str], outcome: Outcome
) -> None:
    """A person may take on a check that does not hold; the settings only one that could not be made."""
    (found,) = waive([check], by_name, by_settings)
    assert found.outcome is outcome
    assert found == check or found.seen.startswith(f"{check.seen}; waived")
    assert found == check or found.seen.endswith(": a remark only")


@pytest.mark.parametrize("name", ["target.identity", "target.primary", "target.direct", "ledger.present"])
def test_a_target_that_is_none_to_work_on_is_asked_nothing_more(name: str) -> None:
    """On a wrong database locks, DDL and ledger are not looked at: each could be right there by itself."""
    made = [HELD, refused(name, "another one", "the URL", "Correct it.")]
    assert [(check.name, check.outcome) for check in not_looked_at(made)] == [
        ("deploy.lock", Outcome.UNKNOWN),
        ("deploy.ddl", Outcome.UNKNOWN),
        ("git.ledger", Outcome.UNKNOWN),
    ]
    assert all(check.remedy == f"Mend {name} first." for check in not_looked_at(made))


@pytest.mark.parametrize(
    "check",
    [
        unknown("target.identity", "nobody said", "the URL", "Say it."),
        refused("git.clean", "not committed", "git", "Commit it."),
        Check("target.primary", Outcome.WAIVED, "a replica; waived: why", "the server"),
    ],
)
def test_any_other_target_is_looked_at_wholly(check: Check) -> None:
    """Neither an unknown check, nor a waived one, nor one of the checkout keeps the others from being made."""
    assert not_looked_at([HELD, check]) == []


def test_what_the_settings_can_not_waive_is_a_check() -> None:
    """Each name is a check's, and comes with what to do instead."""
    assert set(NOT_BY_SETTINGS) <= set(NAMES)
    assert all(text.endswith(".") for text in NOT_BY_SETTINGS.values())


def test_an_awaited_check_stands_against_a_change_only() -> None:
    """One may look before Prisma's target is proven, and change nothing before it is (F2)."""
    waiting = awaited("prisma.target", "being looked at", "a listener")
    decided = decide(PreflightFacts((HELD, waiting)))
    assert isinstance(decided, Go)
    assert decided.because == "1 check holds, prisma.target is awaited before the first change"
    assert against([HELD, waiting]) is None
    refusal = demanded([HELD, waiting])
    assert refusal is not None
    assert (refusal.code, refusal.exit) == ("preflight.prisma.target", Exit.PREFLIGHT)
    assert refusal.fact == "The check prisma.target could not be made: being looked at. Nothing was changed."
    assert demanded([HELD]) is None


@pytest.mark.parametrize(
    ("checks", "looks"),
    [
        ([HELD, held("target.identity", "the right one", "the URL")], True),
        ([REFUSED, UNKNOWN], True),
        ([awaited("prisma.target", "being looked at", "a listener")], True),
        ([REFUSED, unknown("target.identity", "nobody said", "the URL", "Say it.")], False),
        ([refused("deploy.lock", "pid 7", "pg_locks", "Wait.", busy=True)], False),
    ],
)
def test_a_plan_looks_where_only_the_checkout_is_wrong(checks: list[Check], *, looks: bool) -> None:
    """Nothing is wrong then with the database itself, and a plan changes nothing."""
    assert lets_look(checks) is looks


ORPHAN = Orphan(7, "app", "prisma", "10.0.0.1", "13:05:10 UTC", 60.0, "SELECT pg_terminate_backend(7)", "mark")
LOCKED = replace(refused("deploy.lock", "pid 7 holds it", "pg_locks", "End it.", busy=True), orphan=ORPHAN)


@pytest.mark.parametrize(
    ("checks", "found"),
    [
        ([HELD, LOCKED], ORPHAN),
        # While anything else is in the way, this may be another database than the one that is meant.
        ([LOCKED, UNKNOWN], None),
        ([replace(LOCKED, orphan=None)], None),
        ([replace(LOCKED, outcome=Outcome.WAIVED)], None),
        ([HELD], None),
    ],
)
def test_an_orphan_is_ended_where_nothing_else_is_in_the_way(checks: list[Check], found: Orphan | None) -> None:
    """And the command that ends it is offered only where it is the check that the refusal is about."""
    assert orphan(checks) == found
    refusal = against(checks)
    lines = [each.line for each in refusal.commands] if refusal else []
    assert lines[:1] == (
        ["prisma-recovery run --end-orphan 7"] if found else ["prisma-recovery run"] if refusal else []
    )
