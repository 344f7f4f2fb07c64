"""What production is like when the recovery begins, each staged once and copied from then on."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.staging.crash.person import decide
from tests.staging.crash.production import Production
from tests.staging.incident import FAILED, PENDING, Case, Incident, stage

if TYPE_CHECKING:
    from tests.staging.postgres import Server

WITNESS = Path(__file__).parent / "witness.sql"
#: Pending in every scenario. The rows show how often it ran.
SCORES = "20260217300000_first_scores"
#: Failed in one. Data alone: no schema shows whether it ran.
NAMES = "20260217050000_mark_batches"
SCRIPTS = {
    SCORES: 'UPDATE "places" SET "energy" = coalesce("energy", 0) + 1;\n',
    NAMES: 'UPDATE "intake_batches" SET "name" = "name" || \'!\';\n',
}
#: A step of the pipeline; none of them is idempotent.
STEP = 'echo "$1" >>done\n'
STEPS = ("load", "promote")


@dataclass(frozen=True)
class Scenario:
    """One of them.

    Attributes:
        case: of the incident.
        failed: what has an unfinished row besides, from a deploy that was cut off before it ran anything.
        sql: what else has happened to the database.
        pipeline: its steps are run as well.
        approved: it was run once, and blocked, and a person has decided.
        repair: a plan of repair is agreed to.
        more: what the failed script has besides, at its end.
    """

    case: Case
    failed: str = ""
    sql: str = ""
    pipeline: bool = False
    approved: bool = False
    repair: bool = False
    more: str = ""

    @property
    def scripts(self) -> tuple[str, ...]:
        """The migrations that are added to the incident's."""
        return (SCORES, NAMES) if self.failed == NAMES else (SCORES,)


SCENARIOS = {
    "exists": Scenario("exists", pipeline=True),
    "absent": Scenario("absent"),
    "several": Scenario("exists", failed=PENDING[0]),
    "failing-once": Scenario("exists", sql="CREATE SEQUENCE staging.failing"),
    "half-done": Scenario("partial", repair=True),
    "half-done-apart": Scenario(
        "partial",
        repair=True,
        more='\nCREATE INDEX CONCURRENTLY "tokens_used_at_idx" ON "password_reset_tokens"("used_at");\n',
    ),
    "approved": Scenario("exists", failed=NAMES, approved=True),
}


class Stage:
    """Makes productions on one server."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self._numbers = 0

    def make(self, name: str) -> Production:
        """A production of its own."""
        scenario, template = SCENARIOS[name], f"crash_{name.replace('-', '_')}"
        if not self.server.has_database(template):
            self._template(scenario, template)
        self._numbers += 1
        database = f"production_{self._numbers}"
        project = self._folder / database / "project"
        shutil.copytree(self._folder / template, project, symlinks=True)
        configuration = project / "prisma-recovery.toml"
        configuration.write_text(configuration.read_text().replace(f'"{template}"', f'"{database}"'))
        self.server.create_database(database, template)
        more = (*(("--pipeline",) if scenario.pipeline else ()), *(("--repair",) if scenario.repair else ()))
        arguments = ("run", "--yes", *more)
        production = Production(Incident(scenario.case, project, self.server.url(database)), self.server, arguments)
        if scenario.approved:
            decide(production, production.run().must(3))
        return production

    def _template(self, scenario: Scenario, name: str) -> None:
        folder = self._folder / name
        stage(scenario.case, folder, self.server, database=name)
        for added in scenario.scripts:
            path = folder / "prisma" / "migrations" / added / "migration.sql"
            path.parent.mkdir()
            path.write_text(SCRIPTS[added])
        if scenario.more:
            path = folder / "prisma" / "migrations" / FAILED / "migration.sql"
            path.write_bytes(path.read_bytes() + scenario.more.encode())
            with self.server.connect(name) as production:
                checksum = hashlib.sha256(path.read_bytes()).hexdigest()
                query = 'UPDATE "_prisma_migrations" SET checksum = %s WHERE migration_name = %s'
                production.execute(query, (checksum, FAILED))
        _configure(folder)
        git = ("git", "-c", "user.name=staging", "-c", "user.email=staging@localhost", "-c", "commit.gpgsign=false")
        for words in (("add", "--all"), ("commit", "--quiet", "--message=Score the places")):
            subprocess.run([*git, *words], cwd=folder, check=True)
        with self.server.connect(name) as production:
            if scenario.failed:
                script = folder / "prisma" / "migrations" / scenario.failed / "migration.sql"
                production.execute(
                    'INSERT INTO "_prisma_migrations" (id, checksum, migration_name) VALUES (%s, %s, %s)',
                    ("cut-off", hashlib.sha256(script.read_bytes()).hexdigest(), scenario.failed),
                )
            production.execute(WITNESS.read_bytes())
            if scenario.sql:
                production.execute(scenario.sql.encode())


def _configure(folder: Path) -> None:
    configuration = folder / "prisma-recovery.toml"
    text = 'auto = ["pipeline"]\n' + configuration.read_text().partition("# What may run only")[0]
    for name in STEPS:
        text += f'\n[[pipeline.steps]]\nname = "{name}"\ncommand = ["sh", "step.sh", "{name}"]\n'
    configuration.write_text(text)
    (folder / "step.sh").write_text(STEP)
