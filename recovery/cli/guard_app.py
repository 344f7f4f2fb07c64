"""The commands `guard`, `guard install` and `completions`, and their options."""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from recovery.cli.harness import documented
from recovery.cli.options import AsJson

#: The environment variable by which the scripts that `completions` prints ask the program for completions.
_COMPLETE_VARIABLE = "_PRISMA_RECOVERY_COMPLETE"
_RUN = "--"


class Shell(StrEnum):
    """Shells with a completion script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class _Guard(TyperGroup):
    """A group of commands whose arguments are a command line to guard, unless they name a command of the group."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types differ between its releases
        """Takes `guard -- npx prisma …` as a call of the hidden command that runs a command line."""
        own = args and args[0] in self.commands
        return super().resolve_command(ctx, args if own else [_RUN, *args])

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Shows both ways to call guard."""
        formatter.write_usage(ctx.command_path, "[--strict] [--json] -- COMMAND…")
        formatter.write_usage(f"{ctx.command_path} install", "[--yes] [--json]")


def register(
    app: typer.Typer,
    asker: Callable[[], Callable[[str], str] | None],
) -> None:
    """Adds the commands to `app`, and prepares it to answer a shell that asks for completions.

    Args:
        app: the command line.
        asker: returns a function that asks a person, or None where nobody can be asked.
    """
    if _COMPLETE_VARIABLE in os.environ:
        from typer import completion

        completion.completion_init()  # type: ignore[attr-defined]  # not exported, and the only way to its shells
    app.add_typer(_guard(asker), name="guard", short_help="Run a Prisma command, unless it is dangerous to production.")

    @app.command(short_help="Print a shell's completion script.")
    def completions(
        shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.", metavar="SHELL")], *, json: AsJson = False
    ) -> None:
        """Print the script that makes a shell complete this program's commands and options."""
        from typer import completion

        script: str = completion.get_completion_script(  # type: ignore[attr-defined]  # as above
            prog_name="prisma-recovery", complete_var=_COMPLETE_VARIABLE, shell=shell.value
        )
        with documented("completions", as_json=json) as output:
            if output is None:
                typer.echo(script)
            else:
                from recovery.cli.documents import CompletionsDocument

                output.document(CompletionsDocument(shell.value, script))


def _guard(asker: Callable[[], Callable[[str], str] | None]) -> typer.Typer:
    group = typer.Typer(cls=_Guard, no_args_is_help=True, rich_markup_mode=None)

    @group.callback()
    def common(
        ctx: typer.Context,
        *,
        strict: Annotated[
            bool,
            typer.Option("--strict", help="Refuse a dangerous command also if no production database is configured."),
        ] = False,
        json: Annotated[
            bool,
            typer.Option("--json", help="Print as one JSON document whether the command may run, and run nothing."),
        ] = False,
    ) -> None:
        """Run a command, unless it is a dangerous Prisma command and would meet production."""
        ctx.obj = (strict, json)

    @group.command(
        _RUN, hidden=True, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
    )
    def run(ctx: typer.Context, command: list[str]) -> None:
        from recovery.cli.guard_run import guard, judged

        strict, json = ctx.obj
        with documented("guard", as_json=json) as output:
            if output is None:
                guard(command, strict=strict)
            else:
                from recovery.cli.documents import GuardDocument

                output.document(GuardDocument(tuple(command), judged(command, strict=strict).warning))

    @group.command("install", short_help="Put guard into package.json's scripts.")
    def install_(
        ctx: typer.Context,
        *,
        yes: Annotated[bool, typer.Option("--yes", help="Write the change without asking.")] = False,
        json: AsJson = False,
    ) -> None:
        """Put guard before the dangerous Prisma commands in package.json's scripts. Shows the change first."""
        with documented("guard install", as_json=json or ctx.obj[1]) as output:
            from recovery.cli.guard_install import install, install_for_machines

            if output is None:
                install(Path.cwd(), asker(), typer.echo, yes=yes)
            else:
                install_for_machines(Path.cwd(), output, yes=yes)

    return group
