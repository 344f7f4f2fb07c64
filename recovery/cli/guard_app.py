"""The commands `guard`, `guard install` and `completions`, and their options."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import click

from recovery.cli.declared import Argument, Group, Option, command, parameters
from recovery.cli.harness import documented
from recovery.cli.options import AsJson

#: The environment variable by which the scripts that `completions` prints ask the program for completions.
_COMPLETE_VARIABLE = "_PRISMA_RECOVERY_COMPLETE"
_RUN = "--"


#: Shells with a completion script.
_SHELLS = ("bash", "zsh", "fish")


class _Guard(Group):
    """A group of commands whose arguments are a command line to guard, unless they name a command of the group."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Takes `guard -- npx prisma …` as a call of the hidden command that runs a command line."""
        own = bool(args) and args[0] in self.commands
        return super().resolve_command(ctx, args if own else [_RUN, *args])

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Shows both ways to call guard."""
        formatter.write_usage(ctx.command_path, "[--strict] [--json] -- COMMAND…")
        formatter.write_usage(f"{ctx.command_path} install", "[--yes] [--json]")


def register(
    app: click.Group,
    asker: Callable[[], Callable[[str], str] | None],
) -> None:
    """Adds the commands to `app`.

    Args:
        app: the command line.
        asker: returns a function that asks a person, or None where nobody can be asked.
    """

    @command(app, short_help="Print a shell's completion script.")
    def completions(
        shell: Annotated[str, Argument("SHELL", help="bash, zsh or fish.", values=_SHELLS)], *, json: AsJson = False
    ) -> None:
        """Print the script that makes a shell complete this program's commands and options."""
        from click.shell_completion import get_completion_class

        kind = get_completion_class(shell)
        if kind is None:
            raise AssertionError(f"no script for {shell}")
        script = kind(app, {}, "prisma-recovery", _COMPLETE_VARIABLE).source()
        with documented("completions", as_json=json) as output:
            if output is None:
                click.echo(script)
            else:
                from recovery.cli.documents import CompletionsDocument

                output.document(CompletionsDocument(shell, script))

    app.add_command(_guard(asker))


def _guard(asker: Callable[[], Callable[[str], str] | None]) -> click.Group:
    @click.pass_context
    def common(
        ctx: click.Context,
        *,
        strict: Annotated[
            bool,
            Option("--strict", help="Refuse a dangerous command also if no production database is configured."),
        ] = False,
        json: Annotated[
            bool,
            Option("--json", help="Print as one JSON document whether the command may run, and run nothing."),
        ] = False,
    ) -> None:
        """Run a command, unless it is a dangerous Prisma command and would meet production."""
        ctx.obj = (strict, json)

    group = _Guard(
        "guard",
        callback=common,
        params=parameters(common),
        help=common.__doc__,
        short_help="Run a Prisma command, unless it is dangerous to production.",
        no_args_is_help=True,
    )
    as_they_are = {"ignore_unknown_options": True, "allow_interspersed_args": False}

    @command(group, _RUN, hidden=True, context_settings=as_they_are)
    @click.pass_context
    def run(ctx: click.Context, line: Annotated[list[str], Argument("COMMAND…")]) -> None:
        from recovery.cli.guard_run import guard, judged

        strict, json = ctx.obj
        with documented("guard", as_json=json) as output:
            if output is None:
                guard(line, strict=strict)
            else:
                from recovery.cli.documents import GuardDocument

                output.document(GuardDocument(tuple(line), judged(line, strict=strict).warning))

    @command(group, "install", short_help="Put guard into package.json's scripts.")
    @click.pass_context
    def install_(
        ctx: click.Context,
        *,
        yes: Annotated[bool, Option("--yes", help="Write the change without asking.")] = False,
        json: AsJson = False,
    ) -> None:
        """Put guard before the dangerous Prisma commands in package.json's scripts. Shows the change first."""
        with documented("guard install", as_json=json or ctx.obj[1]) as output:
            from recovery.cli.guard_install import install, install_for_machines

            if output is None:
                install(Path.cwd(), asker(), click.echo, yes=yes)
            else:
                install_for_machines(Path.cwd(), output, yes=yes)

    return group
