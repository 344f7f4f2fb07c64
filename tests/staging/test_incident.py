import os
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.staging import incident, postgres

TABLE = """
SELECT 'column', attname::text, format_type(atttypid, atttypmod), attnotnull::text
  FROM pg_attribute WHERE attrelid = to_regclass('password_reset_tokens') AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'default', adnum::text, pg_get_expr(adbin, adrelid), ''
  FROM pg_attrdef WHERE adrelid = to_regclass('password_reset_tokens')
UNION ALL
SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid::text
  FROM pg_index WHERE indrelid = to_regclass('password_reset_tokens')
UNION ALL
SELECT 'constraint', conname::text, pg_get_constraintdef(oid), convalidated::text
  FROM pg_constraint WHERE conrelid = to_regclass('password_reset_tokens')
UNION ALL
SELECT 'relation', relname::text, relkind::text, ''
  FROM pg_class WHERE relname LIKE 'password_reset_tokens%'
ORDER BY 1, 2, 3
"""


Staged = dict[incident.Case, incident.Incident]
Snapshot = list[tuple[object, ...]]
Steps = list[Snapshot]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.start() as running:
        yield running


@pytest.fixture(scope="module")
def staged(server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """The four cases of the incident, each in a database of its own."""
    folder = tmp_path_factory.mktemp("staged incidents")
    return {case: incident.stage(case, folder / case, server, database=f"production_{case}") for case in incident.CASES}


@pytest.fixture(scope="module")
def steps(server: postgres.Server, staged: Staged) -> Steps:
    """The table of the failed migration before its script and after each statement."""
    some = staged["exists"].project / "prisma" / "migrations" / incident.FAILED / "migration.sql"
    statements = [part for part in some.read_text().split(";") if part.strip()]
    server.create_database("steps", "staged_before")
    with server.connect("steps") as connection:
        seen = [connection.execute(TABLE).fetchall()]
        for statement in statements:
            connection.execute(statement)
            seen.append(connection.execute(TABLE).fetchall())
    return seen


def table(server: postgres.Server, one: incident.Incident) -> Snapshot:
    with server.connect(f"production_{one.case}") as connection:
        return connection.execute(TABLE).fetchall()


@pytest.mark.parametrize("case", incident.CASES)
def test_the_ledger_holds_a_real_failure(staged: Staged, case: incident.Case) -> None:
    """The failed row is as Prisma leaves it: unfinished, no steps, with the database's error in its logs."""
    rows = staged[case].ledger()
    assert [row.migration_name for row in rows if row.finished_at is None] == [incident.FAILED]
    assert len(rows) == 6
    assert all(row.applied_steps_count == 1 for row in rows[:-1])
    failed = rows[-1]
    assert (failed.migration_name, failed.rolled_back_at, failed.applied_steps_count) == (
        incident.FAILED,
        None,
        0,
    )
    relation = "password_reset_tokens_user_id_idx" if case == "partial" else "password_reset_tokens"
    assert f'ERROR: relation "{relation}" already exists' in (failed.logs or "")


@pytest.mark.parametrize("case", incident.CASES)
def test_prisma_is_blocked_by_it(staged: Staged, case: incident.Case) -> None:
    """`migrate deploy` stops with P3009 and names the failed migration."""
    done = staged[case].prisma("migrate", "deploy")
    assert done.returncode == 1
    assert "P3009" in done.stderr
    assert incident.FAILED in done.stderr


def test_exists_is_the_whole_migration(server: postgres.Server, staged: Staged, steps: Steps) -> None:
    """In the case `exists`, production has every property that the migration makes."""
    assert table(server, staged["exists"]) == steps[-1]


def test_absent_is_nothing_of_it(server: postgres.Server, staged: Staged, steps: Steps) -> None:
    """In the case `absent`, production has nothing of the migration, nor of the object that made it fail."""
    assert table(server, staged["absent"]) == steps[0] == []


def test_partial_is_the_first_statements(server: postgres.Server, staged: Staged, steps: Steps) -> None:
    """In the case `partial`, production has the first two of five statements and nothing else."""
    done, of = incident.PARTIAL_STEPS
    assert len(steps) == of + 1
    assert table(server, staged["partial"]) == steps[done]


def test_drifted_is_none_of_the_steps(server: postgres.Server, staged: Staged, steps: Steps) -> None:
    """In the case `drifted`, production has the table, but equals no step of the migration."""
    seen = table(server, staged["drifted"])
    assert ("column", "expires_at", "timestamp with time zone", "true") in seen
    assert seen not in steps


def test_the_pipeline_needs_what_is_pending(server: postgres.Server, tmp_path: Path) -> None:
    """The pipeline fails before the pending migrations are deployed, works after, and may run twice."""
    one = incident.stage("exists", tmp_path / "project", server)
    configured = tomllib.loads((one.project / "prisma-recovery.toml").read_text())
    assert configured["production"] == {"host": "127.0.0.1", "database": "production"}
    commands = [step["command"] for step in configured["pipeline"]["steps"]]

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = os.environ | one.environment()
        return subprocess.run(
            command, cwd=one.project, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    refused = run(commands[0])
    assert refused.returncode == 1
    assert 'column "source" of relation "intake_batches" does not exist' in refused.stderr
    for command in (["resolve", "--applied", one.failed], ["deploy"]):
        began = time.monotonic()
        assert one.prisma("migrate", *command).returncode == 0
        assert time.monotonic() - began < 9, "a command that leaves its timers behind takes 10 s and more"
    said = [run(command) for command in (*commands, *commands)]
    assert [done.returncode for done in said] == [0] * 6, "".join(done.stderr for done in said)
    assert "8 of 8 items added" in said[0].stdout
    assert "0 of 8 items added" in said[3].stdout
    with server.connect("production") as connection:
        written = connection.execute("SELECT count(*) FROM places WHERE golden_item_id IS NOT NULL").fetchone()
    assert written == (6,)


def test_the_project_is_a_clean_checkout(staged: Staged) -> None:
    """The project is a git repository with one commit and nothing uncommitted."""
    for one in staged.values():
        log = subprocess.run(["git", "log", "--format=%s"], cwd=one.project, capture_output=True, text=True, check=True)
        status = subprocess.run(
            ["git", "status", "--short"], cwd=one.project, capture_output=True, text=True, check=True
        )
        assert (log.stdout, status.stdout) == ("Golden-first intake\n", "")


def test_staging_works_without_a_home(server: postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither git nor Prisma needs a home folder."""
    monkeypatch.setenv("HOME", "")
    server.drop_database("staged_absent")
    one = incident.stage("absent", tmp_path / "project", server, database="homeless")
    assert one.ledger()[-1].migration_name == incident.FAILED
