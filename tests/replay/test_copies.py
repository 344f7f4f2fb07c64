"""Copies of a history's database, whose sessions serve again as if they were new."""

import psycopg
import pytest

from recovery.replay.scratch import ScratchServer
from tests.replay.conftest import Replaying


def test_a_session_that_serves_again_is_as_new(replaying: Replaying) -> None:
    """Nothing is left in it: no transaction, setting, temporary table or lock. Two at a time are two."""
    with replaying.history("CREATE TABLE t (id int)").copied() as copy:
        with copy.connected() as first, copy.connected() as second:
            assert first.info.backend_pid != second.info.backend_pid
            numbers = {first.info.backend_pid, second.info.backend_pid}
        with copy.connected() as again:
            assert again.info.backend_pid in numbers
            again.execute("SET search_path = pg_catalog; SET statement_timeout = 5; CREATE TEMPORARY TABLE mine ()")
            again.execute("SELECT pg_advisory_lock(5)")
            again.execute("BEGIN; CREATE TABLE public.never ()")
            left = again.info.backend_pid
        with copy.connected() as anew:
            assert anew.info.backend_pid == left
            assert anew.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            assert anew.execute("SHOW search_path").fetchone() == ("public",)
            assert anew.execute("SHOW statement_timeout").fetchone() == ("1min",)
            assert anew.execute("SELECT to_regclass('mine'), to_regclass('never')").fetchone() == (None, None)
            assert anew.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_a_superusers_session_is_set_back_too(replaying: Replaying) -> None:
    """It is another one than those of the role that scripts run as."""
    with replaying.history("CREATE TABLE t (id int)").copied() as copy:
        with copy.connected(superuser=True) as first:
            first.execute("SET session_replication_role = replica")
        with copy.connected(superuser=True) as again, copy.connected() as other:
            assert again.info.backend_pid == first.info.backend_pid
            assert again.execute("SHOW session_replication_role").fetchone() == ("origin",)
            assert again.execute("SHOW is_superuser").fetchone() == ("on",)
            assert other.execute("SHOW is_superuser").fetchone() == ("off",)


def test_a_session_that_ended_serves_no_more(replaying: Replaying, server: ScratchServer) -> None:
    """The next one is new; at the end the database is gone."""
    with replaying.history("CREATE TABLE t (id int)").copied() as copy:
        with copy.connected() as first, copy.connected(superuser=True) as ending:
            ending.execute("SELECT pg_terminate_backend(%s, 5000)", (first.info.backend_pid,))
            with pytest.raises(psycopg.OperationalError):
                first.execute("SELECT 1")
        with copy.connected() as second:
            assert second.execute("SELECT count(*) FROM t").fetchone() == (0,)
        name = copy._database  # noqa: SLF001
    with server.connect("template1", superuser=True) as connection:
        assert connection.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (name,)).fetchone() == (0,)
