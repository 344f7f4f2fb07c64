"""A ledger that is gone or begins too late, beside a real production: what may be marked as applied."""

import pytest

from recovery.evidence.baseline import BaselineInvestigator
from states.baseline import Baseline
from states.evidence import Decision, Verdict
from tests.integration.rules.production import FIRST, FIRST_SCRIPT, Production
from tests.staging.failures import LEDGER

M2, M3, M4 = "20260102_two", "20260103_three", "20260104_four"
GONE = "DROP TABLE _prisma_migrations"
DECIDED = (Verdict.APPLIED, Decision.MARK_APPLIED)
ASKED = (Verdict.UNDECIDABLE, Decision.OPERATOR)


def look(production: Production) -> Baseline | None:
    """How far production has the history of its folder."""
    target = production.target()
    try:
        judging = BaselineInvestigator(target, production.scripts(), production.workshop, lambda _: None)
        judging.kept = {}
        found = judging.find(target.rows())
        return None if found is None else found.evidence
    finally:
        target.close()


def baseline(production: Production) -> Baseline:
    """The same, where there must be one."""
    found = look(production)
    assert found is not None
    return found


def verdict(found: Baseline) -> tuple[Verdict, Decision]:
    """What was found, and what follows from it."""
    return found.verdict, found.decision


def ran(production: Production, *scripts: str) -> None:
    """These ran after the first, and the ledger is gone."""
    for name, script in zip((M2, M3, M4), scripts, strict=False):
        production.finished(name, script)
    production.run(GONE)


def test_what_later_migrations_overwrote_keeps_nothing_from_being_told(production: Production) -> None:
    """None of the first ones is in production as it left it; the last is not there at all."""
    ran(production, "ALTER TABLE t ADD b int", "ALTER TABLE t DROP COLUMN b; CREATE INDEX t_a ON t (a)")
    production.file(M4, "CREATE TABLE u (id int)")
    found = baseline(production)
    assert verdict(found) == DECIDED
    assert (found.up_to, found.marked) == (M3, (FIRST, M2, M3))


@pytest.mark.parametrize(
    ("script", "by_hand"),
    [
        # A column that got another name keeps its place; one that was made anew stands at the end, without the values.
        ("ALTER TABLE t RENAME a TO b", "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD b int"),
        # PostgreSQL keeps the default with which a column was added, and none for one that got it later.
        (
            "ALTER TABLE t ADD b int NOT NULL DEFAULT 7",
            "ALTER TABLE t ADD b int; UPDATE t SET b = 1; ALTER TABLE t ALTER b SET NOT NULL, ALTER b SET DEFAULT 7",
        ),
        ("ALTER TABLE t ALTER a TYPE text", "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD a text"),
        ("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD a int", ""),
        ("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int)", ""),
    ],
)
def test_equal_schemas_do_not_prove_equal_rows(production: Production, script: str, by_hand: str) -> None:
    """E17, E20: what was made by hand looks the same and holds other rows, so a person is asked, by statement."""
    production.file(M2, script)
    production.run(by_hand)
    production.run(GONE)
    found = baseline(production)
    assert M2 in found.range
    assert verdict(found) == ASKED
    assert {each.migration for each in found.open} == {M2}


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t RENAME a TO b",
        "ALTER TABLE t ADD b int NOT NULL DEFAULT 7",
        "ALTER TABLE t ALTER a TYPE bigint",
        "CREATE TABLE v (id serial PRIMARY KEY, of int REFERENCES t (id))",
        "CREATE TYPE e AS ENUM ('A'); ALTER TABLE t ADD e e; ALTER TYPE e RENAME VALUE 'A' TO 'B'",
    ],
)
def test_what_ran_is_proven_by_what_only_that_leaves(production: Production, script: str) -> None:
    """E20: places of columns, and the defaults that PostgreSQL keeps."""
    ran(production, script, "CREATE INDEX t_id ON t (id)")
    found = baseline(production)
    assert verdict(found) == DECIDED, found.open
    assert found.up_to == M3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t SET a = a + 1",
        "INSERT INTO t VALUES (2, 2)",
        "ALTER SEQUENCE s RESTART WITH 100",
        "DO $$ BEGIN UPDATE t SET a = 5; END $$",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    ],
)
def test_what_no_schema_shows_is_open(production: Production, statement: str) -> None:
    """E4: whatever is not on the list of what shows wholly in the schema, also beside what does."""
    ran(production, f"CREATE INDEX t_a ON t (a); {statement}")
    found = baseline(production)
    assert verdict(found) == ASKED
    assert [(each.migration, each.statement) for each in found.open] == [(M2, 2)]


def test_the_last_one_may_have_run_or_not(production: Production) -> None:
    """It only writes rows. Whoever says that it ran has it marked; whoever says it did not, has it deployed."""
    ran(production, "CREATE INDEX t_a ON t (a)")
    production.file(M3, "UPDATE t SET a = 9")
    found = baseline(production)
    assert verdict(found) == ASKED
    assert (found.up_to, found.range) == (M2, (M2, M3))
    assert (found.marks(M2), found.marks(M3)) == ((FIRST, M2), (FIRST, M2, M3))


def test_one_that_changes_nothing_is_left_to_a_deploy(production: Production) -> None:
    """It runs harmlessly, so nobody is asked whether it ran."""
    ran(production, "CREATE INDEX t_a ON t (a)")
    production.file(M3, "CREATE INDEX IF NOT EXISTS t_a ON t (a); SELECT 1;")
    found = baseline(production)
    assert (verdict(found), found.range) == (DECIDED, (M2,))


def test_what_is_not_the_historys_is_named_and_hinders_nothing(production: Production) -> None:
    """E8: another table, an index that is not unique, and a column that an INSERT may omit."""
    ran(production, "CREATE TABLE u (id int)")
    production.run("CREATE TABLE others (x int); CREATE INDEX u_id ON u (id); ALTER TABLE u ADD note text")
    found = baseline(production)
    assert (verdict(found), found.others) == (DECIDED, ("public.others",))


@pytest.mark.parametrize(
    "by_hand",
    [
        "ALTER TABLE u ADD x int NOT NULL",
        "CREATE UNIQUE INDEX u_id ON u (id)",
        "CREATE TABLE legacy (x int)",
    ],
)
def test_what_differs_from_every_state_is_shown_and_nothing_is_marked(production: Production, by_hand: str) -> None:
    """Beside the nearest state. A table that a script drops IF EXISTS must not be there, as in no replay (E9)."""
    ran(production, "CREATE TABLE u (id int)", "DROP TABLE IF EXISTS legacy; CREATE TABLE v (id int)")
    production.run(by_hand)
    found = baseline(production)
    assert (verdict(found), found.nearest, found.marked) == ((Verdict.DRIFTED, Decision.OPERATOR), M3, ())
    assert found.differences


def test_nothing_of_the_history(production: Production) -> None:
    """Another application's tables and no ledger: nothing is to be marked, and Prisma would refuse to deploy."""
    production.run(f"{GONE}; DROP TABLE t; DROP SEQUENCE s; CREATE TABLE others (x int)")
    found = baseline(production)
    assert (found.verdict, found.lacking, found.others) == (Verdict.NOT_APPLIED, (), ("public.others",))


def test_a_statement_that_cannot_be_replayed_is_open(production: Production) -> None:
    """E26: whether production has it is not known; the rest is compared all the same."""
    production.file(M2, "CREATE TABLE u (id int); CREATE ROLE bookkeeper_of_nobody; CREATE TABLE v (id int)")
    production.run(f"{GONE}; CREATE TABLE u (id int); CREATE TABLE v (id int)")
    found = baseline(production)
    assert verdict(found) == ASKED
    assert [(each.migration, each.statement) for each in found.open] == [(M2, 2)]


def test_a_ledger_that_begins_too_late(production: Production) -> None:
    """The first two are marked after the third ran, and the history is what it was: it can be proven."""
    ran_later = "ALTER TABLE t DROP COLUMN a; CREATE TABLE u (id int)"
    production.finished(M2, "ALTER TABLE t ADD b int")
    production.finished(M3, ran_later)
    production.run(f"DELETE FROM _prisma_migrations WHERE migration_name <> '{M3}'")
    found = baseline(production)
    assert (verdict(found), found.marked) == (DECIDED, (FIRST, M2))
    for name, script in ((FIRST, FIRST_SCRIPT), (M2, "ALTER TABLE t ADD b int")):
        production.row(name, production.file(name, script), finished=True, steps=0)
    assert look(production) is None
    proof = production.prove()
    assert (proof.differing, proof.unprovable) == ((), ())
    assert set(proof.proven) >= {FIRST, M2}


def test_a_pending_one_that_sorts_in_between_is_no_lost_one(production: Production) -> None:
    """Branches are merged late: production lacks it, and nothing tells that the ledger lost it."""
    production.finished(M3, "CREATE TABLE u (id int)")
    production.file(M2, "UPDATE t SET a = 1")
    assert look(production) is None


def test_the_evidence_stays_the_same_while_it_is_acted_on(production: Production) -> None:
    """F9: an approval outlives the marks that follow from it, and not a change of production, file or other row."""
    ran(production, "CREATE INDEX t_a ON t (a); UPDATE t SET a = 2")
    before = baseline(production)
    production.run(LEDGER)  # as Prisma makes it, with the first mark
    production.row(FIRST, production.file(FIRST, FIRST_SCRIPT), finished=True, steps=0)
    midway = baseline(production)
    assert (midway.marked, midway.evidence_digest) == ((M2,), before.evidence_digest)
    assert midway.open == before.open
    production.row(M4, production.file(M4, "CREATE TABLE w ()"), finished=False, steps=0)
    attempted = look(production)
    assert attempted is None or attempted.evidence_digest != before.evidence_digest
    production.run(f"DELETE FROM _prisma_migrations WHERE migration_name = '{M4}'; DROP INDEX t_a")
    changed = look(production)
    assert changed is None or changed.evidence_digest != before.evidence_digest


def test_somebody_at_work_on_its_tables_is_waited_for(production: Production) -> None:
    """E14: what is being changed is not judged."""
    ran(production, "CREATE INDEX t_a ON t (a)")
    with production.server.connect(production.database) as other, other.transaction():
        other.execute("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
        assert baseline(production).decision is Decision.WAIT
    assert verdict(baseline(production)) == DECIDED


def test_a_row_that_is_only_written_again_leaves_the_evidence_as_it_is(production: Production) -> None:
    """F9: an approval names what the rows say, not the transaction that wrote them."""
    production.finished(M2, "ALTER TABLE t ADD b int")
    production.run(f"DELETE FROM _prisma_migrations WHERE migration_name = '{FIRST}'")
    before = baseline(production)
    production.run("UPDATE _prisma_migrations SET id = id")
    assert baseline(production).evidence_digest == before.evidence_digest
    production.run("UPDATE _prisma_migrations SET logs = 'x'")
    assert baseline(production).evidence_digest != before.evidence_digest
