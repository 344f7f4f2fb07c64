"""Which checks of preflight may be waived, and which are left out on a wrong target."""

from dataclasses import replace

import pytest

from states.checks import NAMES, NOT_BY_SETTINGS, held, not_looked_at, refused, unknown, waive
from states.facts import Check, Outcome

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
