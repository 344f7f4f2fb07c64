"""What is shown beside a verdict: traces of transactions, staged on a real server; they change no verdict."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.evidence.indications.marks import dated
from recovery.sql.statements import parse
from states.evidence import Decision, Evidence, Verdict
from states.facts import Trace
from tests import staging
from tests.integration.rules.production import FAILED, LOGS, Production, SharedWorkshop, begun
from tests.staging import Server

SCRIPT = (
    "CREATE TABLE one (id int PRIMARY KEY); CREATE TABLE two (id int); "
    "ALTER TABLE t ADD COLUMN b int; UPDATE t SET a = 5;"
)
PARTS = ["table public.one", "table public.two", "table public.t column b"]
STATEMENTS = [statement.strip() for statement in SCRIPT.split(";") if statement.strip()]


@pytest.fixture(scope="module")
def keeping_times() -> Iterator[Server]:
    """The oldest server, which keeps when transactions were committed."""
    with staging.start(13, settings={"track_commit_timestamp": "on"}) as running:
        yield running


def orders(evidence: Evidence) -> list[tuple[str, str, int]]:
    assert evidence.decision is Decision.OPERATOR
    return [(trace.object, trace.order, trace.transaction) for trace in evidence.forensics]


def said(evidence: Evidence) -> str:
    return " ".join(evidence.indications)


def one_by_one(production: Production, statements: list[str]) -> None:
    for statement in statements:
        production.run(statement)


def test_one_transaction_after_the_row_looks_like_prisma(production: Production) -> None:
    """The row as it was inserted, then everything at once, by the ledger's owner."""
    production.failed(SCRIPT, logs=None)
    production.run(SCRIPT)
    evidence = production.judge()
    assert orders(evidence) == [(part, "after", 1) for part in PARTS]
    assert evidence.indications == (
        (
            "3 of the script's objects or parts are in production, made or last changed in one transaction, right "
            "after the failed attempt began."
        ),
        "Owner: postgres, who owns the ledger too.",
        "It looks like Prisma's own work.",
    )
    assert {(trace.owner, trace.committed_at) for trace in evidence.forensics} == {("postgres", None)}


def test_one_by_one_after_the_row_looks_like_an_engine_that_runs_statement_by_statement(production: Production) -> None:
    """Each in a transaction of its own, in the script's order."""
    production.failed(SCRIPT, logs=None)
    one_by_one(production, STATEMENTS)
    evidence = production.judge()
    assert orders(evidence) == [(part, "after", n) for n, part in enumerate(PARTS, 1)]
    assert "one by one in the script's order, right after the failed attempt began." in said(evidence)
    assert "It looks like the work of an engine that runs a script statement by statement." in said(evidence)


def test_what_was_so_before_the_script_is_nobodys_trace_of_it(production: Production) -> None:
    """A table that the script drops and makes again is the old one as long as nothing of the script is there."""
    production.finished("20260102_log", "CREATE TABLE log (id int); CREATE TABLE kept (id int)")
    production.failed("DROP TABLE log; CREATE TABLE log (id int, more int); DROP TABLE kept;", logs=None)
    evidence = production.judge()
    assert (evidence.forensics, evidence.indications) == ((), ())


def test_a_comment_is_not_dated_by_what_it_is_on(production: Production) -> None:
    """COMMENT writes no row of the column, which is as old as the table."""
    production.failed("COMMENT ON COLUMN t.a IS 'how many'; COMMENT ON TABLE t IS 'things'", logs=None)
    production.run("COMMENT ON COLUMN t.a IS 'how many'; COMMENT ON TABLE t IS 'things'")
    evidence = production.judge()
    assert evidence.verdict is Verdict.APPLIED
    assert evidence.forensics == ()


def test_before_the_row_is_by_hand(production: Production) -> None:
    """The row as it was inserted: what was there before is not the attempt's."""
    production.run(SCRIPT)
    production.failed(SCRIPT, logs=None)
    evidence = production.judge()
    assert orders(evidence) == [(part, "before", 1) for part in PARTS]
    assert "before the failed attempt began" in said(evidence)
    assert "It looks like work by hand: it was written before the failed attempt began." in said(evidence)


def test_before_the_row_can_be_an_earlier_attempts(production: Production) -> None:
    """Where there was one, nothing strong is said."""
    production.failed(SCRIPT, logs=None, rolled_back=True)
    production.run(SCRIPT)
    production.failed(SCRIPT, logs=None)
    evidence = production.judge()
    assert works(evidence) == [("either", "weak")] * 3
    assert "work by hand or by `prisma db push`, or an earlier attempt's." in said(evidence)


def test_before_another_row_was_finished_is_before_the_attempt(production: Production) -> None:
    """Also where Prisma wrote the failed row again at its end: a migration that ended before it dates the rest."""
    production.run(SCRIPT)
    production.finished("20260105_between", "CREATE TABLE between_them (id int)")
    production.failed(SCRIPT)
    assert "before the failed attempt began" in said(production.judge())


@pytest.mark.parametrize(
    ("pause", "words"), [(False, "right before the failed row"), (True, "older work of somebody else")]
)
def test_while_the_attempt_ran_or_before_is_not_told_apart(production: Production, words: str, *, pause: bool) -> None:
    """Prisma writes the row again at its end: what is older than that is the attempt's, or older than it."""
    row = "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ('f', %s, %s, '2026-02-01')"
    with production.server.connect(production.database) as connection:
        connection.execute(row, (production.file(FAILED, SCRIPT), FAILED))
        for statement in STATEMENTS[:3]:
            connection.execute(statement.encode())
        if pause:
            for _ in range(4):
                connection.execute("SELECT txid_current()")
        connection.execute("UPDATE _prisma_migrations SET logs = %s WHERE id = 'f'", (LOGS,))
    evidence = production.judge()
    assert [order for _, order, _ in orders(evidence)] == ["before"] * 3
    assert words in said(evidence)


def test_after_a_row_with_logs_is_not_that_attempts(production: Production) -> None:
    """Prisma wrote its error before; so somebody else did it since."""
    production.failed(SCRIPT)
    one_by_one(production, STATEMENTS)
    looks = "It looks like work by hand or by `prisma db push`: it was written after the failed attempt had ended."
    assert looks in said(production.judge())


def test_another_order_than_the_scripts_is_by_hand(production: Production) -> None:
    """An engine keeps to the script."""
    production.failed(SCRIPT, logs=None)
    one_by_one(production, [STATEMENTS[1], STATEMENTS[2], STATEMENTS[0]])
    evidence = production.judge()
    assert "by 3 transactions, not in the script's order, after the failed attempt began" in said(evidence)
    assert said(evidence).endswith("It looks like work by hand or by `prisma db push`.")


def test_some_before_and_some_after_are_named(production: Production) -> None:
    """A person sees which object is which."""
    production.run(STATEMENTS[1])
    production.failed(SCRIPT, logs=None)
    one_by_one(production, [STATEMENTS[0], STATEMENTS[2]])
    evidence = production.judge()
    assert orders(evidence) == [(PARTS[0], "after", 1), (PARTS[1], "before", 2), (PARTS[2], "after", 3)]
    assert evidence.indications[1:3] == (
        f"Before the failed row was last written: {PARTS[1]}.",
        f"After the failed row was last written: {PARTS[0]}, {PARTS[2]}.",
    )


def test_another_owner_is_named(production: Production) -> None:
    """Prisma's role owns the ledger, and would own what it makes."""
    production.failed(SCRIPT, logs=None)
    production.run(f"{SCRIPT} ALTER TABLE one OWNER TO pg_monitor;")
    evidence = production.judge()
    assert [trace.owner for trace in evidence.forensics] == ["pg_monitor", "postgres", "postgres"]
    assert "Owner: pg_monitor, postgres; of the ledger: postgres. Prisma would own what it made." in said(evidence)
    assert "It looks like" not in said(evidence)


def test_later_changes_of_a_table_do_not_hide_when_it_was_made(production: Production) -> None:
    """Its row in pg_class is written again by an index, a grant or another column; its making isn't."""
    production.failed(SCRIPT, logs=None)
    production.run(SCRIPT)
    before = production.judge().forensics
    production.run("ALTER TABLE one ADD COLUMN more int; GRANT SELECT ON one TO PUBLIC")
    production.run("CREATE INDEX later ON one (more)")
    production.run("ANALYZE")
    assert production.judge().forensics == before


def test_frozen_rows_are_dated_all_the_same(production: Production) -> None:
    """The number of a transaction outlives the freezing of what it wrote."""
    production.failed(SCRIPT, logs=None)
    production.run(SCRIPT)
    before = production.judge()
    production.run("VACUUM (FREEZE)")
    assert production.judge().forensics == before.forensics
    assert production.judge().indications == before.indications


@pytest.mark.parametrize(
    ("newest", "number", "frozen", "expected"),
    [
        (1_000, 900, 950, (900, True)),
        (2**32 + 1_000, 900, 800, (2**32 + 900, True)),
        (2**32 + 1_000, 900, 950, (2**32 + 900, False)),
        (2**32 + 1_000, 2**32 - 5, 2**32 - 9, (2**32 - 5, True)),
        (2**32 + 1_000, 2**32 - 5, 3, (2**32 - 5, False)),
        (5 * 2**32 + 7, 2**31, 2**31, (4 * 2**32 + 2**31, True)),
    ],
)
def test_a_number_is_certain_while_it_stands_for_one_transaction(
    newest: int, number: int, frozen: int, expected: tuple[int, bool]
) -> None:
    """Numbers begin anew after 2³²; what was frozen since may be of any round before."""
    assert dated(newest, number, frozen) == expected


def test_a_ledger_that_was_restored_dates_nothing(production: Production) -> None:
    """Rows that one transaction wrote are no witnesses."""
    production.run(SCRIPT)
    production.failed(SCRIPT, logs=None)
    production.run("UPDATE _prisma_migrations SET checksum = checksum")
    evidence = production.judge()
    assert {order for _, order, _ in orders(evidence)} == {"unknown"}
    assert "at a time that can't be told" in said(evidence)
    assert "Several rows of the ledger were written at once" in said(evidence)


def test_nothing_in_production_says_nothing(production: Production) -> None:
    """No object, no trace."""
    production.failed(SCRIPT, logs=None)
    evidence = production.judge()
    assert (orders(evidence), evidence.indications) == ([], ())


def test_times_of_commit_are_shown_where_the_server_keeps_them(
    keeping_times: Server, workshop: SharedWorkshop, tmp_path: Path
) -> None:
    """They are the server's clock, unlike `started_at`."""
    one = begun(keeping_times, workshop, tmp_path)
    one.failed(SCRIPT, logs=None)
    one.run(SCRIPT)
    evidence = one.judge()
    (time,) = {trace.committed_at for trace in evidence.forensics}
    assert time is not None
    assert f"Committed {time}, the failed row 20" in said(evidence)


#: Kinds of objects, and the parts of them that a script can change.
KINDS = """
CREATE SCHEMA app; CREATE TYPE kind AS ENUM ('a'); ALTER TYPE kind ADD VALUE 'b'; CREATE DOMAIN low AS int;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE VIEW v AS SELECT a FROM t;
CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE INDEX t_a ON t (a); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (true); ALTER TABLE t ALTER COLUMN a SET DEFAULT 3; CREATE SEQUENCE z;
INSERT INTO t VALUES (2, 2);
"""


def every_kind(production: Production) -> None:
    production.failed(KINDS, logs=None)
    one_by_one(production, [statement.sql for statement in parse(KINDS)])
    evidence = production.judge()
    assert orders(evidence) == [
        (part, "after", number)
        for number, part in enumerate(
            [
                "schema app",
                "type public.kind",
                "type public.kind labels",
                "type public.low",
                "function public.f()",
                "view public.v",
                "materialized view public.m",
                "index public.t_a",
                "table public.t constraint c",
                "table public.t trigger g",
                "table public.t",
                "table public.t policy p",
                "table public.t column a default",
                "sequence public.z",
            ],
            1,
        )
    ]


def test_every_kind_of_object_has_a_trace(
    production: Production, keeping_times: Server, workshop: SharedWorkshop, tmp_path: Path
) -> None:
    """Each statement that leaves something leaves a trace, in a transaction of its own, on old servers too."""
    every_kind(production)
    every_kind(begun(keeping_times, workshop, tmp_path / "old"))


def test_traces_are_no_part_of_the_digest(production: Production) -> None:
    """What dates production changes, and the evidence is the same."""
    production.failed(SCRIPT, logs=None)
    production.run(SCRIPT)
    before = production.judge()
    production.run("UPDATE _prisma_migrations SET logs = logs WHERE finished_at IS NULL")
    after = production.judge()
    assert after.forensics != before.forensics
    assert (after.evidence_digest, after.verdict) == (before.evidence_digest, before.verdict)
    assert isinstance(after.forensics[0], Trace)


def test_an_open_statement_has_its_query(production: Production) -> None:
    """It is made for production as it is: what reads or sets a column that is not there yet has none."""
    production.failed(
        "UPDATE t SET a = 5 WHERE id = 1; ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = a;"
        "UPDATE t SET a = 6 WHERE b = 5;"
    )
    first, _, sets, reads = production.judge().statements
    assert "SELECT count(*) AS to_do FROM public.t" in first.look
    assert (sets.look, reads.look) == ("", "")
    production.run("ALTER TABLE t ADD COLUMN b int")
    first, second, sets, reads = production.judge().statements
    assert second.look == ""
    assert "t.b IS DISTINCT FROM" in sets.look
    assert "b = 5" in reads.look


def refusal(name: str) -> str:
    """What an engine writes when PostgreSQL finds a table there."""
    return f'Database error code: 42P07\n\nDatabase error:\nERROR: relation "{name}" already exists'


def works(evidence: Evidence) -> list[tuple[str, str]]:
    """Whose work each trace looks like, and how sure that is."""
    return [(trace.by, trace.certainty) for trace in evidence.forensics]


def test_what_postgresql_refused_to_make_is_not_the_attempts(production: Production) -> None:
    """It found the first table there: no attempt made that, nor anything behind it."""
    production.run(SCRIPT)
    production.failed(SCRIPT, logs=refusal("one"))
    evidence = production.judge()
    assert works(evidence) == [("somebody", "strong")] * 3
    assert {trace.why for trace in evidence.forensics} == {
        "PostgreSQL refused statement 1, so no attempt got as far as this"
    }
    assert evidence.origin.pace == "one_transaction"


def test_what_stands_before_the_refused_statement_is_the_attempts(production: Production) -> None:
    """The attempt ran the first statement, which would have failed if its table had been there before."""
    checksum = production.file(FAILED, SCRIPT)
    production.run("CREATE TABLE two (id int)")
    row = "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES ('f', %s, %s, '2026-02-01')"
    with production.server.connect(production.database) as connection:
        connection.execute(row, (checksum, FAILED))
        connection.execute(STATEMENTS[0].encode())
        connection.execute("UPDATE _prisma_migrations SET logs = %s WHERE id = 'f'", (refusal("two"),))
    evidence = production.judge()
    assert works(evidence) == [("attempt", "strong"), ("somebody", "strong")]
    assert [trace.transaction for trace in evidence.forensics] == [1, 2]


def test_two_attempts_can_not_be_told_apart_by_one_refusal(production: Production) -> None:
    """The earlier attempt may have made what the later one was refused."""
    production.failed(SCRIPT, logs=None, rolled_back=True)
    production.run(SCRIPT)
    production.failed(SCRIPT, logs=refusal("one"))
    assert works(production.judge()) == [("either", "weak")] * 3


def test_traces_lie_between_rows_of_the_ledger(production: Production) -> None:
    """Which migration was written last before it, and which first after it."""
    production.run(SCRIPT)
    production.finished("20260105_between", "CREATE TABLE between_them (id int)")
    production.failed(SCRIPT, logs=None)
    evidence = production.judge()
    assert {(t.after, t.before) for t in evidence.forensics} == {("20260101_first", "20260105_between")}
    assert works(evidence) == [("somebody", "strong")] * 3


def test_another_owner_is_somebody(production: Production) -> None:
    """Prisma's role would own what it makes."""
    production.failed(SCRIPT, logs=None)
    production.run(f"{SCRIPT} ALTER TABLE one OWNER TO pg_monitor;")
    evidence = production.judge()
    assert works(evidence)[0] == ("somebody", "strong")
    assert evidence.origin.ledger_owner == "postgres"


def test_what_came_after_an_attempt_that_was_cut_off_is_weakly_its_own(production: Production) -> None:
    """A hand right after a crash looks the same, so nothing strong is said."""
    production.failed(SCRIPT, logs=None)
    one_by_one(production, STATEMENTS)
    evidence = production.judge()
    assert works(evidence) == [("attempt", "weak")] * 3
    assert evidence.origin.pace == "consecutive"


def test_piecemeal_work_is_told_from_work_in_one_go(production: Production) -> None:
    """Other transactions came in between."""
    for statement in STATEMENTS:
        production.run(statement)
        production.run("SELECT txid_current(); SELECT txid_current()")
        production.apart("SELECT txid_current()", "SELECT txid_current()", "SELECT txid_current()")
    production.failed(SCRIPT)
    assert production.judge().origin.pace == "scattered"


def test_a_restored_ledger_says_nothing_of_whose_work_it_is(production: Production) -> None:
    """Its rows date nothing, so nobody is named."""
    production.run(SCRIPT)
    production.failed(SCRIPT, logs=None)
    production.run("UPDATE _prisma_migrations SET checksum = checksum")
    evidence = production.judge()
    assert works(evidence) == [("unknown", "none")] * 3
    assert {(t.after, t.before) for t in evidence.forensics} == {("", "")}


def test_what_differs_has_a_trace_too(production: Production) -> None:
    """A column of another type, altered by somebody later, is dated by itself."""
    production.failed("CREATE TABLE one (id int PRIMARY KEY, b int)", logs=None)
    production.run("CREATE TABLE one (id int PRIMARY KEY, b int)")
    production.run("ALTER TABLE one ALTER COLUMN b TYPE text")
    evidence = production.judge()
    assert evidence.verdict is Verdict.DRIFTED
    assert [(t.object, t.transaction) for t in evidence.origin.differing] == [("table public.one column b", 2)]
