"""Prisma 5 and 7, by their real CLIs: other than Prisma 6 they start an engine, and 7 has other logs and settings."""

import signal
from collections.abc import Callable

import pytest

from states.table import State
from tests.acceptance.scene import APPLIED, BASE, RUN_AGAIN, STUCK, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

SECOND, LAST = PENDING


@pytest.fixture
def make7(make: Callable[..., Scene]) -> Callable[[Case], Scene]:
    """Stages an incident in a project of Prisma 7, which also ran the migrations there."""
    return lambda case: make(case, prisma=7)


def test_what_is_absent_is_run_again(make7: Callable[[Case], Scene]) -> None:
    """Nothing of the failed script is there: it is marked rolled back, and deploy runs it with the pending ones."""
    scene = make7("absent")
    (logs,) = (row.logs for row in scene.incident.ledger() if row.migration_name == FAILED)
    assert logs is not None
    assert logs.startswith("external connector error\n")
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert "It failed for: object exists (42P07)" in done.out
    assert scene.ledger() == RUN_AGAIN
    report = scene.cli("report", "--markdown").out
    assert "Prisma 7.10.1 hands the URL, password included, to its engine as an argument" in report


def test_prisma_5_recovers_and_deploys(make: Callable[..., Scene]) -> None:
    """Its CLI knows neither a configuration nor a driver adapter, and names the migrations folder to its engine."""
    scene = make("exists", prisma=5)
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert scene.ledger() == APPLIED


def half_applied_too(scene: Scene, name: str) -> None:
    """Prisma 7 leaves a second migration half-applied: the first was called rolled back, and taken from the folder."""
    migrations = scene.folder / "prisma" / "migrations"
    scene.sql(f"UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '{FAILED}'")
    (migrations / FAILED).rename(scene.folder / FAILED)
    scene.sql("CREATE TABLE places_energy_formality_idx (note text)")
    assert scene.incident.prisma("migrate", "deploy").returncode == 1
    scene.sql("DROP TABLE places_energy_formality_idx")
    (scene.folder / FAILED).rename(migrations / FAILED)
    scene.sql(f"UPDATE _prisma_migrations SET rolled_back_at = NULL WHERE migration_name = '{FAILED}'")
    assert scene.ledger() == [*STUCK, (name, "failed", 0)]


def in_a_schema_of_its_own(scene: Scene) -> None:
    """All that is in the schema public, the ledger included, is in the schema app, as the URL says."""
    scene.sql("ALTER SCHEMA public RENAME TO app")
    scene.variables["DATABASE_URL"] = f"{scene.incident.database_url}?schema=app"


def in_several_files(scene: Scene) -> None:
    """The schema is a folder of files, and the configuration names the migrations folder."""
    folder = scene.folder / "prisma"
    first, enums, models = folder.joinpath("schema.prisma").read_text().partition("enum ")
    (folder / "schema").mkdir()
    (folder / "schema" / "main.prisma").write_text(first)
    (folder / "schema" / "models.prisma").write_text(enums + models)
    (folder / "schema.prisma").unlink()
    configuration = scene.folder / "prisma.config.ts"
    named = 'schema: "prisma/schema", migrations: { path: "prisma/migrations" }'
    configuration.write_text(configuration.read_text().replace('schema: "prisma/schema.prisma"', named))
    scene.commit("A file for the models")


def test_two_half_applied_migrations_are_completed_in_their_order(make7: Callable[[Case], Scene]) -> None:
    """In a schema that the URL names, with a schema of several files: both are completed, and the last is deployed.

    The process dies as the first is marked; the next one goes on, and marks it no second time.
    """
    scene = make7("partial")
    half_applied_too(scene, SECOND)
    in_a_schema_of_its_own(scene)
    in_several_files(scene)
    scene.rehearse(resolve="die after")
    assert scene.cli("run", "--yes", "--repair").code == -signal.SIGKILL
    assert scene.effects("observed") == ["complete"]
    scene.rehearse()
    done = scene.cli("run", "--yes", "--repair")
    assert done.code == 0, done
    assert "shows it, so it is not repeated" in " ".join(done.out.split())
    assert [words[1] for words in scene.commands()] == ["resolve", "resolve", "deploy"]
    assert [words[3] for words in scene.commands()[:2]] == [FAILED, SECOND]
    assert scene.effects("intended") == ["complete", "mark_applied", "complete", "mark_applied", "deploy"]
    assert scene.path()[-1] is State.PIPELINE_READY
    finished = "SELECT migration_name FROM app._prisma_migrations WHERE finished_at IS NOT NULL ORDER BY finished_at"
    assert [name for (name,) in scene.sql(finished)] == [*BASE, FAILED, SECOND, LAST]
