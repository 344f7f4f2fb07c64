"""The commands `guard` and `completions`, as the command line declares them."""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from recovery.cli.harness import documented
from recovery.cli.options import AsJson

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
        formatter.write_usage(ctx.command_path, "[--strict] [--json] -- COMMAND…")
        formatter.write_usage(f"{ctx.command_path} install", "[--yes] [--json]")


def register(
    app: typer.Typer,
    asker: Callable[[], Callable[[str], str] | None],
) -> None:
    """Adds the commands to `app`, and answers a shell that asks for completions.

    Args:
        app: the command line.
        asker: gives what asks a person; None where nobody can be asked.
    """
    if _COMPLETE_VARIABLE in os.environ:
        from typer import completion

        completion.completion_init()  # type: ignore[attr-defined]  # not exported, and the only way to its shells
    app.add_typer(_guard(asker), name="guard", short_help="Run a Prisma command, unless it must not meet production.")

    @app.command(short_help="Print a shell's completion script.")
    def completions(
        shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")], *, json: AsJson = False
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
            typer.Option("--strict", help="Refuse a dangerous command also where nobody said what production is."),
        ] = False,
        json: Annotated[
            bool,
            typer.Option("--json", help="Print whether it may run as one JSON document, and run nothing."),
        ] = False,
    ) -> None:
        """Run a command, unless it is one of Prisma's that must never meet production, and would."""
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
        yes: Annotated[bool, typer.Option("--yes", help="Write it without asking.")] = False,
        json: AsJson = False,
    ) -> None:
        """Put guard before the dangerous Prisma commands in package.json's scripts; the difference is shown first."""
        with documented("guard install", as_json=json or ctx.obj[1]) as output:
            from recovery.cli.guard_install import install, install_for_machines

            if output is None:
                install(Path.cwd(), asker(), typer.echo, yes=yes)
            else:
                install_for_machines(Path.cwd(), output, yes=yes)

    return group
