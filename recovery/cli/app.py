"""The commands."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from recovery import __version__
from recovery.cli.extras import register

if TYPE_CHECKING:
    from recovery.api import Recovery
    from recovery.replay.embedded import Embedded
    from recovery.session import Options

app = typer.Typer(
    name="prisma-recovery",
    help="Recover a production PostgreSQL whose Prisma migration failed half-way: "
    "decide from evidence, resolve, deploy, verify.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

DatabaseUrl = Annotated[
    str | None, typer.Option(help="The target; without it DIRECT_URL, DATABASE_URL… from the environment or .env.")
]
Migrations = Annotated[Path | None, typer.Option(help="The migrations folder; without it the project's.")]
Schema = Annotated[Path | None, typer.Option(help="schema.prisma or its folder; without it the project's.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="prisma-recovery.toml; without it looked for upwards.")
]
Journal = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the journal is: a PostgreSQL URL, or `target` for the production database itself; "
        "without it PRISMA_RECOVERY_JOURNAL, else a file in the project.",
    ),
]
ExpectHost = Annotated[str | None, typer.Option(help="The host that the target must have.")]
ExpectDatabase = Annotated[str | None, typer.Option(help="The database that the target must be.")]
ExpectCommit = Annotated[
    str | None,
    typer.Option(
        help="The commit, branch or tag that must be checked out; `vercel`: the one that production runs there."
    ),
]
Waive = Annotated[
    list[str] | None, typer.Option(metavar="NAME=REASON", help="Take on one check of preflight by name; repeatable.")
]
RestorePoint = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="The restore point to make before the first change: neon, pg_dump or none, the default."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Log each event to standard error, as a line of JSON.")]
RunId = Annotated[str | None, typer.Option("--run", help="The run; without it the one that is not finished.")]


@contextmanager
def _errors_shown() -> Iterator[None]:
    """Errors that a person can act on are shown as such; anything else is a bug and keeps its stack trace."""
    from recovery.errors import RecoveryError
    from states.answers import Exit

    # A runner that stops us says so by SIGTERM; it gets the same answer as ^C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except RecoveryError as error:
        from recovery.report import github

        typer.echo(error.shown, err=True)
        github.tell(error, sys.stderr)
        raise typer.Exit(int(error.exit)) from None
    except KeyboardInterrupt:
        typer.echo("\nInterrupted. Nothing is lost: `prisma-recovery run` goes on from what is true.", err=True)
        raise typer.Exit(int(Exit.INTERRUPTED)) from None


def run_app() -> NoReturn:
    """Runs the command line and exits."""
    app()
    sys.exit(0)


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        typer.echo(f"prisma-recovery {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _asker() -> Callable[[str], str] | None:
    return input if _in_terminal() else None


def _ask_database() -> str | None:
    return input("Type the name of the production database to go on: ").strip() if _in_terminal() else None


@contextmanager
def _server_ahead() -> Iterator["Embedded | None"]:
    """The scratch server, started while the rest of the program is still being loaded.

    Where it can't be started that is told later, by the work that needs it.
    """
    from recovery.errors import RecoveryError
    from recovery.replay.embedded import Embedded

    started: Embedded | None = None
    with suppress(RecoveryError):
        started = Embedded()
    try:
        yield started
    finally:
        if started is not None:
            started.stop()


def _recovery(options: "Options", started: "Embedded | None" = None) -> "Recovery":
    """What a command works on: the project that it was called in."""
    from recovery.api import Recovery

    return Recovery(Path.cwd(), options, ask_database=_ask_database, started=started)


@app.command()
def run(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to every change that the evidence decides.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and change nothing.")] = False,
    pipeline: Annotated[bool, typer.Option("--pipeline", help="Then run the pipeline's steps.")] = False,
    verbose: Verbose = False,
    database_url: DatabaseUrl = None,
    migrations: Migrations = None,
    schema: Schema = None,
    config: ConfigFile = None,
    expect_host: ExpectHost = None,
    expect_database: ExpectDatabase = None,
    expect_commit: ExpectCommit = None,
    waive: Waive = None,
    journal: Journal = None,
    restore_point: RestorePoint = None,
) -> None:
    """Start a recovery, or go on with the unfinished one."""
    with _errors_shown(), _server_ahead() as started:
        from recovery.cli.recover import recover, show_plan
        from recovery.session import Options

        options = Options(
            database_url=database_url,
            migrations=migrations,
            schema=schema,
            config=config,
            expect_host=expect_host,
            expect_database=expect_database,
            expect_commit=expect_commit,
            waive=tuple(waive or ()),
            journal=journal,
            restore_point=restore_point,
        )
        recovery = _recovery(options, started)
        if plan:
            raise typer.Exit(int(show_plan(recovery)))
        code = recover(recovery, _asker(), yes=yes, pipeline=pipeline, verbose=verbose)
    raise typer.Exit(int(code))


@app.command("inspect")
def inspect_(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON: target, history, evidence, checks.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when a migration failed.")] = False,
    database_url: DatabaseUrl = None,
    migrations: Migrations = None,
    schema: Schema = None,
    config: ConfigFile = None,
    expect_host: ExpectHost = None,
    expect_database: ExpectDatabase = None,
    expect_commit: ExpectCommit = None,
    waive: Waive = None,
) -> None:
    """Say what is in the database, read only. Needs no Node and no Prisma project."""
    with _errors_shown(), _server_ahead() as started:
        from recovery.cli.look import look
        from recovery.session import Options

        options = Options(
            database_url=database_url,
            migrations=migrations,
            schema=schema,
            config=config,
            expect_host=expect_host,
            expect_database=expect_database,
            expect_commit=expect_commit,
            waive=tuple(waive or ()),
        )
        code = look(_recovery(options, started), as_json=json, exit_code=exit_code)
    raise typer.Exit(int(code))


@app.command()
def status(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    config: ConfigFile = None,
    schema: Schema = None,
    journal: Journal = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Where do the recoveries of this project stand, and what is to be done now? Reads the journal only."""
    with _errors_shown():
        from recovery.cli.records import show_status
        from recovery.session import Options

        recovery = _recovery(Options(database_url, schema=schema, config=config, journal=journal))
        show_status(recovery, as_json=json)


@app.command()
def approve(
    migration: Annotated[str, typer.Argument(help="The failed migration.")],
    *,
    applied: Annotated[bool, typer.Option("--applied", help="It is in the database.")] = False,
    rolled_back: Annotated[bool, typer.Option("--rolled-back", help="It is not in the database.")] = False,
    evidence: Annotated[str, typer.Option(help="The digest that `run` showed: sha256:…")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the journal.")],
    run: RunId = None,
    config: ConfigFile = None,
    schema: Schema = None,
    journal: Journal = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Decide a failed migration where the evidence doesn't. Counts for exactly this evidence, at the next `run`."""
    with _errors_shown():
        from recovery.cli.records import record_approval
        from recovery.session import Options

        recovery = _recovery(Options(database_url, schema=schema, config=config, journal=journal))
        record_approval(recovery, run, migration, evidence, reason, applied=applied, rolled_back=rolled_back)


@app.command()
def abort(
    *,
    reason: Annotated[str, typer.Option(help="Why; it goes into the journal.")] = "given up by hand",
    run: RunId = None,
    config: ConfigFile = None,
    schema: Schema = None,
    journal: Journal = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Give up the unfinished recovery. Changes nothing in the database."""
    with _errors_shown():
        from recovery.cli.records import record_abort
        from recovery.session import Options

        recovery = _recovery(Options(database_url, schema=schema, config=config, journal=journal))
        record_abort(recovery, run, reason)


@app.command()
def pipeline(
    *,
    repeat: Annotated[list[str] | None, typer.Option(help="Run this step again; repeatable.")] = None,
    done: Annotated[list[str] | None, typer.Option(help="This step is done, whatever it said; repeatable.")] = None,
    database_url: DatabaseUrl = None,
    migrations: Migrations = None,
    schema: Schema = None,
    config: ConfigFile = None,
    expect_host: ExpectHost = None,
    expect_database: ExpectDatabase = None,
    expect_commit: ExpectCommit = None,
    waive: Waive = None,
    journal: Journal = None,
) -> None:
    """Run the pipeline's steps behind the open gate, each at most once; goes on where it stopped."""
    with _errors_shown():
        from recovery.cli.recover import run_pipeline
        from recovery.session import Options

        options = Options(
            database_url=database_url,
            migrations=migrations,
            schema=schema,
            config=config,
            expect_host=expect_host,
            expect_database=expect_database,
            expect_commit=expect_commit,
            waive=tuple(waive or ()),
            journal=journal,
        )
        code = run_pipeline(_recovery(options), _asker(), repeat=repeat or (), done=done or ())
    raise typer.Exit(int(code))


register(app, _errors_shown, _asker)
