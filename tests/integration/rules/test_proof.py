"""What is proven before the gate opens (RULES F8)."""

import pytest

from tests.integration.rules.production import FAILED, Production

SCRIPT = "CREATE TABLE z (id int, b int)"


def _differing(production: Production) -> tuple[set[str], set[str]]:
    proof = production.prove()
    return {d.migration for d in proof.differing}, {d.migration for d in proof.elsewhere}


@pytest.mark.parametrize("history", ["failed once", "rolled back", "stamped", "has logs"])
def test_a_difference_in_what_ever_went_wrong_refuses(production: Production, history: str) -> None:
    """F8: also when nobody remembers this run: the ledger alone tells."""
    if history in ("failed once", "rolled back"):
        production.failed(SCRIPT, rolled_back=history == "rolled back")
    production.run(SCRIPT)
    checksum = production.file(FAILED, SCRIPT)
    logs = "an error" if history == "has logs" else None
    production.row(FAILED, checksum, finished=True, steps=0 if history == "stamped" else 1, logs=logs)
    assert FAILED in production.prove().proven
    production.run("ALTER TABLE z DROP COLUMN b")
    differing, _ = _differing(production)
    assert FAILED in differing


def test_a_difference_in_what_was_deployed_since_the_first_failure_refuses(production: Production) -> None:
    """F8: what came after it came from a production in doubt; the journal may be lost."""
    production.failed(SCRIPT, rolled_back=True)
    production.finished(FAILED, SCRIPT)
    production.finished("20260111_since", "CREATE TABLE y (id int, b int)")
    production.run("ALTER TABLE y DROP COLUMN b")
    assert _differing(production) == ({"20260111_since"}, set())


def test_a_difference_in_what_came_before_is_shown_only(production: Production) -> None:
    """F8: old drift keeps no gate shut."""
    production.finished("20260102_old", "CREATE TABLE y (id int, b int)")
    production.failed(SCRIPT, rolled_back=True)
    production.finished(FAILED, SCRIPT)
    production.run("ALTER TABLE y DROP COLUMN b")
    differing, elsewhere = _differing(production)
    assert differing == set()
    assert elsewhere == {"migrations before the first failure"}


def test_what_this_run_deployed_is_proven_without_any_failure(production: Production) -> None:
    """F8: nothing ever failed, and the deploy of this run is watched."""
    production.finished("20260102_deployed", "CREATE TABLE y (id int, b int)")
    production.run("ALTER TABLE y DROP COLUMN b")
    assert [d.migration for d in production.prove(["20260102_deployed"]).differing] == ["20260102_deployed"]


def test_all_finished_migrations_are_replayed_for_it(production: Production) -> None:
    """F8: what a later one changed again is no difference, and what it should have changed is one."""
    production.failed(SCRIPT, rolled_back=True)
    production.finished(FAILED, SCRIPT)
    production.finished("20260111_since", "ALTER TABLE z DROP COLUMN b; ALTER TABLE z ADD c int")
    assert _differing(production) == (set(), set())
    production.run("ALTER TABLE z ADD COLUMN b int NOT NULL")
    differing, _ = _differing(production)
    assert FAILED in differing


def test_what_a_rolled_back_attempt_left_behind_refuses(production: Production) -> None:
    """F8: its script was another one, and half of it is still there."""
    production.failed("CREATE TABLE left_behind (id int); CREATE TABLE z (id int)", rolled_back=True)
    production.commit()
    production.finished(FAILED, SCRIPT)
    assert _differing(production) == (set(), set())
    production.run("CREATE TABLE left_behind (id int)")
    differing, _ = _differing(production)
    assert differing == {f"{FAILED} (rolled back)"}


def test_what_can_not_be_replayed_is_not_proven(production: Production) -> None:
    """F8: a stamped migration that fails in the scratch database keeps the gate shut, by name."""
    checksum = production.file(FAILED, "ALTER TABLE nowhere ADD c int")
    production.row(FAILED, checksum, finished=True, steps=0)
    proof = production.prove()
    assert [name for name in proof.unprovable if FAILED in name]
