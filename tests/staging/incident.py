"""Stages the incident of the runbook: a migration that failed on production, with two more waiting behind it.

Nothing is written to the ledger by hand: the real `prisma migrate deploy` deploys the history, runs into a real
conflict, and leaves the failed row in `_prisma_migrations` itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import psycopg
from psycopg.rows import class_row

from tests.staging import postgres
from tests.staging.cache import keep
from tests.staging.node import PACKAGES, VERSIONS, toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.staging.postgres import Server

#: What production looks like when the recovery begins.
Case = Literal["exists", "absent", "drifted", "partial"]
#: exists: the table is there with all that belongs to it, made by hand.
#: absent: nothing of the migration is there; the object that made it fail is gone.
#: drifted: a table of that name is there, made by hand, and differs.
#: partial: the first two of the migration's five statements took effect.
CASES: tuple[Case, ...] = get_args(Case)

FAILED = "20260217000000_add_password_reset_tokens"
PENDING = ("20260217100000_add_energy_formality_scoring", "20260217200000_golden_first_intake")
#: In the case `partial`: how many of the failed migration's statements are in place, and how many there are.
PARTIAL_STEPS = (2, 5)

#: The project, of which each incident gets a copy.
PROJECT = Path(__file__).parent / "project"
#: Time limit of a CLI command, in seconds; a command usually takes about one.
PRISMA_SECONDS = 120

DATA = """
INSERT INTO users (id, email, password_hash, created_at) VALUES
    ('u_ada',   'ada@example.com',   '$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$b25l', '2025-11-04 10:00'),
    ('u_bela',  'bela@example.com',  '$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$dHdv', '2025-12-11 18:30'),
    ('u_chidi', 'chidi@example.com', '$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$dGhy', '2026-01-20 08:15');
INSERT INTO places (id, slug, name, city, status, latitude, longitude, added_by_id) VALUES
    ('p_1', 'cafe-morgenrot-berlin', 'Café Morgenrot', 'Berlin', 'PUBLISHED', 52.5389, 13.4126, 'u_ada'),
    ('p_2', 'pier-nine-lisbon',      'Pier Nine',      'Lisbon', 'DRAFT',     NULL,    NULL,    'u_bela'),
    ('p_3', 'harbour-hall-bergen',   'Harbour Hall',   'Bergen', 'CLOSED',    60.3951, 5.3189,  NULL);
INSERT INTO intake_batches (id, name) VALUES ('b_autumn', 'autumn_walks');
INSERT INTO intake_items (id, batch_id, line, raw, place_id) VALUES
    ('i_1', 'b_autumn', 1, 'Café Morgenrot | Berlin', 'p_1'),
    ('i_2', 'b_autumn', 2, 'Harbour Hall | Bergen', 'p_3');
"""

# A version of the table from before the migration was written: `expires_at` has another type, and `used_at`, an index
# and the foreign key are missing.
DRIFTED_TABLE = """
CREATE TABLE password_reset_tokens (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT password_reset_tokens_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX password_reset_tokens_token_hash_key ON password_reset_tokens (token_hash);
CREATE INDEX password_reset_tokens_user_id_idx ON password_reset_tokens (user_id);
"""


@dataclass(frozen=True)
class LedgerRow:
    """A row of `_prisma_migrations`, with its columns' names."""

    id: str
    checksum: str
    finished_at: datetime | None
    migration_name: str
    logs: str | None
    rolled_back_at: datetime | None
    started_at: datetime
    applied_steps_count: int


@dataclass(frozen=True)
class Incident:
    """A project and its production database, blocked by a failed migration.

    Attributes:
        version: the major version of the project's Prisma.
    """

    case: Case
    project: Path
    database_url: str
    failed: str = FAILED
    pending: tuple[str, ...] = PENDING
    version: int = 6

    def environment(self) -> dict[str, str]:
        """Return the variables to merge into `os.environ` to run the Prisma CLI, npm or a recovery here."""
        return toolchain(self.version).environment() | {"DATABASE_URL": self.database_url}

    def prisma(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the project's Prisma CLI, and return its output whether or not it failed."""
        cli = self.project / "node_modules" / "prisma" / "build" / "index.js"
        return subprocess.run(
            [toolchain(self.version).node.program, cli, *arguments],
            cwd=self.project,
            # Without its look for a newer version, which is a process of its own.
            env=os.environ | self.environment() | {"CHECKPOINT_DISABLE": "1"} | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PRISMA_SECONDS,
        )

    def ledger(self) -> list[LedgerRow]:
        """Return the rows of `_prisma_migrations`, oldest first."""
        with (
            psycopg.connect(self.database_url, connect_timeout=10) as connection,
            connection.cursor(row_factory=class_row(LedgerRow)) as cursor,
        ):
            cursor.execute('SELECT * FROM "_prisma_migrations" ORDER BY started_at, id')
            return cursor.fetchall()


def start_prepared() -> Server:
    """Start a server on which every case has been staged once, so that each `stage` there only copies a database.

    What Prisma made is kept in the checkout's cache, until anything that it was made from changes.
    """

    def build(folder: Path) -> None:
        with postgres.start() as server, tempfile.TemporaryDirectory() as projects:
            for version, case in itertools.product((6, 7), CASES):
                stage(case, Path(projects) / f"{case}{version}", server, database="first", prisma=version)
                server.drop_database("first")
            postgres.copy_data(server, folder / "data")

    here = Path(__file__).parent
    sources = [here / "incident.py", here / "postgres.py", *sorted(PACKAGES.rglob("*")), *sorted(PROJECT.rglob("*"))]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources if path.is_file())).hexdigest()[:12]
    return postgres.start(data=keep(f"incidents-{digest}", build) / "data")


def stage(case: Case, folder: Path, server: Server, *, database: str = "production", prisma: int = 6) -> Incident:
    """Stage a case: a git checkout in `folder`, and its blocked production as a new database of `server`.

    The first time that a case is staged on a server, Prisma runs in a database there, which is kept as a template.
    Staging the case again on that server copies it, which takes a fraction of a second.

    Args:
        case: what production looks like.
        folder: where the project is made.
        server: where production is made.
        database: its name there.
        prisma: the major version of the project's Prisma, which also ran the migrations.
    """
    _copy_project(folder, database, prisma)
    template = _template(case, prisma)
    if not server.has_database(template):
        _make_production(Incident(case, folder, "", version=prisma), server, template)
    _commit(folder)
    server.create_database(database, template)
    incident = Incident(case, folder, server.url(database), version=prisma)
    _check(incident)
    return incident


def _template(name: str, prisma: int) -> str:
    return f"staged_{name}" if prisma == 6 else f"staged_{name}_{prisma}"


def _copy_project(folder: Path, database: str, prisma: int) -> None:
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("README.md", "node_modules"))
    (folder / "gitignore").rename(folder / ".gitignore")
    (folder / "node_modules").symlink_to(toolchain(prisma).node_modules, target_is_directory=True)
    if prisma != 6:
        _move_project(folder, prisma)
    configuration = folder / "prisma-recovery.toml"
    text = configuration.read_text()
    configuration.write_text(text.replace('database = "production"', f'database = "{database}"'))


def _move_project(folder: Path, prisma: int) -> None:
    """Make it a project of another Prisma: 7 has its URL in a configuration of its own, 5 has no configuration."""
    configuration = folder / "prisma.config.ts"
    schema, package = folder / "prisma" / "schema.prisma", folder / "package.json"
    if prisma > 6:
        shutil.copy(VERSIONS[prisma] / "prisma.config.ts", configuration)
        schema.write_text(re.sub(r"\n +url += .*", "", schema.read_text(), count=1))
    else:
        configuration.unlink()
    version = json.loads((VERSIONS[prisma] / "package.json").read_text())["dependencies"]["prisma"]
    package.write_text(re.sub(r'("prisma": )"[^"]*"', rf'\1"{version}"', package.read_text()))


def _make_production(staged: Incident, server: Server, template: str) -> None:
    """Make the blocked database; it gets the name `template` only if every step succeeded."""
    work = f"{template}_unfinished"
    server.drop_database(work)
    server.create_database(work, _before_the_incident(staged, server))
    incident = replace(staged, database_url=server.url(work))
    case = incident.case
    with server.connect(work) as production:
        _prepare_conflict(case, incident.project, production)
        done = incident.prisma("migrate", "deploy", STAGING_SPLIT_SCRIPTS="1" if case == "partial" else "0")
        if done.returncode == 0:
            raise RuntimeError(f"prisma migrate deploy was to fail, and succeeded:\n{done.stdout}")
        _remove_conflict(case, production)
    _check(incident)
    server.rename_database(work, template)


def _before_the_incident(staged: Incident, server: Server) -> str:
    """Return the name of a healthy database: the base history, deployed by Prisma, and some data."""
    template = _template("before", staged.version)
    if not server.has_database(template):
        work = f"{template}_unfinished"
        server.drop_database(work)
        server.create_database(work)
        with _without_the_three(staged.project):
            done = replace(staged, database_url=server.url(work)).prisma("migrate", "deploy")
        if done.returncode != 0:
            raise RuntimeError(f"prisma migrate deploy failed on the base history:\n{done.stdout}{done.stderr}")
        with server.connect(work) as production:
            production.execute(DATA)
        server.rename_database(work, template)
    return template


@contextlib.contextmanager
def _without_the_three(folder: Path) -> Iterator[None]:
    """Make the project, for a while, what it was before the incident: without its last three migrations."""
    here, aside = folder / "prisma" / "migrations", folder / "prisma" / "not_yet"
    aside.mkdir()
    for name in (FAILED, *PENDING):
        (here / name).rename(aside / name)
    try:
        yield
    finally:
        for name in (FAILED, *PENDING):
            (aside / name).rename(here / name)
        aside.rmdir()


def _prepare_conflict(case: Case, folder: Path, production: psycopg.Connection) -> None:
    script = (folder / "prisma" / "migrations" / FAILED / "migration.sql").read_bytes()
    if case == "exists":
        production.execute(script)
    elif case == "drifted":
        production.execute(DRIFTED_TABLE.encode())
    elif case == "absent":
        production.execute("CREATE TABLE password_reset_tokens (email TEXT PRIMARY KEY, token TEXT NOT NULL)")
    else:
        # Relations of all kinds share one namespace, so the second CREATE INDEX finds its name taken.
        production.execute("CREATE TABLE password_reset_tokens_user_id_idx (note TEXT)")


def _remove_conflict(case: Case, production: psycopg.Connection) -> None:
    if case == "absent":
        production.execute("DROP TABLE password_reset_tokens")
    elif case == "partial":
        production.execute("DROP TABLE password_reset_tokens_user_id_idx")


def _check(incident: Incident) -> None:
    """Raise unless the ledger shows this migration as failed, all before it as applied, and no pending one."""
    rows = {row.migration_name: row for row in incident.ledger()}
    failed = rows.pop(FAILED, None)
    if (
        failed is None
        or failed.finished_at is not None
        or failed.rolled_back_at is not None
        or failed.applied_steps_count != 0
        or "already exists" not in (failed.logs or "")
        or any(row.finished_at is None for row in rows.values())
        or set(PENDING) & set(rows)
    ):
        raise RuntimeError(f"The incident {incident.case} was not staged as it should be: {incident.ledger()}")


def _commit(folder: Path) -> None:
    """Make the folder a git repository with one commit, independently of this machine's configuration of git."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment = outside | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    author = ["-c", "user.name=Staging", "-c", "user.email=staging@example.com"]
    for command in (
        ["init", "--quiet", "--initial-branch=main", "--template="],  # without a dozen examples of hooks
        ["add", "--all"],
        [*author, "commit", "--quiet", "--message=Golden-first intake"],
    ):
        done = subprocess.run(
            ["git", *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            raise RuntimeError(f"git {command[0]} failed in {folder}:\n{done.stderr}")
