"""What is wrong is said, with what to do; the exit code is the right one; nothing is changed."""

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable

import psycopg
import pytest

from recovery.postgres import catalog
from tests.acceptance.scene import Done, Scene
from tests.staging import Case, start, start_pooler
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
PASSWORD = "s3cret"  # noqa: S105 - no server has it
SCRIPT = "prisma/migrations/{}/migration.sql"


@pytest.fixture
def scene(make: Make) -> Scene:
    """A production that would be recovered, were the input good."""
    return make("exists")


def commit(scene: Scene) -> None:
    """Commits whatever was changed in the project."""
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for command in (("add", "--all"), (*author, "commit", "--quiet", "--message=Change")):
        subprocess.run(["git", *command], cwd=scene.folder, check=True)


def state(scene: Scene) -> object:
    """All of the schema, and the ledger if there is one."""
    with scene.connect() as connection:
        schema = catalog.read(connection)
        there = ("table public._prisma_migrations", "exists") in schema
        rows = connection.execute("SELECT * FROM _prisma_migrations ORDER BY started_at, id") if there else ()
        return schema, list(rows)


def refused(scene: Scene, code: int, *words: str, command: tuple[str, ...] = ("run", "--yes")) -> Done:
    """The command ends with this exit code and these words, tells what to do, and changes nothing."""
    before = state(scene)
    done = scene.cli(*command)
    assert done.code == code, done
    assert [word for word in words if word not in done.said] == [], done
    assert "What to do:" in done.said
    assert PASSWORD not in done.said
    assert state(scene) == before
    return done


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("", 2, ("url.missing", "DATABASE_URL", "DIRECT_URL")),
        ("just some text", 2, ("url.malformed", "postgresql://USER:PASSWORD@HOST:5432/DATABASE")),
        (f"postgresql://me:{PASSWORD}@/nowhere:x", 2, ("url.malformed",)),
        (f"postgresql://me:{PASSWORD}/more@127.0.0.1:5432/production", 2, ("url.malformed", "percent-encoded")),
        (f"mysql://me:{PASSWORD}@127.0.0.1:3306/production", 2, ("url.scheme", "mysql")),
        (f"prisma+postgres://accelerate.example.com/?api_key={PASSWORD}", 2, ("url.scheme",)),
        (f"postgresql://me:{PASSWORD}@no-such-host.invalid/production", 6, ("no-such-host.invalid",)),
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/production", 6, ("database.unreachable", "127.0.0.1:1")),
    ],
    ids=["none", "text", "no-host", "slash-in-password", "mysql", "accelerate", "unknown-host", "refused-port"],
)
def test_a_url_that_leads_nowhere(scene: Scene, url: str, code: int, words: tuple[str, ...]) -> None:
    """No, a malformed or a foreign URL is a usage error; a server that doesn't answer is worth another try."""
    scene.variables["DATABASE_URL"] = url
    refused(scene, code, *words)
    assert not (scene.folder / ".prisma-recovery").exists()


def test_an_unknown_database(scene: Scene) -> None:
    """A database that isn't there: exit code 4, with its name."""
    scene.variables["DATABASE_URL"] = scene.incident.database_url.replace(scene.database, "no_such_database")
    refused(scene, 4, "database.refused", '"no_such_database" does not exist')


def test_a_wrong_password(scene: Scene) -> None:
    """A password that the server refuses: exit code 4, with the user's name, and without the password."""
    with start(password="right") as server:  # noqa: S106 - the test's own server's
        scene.variables["DATABASE_URL"] = server.url().replace("right", PASSWORD)
        refused(scene, 4, "database.refused", 'password authentication failed for user "postgres"')
        scene.variables["DATABASE_URL"] = server.url().replace(":right", "")
        refused(scene, 4, "database.refused", "no password supplied")


def test_a_pooled_url(scene: Scene) -> None:
    """Through a transaction pooler no lock holds: exit code 4, and which URL to use."""
    scene.variables["DATABASE_URL"] = f"{scene.incident.database_url}?pgbouncer=true"
    refused(scene, 4, "preflight.target.direct", "pooler", "DIRECT_URL")


def test_a_transaction_pooler(scene: Scene) -> None:
    """A real one, whose URL does not say so: exit code 4 for every command, and production can write as before."""
    with start_pooler(scene.server, "transaction") as place:
        url = f"postgresql://{place}/{scene.database}"
        scene.variables["DATABASE_URL"] = url
        refused(scene, 4, "database.pooled", "DIRECT_URL")
        refused(scene, 4, "database.pooled", "DIRECT_URL", command=("inspect",))
        with psycopg.connect(url, autocommit=True) as application:
            assert application.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
    assert not (scene.folder / ".prisma-recovery").exists()


def test_a_read_only_database(scene: Scene) -> None:
    """A database that takes no writes, as a replica: exit code 4."""
    scene.sql(f"ALTER DATABASE {scene.database} SET default_transaction_read_only = on")
    refused(scene, 4, "preflight.target.primary", "read-only")


def test_no_ledger(scene: Scene) -> None:
    """No ledger, and a schema in which nothing is the history's: exit code 3, and what P3005 is about."""
    scene.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE somebody_elses (id int)")
    refused(scene, 3, "baseline.nothing", "P3005", "?schema=")


def test_the_ledger_of_another_schema(scene: Scene) -> None:
    """A URL that names another schema than the ledger's: exit code 4, with that schema's name."""
    scene.variables["DATABASE_URL"] = f"{scene.incident.database_url}?schema=tenant"
    refused(scene, 4, "there is no schema tenant", "?schema=public")


def test_a_role_that_may_not_read_the_ledger(scene: Scene) -> None:
    """A role without the right to read the ledger: exit code 4, and what to grant."""
    scene.sql(f"CREATE ROLE {scene.database}_guest LOGIN")
    scene.variables["DATABASE_URL"] = scene.incident.database_url.replace("postgres@", f"{scene.database}_guest@")
    refused(scene, 4, "preflight.target.privileges", "may not SELECT on the ledger", "GRANT SELECT, INSERT, UPDATE ON")


def test_no_migrations_folder(scene: Scene) -> None:
    """A project without migrations folder: exit code 2, with the path that was looked for."""
    shutil.rmtree(scene.folder / "prisma/migrations")
    commit(scene)
    refused(scene, 2, "migrations.missing", "prisma/migrations")


def test_a_failed_migration_that_the_folder_lacks(scene: Scene) -> None:
    """A checkout without the failed migration: exit code 3, with its name, and to look for the right commit."""
    shutil.rmtree((scene.folder / SCRIPT.format(FAILED)).parent)
    commit(scene)
    refused(scene, 3, "inspect.failed_missing", FAILED, "Check out the commit")
    inspected = scene.cli("inspect", "--json")
    assert inspected.code == 0, inspected
    assert json.loads(inspected.out)["history"]["missing_locally"] == [FAILED]


@pytest.mark.parametrize("name", [FAILED, PENDING[1]], ids=["failed", "pending"])
def test_a_script_that_is_not_utf8(scene: Scene, name: str) -> None:
    """A script in another encoding: exit code 2, with its path, before anything is done."""
    path = scene.folder / SCRIPT.format(name)
    path.write_bytes(path.read_bytes() + "-- Café\n".encode("latin-1"))
    commit(scene)
    refused(scene, 2, "migrations.not_utf8", name, "UTF-8")


def test_a_folder_without_script(scene: Scene) -> None:
    """A migration whose script can't be read: exit code 2, with its path."""
    path = scene.folder / SCRIPT.format(FAILED)
    path.unlink()
    path.mkdir()
    (path / "kept").touch()
    commit(scene)
    refused(scene, 2, "migrations.no_script", FAILED)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[production\n", ("config.invalid_toml", "line 1")),
        ("[production]\nhots = 'x'\n", ("config.unknown_key", "hots", "host")),
        ("auto = ['everything']\n", ("config.invalid_value", "everything")),
        ("[[pipeline.steps]]\nname = 'a'\n", ("config.invalid_value", "command")),
        ("[[waive]]\ncheck = 'git.commit'\nreason = ' '\n", ("config.invalid_value", "reason")),
        ("[[waive]]\ncheck = 'git.comit'\nreason = 'a'\n", ("config.invalid_value", "git.comit", "git.commit")),
        ("[[waive]]\ncheck = 'target.identity'\nreason = 'a'\n", ("config.invalid_value", "[production]")),
        ("[[waive]]\ncheck = 'prisma.target'\nreason = 'a'\n", ("config.invalid_value", "prisma.target")),
    ],
)
def test_a_configuration_with_a_mistake(scene: Scene, text: str, words: tuple[str, ...]) -> None:
    """Invalid TOML, an unknown key or value: exit code 2, with the place."""
    scene.configuration.write_text(text)
    refused(scene, 2, "prisma-recovery.toml", *words)


def test_a_journal_of_a_newer_version(scene: Scene) -> None:
    """A journal that a newer release wrote is left as it is, and nothing is done without one."""
    assert scene.cli("run").code == 3
    path = scene.folder / ".prisma-recovery/journal.sqlite3"
    with sqlite3.connect(path) as journal:
        journal.execute("PRAGMA user_version = 99")
    journal.close()
    before = path.read_bytes()
    refused(scene, 1, "journal.newer_version", "Install the newer release")
    refused(scene, 1, "journal.newer_version", command=("status",))
    assert path.read_bytes() == before


def test_a_damaged_journal(scene: Scene) -> None:
    """A journal that is none any more: nothing is done without it, and it is kept for a look."""
    (scene.folder / ".prisma-recovery").mkdir()
    (scene.folder / ".prisma-recovery/journal.sqlite3").write_text("not a journal, but long enough to be read as one")
    refused(scene, 1, "journal.corrupt", "Move the file away")


def test_no_prisma(scene: Scene) -> None:
    """A project whose packages are not installed: exit code 2, and how to install them; `inspect` works."""
    (scene.folder / "node_modules").unlink()
    refused(scene, 2, "prisma.not_found", "npm ci")
    assert scene.cli("inspect").code == 0


def test_a_command_that_is_not_there(scene: Scene) -> None:
    """A configured command that doesn't exist: exit code 2, and nothing took place."""
    scene.configuration.write_text(scene.configuration.read_text() + '\n[prisma]\ncommand = ["no-such-program"]\n')
    refused(scene, 2, "prisma.not_started", "no-such-program")


def test_prisma_8(scene: Scene) -> None:
    """Prisma 8 keeps another ledger: exit code 4, before anything is looked at."""
    (scene.folder / "node_modules").unlink()
    package = scene.folder / "node_modules/prisma/package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"name": "prisma", "version": "8.0.1"}')
    refused(scene, 4, "prisma.version_8", "Prisma 8.0.1")


@pytest.mark.parametrize("waiver", ["git.clean", "git.clean=", "git.clean=  "])
def test_a_waiver_without_reason(scene: Scene, waiver: str) -> None:
    """`--waive` without a reason: exit code 2, nothing was waived."""
    refused(scene, 2, "usage.waive", "git.clean", command=("run", "--yes", "--waive", waiver))


def test_a_waiver_of_no_check(scene: Scene) -> None:
    """`--waive` of what is no check's name: exit code 2, with the names that there are."""
    refused(scene, 2, "git.claen", "git.clean", command=("run", "--yes", "--waive", "git.claen=typo"))


def test_an_assumption_that_there_is_not(scene: Scene) -> None:
    """`--assume` of what is no assumption's name: exit code 2, with the name that there is."""
    refused(scene, 2, "usage.assume", "no_handwork", command=("inspect", "--assume", "no-handiwork"))


def test_no_project(scene: Scene) -> None:
    """A folder that is no Prisma project: exit code 2, and how to name one."""
    shutil.rmtree(scene.folder / "prisma")
    commit(scene)
    refused(scene, 2, "No Prisma schema", "--schema")


def test_an_unknown_option(scene: Scene) -> None:
    """A misspelt option: exit code 2."""
    done = scene.cli("run", "--yess")
    assert done.code == 2
    assert re.search("--yess", done.said)


@pytest.mark.parametrize("command", [("inspect",), ("run", "--plan"), ("pipeline",)])
def test_a_log_format_that_there_is_not(scene: Scene, command: tuple[str, ...]) -> None:
    """Said like any other wrong value, with `--json` too."""
    done = refused(scene, 2, "usage.log_format", "json", "text", command=(*command, "--log-format", "xml"))
    assert "xml" not in done.out
    told = json.loads(scene.cli(*command, "--json", "--log-format", "xml").out)
    assert told["refusal"]["code"] == "usage.log_format"


def test_a_cache_that_cannot_be_written(scene: Scene) -> None:
    """Said with its way out."""
    scene.variables["PRISMA_RECOVERY_CACHE"] = str(scene.configuration / "cache")
    for arguments in (("inspect",), ("run", "--yes")):
        refused(scene, 1, "scratch.not_prepared", "PRISMA_RECOVERY_CACHE", command=arguments)


def test_no_superuser_is_needed(scene: Scene) -> None:
    """A role that may do what `migrate deploy` needs, and no more, is told the same as a superuser."""
    role = f"{scene.database}_deployer"
    scene.sql(f"CREATE ROLE {role} LOGIN")
    with psycopg.connect(scene.incident.database_url, autocommit=True) as connection:
        for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            connection.execute(f'ALTER TABLE "{table}" OWNER TO {role}'.encode())
    scene.variables["DATABASE_URL"] = scene.incident.database_url.replace("postgres@", f"{role}@")
    (failed,) = json.loads(scene.cli("inspect", "--json").out)["failed"]
    assert failed["verdict"] == "applied"
