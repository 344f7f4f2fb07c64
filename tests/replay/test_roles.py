"""Roles that scripts name, made on the embedded server before they run."""

from collections.abc import Iterator

import psycopg
import pytest

from recovery.replay import roles
from recovery.replay.history import HistoryReplay
from recovery.replay.roles import Roles
from recovery.replay.scratch import ScratchServer, embedded
from recovery.sql.script import Script
from states.facts import Replay, Visibility

TABLE = Script("base", "b", "CREATE TABLE t (id int); CREATE SCHEMA s; CREATE TABLE s.u (id int)")


@pytest.fixture(scope="module")
def enrolled() -> Iterator[ScratchServer]:
    """A server with the roles of a history whose migrations run as `postgres`."""
    with embedded() as server:
        server.enroll(Roles("postgres", ("app_user", "authenticated", "Odd Name")))
        yield server


def replay(server: ScratchServer, script: str) -> Replay:
    """The steps of a script on top of two tables."""
    history = HistoryReplay(server, "app")
    try:
        history.extend([TABLE])
        assert history.skipped == []
        return history.steps(Script("failed", "f", script))
    finally:
        history.close()


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("GRANT SELECT ON t TO app_user, PUBLIC", {"app_user"}),
        ('REVOKE ALL ON t FROM "Odd Name"', {"Odd Name"}),
        ("ALTER TABLE t OWNER TO app_user", {"app_user"}),
        ("CREATE POLICY p ON t TO authenticated USING (true)", {"authenticated"}),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b", {"a", "b"}),
        ("CREATE SCHEMA x AUTHORIZATION app_user", {"app_user"}),
        ("SET ROLE app_user", {"app_user"}),
        ("SET LOCAL ROLE 'app_user'", {"app_user"}),
        ("SET ROLE NONE", set()),
        ("GRANT pg_monitor, pg_execute_server_program TO app_user", {"app_user"}),
        ("GRANT SELECT ON t TO pg_read_all_data, CURRENT_USER, SESSION_USER", set()),
        ("DO $$ BEGIN EXECUTE 'GRANT SELECT ON t TO postgres, nobody_at_all'; END $$", {"postgres"}),
        ('CREATE TABLE "user" (role text, postgres int)', set()),
        ("GRANT this is not SQL", set()),
    ],
)
def test_roles_are_found_in_what_scripts_say(enrolled: ScratchServer, script: str, names: set[str]) -> None:
    """By the parse tree; and in bodies of functions, which it doesn't read, those that production has."""
    with enrolled.connect(enrolled.create(), superuser=True) as production:
        found = roles.read(production, [script])
    assert set(found.others) == names
    assert found.runner == "replay"  # the superuser of this very program is no name to run scripts by


def test_scripts_run_as_a_role_of_the_name_that_production_runs_them_as(enrolled: ScratchServer) -> None:
    """What a script grants to itself is then no privilege on either side."""
    with enrolled.connect(enrolled.create()) as production:
        assert roles.read(production, ["GRANT SELECT ON t TO postgres"]) == Roles("postgres", ())


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("GRANT SELECT ON t TO app_user", ("table app.t", "privileges of app_user")),
        ('GRANT SELECT ON s.u TO "Odd Name"', ("table s.u", 'privileges of "Odd Name"')),
        ("CREATE POLICY p ON t TO authenticated USING (true)", ("table app.t", "policy p")),
        ("CREATE SCHEMA mine AUTHORIZATION app_user", ("schema mine", "exists")),
    ],
)
def test_what_is_given_to_them_is_seen(enrolled: ScratchServer, script: str, seen: tuple[str, str]) -> None:
    """As privileges and policies in the steps."""
    found = replay(enrolled, script)
    assert found.ended is None
    assert found.statements[0].visibility is Visibility.SEEN
    assert seen in found.steps[1]
    assert seen not in found.steps[0]


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t OWNER TO app_user; ALTER TABLE t ADD COLUMN a int",
        "ALTER TABLE t OWNER TO postgres; ALTER TABLE t ADD COLUMN a int",
        "SET ROLE app_user; CREATE TABLE v (id int); RESET ROLE; ALTER TABLE v ADD COLUMN a int",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_user GRANT SELECT ON TABLES TO authenticated; CREATE TABLE v ()",
    ],
)
def test_things_can_be_handed_over_to_them(enrolled: ScratchServer, script: str) -> None:
    """And still be worked on afterwards."""
    assert replay(enrolled, script).ended is None


def test_a_grant_to_the_role_itself_shows_nothing(enrolled: ScratchServer) -> None:
    """An owner's rights are in no list of privileges."""
    found = replay(enrolled, "CREATE TABLE v (); GRANT ALL ON v TO postgres")
    assert not [key for key in found.footprint if "postgres" in key[1]]


def test_they_give_no_power(enrolled: ScratchServer) -> None:
    """Whatever they are called, nobody can reach beyond a database through them."""
    with enrolled.connect(enrolled.create()) as connection:
        for name in ("app_user", "authenticated", "Odd Name", "postgres"):
            connection.execute(f'SET ROLE "{name}"')
            row = connection.execute(
                "SELECT count(*) FROM pg_roles r WHERE pg_has_role(r.oid, 'MEMBER') AND (rolsuper OR rolcreaterole"
                " OR rolcreatedb OR rolbypassrls OR rolreplication"
                " OR rolname LIKE 'pg\\_%' AND rolname <> 'pg_database_owner')"
            ).fetchone()
            assert row == (0,)
        for forbidden in ("SET ROLE prisma_recovery_superuser", "CREATE ROLE x", "GRANT app_user TO authenticated"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())


def test_another_history_may_run_as_a_role_that_the_last_one_only_named() -> None:
    """On a server that serves several."""
    with embedded() as server:
        server.enroll(Roles("one", ("two", "three")))
        server.enroll(Roles("two", ("one", "three")))
        assert replay(server, "ALTER TABLE t OWNER TO one; GRANT SELECT ON s.u TO three").ended is None
        with server.connect(server.create()) as connection:
            assert connection.execute("SELECT current_user::text").fetchone() == ("two",)
