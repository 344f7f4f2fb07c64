"""Which SQL is surely harmless to the ledger."""

import pytest

from recovery.guard.ledger_write import ledger_write


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1",
        'SELECT migration_name, logs FROM "_prisma_migrations" WHERE finished_at IS NULL ORDER BY 1;',
        "SELECT to_regclass('public.password_reset_tokens') AS t;",
        "SELECT count(*) FROM _prisma_migrations; SELECT version()",
        "UPDATE places SET name = upper(name)",
        "DELETE FROM places WHERE id IN (SELECT id FROM gone)",
        "CREATE INDEX CONCURRENTLY i ON places (name)",
        "BEGIN; ALTER TABLE places ADD COLUMN x int; COMMIT;",
        "DROP TABLE IF EXISTS places CASCADE",
        "EXPLAIN SELECT * FROM places",
    ],
)
def test_what_leaves_the_ledger_alone_passes(sql: str) -> None:
    """Reading it, and working on other tables by plain statements."""
    assert ledger_write(sql.encode()) == ""


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM _prisma_migrations",
        "DELETE FROM public.\"_prisma_migrations\" WHERE migration_name = 'x'",
        'UPDATE "_prisma_migrations" SET rolled_back_at = now()',
        "INSERT INTO _prisma_migrations (id) VALUES ('x')",
        "TRUNCATE places, _prisma_migrations",
        "MERGE INTO _prisma_migrations m USING x ON true WHEN MATCHED THEN DELETE",
        'DELETE FROM U&"\\005fprisma_migrations"',
        "WITH gone AS (DELETE FROM _prisma_migrations RETURNING 1) SELECT * FROM gone",
        "EXPLAIN ANALYZE DELETE FROM _prisma_migrations",
        "SELECT * INTO copy FROM _prisma_migrations",
        "SELECT * FROM _prisma_migrations FOR UPDATE",
        "ALTER TABLE _prisma_migrations RENAME TO x",
        "ALTER TABLE x RENAME TO _prisma_migrations",
        "DROP TABLE _prisma_migrations",
        "LOCK TABLE _prisma_migrations",
        "CREATE VIEW v AS SELECT * FROM _prisma_migrations",
        "COPY _prisma_migrations FROM '/tmp/x'",
        "COPY places FROM PROGRAM 'psql'",
        "DO $$ BEGIN EXECUTE 'delete from _prisma' || '_migrations'; END $$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'delete from x'",
        "SELECT query_to_xml('delete from _pris' || 'ma_migrations', true, true, '')",
        "SELECT public.mine()",
        "SELECT dblink('', 'delete from x')",
        "UPDATE places SET name = mine(name)",
        "CALL mine()",
        "PREPARE p AS DELETE FROM x; EXECUTE p",
        "DROP SCHEMA public CASCADE",
        "DROP OWNED BY app",
        "DROP EXTENSION pgcrypto CASCADE",
        "DROP DATABASE app",
        "ALTER SCHEMA public RENAME TO old",
        "CREATE RULE r AS ON INSERT TO places DO ALSO SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON places EXECUTE FUNCTION f()",
        "ALTER ROLE app SET search_path = x",
        "no SQL at all",
        "SELECT 'never closed",
        "SELECT 1; DELETE FROM _prisma_migrations",
        "-- never do this; DELETE FROM _prisma_migrations;\nSELECT 1",
    ],
)
def test_what_may_write_to_it_does_not(sql: str) -> None:
    """By its name, by code that can't be followed, by what holds it, or unreadable."""
    assert ledger_write(sql.encode()) != ""


def test_what_is_no_text_does_not_pass() -> None:
    """Bytes that are not UTF-8 can't be read."""
    assert "UTF-8" in ledger_write(b"SELECT '\xff'")
