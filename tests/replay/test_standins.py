"""Stand-ins for extensions that the scratch server lacks."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from recovery.postgres import catalog
from recovery.replay import scratch, standins
from recovery.replay.extension_members import MODIFIERS
from recovery.replay.workshop import Workshop
from recovery.sql.modifiers import modified
from recovery.sql.script import Script

Production = psycopg.Connection[Any]

LACKING = "fancy_ids"
HISTORY = [
    Script("1_init", "a", f'CREATE EXTENSION IF NOT EXISTS "{LACKING}";\nCREATE TABLE t (id uuid DEFAULT fancy_id());'),
    Script("2_more", "b", "CREATE TABLE u (id uuid DEFAULT fancy_id(), tag fancy_tag);"),
]


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    """A server that has an extension which no other has: made the same way as a stand-in."""
    with scratch.embedded() as server:
        assert server.standins is not None
        script = (
            "CREATE TYPE fancy_shell AS (a int); CREATE DOMAIN fancy_tag AS text;"
            "CREATE FUNCTION fancy_id() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT gen_random_uuid()';"
            "CREATE FUNCTION fancy_many(n int, out a text) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL::text';"
        )
        standins.write(server.standins, [standins.StandIn(LACKING, "2.1", script)])
        with server.connect(server.create()) as connection:
            connection.execute(f"CREATE EXTENSION {LACKING}")
            yield connection


def test_a_history_that_uses_an_extension_the_scratch_server_lacks_is_replayed(production: Production) -> None:
    """Functions of production's extension can be used in the scratch database under their names and signatures."""
    workshop = Workshop(scratch.embedded, "public")
    try:
        workshop.stand_in(production, (script.text for script in HISTORY))
        history = workshop.submit(lambda: workshop.history(HISTORY[:1])).result()
        assert history.skipped == []
        replay = workshop.submit(lambda: history.steps(HISTORY[0])).result()
        snapshot = workshop.submit(history.snapshot).result()
    finally:
        workshop.close()
    assert replay.ended is not None  # the table is there already: the script was not skipped, it ran before
    assert snapshot["table public.t", "column id default"] == "public.fancy_id()"
    assert ("extension fancy_ids", "exists") in snapshot
    assert not [obj for obj, _ in snapshot if obj.startswith("function ")]


def test_without_a_stand_in_the_same_history_is_skipped() -> None:
    """It is the stand-in that makes the difference."""
    workshop = Workshop(scratch.embedded, "public")
    try:
        history = workshop.submit(lambda: workshop.history(HISTORY[:1])).result()
        assert {note.migration for note in history.skipped} == {"1_init"}
    finally:
        workshop.close()


def test_an_extension_that_production_lacks_too_gets_a_stand_in_without_members(production: Production) -> None:
    """A failed CREATE EXTENSION can be replayed, and is seen."""
    found = standins.read(production, (), ['CREATE EXTENSION "nobody_has_it";'])
    assert [(each.name, each.script) for each in found if each.name == "nobody_has_it"] == [("nobody_has_it", "")]


def test_what_the_scratch_server_has_itself_gets_no_stand_in(production: Production) -> None:
    """Only what is lacking is stood in for."""
    assert LACKING not in {each.name for each in standins.read(production, (LACKING, "plpgsql"), [])}
    with_members = standins.read(production, ("plpgsql",), [])
    assert {each.name for each in with_members} == {LACKING}
    assert "fancy_id" in with_members[0].script
    assert "fancy_many" in with_members[0].script


def test_a_name_that_is_no_file_name_is_left_out(production: Production) -> None:
    """A script can't make us write anywhere else."""
    assert not [s for s in standins.read(production, (), ['CREATE EXTENSION "../evil";']) if "evil" in s.name]


def test_a_scoped_snapshot_of_production_leaves_its_extensions_members_out(production: Production) -> None:
    """Members of an extension are nobody's migration, on either side."""
    assert not [obj for obj, _ in catalog.read(production) if obj.startswith(("function", "type public.fancy"))]


#: Extensions of the scratch server itself, which serve as production's that another server lacks.
REAL = ("vector", "citext", "ltree", "isn")
#: Their remarks are the server's.
EXTENSIONS = {f"extension {name}" for name in REAL}
USES = [
    "CREATE TABLE x (id int PRIMARY KEY, e vector(1536), c citext UNIQUE, l ltree DEFAULT 'a.b', i isbn)",
    "INSERT INTO x (id, c) VALUES (1, 'a'), (2, 'B')",
    "CREATE INDEX i1 ON x USING hnsw (e vector_cosine_ops)",
    "CREATE INDEX i2 ON x USING ivfflat (e vector_l2_ops)",
    "CREATE INDEX i3 ON x USING hash (c)",
    "CREATE UNIQUE INDEX i4 ON x (lower(c::text))",
    "ALTER TABLE x ALTER c TYPE text, ALTER id TYPE bigint",
    "CREATE VIEW v AS SELECT id, e <=> e AS distance FROM x WHERE c = 'a'",
    "CREATE TABLE y (e vector(3) DEFAULT '[1,2,3]', c citext[])",
]


def test_types_operators_and_their_indexes_are_stood_in_for() -> None:
    """What uses an extension looks in a snapshot as it does with the real one."""
    with scratch.embedded() as real, scratch.embedded() as lacking:
        assert lacking.standins is not None
        with real.connect(real.create(), superuser=True) as production, lacking.connect(lacking.create()) as here:
            for name in REAL:
                production.execute(f"CREATE EXTENSION {name}")
            found = standins.read(production, (), [])
            assert [each.name for each in found] == sorted(REAL)
            standins.write(lacking.standins, found)  # they come before the server's own
            for name in REAL:
                here.execute(f"CREATE EXTENSION {name}")
            for statement in USES:
                production.execute(statement.encode())
                here.execute(statement.encode())
            made, original = (
                {key: value for key, value in catalog.read(each).items() if key[0] not in EXTENSIONS}
                for each in (here, production)
            )
            assert made == original


@pytest.fixture(scope="module", params=["lacked by production", "read from production"])
def known(request: pytest.FixtureRequest, server: scratch.ScratchServer) -> Iterator[Production]:
    """A database with stand-ins of the two extensions that histories use most and the wheel lacks."""
    creating = [f'CREATE EXTENSION "{name}"' for name in ("pgcrypto", "uuid-ossp")]
    assert server.standins is not None
    with server.connect(server.create(), superuser=True) as nowhere:
        standins.write(server.standins, standins.read(nowhere, (), creating))
        for statement in creating:
            nowhere.execute(statement.encode())
        if request.param.startswith("lacked"):
            yield nowhere
            return
        standins.write(server.standins, standins.read(nowhere, (), creating))
        with server.connect(server.create()) as connection:
            for statement in creating:
                connection.execute(statement.encode())
            yield connection


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("length(gen_random_bytes(20))", 20),
        ("length(gen_random_bytes(1024))", 1024),
        ("length(digest('a', 'sha256'))", 32),
        ("length(digest('a'::bytea, 'sha1'))", 20),
        ("length(hmac('a', 'b', 'sha512'))", 64),
        ("length(crypt('a', gen_salt('bf')))", 60),
        ("length(crypt('a', gen_salt('md5', 6)))", 34),
        ("h = crypt('a', h) FROM crypt('a', gen_salt('bf')) h", True),
        ("h = crypt('b', h) FROM crypt('a', gen_salt('bf')) h", False),
        ("pgp_sym_decrypt(pgp_sym_encrypt('secret', 'k'), 'k')", "secret"),
        ("uuid_generate_v4() <> uuid_generate_v1()", True),
        ("uuid_generate_v5(uuid_ns_url(), 'a') = uuid_generate_v5(uuid_ns_url(), 'a')", True),
        ("uuid_generate_v3(uuid_nil(), 'a') = uuid_generate_v3(uuid_nil(), 'b')", False),
    ],
)
def test_known_functions_give_values_of_the_asked_for_length(known: Production, call: str, expected: object) -> None:
    """Where production lacks the extension, and where it has it: a history may loop over the bytes, or compare."""
    assert known.execute(f"SELECT {call}".encode()).fetchone() == (expected,)


def test_operator_classes_of_gin_and_gist_are_stood_in_for(server: scratch.ScratchServer) -> None:
    """The index is made on rows, too, looks as with the real one, and takes further rows."""
    uses = (
        "CREATE TABLE x (a text)",
        "INSERT INTO x SELECT md5(n::text) FROM generate_series(1, 20) n",
        "CREATE INDEX i1 ON x USING gin (a gin_trgm_ops)",
        "CREATE INDEX i2 ON x USING gist (a gist_trgm_ops)",
        "INSERT INTO x SELECT md5(n::text) FROM generate_series(1, 20) n",
    )
    with scratch.embedded() as lacking:
        assert lacking.standins is not None
        with server.connect(server.create(), superuser=True) as real, lacking.connect(lacking.create()) as here:
            real.execute("CREATE EXTENSION pg_trgm")
            standins.write(lacking.standins, standins.read(real, (), []))
            here.execute("CREATE EXTENSION pg_trgm")
            for statement in uses:
                real.execute(statement.encode())
                here.execute(statement.encode())
            made, original = (
                {key: value for key, value in catalog.read(each).items() if not key[0].startswith("extension ")}
                for each in (here, real)
            )
            assert made == original
            assert here.execute("SELECT count(*) > 0 FROM x WHERE a LIKE '%a%'").fetchone() == (True,)


@pytest.mark.parametrize(
    ("written", "shown", "same"),
    [
        ("point,4326", "app.geometry(Point,4326)", True),
        ("POINT Z, 4326", "geometry(PointZ,4326)[]", True),
        ("point", "geometry(Point)", True),
        ("point,0", "geometry(Point)", True),
        ("point", "geography(Point,4326)", True),
        ("point", "geometry(Point,4326)", False),
        ("polygon,4326", "geometry(Point,4326)", False),
    ],
)
def test_modifiers_that_are_no_number_are_told_apart(
    server: scratch.ScratchServer, written: str, shown: str, *, same: bool
) -> None:
    """A stand-in keeps them as a hash, which is compared with what production shows."""
    key, arrays = ("table public.x", "column g type"), shown[shown.index(")") + 1 :]
    database = server.create()
    with server.connect(database, superuser=True) as connection:
        connection.execute(MODIFIERS.format('"into"', '"out"').encode())
        (number,) = connection.execute('SELECT "out"("into"(%s::cstring[]))', (written.split(","),)).fetchone() or ("",)
    server.drop(database)
    kept = f"{shown.partition('(')[0]}{number}{arrays}"
    assert modified({key: (kept,)}, {key: shown}) == ({key: kept} if same else {})


def test_a_function_that_is_called_for_what_it_does_is_left_out(production: Production) -> None:
    """A stand-in of it would pass over that in silence; one that is called for a value stays."""
    found = standins.read(production, ("plpgsql",), [], lambda: {"fancy_id"})
    assert "fancy_id" not in found[0].script
    assert "fancy_many" in found[0].script


def test_what_production_says_runs_as_no_statement_of_its_own() -> None:
    """Stand-ins are made by a superuser, so a name in production's catalog must not get out of its quotes."""
    evil = "x$body$ $create$ $standin$; '; CREATE ROLE evil; --\\'"
    with scratch.embedded() as real, scratch.embedded() as lacking:
        assert real.standins is not None
        assert lacking.standins is not None
        quoted = '"' + evil.replace('"', '""') + '"'
        text = "'" + evil.replace("'", "''") + "'"
        script = (
            f"CREATE TYPE {quoted} AS ENUM ({text}); CREATE DOMAIN odd AS text;"
            f"CREATE FUNCTION {quoted}(a text DEFAULT {text}) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';"
        )
        standins.write(real.standins, [standins.StandIn(LACKING, "1", script)])
        with real.connect(real.create(), superuser=True) as production, lacking.connect(lacking.create()) as here:
            production.execute(f"CREATE EXTENSION {LACKING}")
            standins.write(lacking.standins, standins.read(production, (), []))
            here.execute(f"CREATE EXTENSION {LACKING}")
            assert here.execute("SELECT rolname FROM pg_roles WHERE rolname = 'evil'").fetchall() == []
            assert here.execute("SELECT count(*) FROM pg_proc WHERE proname = %s", (evil,)).fetchone() == (1,)
            assert here.execute("SELECT enumlabel FROM pg_enum").fetchall() == [(evil,)]
