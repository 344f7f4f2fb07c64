"""Production is read whole, alike on every server, and twice (RULES E13)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from recovery.postgres import catalog
from states.facts import Key
from tests.integration.rules.production import APPLIED, NOT_APPLIED, WAIT, Production, SharedWorkshop, begun, verdict
from tests.staging import Server, start
from tests.staging.failures import LEDGER

SCRIPT = "ALTER TABLE t ADD COLUMN b int"
#: A session that is about to end must not pass for one that runs the script (RULES E14).
BY_HAND = "/* by hand */"


@pytest.fixture(scope="module")
def old_server() -> Iterator[Server]:
    """The oldest version."""
    with start(13) as running:
        yield running


@pytest.fixture
def old(old_server: Server, workshop: SharedWorkshop, tmp_path: Path) -> Production:
    """A production on the oldest version, replayed on the newest."""
    return begun(old_server, workshop, tmp_path)


def _changing(monkeypatch: pytest.MonkeyPatch, production: Production, changes: list[str]) -> None:
    """Runs one of the changes right after each reading of production."""
    read = catalog.read

    def reading(connection: psycopg.Connection[Any], scope: catalog.Scope | None = None) -> dict[Key, str]:
        found = read(connection, scope)
        if connection.info.dbname == production.database and changes:
            production.run(changes.pop(0))
        return found

    monkeypatch.setattr(catalog, "read", reading)


def test_nothing_is_decided_on_a_torn_reading(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    """E13: a change between the two readings: what counts is what both of the next two say."""
    production.failed(SCRIPT)
    _changing(monkeypatch, production, [f"{BY_HAND} {SCRIPT}"])
    assert verdict(production.judge()) == APPLIED


def test_the_ledger_is_read_twice_too(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    """E13: Prisma counts the script as run to its end, right after the schema was read."""
    production.failed(SCRIPT)
    _changing(monkeypatch, production, [f"{BY_HAND} UPDATE _prisma_migrations SET applied_steps_count = 1"])
    assert production.judge().decision.value == "operator"


def test_what_changes_all_the_time_is_waited_for(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    """E13: somebody is at work on it, and no reading is better than another."""
    production.failed(SCRIPT)
    _changing(monkeypatch, production, [f"{BY_HAND} {SCRIPT}", "ALTER TABLE t DROP COLUMN b"] * 20)
    evidence = production.judge()
    assert verdict(evidence) == WAIT
    assert any("changes while it is being read" in reason for reason in evidence.reasons)


def test_a_lock_that_keeps_the_schema_from_being_read_is_waited_for(production: Production) -> None:
    """E13: a lock time-out while reading a view's definition is somebody at work, no crash and no decision."""
    production.before("CREATE VIEW v AS SELECT a FROM t")
    production.failed("CREATE VIEW w AS SELECT a FROM v")
    with production.server.connect(production.database) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        evidence = production.judge()
    assert verdict(evidence) == WAIT
    assert any("keeps the schema from being read" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("setting", ["ROLE postgres IN DATABASE {0}", "DATABASE {0}"])
def test_a_search_path_of_the_role_or_database_does_not_matter(production: Production, setting: str) -> None:
    """E13: definitions are written with the same search path on both sides."""
    production.run("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (id int)")
    production.failed("CREATE VIEW v AS SELECT a FROM t; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES t;")
    production.run("CREATE VIEW v AS SELECT a FROM t; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES t")
    where = setting.format(production.database)
    production.run(f"ALTER {where} SET search_path = elsewhere, pg_catalog, public")
    assert verdict(production.judge()) == APPLIED


def test_a_role_without_privileges_sees_the_schema(production: Production) -> None:
    """E13: pg_catalog shows what information_schema hides."""
    role = f"reader_{production.database}"
    production.run(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON _prisma_migrations TO {role}")
    production.failed("CREATE TABLE z (id int NOT NULL DEFAULT 1, CHECK (id > 0)); CREATE INDEX i ON t (a);")
    production.user = role
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE TABLE z (id int NOT NULL DEFAULT 1, CHECK (id > 0)); CREATE INDEX i ON t (a)")
    assert verdict(production.judge()) == APPLIED
    production.run("ALTER TABLE z ALTER id DROP DEFAULT")
    assert production.judge().decision.value == "operator"


VIEW = "CREATE VIEW v AS SELECT t.id, t.a FROM t WHERE t.a > 1"


def test_a_view_is_compared_as_one_server_writes_it(old: Production) -> None:
    """E13: versions 13 and 18 write its text otherwise; another view is another one all the same."""
    old.failed(VIEW)
    assert verdict(old.judge()) == NOT_APPLIED
    old.run(VIEW)
    assert verdict(old.judge()) == APPLIED
    old.run("DROP VIEW v; " + VIEW.replace("> 1", "> 2"))
    assert old.judge().decision.value == "operator"


def test_a_view_is_compared_by_the_names_that_it_was_written_with(old: Production) -> None:
    """E13: before the script the view names the column otherwise than after it."""
    rename = "ALTER TABLE t RENAME COLUMN a TO aa"
    old.before(VIEW)
    old.failed(rename)
    assert verdict(old.judge()) == NOT_APPLIED
    old.run(rename)
    assert verdict(old.judge()) == APPLIED


#: Names that are keywords on newer servers only, which therefore write them in quotes.
NEW_KEYWORDS = [
    pytest.param("", 'ALTER TABLE t ADD COLUMN "json" text', id="column"),
    pytest.param("", "CREATE TABLE json_table (id int)", id="table"),
    pytest.param("", 'CREATE TABLE "system_user" (id int)', id="reserved"),
    pytest.param("CREATE TABLE k (id int, json text)", "ALTER TABLE k DROP COLUMN json", id="drop column"),
    pytest.param("CREATE TABLE json_table (id int)", "DROP TABLE json_table", id="drop table"),
    pytest.param("", "ALTER TABLE t ADD CONSTRAINT json_exists CHECK (id > 0)", id="constraint"),
    pytest.param("CREATE SCHEMA json_table", "CREATE TABLE json_table.x (id int)", id="schema"),
    pytest.param("", "CREATE INDEX json_value ON t (a)", id="index"),
    pytest.param("", "CREATE TYPE merge_action AS ENUM ('a')", id="type"),
]


@pytest.mark.parametrize(("before", "script"), NEW_KEYWORDS)
def test_a_name_is_the_same_name_on_every_server(old: Production, before: str, script: str) -> None:
    """E13: whether a server writes a name in quotes decides nothing."""
    old.before(before)
    old.failed(script)
    assert verdict(old.judge()) == NOT_APPLIED
    old.run(script)
    assert verdict(old.judge()) == APPLIED


def test_a_database_without_an_encoding_is_read_as_text(
    server: Server, workshop: SharedWorkshop, tmp_path: Path
) -> None:
    """E13: SQL_ASCII stores bytes, and a driver that is not told otherwise hands them out as such."""
    production = Production(server, tmp_path / "migrations", workshop)
    with server.connect() as connection:
        connection.execute(
            f"CREATE DATABASE {production.database} ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0".encode()
        )
    production.run(LEDGER)
    production.finished("20260101_first", "CREATE TABLE t (id int PRIMARY KEY, a int)")
    production.failed("ALTER TABLE t ADD COLUMN \"größe\" text DEFAULT 'groß'")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("SET client_encoding = 'UTF8'; ALTER TABLE t ADD COLUMN \"größe\" text DEFAULT 'groß'")
    assert verdict(production.judge()) == APPLIED
    server.drop_database(production.database)
