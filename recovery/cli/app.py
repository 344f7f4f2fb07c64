"""The commands of the command line, and their options."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import click

from recovery.cli import fleet_app, guard_app, reports
from recovery.cli.declared import Argument, Group, Option, command
from recovery.cli.harness import run_command_line, shown, signals
from recovery.cli.options import EVENTS, JOURNAL, OUTPUT, TARGET, Chosen, takes
from recovery.version import __version__

if TYPE_CHECKING:
    from recovery.app.api import Recovery
    from recovery.app.head_start import Ahead
    from recovery.cli.output import Output


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
    if value:
        click.echo(f"prisma-recovery {__version__}")
        ctx.exit()


app = Group(
    "prisma-recovery",
    help="Recover a production PostgreSQL whose Prisma migration failed half-way: "
    "decide from evidence, resolve, deploy, verify.",
    no_args_is_help=True,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version and exit.",
        )
    ],
)


def run_app() -> NoReturn:
    """Runs the command line and exits."""
    run_command_line(app)


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _asker() -> Callable[[str], str] | None:
    return input if _in_terminal() else None


def _ahead(*, schema: Path | None = None, config: Path | None = None, prisma: bool = False) -> "closing[Ahead]":
    from recovery.app.head_start import Ahead

    return closing(Ahead(Path.cwd(), os.environ, schema=schema, config=config, prisma=prisma))


def _recovery(chosen: Chosen, output: "Output", ahead: "Ahead | None" = None, flags: Sequence[str] = ()) -> "Recovery":
    """The recovery of the project in the working directory, with the options of this call."""
    from recovery.app.api import Recovery

    ask, options = output.asking(_asker()), chosen.options()
    output.given(options, flags)

    def ask_database(where: str) -> str | None:
        if ask is None:
            return None
        return ask(f"{where}\nType the name of the production database there to go on: ").strip()

    return Recovery(Path.cwd(), options, ask_database=ask_database, ahead=ahead)


@command(app)
@takes(*TARGET, "journal", "restore_point", *EVENTS)
def run(
    chosen: Chosen,
    *,
    yes: Annotated[bool, Option("--yes", help="Agree to every change that the evidence decides.")] = False,
    plan: Annotated[bool, Option("--plan", help="Show what would be done, and change nothing.")] = False,
    pipeline: Annotated[bool, Option("--pipeline", help="Run the pipeline's steps once the gate is open.")] = False,
    repair: Annotated[
        bool, Option("--repair", help="Agree to carry out a plan of repair that is proven by rehearsal.")
    ] = False,
    end_orphan: Annotated[
        int | None,
        Option(
            "--end-orphan",
            metavar="PID",
            help="Agree to end this session, if it is an orphan that holds Prisma's migration lock.",
        ),
    ] = None,
    wait: Annotated[
        str | None,
        Option(
            metavar="[TIME]",
            alone="10m",
            help="Wait as long as another recovery or deploy is at work, or the database does not answer (exit codes 5 "
            "and 6), at most this long, as 90s, 10m or 2h; 10m if no time is given.",
        ),
    ] = None,
    discard_rows: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="A table or column (schema.table.column) whose rows a repair may lose; repeatable.",
        ),
    ] = None,
) -> None:
    """Start a recovery, or resume the unfinished one."""
    with signals(), _ahead(schema=chosen.schema, config=chosen.config, prisma=True) as ahead:
        from recovery.cli.running import recover, show_plan
        from recovery.cli.waiting import seconds_of

        output = chosen.output("plan" if plan else "run")
        with shown(output):
            waits = None if wait is None else f"--wait={wait}"
            flags = [
                flag for flag, given in (("--yes", yes), ("--pipeline", pipeline), (waits, wait)) if flag and given
            ]
            limit = 0.0 if wait is None else seconds_of(wait)
            recovery = _recovery(chosen, output, ahead, flags)
            if plan:
                raise click.exceptions.Exit(int(show_plan(recovery, output)))
            discard = discard_rows or ()
            agreed = {"yes": yes, "pipeline": pipeline, "repair": repair}
            ended = recover(recovery, output, _asker(), **agreed, end_orphan=end_orphan, discard=discard, wait=limit)
            raise click.exceptions.Exit(int(ended))


@command(app, "repair", short_help="Print a plan of repair as a script.")
@takes(*TARGET, "journal", *OUTPUT)
def repair_(
    chosen: Chosen,
    migration: Annotated[
        str | None, Argument("[MIGRATION]", help="The migration; by default the first that has a plan.")
    ] = None,
    *,
    sql: Annotated[bool, Option("--sql", help="Print the script, to be run by hand.")] = False,
    way: Annotated[
        str | None, Option(metavar="WAY", help="Which plan: complete, mend or undo; by default the first choice.")
    ] = None,
) -> None:
    """Print a plan of repair as a script, to be run by hand. Reads only; `run --repair` carries it out."""
    with signals(), _ahead() as ahead:
        from recovery.cli.repairing import print_script

        output = chosen.output("repair")
        with shown(output):
            print_script(_recovery(chosen, output, ahead), output, migration, way, sql=sql)


@command(app, "inspect", short_help="Show what failed and what is pending, with evidence.")
@takes(*TARGET, *OUTPUT)
def inspect_(
    chosen: Chosen,
    *,
    exit_code: Annotated[
        bool,
        Option("--exit-code", help="Exit with 3 if a migration failed, with 4 if this is not the expected database."),
    ] = False,
    pending: Annotated[
        bool,
        Option(
            "--pending", help="Rehearse what is pending: what it locks and rewrites in production, and if it fails."
        ),
    ] = False,
) -> None:
    """Show failed and pending migrations, with the evidence. Reads only; needs no Node and no Prisma project."""
    with signals(), _ahead() as ahead:
        from recovery.cli.inspecting import look

        output = chosen.output("inspect")
        with shown(output):
            found = look(_recovery(chosen, output, ahead), output, exit_code=exit_code, pending=pending)
            raise click.exceptions.Exit(int(found))


@command(app, short_help="Show where each recovery stands, and what to do next.")
@takes(*JOURNAL, "json")
def status(
    chosen: Chosen,
    run: Annotated[str | None, Argument("[RUN]", help="The run to show; by default all runs.")] = None,
) -> None:
    """Show where each recovery of this project stands, and what to do next. Reads the journal only."""
    output = chosen.output("status")
    with signals(), shown(output):
        from recovery.cli.records import show_status

        show_status(_recovery(chosen, output), output, run)


@command(app)
@takes("run", *JOURNAL, "json")
def approve(
    chosen: Chosen,
    migration: Annotated[str, Argument("MIGRATION", help="The failed migration.")],
    *,
    applied: Annotated[bool, Option("--applied", help="The migration is in the database.")] = False,
    rolled_back: Annotated[bool, Option("--rolled-back", help="The migration is not in the database.")] = False,
    baseline: Annotated[
        bool, Option("--baseline", help="Production has the whole history up to this migration.")
    ] = False,
    repair: Annotated[bool, Option("--repair", help="The plan with this digest is to be carried out.")] = False,
    statement: Annotated[
        list[str] | None,
        Option(
            "--statement",
            metavar="N=ANSWER",
            help="The work on rows of statement N is `done`, or `not-done`: a plan of repair may follow; repeatable.",
        ),
    ] = None,
    evidence: Annotated[
        str,
        Option(metavar="DIGEST", help="The digest that `run` showed, of the evidence or of the plan: sha256:…"),
    ],
    reason: Annotated[str, Option(metavar="REASON", help="Why; recorded in the journal.")],
) -> None:
    """Decide a failed migration that the evidence leaves open. The next `run` acts on it, on the same evidence only."""
    output = chosen.output("approve")
    with signals(), shown(output):
        from recovery.cli.records import record_answers, record_approval

        recovery = _recovery(chosen, output)
        given = {"applied": applied, "rolled_back": rolled_back, "baseline": baseline, "repair": repair}
        answer = " and ".join(name for name, chosen_one in given.items() if chosen_one)
        if statement and not answer:
            record_answers(recovery, output, chosen.run, migration, statement, evidence=evidence, reason=reason)
        else:
            answer = " and ".join(each for each in (answer, "statement" if statement else "") if each)
            record_approval(recovery, output, chosen.run, migration, answer, evidence=evidence, reason=reason)


@command(app)
@takes("run", *JOURNAL, "json")
def abort(
    chosen: Chosen,
    *,
    reason: Annotated[str, Option(metavar="REASON", help="Why; recorded in the journal.")] = "given up by hand",
) -> None:
    """Give up the unfinished recovery. Changes nothing in the database."""
    output = chosen.output("abort")
    with signals(), shown(output):
        from recovery.cli.records import record_abort

        record_abort(_recovery(chosen, output), output, chosen.run, reason)


@command(app, short_help="Run the pipeline's steps, each at most once per run.")
@takes(*TARGET, "journal", *EVENTS)
def pipeline(
    chosen: Chosen,
    *,
    repeat: Annotated[list[str] | None, Option(metavar="STEP", help="Run this step again; repeatable.")] = None,
    done: Annotated[
        list[str] | None,
        Option(metavar="STEP", help="Count this step as done, even if it failed; repeatable."),
    ] = None,
) -> None:
    """Run the pipeline's steps if the gate is open, each at most once per run, starting where the last call stopped."""
    output = chosen.output("pipeline")
    with signals(), shown(output):
        from recovery.cli.running import run_pipeline

        code = run_pipeline(_recovery(chosen, output), output, _asker(), repeat=repeat or (), done=done or ())
        raise click.exceptions.Exit(int(code))


reports.register(app)
fleet_app.register(app)
guard_app.register(app, _asker)
