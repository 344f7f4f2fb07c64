"""RULES E30: two failed migrations are judged in their order, each as a run finds it when it comes to it."""

import pytest

from states.evidence import Decision, Evidence
from tests.integration.rules.production import (
    APPLIED,
    LOGS,
    NOT_APPLIED,
    UNDECIDABLE,
    Production,
    verdict,
)

ONE, TWO = "20260110_one", "20260111_two"


def resolve(one: Production, name: str, decision: Decision) -> None:
    """What `prisma migrate resolve` writes, now."""
    one.run(
        f"UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL AND migration_name = '{name}'"
    )
    if decision is Decision.MARK_APPLIED:
        script = (one.folder / name / "migration.sql").read_text()
        one.row(name, one.file(name, script), finished=True, steps=0)
        one.run(
            f"UPDATE _prisma_migrations SET started_at = now(), finished_at = now() WHERE id = (SELECT id FROM"
            f" _prisma_migrations WHERE migration_name = '{name}' AND finished_at IS NOT NULL)"
        )


def both(one: Production) -> tuple[Evidence, Evidence]:
    """The evidence on both before anything is resolved; the second one's is the same once the first is."""
    first, second = one.judge(ONE), one.judge(TWO)
    if first.decision in (Decision.MARK_APPLIED, Decision.MARK_ROLLED_BACK):
        resolve(one, ONE, first.decision)
        then = one.judge(TWO)
        assert (then.verdict, then.decision, then.reasons) == (second.verdict, second.decision, second.reasons)
        assert then.evidence_digest == second.evidence_digest
    return first, second


@pytest.mark.parametrize("done", [False, True], ids=["absent", "in place"])
def test_what_is_decided_applied_is_in_the_base_of_the_next(production: Production, *, done: bool) -> None:
    """E30: the second one alters what the first one made, which no finished migration did."""
    production.failed("CREATE TABLE z (id int);", ONE)
    production.failed("ALTER TABLE z ADD b int;", TWO)
    production.run("CREATE TABLE z (id int);" + ("ALTER TABLE z ADD b int;" if done else ""))
    first, second = both(production)
    assert (verdict(first), verdict(second)) == (APPLIED, APPLIED if done else NOT_APPLIED)


def test_both_in_place(production: Production) -> None:
    """E30: a base without the first one would lack the table, and nothing could be said."""
    production.failed("CREATE TABLE z (id int);", ONE)
    production.failed("CREATE INDEX iz ON z (id);", TWO)
    production.run("CREATE TABLE z (id int); CREATE INDEX iz ON z (id);")
    first, second = both(production)
    assert (verdict(first), verdict(second)) == (APPLIED, APPLIED)


def test_what_is_decided_rolled_back_is_in_no_base(production: Production) -> None:
    """E30: the first one left nothing, and the second one stands without it."""
    production.failed("ALTER TABLE t ADD b int;", ONE)
    production.failed("ALTER TABLE t ADD c int;", TWO)
    production.run("ALTER TABLE t ADD c int;")
    first, second = both(production)
    assert (verdict(first), verdict(second)) == (NOT_APPLIED, APPLIED)


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD b int; UPDATE t SET a = 1;",
        "DO $$ BEGIN EXECUTE lower('SELECT 1'); END $$;",
        "UPDATE t SET a = 1;",
    ],
)
def test_beside_one_that_nobody_has_decided_nothing_of_the_same_objects_is(production: Production, script: str) -> None:
    """E30: what the first one did may be in the second one's way, or may still be done after it."""
    production.failed(script, ONE, logs=None)
    production.failed("CREATE INDEX ia ON t (a);", TWO)
    first, second = both(production)
    assert first.decision is Decision.OPERATOR
    assert verdict(second) == UNDECIDABLE
    assert any(ONE in reason and "not decided yet" in reason for reason in second.reasons)


def test_what_the_first_one_is_asked_about_by_name(production: Production) -> None:
    """E30: the second one drops what the first one names, and the first one's own changes are elsewhere."""
    production.failed("CREATE VIEW v AS SELECT a FROM t; SELECT nextval('s');", ONE, logs=None)
    production.failed("ALTER TABLE t DROP a CASCADE;", TWO)
    assert verdict(both(production)[1]) == UNDECIDABLE


def test_an_undecided_one_elsewhere_is_in_nobodys_way(production: Production) -> None:
    """E30: it works on a table of its own."""
    production.before("CREATE TABLE u (a int)")
    production.failed("UPDATE u SET a = 1;", ONE, logs=None)
    production.failed("CREATE INDEX ia ON t (a);", TWO)
    assert verdict(both(production)[1]) == NOT_APPLIED


def test_one_whose_script_is_lost_may_be_in_everybodys_way(production: Production) -> None:
    """E30: nobody knows what it did."""
    production.row(ONE, "0" * 64, finished=False, steps=0, logs=LOGS)
    production.file(ONE, "CREATE TABLE u (a int)")
    production.failed("CREATE INDEX ia ON t (a);", TWO)
    assert verdict(both(production)[1]) == UNDECIDABLE


def test_one_that_began_after_it_overtakes_as_before(production: Production) -> None:
    """E10: a late merge that failed too; what it did came after the second one's attempt."""
    production.failed("ALTER TABLE t ADD c int;", TWO, rolled_back=True)
    production.failed("ALTER TABLE t ADD b int;", ONE)
    production.run("ALTER TABLE t ADD b int;")
    first, second = both(production)
    assert verdict(first) == APPLIED
    assert verdict(second) == UNDECIDABLE
    assert any("Finished later" in reason for reason in second.reasons)


def test_a_third_one_finds_both_resolved(production: Production) -> None:
    """E30: one that is applied, one that is rolled back, and one on top of the first."""
    production.failed("CREATE TABLE z (id int);", ONE)
    production.failed("CREATE TABLE y (id int);", TWO)
    production.failed("CREATE INDEX iz ON z (id);", "20260112_three")
    production.run("CREATE TABLE z (id int); CREATE INDEX iz ON z (id);")
    assert verdict(production.judge("20260112_three")) == APPLIED


def test_what_this_run_has_settled_is_not_asked_again(production: Production) -> None:
    """E30: a person approved that the first one is rolled back; the second one is then judged without it."""
    production.failed("UPDATE t SET a = 1;", ONE, logs=None, rolled_back=True)
    production.failed("ALTER TABLE t ADD c int;", TWO, rolled_back=True)
    assert verdict(production.judge(TWO)) == UNDECIDABLE
    assert verdict(production.judge(TWO, settled=(ONE,))) == NOT_APPLIED


def test_what_the_second_one_makes_again_hides_the_first(production: Production) -> None:
    """E30: both ran, and exchanged two names between them; the first one alone looks as if it had not run."""
    production.before("CREATE TABLE w (id int, p int, q int)")
    production.run("INSERT INTO w VALUES (1, 2, 3)")
    production.failed("ALTER TABLE w RENAME p TO x;", ONE, logs=None)
    assert verdict(production.judge(ONE)) == NOT_APPLIED
    production.run("ALTER TABLE w RENAME p TO x;")
    second = "ALTER TABLE w RENAME q TO p; ALTER TABLE w RENAME x TO q;"
    production.failed(second, TWO, logs=None)
    production.run(second)
    assert verdict(production.judge(ONE)) == UNDECIDABLE
