"""The commands `guard` and `completions`, as the command line declares them."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

#: Asks the program for completions, as the scripts of `completions` do.
_COMPLETE_VARIABLE = "_PRISMA_RECOVERY_COMPLETE"
_RUN = "--"


class Shell(StrEnum):
    """Shells that completions can be made for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class _Guard(TyperGroup):
    """A group whose arguments are a command to run, unless they name one of its own."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types differ between its releases
        """`guard -- npx prisma …` is the hidden command that runs it."""
        own = args and args[0] in self.commands
        return super().resolve_command(ctx, args if own else [_RUN, *args])

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Both ways to call it."""
        formatter.write_usage(ctx.command_path, "[--strict] -- COMMAND…")
        formatter.write_usage(f"{ctx.command_path} install", "[--yes]")


def register(
    app: typer.Typer,
    errors_shown: Callable[[], AbstractContextManager[None]],
    asker: Callable[[], Callable[[str], str] | None],
) -> None:
    """Adds the commands to `app`, and answers a shell that asks for completions.

    Args:
        app: the command line.
        errors_shown: shows the errors that are raised within it, and exits.
        asker: gives what asks a person; None where nobody can be asked.
    """
    if _COMPLETE_VARIABLE in os.environ:
        from typer import completion

        completion.completion_init()  # type: ignore[attr-defined]  # not exported, and the only way to its shells
    app.add_typer(_guard(errors_shown, asker), name="guard")

    @app.command()
    def completions(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
        """Print the script that makes a shell complete this program's commands and options."""
        from typer import completion

        script: str = completion.get_completion_script(  # type: ignore[attr-defined]  # as above
            prog_name="prisma-recovery", complete_var=_COMPLETE_VARIABLE, shell=shell.value
        )
        typer.echo(script)


def _guard(
    errors_shown: Callable[[], AbstractContextManager[None]], asker: Callable[[], Callable[[str], str] | None]
) -> typer.Typer:
    group = typer.Typer(cls=_Guard, no_args_is_help=True, rich_markup_mode=None)

    @group.callback()
    def common(
        ctx: typer.Context,
        *,
        strict: Annotated[
            bool,
            typer.Option("--strict", help="Refuse a dangerous command also where nobody said what production is."),
        ] = False,
    ) -> None:
        """Run a command, unless it is one of Prisma's that must never meet production, and would."""
        ctx.obj = strict

    @group.command(
        _RUN, hidden=True, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
    )
    def run(ctx: typer.Context, command: list[str]) -> None:
        from recovery.cli.guarding import guard

        with errors_shown():
            guard(command, strict=bool(ctx.obj))

    @group.command("install")
    def install_(*, yes: Annotated[bool, typer.Option("--yes", help="Write it without asking.")] = False) -> None:
        """Put guard before the dangerous Prisma commands in package.json's scripts; the difference is shown first."""
        from recovery.cli.installing import install

        with errors_shown():
            code = install(Path.cwd(), asker(), typer.echo, yes=yes)
        raise typer.Exit(int(code))

    return group
