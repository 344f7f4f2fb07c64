"""Rules that keep a verdict from being wrong, each staged on a real server."""

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from recovery.errors import RecoveryError
from recovery.replay import scratch
from recovery.replay.scratch import ScratchServer
from states.evidence import Decision, Verdict
from tests.integration.rules.production import (
    APPLIED,
    DRIFTED,
    FAILED,
    LOGS,
    NOT_APPLIED,
    STIRRED,
    UNDECIDABLE,
    WAIT,
    Production,
    verdict,
)
from tests.staging import Server

PRISMA_LOCK = 72707369


def test_the_base_is_in_the_order_in_which_it_finished(production: Production) -> None:
    """E1: a late merge, earlier by name and later in time, is replayed after what it builds on."""
    production.finished("20260105_table", "CREATE TABLE u (id int)")
    production.finished("20260103_merged_late", "ALTER TABLE u ADD COLUMN b int")
    production.failed("ALTER TABLE u DROP COLUMN b")
    evidence = production.judge()
    assert verdict(evidence) == NOT_APPLIED
    assert not any("Not replayed" in reason for reason in evidence.reasons)
    production.run("ALTER TABLE u DROP COLUMN b")
    assert verdict(production.judge()) == APPLIED


def test_what_is_pending_is_not_in_the_base(production: Production) -> None:
    """E1: a pending migration that sorts before the failed one didn't run, so IF NOT EXISTS still makes the table."""
    production.file("20260103_pending", "CREATE TABLE z (id int)")
    production.failed("CREATE TABLE IF NOT EXISTS z (id int)")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE TABLE z (id int)")
    assert verdict(production.judge()) == APPLIED


def test_a_stamped_migration_is_replayed_and_one_that_cannot_be_is_named(production: Production) -> None:
    """E1: rows with steps 0 belong to the base; one that can't be replayed leaves nothing behind, and is named."""
    production.finished("20260102_stamped", "CREATE TABLE v (id int)", steps=0)
    broken = production.file("20260103_broken", "CREATE TABLE half (id int); ALTER TABLE nowhere ADD c int;")
    production.row("20260103_broken", broken, finished=True, steps=0)
    production.failed("ALTER TABLE v ADD COLUMN b int;")
    evidence = production.judge()
    assert verdict(evidence) == NOT_APPLIED
    assert any("20260103_broken" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("name", ["20260102_lost", "20260102: lost, statement 1"])
def test_one_that_cannot_be_replayed_and_names_the_same_objects_leaves_it_to_a_person(
    production: Production, name: str
) -> None:
    """E1: without it the steps are not what production would have seen, so what they show proves nothing."""
    production.run("CREATE TABLE u (id int)")
    lost = production.file(name, "CREATE TABLE u (id int); ALTER TABLE nowhere ADD c int;")
    production.row(name, lost, finished=True, steps=1)
    production.failed("DROP TABLE IF EXISTS u; CREATE TABLE u (id int);")
    production.run(STIRRED.replace(" t ", " u ").replace(" t;", " u;"))
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any(name in reason for reason in evidence.reasons)


def test_a_grant_to_a_role_that_the_scratch_server_lacks_costs_that_statement_only(production: Production) -> None:
    """E1: who may use a table does not keep it from being replayed."""
    production.run("CREATE TABLE g (id int)")
    granted = production.file("20260102_grant", "CREATE TABLE g (id int); GRANT SELECT ON g TO somebody_else;")
    production.row("20260102_grant", granted, finished=True, steps=1)
    production.failed("ALTER TABLE g ADD COLUMN b int;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE g ADD COLUMN b int;")
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize("between", [" ", "\n", "\n\t", "\r\n"])
def test_a_block_that_writes_rows_is_open_however_it_is_laid_out(production: Production, between: str) -> None:
    """E4: its DDL is seen, and whether its data statements ran is not."""
    script = between.join(["DO $$", "BEGIN", "ALTER TABLE t ADD COLUMN w int;", "UPDATE t SET w = 1;", "END $$;"])
    production.run("ALTER TABLE t ADD COLUMN w int")
    production.failed(script)
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    ("made", "dropped"),
    [
        ("CREATE POLICY p ON t USING (true)", "DROP POLICY IF EXISTS p ON t"),
        ("CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "DROP RULE IF EXISTS r ON t"),
        ("CREATE SCHEMA handmade", "DROP SCHEMA IF EXISTS handmade"),
        ("CREATE PUBLICATION pub", "DROP PUBLICATION IF EXISTS pub"),
    ],
)
def test_skipping_what_is_not_found_by_its_name_proves_nothing(production: Production, made: str, dropped: str) -> None:
    """E9: the scratch database has no such thing, and production may have it."""
    production.run(f"{made}; CREATE TABLE z (id int)")
    production.failed(f"CREATE TABLE z (id int); {dropped};")
    assert verdict(production.judge()) != APPLIED


@pytest.mark.parametrize(
    ("script", "done", "expected"),
    [
        ("ALTER TABLE t ADD b int", "ALTER TABLE t ADD b int", APPLIED),
        ("ALTER TABLE t ADD b int", "", DRIFTED),
        ("UPDATE t SET a = 2", "", APPLIED),
        ("ALTER TABLE t ADD b int; UPDATE t SET b = a;", "ALTER TABLE t ADD b int", APPLIED),
    ],
)
def test_what_ran_to_its_end_is_never_marked_rolled_back(
    production: Production, script: str, done: str, expected: tuple[Verdict, Decision]
) -> None:
    """E3: with applied_steps_count 1, production that doesn't show the script has changed since."""
    production.failed(script, steps=1)
    if done:
        production.run(done)
    assert verdict(production.judge()) == expected


OPEN = [
    "UPDATE t SET a = 2",
    "TRUNCATE t",
    "SELECT setval('s', 10)",
    "ALTER SEQUENCE s RESTART WITH 100",
    "INSERT INTO t VALUES (2, 2)",
    "DELETE FROM t",
    "MERGE INTO t USING (VALUES (1)) v (id) ON t.id = v.id WHEN MATCHED THEN UPDATE SET a = 3",
    "DO $$ BEGIN UPDATE t SET a = 2; END $$",
    "WITH changed AS (UPDATE t SET a = 2 RETURNING id) SELECT id FROM changed",
    "REFRESH MATERIALIZED VIEW m",
]


@pytest.mark.parametrize("statement", OPEN)
@pytest.mark.parametrize("there", [False, True], ids=["absent", "in-place"])
def test_what_the_schema_cannot_show_is_open(production: Production, statement: str, *, there: bool) -> None:
    """E4: a statement whose step changes nothing that can be seen makes the verdict undecidable, by its number."""
    production.finished("20260102_view", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t")
    production.failed(f"{statement};\nALTER TABLE t ADD b int;")
    if there:
        production.run("ALTER TABLE t ADD b int")
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any("Statement 1 is open" in reason for reason in evidence.reasons)
    assert evidence.statements[0].state == "open"


@pytest.mark.parametrize(
    "script",
    ["-- only a remark\n", "SELECT 1;", "CREATE TABLE IF NOT EXISTS t (id int);", "SET lock_timeout = '5s'; SELECT 1;"],
)
def test_an_inert_script_is_run_again(production: Production, script: str) -> None:
    """E6: a script that changes nothing here is not applied: Prisma runs and records it itself."""
    production.failed(script)
    assert verdict(production.judge()) == NOT_APPLIED


def test_steps_that_look_alike_with_something_between_are_undecidable(production: Production) -> None:
    """E6: DROP COLUMN a; ADD COLUMN a ends as it began, and a second run would wipe the column."""
    production.failed("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int;")
    production.run(STIRRED)
    assert verdict(production.judge()) == UNDECIDABLE


MADE = "CREATE TABLE x (id int PRIMARY KEY, a text);"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("ALTER TABLE x ADD demanded int NOT NULL", DRIFTED),
        ("ALTER TABLE x ADD UNIQUE (a)", DRIFTED),
        ("CREATE UNIQUE INDEX x_a ON x (a)", DRIFTED),
        ("ALTER TABLE x ADD CHECK (a <> '')", DRIFTED),
        ("ALTER TABLE x ENABLE ROW LEVEL SECURITY", DRIFTED),
        ("CREATE RULE quiet AS ON DELETE TO x DO INSTEAD NOTHING", DRIFTED),
        (
            "CREATE TRIGGER q BEFORE UPDATE ON x FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            DRIFTED,
        ),
        ("ALTER TABLE x ADD optional int", APPLIED),
        ("ALTER TABLE x ADD filled int NOT NULL DEFAULT 0", APPLIED),
        ("CREATE INDEX x_a ON x (a)", APPLIED),
        ("ALTER TABLE x OWNER TO pg_monitor", APPLIED),
        ("GRANT SELECT ON x TO PUBLIC", APPLIED),
    ],
)
def test_what_the_script_creates_is_compared_closed(
    production: Production, more: str, expected: tuple[Verdict, Decision]
) -> None:
    """E8: what changes how a created table works is a difference; what only adds to it, or owns it, is none."""
    production.failed(MADE)
    production.run(f"{MADE} {more}")
    assert verdict(production.judge()) == expected


def test_what_the_script_alters_is_compared_on_what_it_touches(production: Production) -> None:
    """E8: other drift on a table that the script only alters is none of our business."""
    production.failed("ALTER TABLE t ADD b int")
    production.run("ALTER TABLE t ADD b int, ADD demanded int NOT NULL DEFAULT 1, ADD UNIQUE (a)")
    production.run("ALTER TABLE t ALTER demanded DROP DEFAULT")
    assert verdict(production.judge()) == APPLIED


def test_an_object_that_is_only_named_is_compared_too(production: Production) -> None:
    """E9: a conditional statement without effect in the scratch database hides no difference in production."""
    production.failed("CREATE TABLE z (id int); ALTER TABLE IF EXISTS extra ADD COLUMN c int;")
    production.run("CREATE TABLE z (id int)")
    assert verdict(production.judge()) == APPLIED
    production.run("CREATE TABLE extra (id int)")
    evidence = production.judge()
    assert evidence.decision is Decision.OPERATOR
    assert "table public.extra" in [difference.object for difference in evidence.differences]


def test_a_migration_that_was_overtaken_is_for_a_person(production: Production) -> None:
    """E10: one that finished later and touches the same table makes it undecidable, by name; another one doesn't."""
    production.failed("ALTER TABLE t ADD b int")
    production.finished("20260111_elsewhere", "CREATE TABLE other (id int)")
    assert verdict(production.judge()) == NOT_APPLIED
    production.finished("20260112_overtaking", "ALTER TABLE t ADD c int")
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any("20260112_overtaking" in reason for reason in evidence.reasons)


SCRIPT = "ALTER TABLE t ADD COLUMN b int"


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(f"BEGIN; {SCRIPT}", id="script-in-transaction"),
        pytest.param(SCRIPT, id="script-then-idle"),
        pytest.param("UPDATE _prisma_migrations SET logs = logs", id="wrote-to-the-ledger"),
        pytest.param("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE; SELECT 1", id="lock-on-the-table"),
        pytest.param("BEGIN; LOCK TABLE t; SELECT 1", id="exclusive-lock-on-the-table"),
    ],
)
def test_a_session_that_may_be_at_work_on_it_is_waited_for(production: Production, work: str) -> None:
    """E14: its script, the ledger or a lock on its table in another session: in progress, and once it is gone, not."""
    production.failed(SCRIPT)
    with production.server.connect(production.database) as other:
        for statement in work.split("; "):
            other.execute(statement.encode())
        assert verdict(production.judge()) == WAIT
        if other.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            other.execute("ROLLBACK")
    assert production.judge().verdict in (Verdict.APPLIED, Verdict.NOT_APPLIED)


def test_a_replication_client_is_no_deploy(production: Production) -> None:
    """E14: it stays for ever, and a role of few rights can't read what it does; that it replicates it may know."""
    production.run(
        "CREATE ROLE sees_little LOGIN; GRANT USAGE ON SCHEMA public TO sees_little;"
        " GRANT SELECT ON ALL TABLES IN SCHEMA public TO sees_little"
    )
    production.failed(SCRIPT, logs=None)
    conninfo = production.target().url.conninfo
    production.user = "sees_little"
    with psycopg.connect(conninfo, autocommit=True):
        assert verdict(production.judge()) == WAIT
    with closing(psycopg.connect(conninfo, replication="database", autocommit=True)):
        assert production.judge().verdict in (Verdict.APPLIED, Verdict.NOT_APPLIED)
    production.user = "postgres"
    production.run("DROP OWNED BY sees_little; DROP ROLE sees_little")


def test_a_session_that_only_looks_is_not_waited_for(production: Production) -> None:
    """E14: a person who reads the ledger, or works on another table, is no deploy."""
    production.failed(SCRIPT)
    with production.server.connect(production.database) as other:
        other.execute("SELECT * FROM _prisma_migrations")
        assert verdict(production.judge()) == NOT_APPLIED


@pytest.mark.parametrize(("logs", "expected"), [(None, WAIT), (LOGS, NOT_APPLIED)])
def test_a_session_that_cannot_be_read(
    production: Production, logs: str | None, expected: tuple[Verdict, Decision]
) -> None:
    """E14: what another role's session did last is hidden; while the row has no logs, it may be this script."""
    role = f"hidden_{production.database}"
    production.run(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON _prisma_migrations TO {role}")
    production.failed(SCRIPT, logs=logs)
    production.user = role
    with production.server.connect(production.database) as other:
        other.execute("SELECT 1")
        assert verdict(production.judge()) == expected
    production.run(f"GRANT pg_read_all_stats TO {role}")
    with production.server.connect(production.database) as other:
        other.execute("SELECT 1")
        assert verdict(production.judge()) != WAIT


def test_prismas_lock_is_looked_at_again_before_it_counts(production: Production) -> None:
    """E14: held for long it means in progress; given back within the patience it doesn't."""
    production.failed(SCRIPT)
    waits: list[float] = []
    with production.server.connect(production.database) as other:
        other.execute(f"SELECT pg_advisory_lock({PRISMA_LOCK})".encode())
        assert verdict(production.judge(sleep=waits.append)) == WAIT
        assert sum(waits) >= 15

        def release(_: float) -> None:
            other.execute(f"SELECT pg_advisory_unlock({PRISMA_LOCK})".encode())

        assert verdict(production.judge(sleep=release)) == NOT_APPLIED


def test_a_scratch_server_that_is_the_target_is_refused(server: Server) -> None:
    """E15: a scratch URL with the target's system identifier would replay on production."""
    with server.connect() as connection:
        row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
        before = connection.execute("SELECT count(*) FROM pg_database").fetchone()
        assert row is not None
        with pytest.raises(RecoveryError) as caught, scratch.at(server.dsn, row[0]):
            pass
        assert connection.execute("SELECT count(*) FROM pg_database").fetchone() == before
    assert caught.value.code.startswith("scratch.")


def test_what_reaches_beyond_the_scratch_database_is_not_executed(
    production: Production, scratch_server: ScratchServer, tmp_path: Path
) -> None:
    """E15: a role, or a program on the scratch server's machine, isn't made or run; the steps before still count."""
    witness = tmp_path / "witness"
    witness.mkdir(mode=0o777)
    witness.chmod(0o777)
    tmp_path.chmod(0o755)
    production.failed(f"ALTER TABLE t ADD b int; CREATE ROLE beyond; COPY t TO PROGRAM 'cat > {witness}/ran';")
    production.run("ALTER TABLE t ADD b int")
    evidence = production.judge()
    assert evidence.decision is Decision.OPERATOR
    assert not list(witness.iterdir())
    with scratch_server.connect(scratch_server.create()) as connection:
        assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'beyond'").fetchone() == (0,)


def test_a_dead_attempt_beside_a_finished_one_is_withdrawn(production: Production) -> None:
    """F7: of a migration that finished in another attempt, the dead one is marked rolled back, never applied."""
    script = "CREATE TABLE z (id int)"
    production.finished(FAILED, script)
    production.failed(script)
    evidence = production.judge()
    assert verdict(evidence) == (Verdict.APPLIED, Decision.MARK_ROLLED_BACK)
    assert any("that attempt only" in reason for reason in evidence.reasons)
