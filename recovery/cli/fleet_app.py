"""The commands `fleet …`, and their options."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from recovery.cli.declared import Argument, Group, Option, command
from recovery.cli.harness import shown, signals
from recovery.cli.options import Chosen, takes

if TYPE_CHECKING:
    from recovery.fleet.api import Fleet

_FLEET = "Fleet"
Targets = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="Lists the fleet: a line for each database, a name or a JSON object; or .toml with the keys of [fleet].",
        group=_FLEET,
    ),
]
Control = Annotated[
    str | None,
    Option(
        metavar="URL",
        help="A PostgreSQL for the control database; by default PRISMA_RECOVERY_CONTROL, else one of our own on this "
        "machine.",
        group=_FLEET,
    ),
]
#: Shared options: of commands that look at databases, and of those that look at the control database only.
_LOOK = ("migrations", "schema", "scripts", "config")
_WORK = ("schema", "scripts", "config", "expect_commit", "waive", "assume", "journal", "restore_point")
_CONTROL = ("schema", "config")


def register(app: click.Group) -> None:
    """Adds the commands to `app`."""
    group = Group(
        "fleet",
        help="Work on many databases with one history: tenants, regions, customers.",
        short_help="Look at many databases with one history, and recover them.",
        no_args_is_help=True,
    )
    command(group, "inspect", short_help="Look at every database, read only.")(inspect_)
    command(group, short_help="Recover and deploy every database, in waves.")(run)
    command(group, short_help="Help with the run of the fleet, from this or another machine.")(worker)
    command(group, short_help="Show where the run of the fleet stands.")(status)
    command(group, short_help="Hand out nothing more; what is at work ends by itself.")(stop)
    command(group, short_help="Let databases that failed, or needed a person, be tried again.")(retry)
    app.add_command(group)


def _fleet(chosen: Chosen, targets: Path | None, control: str | None) -> "Fleet":
    from recovery.fleet.api import Fleet

    return Fleet(Path.cwd(), chosen.options(), targets_file=targets, control=control)


@takes(*_LOOK, "json")
def inspect_(
    chosen: Chosen,
    *,
    targets: Targets = None,
    html: Annotated[str | None, Option(metavar="FILE", help="Write the findings as one HTML page, too.")] = None,
    exit_code: Annotated[
        bool, Option("--exit-code", help="Exit with 3 if a database needs somebody, with 6 if one can't be reached.")
    ] = False,
) -> None:
    """Look at every database: healthy, pending, failed, drifted, unreachable. Reads only, and needs no Node."""
    output = chosen.output("fleet inspect")
    with signals(), shown(output):
        from recovery.cli.fleet_shown import look

        code = look(_fleet(chosen, targets, None), output, html=html, exit_code=exit_code)
        raise click.exceptions.Exit(int(code))


@takes(*_WORK, "json")
def run(
    chosen: Chosen,
    *,
    targets: Targets = None,
    control: Control = None,
    yes: Annotated[bool, Option("--yes", help="Agree to every change that the evidence decides.")] = False,
    plan: Annotated[bool, Option("--plan", help="Show the waves and what is in them, and change nothing.")] = False,
    at_once: Annotated[
        str | None, Option(metavar="N", help="Work on N databases at the same time, at most, over all workers.")
    ] = None,
    stop_after: Annotated[
        str | None, Option(metavar="K", help="Hand out nothing more once K databases are not ready.")
    ] = None,
    stop_after_in_wave: Annotated[
        str | None, Option(metavar="K", help="Hand out nothing more once K databases of a wave are not ready.")
    ] = None,
    skip_unreachable: Annotated[
        bool, Option("--skip-unreachable", help="Count databases that can't be reached as failed, and begin.")
    ] = False,
    new: Annotated[bool, Option("--new", help="Give up an unfinished run of the fleet, and begin another.")] = False,
) -> None:
    """Recover and deploy every database that needs it, in waves. Goes on with an unfinished run of the fleet."""
    output = chosen.output("fleet run")
    with signals(), shown(output):
        from recovery.cli.fleet_shown import limits_of, show_plan, work_off

        fleet = _fleet(chosen, targets, control)
        limits = limits_of(fleet, at_once, stop_after, stop_after_in_wave)
        if plan:
            raise click.exceptions.Exit(int(show_plan(fleet, output)))
        code = work_off(fleet, output, yes=yes, limits=limits, skip_unreachable=skip_unreachable, anew=new)
        raise click.exceptions.Exit(int(code))


@takes(*_WORK, "json")
def worker(
    chosen: Chosen,
    *,
    targets: Targets = None,
    control: Control = None,
    stay: Annotated[bool, Option("--stay", help="Stay for the runs after this one, until it is interrupted.")] = False,
) -> None:
    """Help with the run of the fleet, until it has ended. Takes over what a worker that died had begun."""
    output = chosen.output("fleet worker")
    with signals(), shown(output):
        from recovery.cli.fleet_shown import help_with

        raise click.exceptions.Exit(int(help_with(_fleet(chosen, targets, control), output, stay=stay)))


@takes(*_CONTROL, "json")
def status(chosen: Chosen, *, control: Control = None) -> None:
    """Show where the run of the fleet stands: its progress, and each database that is not ready."""
    output = chosen.output("fleet status")
    with signals(), shown(output):
        from recovery.cli.fleet_shown import show_standing

        show_standing(_fleet(chosen, None, control).status(), output)


@takes(*_CONTROL, "json")
def stop(chosen: Chosen, *, control: Control = None) -> None:
    """Hand out nothing more. What is at work ends by itself, on every worker; `fleet run` goes on later."""
    output = chosen.output("fleet stop")
    with signals(), shown(output):
        from recovery.cli.fleet_shown import show_standing

        show_standing(_fleet(chosen, None, control).ask_to_stop(), output)


@takes(*_CONTROL, "json")
def retry(
    chosen: Chosen,
    name: Annotated[str | None, Argument("[NAME]", help="The database; by default all that are not ready.")] = None,
    *,
    control: Control = None,
) -> None:
    """Let databases that failed, or needed a person, be tried again. Then `fleet run` goes on."""
    output = chosen.output("fleet retry")
    with signals(), shown(output):
        from recovery.cli.fleet_shown import show_standing

        names = () if name is None else (name,)
        show_standing(_fleet(chosen, None, control).retry(names), output)
