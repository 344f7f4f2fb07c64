"""What reaches beyond the scratch database is not executed (RULES E15)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.replay.history import HistoryReplay
from recovery.replay.scratch import ScratchServer, at
from recovery.sql.script import Script
from tests.staging import Server, start


@pytest.fixture(scope="module")
def powerful() -> Iterator[Server]:
    """A scratch server of somebody's own, whose URL names a superuser; nothing else is on it."""
    with start() as running:
        yield running


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """A file that any server could write."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o11)
    return tmp_path / "witness"


#: {0} is the file that is there if it ran.
WRITING = [
    "COPY t TO PROGRAM 'cat > {0}'",
    "COPY/**/t TO PROGRAM 'cat > {0}'",
    "COPY t TO/* a */PROGRAM 'cat > {0}'",
    "COPY(SELECT 1)TO PROGRAM 'cat > {0}'",
    "COPY\"t\"TO PROGRAM 'cat > {0}'",
    "copy t to '{0}'",
    "COPY\"t\"TO'{0}'",
    "COPY t TO E'{0}'",
    "COPY t TO U&'{0}'",
    "COPY t TO $q${0}$q$",
    "SET ROLE postgres; COPY/**/t TO PROGRAM 'cat > {0}'",
    "SELECT set_config('role', 'postgres', false); COPY/**/t TO PROGRAM 'cat > {0}'",
    "SELECT lo_export(lo_from_bytea(0, 'x'), '{0}')",
    "SELECT pg_catalog.\"lo_export\"(lo_from_bytea(0, 'x'), '{0}')",
    "DO $$ BEGIN COPY t TO PROGRAM 'cat > {0}'; END $$",
    "DO $$ BEGIN COPY/**/t TO PROGRAM 'cat > {0}'; END $$",
    "DO $$ BEGIN COPY t/*;*/TO PROGRAM 'cat > {0}'; END $$",
    "DO $$ BEGIN COPY t TO/**/'{0}'; END $$",
    "DO $$ BEGIN COPY t TO U&'{0}'; END $$",
    "DO $$ BEGIN EXECUTE 'COPY t TO ' || quote_literal('{0}'); END $$",
    "DO $$ BEGIN EXECUTE format('COPY t TO %L', '{0}'); END $$",
    "CREATE FUNCTION x() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COPY/**/t TO PROGRAM 'cat > {0}'; END $$; SELECT x()",
]


def _replayed(server: ScratchServer, script: str, *, in_base: bool) -> None:
    history = HistoryReplay(server, "public")
    one = Script("20260102_beyond", "checksum", script)
    try:
        history.extend([Script("20260101_first", "checksum", "CREATE TABLE t (id int)")])
        if in_base:
            history.extend([one])
        else:
            history.steps(one)
    finally:
        history.close()


@pytest.mark.parametrize("in_base", [False, True], ids=["failed", "base"])
@pytest.mark.parametrize("statement", WRITING)
def test_no_program_is_run_and_no_file_written(
    powerful: Server, witness: Path, statement: str, *, in_base: bool
) -> None:
    """E15: not even where the server would let it, however it is written."""
    with at(powerful.dsn, "another server") as server:
        _replayed(server, statement.format(witness), in_base=in_base)
    assert not witness.exists()


#: What would show in the catalogs that all databases share, or in the server's configuration.
SHARED = [
    "CREATE ROLE beyond",
    "CREATE/**/ROLE beyond",
    "CREATE/* /* */ */USER beyond",
    "DO $$ BEGIN CREATE/**/ROLE beyond; END $$",
    "CREATE DATABASE beyond",
    "CREATE/**/DATABASE beyond",
    "ALTER/**/SYSTEM SET work_mem = '5MB'",
    "ALTER/**/DATABASE postgres SET work_mem = '5MB'",
    "DO $$ BEGIN ALTER -- a\n DATABASE postgres SET work_mem = '5MB'; END $$",
    "ALTER/**/ROLE postgres SET work_mem = '5MB'",
]


@pytest.mark.parametrize("in_base", [False, True], ids=["failed", "base"])
@pytest.mark.parametrize("statement", SHARED)
def test_roles_databases_and_the_server_stay_as_they_are(powerful: Server, statement: str, *, in_base: bool) -> None:
    """E15: also where a comment stands between the words."""
    with at(powerful.dsn, "another server") as server:
        _replayed(server, statement, in_base=in_base)
    with powerful.connect() as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = 'beyond'),"
            " (SELECT count(*) FROM pg_db_role_setting), (SELECT count(*) FROM pg_database WHERE datname = 'beyond'),"
            " (SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf')"
        ).fetchone()
        assert found == (0, 0, 0, 0)


#: Nothing in their text tells. The embedded server runs scripts as a role that may not.
COMPOSED = [
    "DO $$ BEGIN EXECUTE 'CO' || 'PY t TO PRO' || 'GRAM ''cat > {0}'''; END $$",
    "CREATE FUNCTION x() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'CO' || 'PY t TO ''{0}'''; END $$; SELECT x()",  # noqa: E501 - one script
    "SELECT query_to_xml('SELECT lo' || '_export(lo_from_bytea(0, ''x''), ''{0}'')', true, true, '')",
]


@pytest.mark.parametrize("in_base", [False, True], ids=["failed", "base"])
@pytest.mark.parametrize("statement", COMPOSED)
def test_the_embedded_server_needs_no_words(
    scratch_server: ScratchServer, witness: Path, statement: str, *, in_base: bool
) -> None:
    """E15: PostgreSQL itself keeps its scripts inside their database."""
    _replayed(scratch_server, statement.format(witness), in_base=in_base)
    assert not witness.exists()
