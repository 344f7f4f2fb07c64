"""Pending migrations, never attempted, beside what production has: each case staged on a real server."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from recovery.app.observer import Observer
from recovery.evidence.inspection import inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.obstacles.finding import hindered
from recovery.evidence.pending import Compared, PendingInvestigator
from recovery.postgres.locks import PRISMA_LOCK
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.preflight.expectation import Expectation
from recovery.prisma.migrations import read
from recovery.prisma.scripts import Scripts
from recovery.replay.cache import ReplayCache
from recovery.replay.history import HistoryReplay
from recovery.sql.script import Script
from states.answers import Go, Refusal
from states.classification import ClassifyFacts, resolution
from states.evidence import Decision, Verdict
from states.facts import Replay
from states.inspection import InspectFacts, decide
from states.table import State
from tests.integration.rules.production import FAILED, FIRST, Production

P1, P2, P3 = "20260201_one", "20260202_two", "20260203_three"
STAMPED = (Verdict.APPLIED, Decision.MARK_APPLIED)
U = "CREATE TABLE u (id int NOT NULL, a text, CONSTRAINT u_pkey PRIMARY KEY (id));\nCREATE INDEX u_a_idx ON u (a);"


@contextmanager
def investigator(production: Production) -> Iterator[PendingInvestigator]:
    """Looks at the folder as it is now; no time passes between two looks at a held lock."""
    target = Target(parse(production.server.url(production.database)), "the test")
    try:
        scripts = Scripts(production.folder, read(production.folder), None)
        yield PendingInvestigator(target, scripts, production.workshop, lambda _: None)
    finally:
        target.close()


def compare(production: Production) -> Compared:
    """All that is pending, as the engine asks for it."""
    target = Target(parse(production.server.url(production.database)), "the test")
    rows = target.rows()
    target.close()
    with investigator(production) as one:
        scripts = Scripts(production.folder, read(production.folder), None)
        return one.compare(scripts.history(rows).pending, rows)


def found(production: Production) -> dict[str, tuple[Verdict, Decision]]:
    """Verdict and decision of each that production has something of."""
    compared = compare(production)
    assert compared.missing == ""
    return {c.evidence.migration: (c.evidence.verdict, c.evidence.decision) for c in compared.found}


def only(production: Production) -> Classified:
    """The one that production has something of."""
    (one,) = compare(production).found
    return one


def test_what_is_not_there_is_not_found(production: Production) -> None:
    """Pending migrations that build on one another, and nothing of them in production: there is nothing to say."""
    production.file(P1, U)
    production.file(P2, "ALTER TABLE u ADD COLUMN b int; UPDATE u SET b = 1;")
    production.file(P3, "DROP INDEX u_a_idx; ALTER TABLE u RENAME COLUMN b TO c; ALTER TABLE t ADD COLUMN c int")
    assert found(production) == {}


def test_what_is_wholly_there_can_be_marked(production: Production) -> None:
    """All of it was made at once, as `prisma db push` does: each is judged as if those before it had run."""
    production.file(P1, U)
    production.file(P2, "ALTER TABLE u ADD COLUMN b int;")
    production.run("CREATE TABLE u (id int PRIMARY KEY, a text, b int); CREATE INDEX u_a_idx ON u (a)")
    assert found(production) == {P1: STAMPED, P2: STAMPED}


@pytest.mark.parametrize(
    ("script", "there", "verdict", "why"),
    [
        (U, "CREATE TABLE u (id int PRIMARY KEY, a text)", Verdict.PARTIAL, "makes table public.u"),
        (U, "CREATE TABLE u (id int PRIMARY KEY, a int)", Verdict.DRIFTED, "makes table public.u"),
        (
            "ALTER TABLE t ADD b int; ALTER TABLE t ADD c int",
            "ALTER TABLE t ADD c int",
            Verdict.DRIFTED,
            "statement 2 makes column c of table public.t",
        ),
        (
            "ALTER TABLE t DROP COLUMN a; CREATE TABLE u (id int)",
            "ALTER TABLE t DROP COLUMN a",
            Verdict.PARTIAL,
            "statement 1 needs column a of table public.t",
        ),
        (
            "DROP SEQUENCE s; CREATE TABLE u (id int)",
            "DROP SEQUENCE s",
            Verdict.PARTIAL,
            "statement 1 needs sequence public.s",
        ),
        ("ALTER TABLE t ADD b int", "DROP TABLE t", Verdict.DRIFTED, "statement 1 needs table public.t"),
        (
            "ALTER TABLE t ADD CONSTRAINT t_a_check CHECK (a > 0); UPDATE t SET a = 2",
            "ALTER TABLE t ADD CONSTRAINT t_a_check CHECK (a > 0)",
            Verdict.UNDECIDABLE,
            "makes constraint t_a_check of table public.t",
        ),
        (
            "ALTER TABLE t ADD b int; UPDATE t SET b = a;",
            "ALTER TABLE t ADD b int",
            Verdict.UNDECIDABLE,
            "statement 1 makes column b of table public.t",
        ),
        ("CREATE TYPE e AS ENUM ('A')", "CREATE TYPE e AS ENUM ('B')", Verdict.DRIFTED, "makes type public.e"),
    ],
)
def test_what_a_deploy_is_sure_to_fail_on_is_for_a_person(
    production: Production, script: str, there: str, verdict: Verdict, why: str
) -> None:
    """The statement and its object are named, and PostgreSQL does refuse the script."""
    production.file(P1, script)
    production.run(there)
    evidence = only(production).evidence
    assert (evidence.verdict, evidence.decision) == (verdict, Decision.OPERATOR)
    assert any("A deploy would fail: " in reason and why in reason for reason in evidence.reasons)
    with pytest.raises(Exception, match="exist"):
        production.run(script)


@pytest.mark.parametrize(
    ("script", "there", "verdict"),
    [
        # All of it conditional, and there: a deploy changes nothing and records it.
        ("CREATE TABLE IF NOT EXISTS u (id int); ", "CREATE TABLE u (id int)", Verdict.APPLIED),
        ("CREATE INDEX IF NOT EXISTS t_a ON t (a)", "CREATE INDEX t_a ON t (a)", Verdict.APPLIED),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS b int", "ALTER TABLE t ADD b int", Verdict.APPLIED),
        # Half of it there, or otherwise: it can be deployed all the same.
        (
            "CREATE TABLE IF NOT EXISTS u (id int); ALTER TABLE t ADD b int",
            "CREATE TABLE u (id int)",
            Verdict.PARTIAL,
        ),
        ("DROP TABLE IF EXISTS u; CREATE TABLE u (id int)", "CREATE TABLE u (id int, b int NOT NULL)", Verdict.DRIFTED),
        ("ALTER TABLE t ALTER a TYPE bigint", "ALTER TABLE t ALTER a TYPE numeric", Verdict.DRIFTED),
        (
            (
                "DO $$ BEGIN CREATE TYPE e AS ENUM ('A'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
                "CREATE TABLE u (id int)"
            ),
            "CREATE TYPE e AS ENUM ('A')",
            Verdict.PARTIAL,
        ),
    ],
)
def test_what_a_deploy_need_not_fail_on_is_told_and_deployed(
    production: Production, script: str, there: str, verdict: Verdict
) -> None:
    """Where no statement is sure to fail there is nothing to decide, and PostgreSQL does take the script."""
    production.file(P1, script)
    production.run(there)
    evidence = only(production).evidence
    assert (evidence.verdict, evidence.decision) == (verdict, Decision.DEPLOY)
    production.run(script)


@pytest.mark.parametrize(
    ("script", "there"),
    [
        # PostgreSQL chooses the name, and takes another one.
        ("CREATE INDEX ON t (a); UPDATE t SET a = a + 1", "CREATE INDEX ON t (a)"),
        ("CREATE TABLE IF NOT EXISTS u (id int); UPDATE t SET a = a + 1", "CREATE TABLE u (id int)"),
        ("ALTER TABLE t ADD IF NOT EXISTS b int; DO $$ BEGIN UPDATE t SET a = 5; END $$", "ALTER TABLE t ADD b int"),
    ],
)
def test_work_on_rows_that_somebody_may_have_done_is_for_a_person(
    production: Production, script: str, there: str
) -> None:
    """Something of it was made by hand, maybe all of it, and PostgreSQL would not refuse to write the rows again."""
    production.file(P1, script)
    production.run(there)
    assert only(production).evidence.decision is Decision.OPERATOR


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE IF NOT EXISTS t (id int)",
        "UPDATE t SET a = 2",
        "-- nothing",
        "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int;",
    ],
)
def test_production_as_it_is_before_the_script_is_what_a_deploy_expects(production: Production, script: str) -> None:
    """Inert scripts, data alone, and steps that end where they begin are deployed, and nothing is said."""
    production.file(P1, script)
    assert found(production) == {}


def test_one_may_be_marked_before_another_that_has_nothing_to_do_with_it(production: Production) -> None:
    """Only the second is there, and the first works on other objects: their order doesn't matter."""
    production.file(P1, "ALTER TABLE t ADD COLUMN b int")
    production.file(P2, U)
    production.run(U)
    assert found(production) == {P2: STAMPED}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ALTER TABLE t ADD COLUMN b int", "ALTER TABLE t ADD COLUMN c int"),
        ("UPDATE t SET a = 2", "ALTER TABLE t ADD COLUMN c int"),
        ("DO $$ BEGIN PERFORM 1; END $$", "ALTER TABLE t ADD COLUMN c int"),
        ("ALTER TABLE t ADD COLUMN b int", "CREATE VIEW v AS SELECT id FROM t"),
    ],
)
def test_none_is_marked_before_another_that_may_work_on_the_same_objects(
    production: Production, first: str, second: str
) -> None:
    """Only the second is there: to mark it, and deploy the first then, would turn their order round."""
    production.file(P1, first)
    production.file(P2, second)
    production.run(second)
    evidence = only(production).evidence
    assert (evidence.migration, evidence.verdict, evidence.decision) == (P2, Verdict.UNDECIDABLE, Decision.OPERATOR)
    assert any("Pending before it" in reason and P1 in reason for reason in evidence.reasons)


def test_one_that_builds_on_what_is_not_there_is_not_taken_for_drifted(production: Production) -> None:
    """The first is half there, so the second can't be; it is compared as if the first had run."""
    production.file(P1, U)
    production.file(P2, "ALTER TABLE u ADD COLUMN b int; DROP INDEX u_a_idx")
    production.run("CREATE TABLE u (id int PRIMARY KEY, a text)")
    assert found(production) == {P1: (Verdict.PARTIAL, Decision.OPERATOR)}


def test_one_that_was_rolled_back_is_classified_by_itself(production: Production) -> None:
    """RULES F5: an attempt was made, so it is no business of this comparison, but stands in the chain."""
    production.row(P1, production.file(P1, U), finished=False, steps=0)
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    production.run(U)
    production.file(P2, "ALTER TABLE u ADD COLUMN b int")
    assert found(production) == {}


def test_one_after_what_could_not_be_replayed_is_for_a_person(production: Production) -> None:
    """E26: where a statement of the history can't be replayed and names the same objects, nothing is marked."""
    lost = production.file("20260102_lost", "CREATE TABLE u (id int); ALTER TABLE u ADD c nowhere;")
    production.row("20260102_lost", lost, finished=True, steps=1)
    production.file(P1, "CREATE INDEX iu ON u (id)")
    production.run("CREATE TABLE u (id int); CREATE INDEX iu ON u (id)")
    evidence = only(production).evidence
    assert (evidence.verdict, evidence.decision) == (Verdict.UNDECIDABLE, Decision.OPERATOR)
    assert any("20260102_lost" in reason for reason in evidence.reasons)


def test_what_comes_after_one_that_cannot_be_replayed_is_not_compared(production: Production) -> None:
    """It is said, and nothing is found: a deploy is possible all the same."""
    production.file(P1, "ALTER TABLE nowhere ADD COLUMN b int")
    production.file(P2, U)
    production.run(U)
    compared = compare(production)
    assert compared.found == ()
    assert P1 in compared.missing
    assert "nowhere" in compared.missing


def test_a_script_that_is_no_sql_is_not_compared(production: Production) -> None:
    """PostgreSQL will say so at the deploy."""
    production.file(P1, "CREATE TABEL u (id int)")
    compared = compare(production)
    assert (compared.found, "not SQL" in compared.missing) == ((), True)


def test_prismas_lock_in_other_hands_is_waited_for_only_where_something_is_there(production: Production) -> None:
    """E14: somebody who may be running it is waited for; with nothing there, the deploy itself waits."""
    production.file(P1, U)
    with production.server.connect(production.database) as other:
        other.execute(f"SELECT pg_advisory_lock({PRISMA_LOCK})".encode())
        assert found(production) == {}
        production.run(U)
        assert found(production) == {P1: (Verdict.IN_PROGRESS, Decision.WAIT)}
    assert found(production) == {P1: STAMPED}


@pytest.mark.parametrize(
    "change",
    [
        lambda production: production.run("ALTER TABLE u ADD demanded int NOT NULL"),
        lambda production: production.file(P1, U + "ALTER TABLE u ADD b int;"),
        lambda production: production.row(P1, "x", finished=False, steps=0),
        lambda production: production.row("20260103_other", "x", finished=True, steps=0),
    ],
    ids=["schema", "file", "attempt", "another-row"],
)
def test_the_digest_of_what_was_judged_is_void_once_anything_has_changed(
    production: Production, change: Callable[[Production], object]
) -> None:
    """F1: looked at again under Prisma's lock, the schema, the file and the whole ledger must be what they were."""
    production.file(P1, U)
    production.run(U)
    classified = only(production)
    with investigator(production) as one:
        assert one.digest_now(classified) == classified.evidence.evidence_digest
    change(production)
    with investigator(production) as one:
        assert one.digest_now(classified) != classified.evidence.evidence_digest


@pytest.mark.parametrize(
    ("script", "handwork", "decision"),
    [
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS c int", "ALTER TABLE t ADD COLUMN c bigint", Decision.OPERATOR),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS c int", "ALTER TABLE t ADD COLUMN c int DEFAULT 1", Decision.OPERATOR),
        ("CREATE TABLE IF NOT EXISTS u (id int)", "CREATE TABLE u (id bigint)", Decision.OPERATOR),
        (
            "DO $$ BEGIN IF to_regclass('u') IS NULL THEN CREATE TABLE u (id int); END IF; END $$; CREATE TABLE w ()",
            "CREATE TABLE u (id bigint)",
            Decision.OPERATOR,
        ),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
            Decision.DEPLOY,
        ),
        (
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int; ALTER TABLE t ALTER c SET NOT NULL",
            "ALTER TABLE t ADD COLUMN c int",
            Decision.DEPLOY,
        ),
    ],
)
def test_what_a_deploy_would_pass_over_must_be_as_the_script_makes_it(
    production: Production, script: str, handwork: str, decision: Decision
) -> None:
    """IF NOT EXISTS asks for the name alone: the deploy ends well, and leaves another column or table."""
    production.file(P1, script)
    production.run(handwork)
    assert only(production).evidence.decision is decision


def test_the_digest_stays_when_the_one_before_it_is_marked(production: Production) -> None:
    """An approval of the second counts still after the first was marked as it should be."""
    first = production.file(P1, U)
    production.file(P2, "ALTER TABLE u ADD COLUMN b int; UPDATE u SET b = 1;")
    production.run(U + "ALTER TABLE u ADD COLUMN b int")
    before = {c.evidence.migration: c.evidence for c in compare(production).found}
    production.row(P1, first, finished=True, steps=0)
    after = only(production).evidence
    assert replace(after, evidence_digest="") == replace(before[P2], evidence_digest="")
    assert after.evidence_digest == before[P2].evidence_digest


@pytest.mark.parametrize(
    ("outside", "first", "second", "fact"),
    [
        ("INSERT INTO t VALUES (2, 1)", "SELECT 1;", "CREATE UNIQUE INDEX t_a ON t (a);", "1 value of (a) occurs more"),
        ("CREATE VIEW seen AS SELECT a FROM t", "CREATE TABLE u (id int);", "ALTER TABLE t DROP COLUMN a;", "view"),
        ("INSERT INTO t VALUES (2, NULL)", "CREATE TABLE u (id int);", "ALTER TABLE t ALTER a SET NOT NULL;", "1 row"),
        ("CREATE VIEW seen AS SELECT a FROM t", "DROP VIEW seen;", "ALTER TABLE t DROP COLUMN a;", ""),
        ("INSERT INTO t VALUES (2, 1)", "DELETE FROM t;", "CREATE UNIQUE INDEX t_a ON t (a);", ""),
        ("INSERT INTO t VALUES (2, 1)", "ALTER TABLE t ADD b int;", "CREATE UNIQUE INDEX t_b ON t (a, b);", ""),
    ],
    ids=["duplicates", "view", "nulls", "view dropped before", "rows deleted before", "column made before"],
)
def test_what_would_make_a_pending_one_fail_is_said_before(
    production: Production, outside: str, first: str, second: str, fact: str
) -> None:
    """Production has nothing of it, and yet it would fail: unless an earlier pending one may change that."""
    production.before(outside) if first.startswith("DROP") else production.run(outside)
    production.file(P1, first)
    production.file(P2, second)
    with closing(production.target()) as target:
        rows, scripts = target.rows(), production.scripts()
        history = scripts.history(rows)
        one = PendingInvestigator(target, scripts, production.workshop, lambda _: None)
        compared = hindered(one.compare(history.pending, rows), inspection(scripts, rows), scripts, target)
    stopped = InspectFacts(history, present=tuple(ClassifyFacts(each.evidence) for each in compared.found))
    answer = decide(stopped)
    if not fact:
        assert (compared.found, answer) == ((), Go(State.DEPLOY, "nothing failed, 2 pending"))
        return
    assert isinstance(answer, Refusal)
    assert answer.code == "deploy.would_fail"
    assert f"{P2} is pending and would fail: statement 1:" in answer.fact
    assert fact in answer.fact


@pytest.mark.parametrize(
    ("outside", "failed", "ran", "pending", "decision", "fact"),
    [
        (
            "INSERT INTO t VALUES (2, 1)",
            U,
            True,
            "CREATE UNIQUE INDEX t_a ON t (a);",
            Decision.DEPLOY,
            "more than once",
        ),
        ("INSERT INTO t VALUES (2, 1)", U, False, "CREATE UNIQUE INDEX t_a ON t (a);", Decision.DEPLOY, "more than"),
        ("CREATE TABLE v ()", U, True, "CREATE TABLE v (); CREATE TABLE w ();", Decision.OPERATOR, ""),
        ("CREATE TABLE v ()", U, True, "CREATE TABLE v ();", None, ""),
        ("CREATE TABLE v ()", "DROP TABLE v;", False, "CREATE TABLE v (id int);", None, ""),
    ],
    ids=[
        "after a mark as applied",
        "after it is run",
        "there in part",
        "there wholly",
        "the failed one clears the way",
    ],
)
def test_what_a_deploy_would_fail_on_later_is_known_before_anything_is_marked(
    production: Production,
    outside: str,
    failed: str,
    *,
    ran: bool,
    pending: str,
    decision: Decision | None,
    fact: str,
) -> None:
    """As INSPECT would find it after the mark: not where it is there wholly, or where the failed one takes it away."""
    production.before(outside) if failed.startswith("DROP") else production.run(outside)
    production.failed(failed)
    if ran:
        production.run(failed)
    production.file(P2, pending)
    with closing(production.target()) as target:
        observer = Observer(target, production.folder, production.workshop, Expectation(typed=production.database))
        classified = observer.classify(FAILED)
        mark = resolution(ClassifyFacts(classified.evidence))
        assert mark is not None, classified.evidence.reasons
        failing = observer.failing_after((mark,), observer.inspect())
    found = [(each.evidence.migration, each.evidence.decision) for each in failing]
    assert found == ([(P2, decision)] if decision else [])
    assert fact in "".join(obstacle.fact for each in failing for obstacle in each.evidence.obstacles)


@pytest.mark.parametrize(
    ("script", "there"),
    [
        ("DROP TABLE IF EXISTS n; CREATE TABLE IF NOT EXISTS n (id int);", "CREATE TABLE n (id int)"),
        (
            "ALTER TABLE t DROP COLUMN IF EXISTS b; ALTER TABLE t ADD COLUMN IF NOT EXISTS b int;",
            "ALTER TABLE t ADD b int; UPDATE t SET b = 4",
        ),
        (
            "ALTER TABLE t RENAME a TO x; ALTER TABLE t RENAME id TO a; ALTER TABLE t RENAME x TO id;",
            "ALTER TABLE t RENAME a TO x; ALTER TABLE t RENAME id TO a; ALTER TABLE t RENAME x TO id",
        ),
    ],
    ids=["table", "column", "swap"],
)
def test_a_pending_one_is_not_run_over_what_is_there(production: Production, script: str, there: str) -> None:
    """What a DROP … IF EXISTS had nothing to do with in the replay is there in production, with its rows."""
    production.file(P1, script)
    production.run(there)
    (one,) = compare(production).found
    assert one.evidence.decision is not Decision.DEPLOY, one.evidence.reasons


def test_what_is_not_there_is_compared_at_once(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many in a row only those are replayed step by step that work on what production has something of."""
    names = [f"2026030{number}_new" for number in range(1, 7)]
    for name in names:
        table = f"n{name[7]}"
        production.file(
            name,
            f"CREATE TABLE {table} (id serial PRIMARY KEY, a text UNIQUE, t int REFERENCES t ON DELETE SET NULL);"
            f" CREATE INDEX {table}_t ON {table} (t)",
        )
    taken: list[str] = []
    steps = HistoryReplay.steps

    def noted(self: HistoryReplay, script: Script, *, on_rows: bool = True) -> Replay:
        taken.append(script.migration)
        return steps(self, script, on_rows=on_rows)

    def anew(_self: ReplayCache, _name: str, make: Callable[[], Replay]) -> Replay:
        return make()

    monkeypatch.setattr(HistoryReplay, "steps", noted)
    monkeypatch.setattr(ReplayCache, "get", anew)
    compared = compare(production)
    assert ([each.migration for each in compared.absent], compared.found, taken) == (names, (), [])
    production.run("CREATE TABLE n3 (id int)")
    compared = compare(production)
    assert [each.evidence.migration for each in compared.found] == [names[2]]
    assert {each.migration for each in compared.absent} == {*names} - {names[2]}
    assert set(taken) == {names[2]}


@pytest.mark.parametrize(
    ("one", "two", "there"),
    [
        ("ALTER TABLE t ADD c int", "ALTER TABLE t DROP c", "ALTER TABLE t ADD c int"),
        ("CREATE TABLE u (id int)", "DROP TABLE u", "CREATE TABLE u (id int)"),
        ("ALTER TABLE t ALTER a TYPE text", "ALTER TABLE t DROP a", "ALTER TABLE t ALTER a TYPE text"),
        ("CREATE TYPE e AS ENUM ('x')", "DROP TYPE e", "CREATE TYPE e AS ENUM ('y')"),
    ],
    ids=["column", "table", "type", "enum"],
)
def test_what_a_later_one_takes_away_again_is_seen(production: Production, one: str, two: str, there: str) -> None:
    """E17: the first is in production, although neither the state before the two nor the one after shows it."""
    production.file(P1, one)
    production.file(P2, two)
    production.run(there)
    assert P1 in found(production)


def test_what_postgresql_names_by_itself_is_seen(production: Production) -> None:
    """An index that the script does not name is there already, on another table."""
    production.file(P1, "CREATE TABLE u (a int UNIQUE)")
    production.run("CREATE INDEX u_a_key ON t (a)")
    assert P1 in found(production)


def test_one_of_many_that_would_fail_is_judged_as_if_those_before_it_had_run(production: Production) -> None:
    """Production has nothing of any of them, and rows that the last one refuses."""
    production.run("INSERT INTO t VALUES (2, 1), (3, 1)")
    production.file(P1, "ALTER TABLE t ADD COLUMN b int")
    production.file(P2, "CREATE TABLE u (id int)")
    production.file(P3, "ALTER TABLE t ALTER b SET NOT NULL; CREATE UNIQUE INDEX t_a_key ON t (a)")
    target = Target(parse(production.server.url(production.database)), "the test")
    with closing(target), investigator(production) as looking:
        scripts = Scripts(production.folder, read(production.folder), None)
        rows = target.rows()
        compared = looking.compare(scripts.history(rows).pending, rows)
        (one,) = hindered(compared, inspection(scripts, rows), scripts, target).found
    assert (one.evidence.migration, one.evidence.verdict, one.evidence.decision) == (
        P3,
        Verdict.NOT_APPLIED,
        Decision.DEPLOY,
    )
    assert [each.kind for each in one.evidence.obstacles] == ["duplicates"]
    assert [each.migration for each in one.history] == [FIRST, P1, P2]
