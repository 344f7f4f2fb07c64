"""Statements on rows alone are run without reading the catalog after each, and the steps are the same as with it."""

from collections.abc import Sequence

import pytest

from recovery.postgres import catalog
from recovery.replay.rows_only import RowsOnly
from recovery.sql.statements import Parsed
from tests.replay.conftest import Replaying

BASE = """
CREATE TABLE t (id serial PRIMARY KEY, a text, b int DEFAULT 1);
CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t (id) ON DELETE CASCADE, at timestamptz DEFAULT now());
CREATE SEQUENCE s START 7;
CREATE FUNCTION makes() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE 'CREATE TABLE IF NOT EXISTS made (id int)'; RETURN 1; END $$;
"""
ALONE = [
    "INSERT INTO u (id) VALUES (1); INSERT INTO u (id) VALUES (2); INSERT INTO u (id) VALUES (3)",
    "INSERT INTO u (id) VALUES (1); INSERT INTO u (id) VALUES (2); INSERT INTO u (id) VALUES (1)",
    "INSERT INTO u (id) VALUES (1); INSERT INTO u (id) VALUES (2); INSERT INTO nowhere VALUES (1); DELETE FROM u",
    (
        "ALTER TABLE t ADD c int; INSERT INTO t (c) VALUES (1); INSERT INTO t (c) VALUES (2); UPDATE t SET b = 2;"
        " DELETE FROM t; ALTER TABLE t DROP c"
    ),
    (
        "CREATE TABLE n (id serial, a int); INSERT INTO n VALUES (1, 1); INSERT INTO n VALUES (2, 1);"
        " INSERT INTO n VALUES (DEFAULT, 1); INSERT INTO n (a) VALUES (1); INSERT INTO n (a) VALUES (1)"
    ),
    "CREATE SEQUENCE r; UPDATE t SET b = 1; UPDATE t SET b = nextval('r'); INSERT INTO t (b) VALUES (nextval('r'))",
    (
        "INSERT INTO u (id) VALUES (1); INSERT INTO u (id) VALUES (2); SELECT setval('s', 9, false);"
        " INSERT INTO u (id) VALUES (3)"
    ),
    "BEGIN; INSERT INTO u (id) VALUES (1); INSERT INTO u (id) VALUES (2); COMMIT; INSERT INTO u (id) VALUES (3)",
    "INSERT INTO t (a) VALUES ('it''s; VALUES'); INSERT INTO t (a) VALUES (E'\\';'); INSERT INTO t (a) VALUES ('')",
]
#: Code of somebody's runs with a statement on rows, and changes the schema.
WITH_CODE = [
    "ALTER TABLE t ALTER b SET DEFAULT makes(); INSERT INTO t (a) VALUES (''); INSERT INTO t (a) VALUES ('')",
    "INSERT INTO t (b) VALUES (makes()); INSERT INTO t (b) VALUES (makes())",
    "ALTER TABLE t ADD CHECK (makes() > 0); INSERT INTO t (a) VALUES (''); INSERT INTO t (a) VALUES ('')",
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM makes(); RETURN NEW; END $$;"
        " CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
        " INSERT INTO t (a) VALUES (''); INSERT INTO t (a) VALUES ('')"
    ),
    "CREATE RULE r AS ON INSERT TO u DO ALSO SELECT makes(); INSERT INTO u VALUES (1); INSERT INTO u VALUES (2)",
    (
        "CREATE DOMAIN d AS int CHECK (makes() > 0); CREATE TABLE n (id d); INSERT INTO n VALUES (1);"
        " INSERT INTO n VALUES (2)"
    ),
    (
        "CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql AS 'SELECT makes()';"
        " INSERT INTO t (b) VALUES (lower(1)); INSERT INTO t (b) VALUES (lower(2))"
    ),
    (
        "INSERT INTO t (a) VALUES (''); INSERT INTO t (a) VALUES (set_config('search_path', 'pg_catalog', false));"
        " CREATE TABLE IF NOT EXISTS n (id int)"
    ),
]


@pytest.mark.parametrize("script", [*ALONE, *WITH_CODE])
def test_the_steps_are_those_of_reading_after_each(
    script: str, replaying: Replaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replaying.steps(script, BASE)
    monkeypatch.setattr(RowsOnly, "at", lambda *_: False)
    assert quick == replaying.steps(script, BASE)


@pytest.mark.parametrize("script", WITH_CODE[:-1])
def test_what_such_code_makes_is_seen(script: str, replaying: Replaying) -> None:
    replay = replaying.steps(script, BASE)
    assert any("made" in obj for obj, _ in replay.footprint)


def test_the_catalog_is_not_read_for_each(replaying: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    replaying.steps("SELECT 1", BASE)
    reads = 0
    read = catalog.read

    def counted(*arguments: object) -> object:
        nonlocal reads
        reads += 1
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(catalog, "read", counted)
    replay = replaying.steps(";".join(f"INSERT INTO u (id) VALUES ({n})" for n in range(500)), BASE)
    assert (replay.total, replay.ended, len(replay.steps)) == (500, None, 501)
    assert reads < 10


def test_a_row_of_inserts_is_judged_once(replaying: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a trigger is in the way: else a thousand of them would each look at all that follow."""
    judged = 0
    stretch = RowsOnly._stretch  # noqa: SLF001 - counted

    def counted(self: RowsOnly, candidates: Sequence[Parsed]) -> int:
        nonlocal judged
        judged += 1
        return stretch(self, candidates)

    monkeypatch.setattr(RowsOnly, "_stretch", counted)
    rows = ";".join(f"INSERT INTO t (b) VALUES (makes() + {n})" for n in range(20))
    assert len(replaying.steps(rows, BASE).steps) == 21
    assert judged <= 2, "once where there are no rows, and once where there are"
