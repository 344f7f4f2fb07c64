"""How the command line is read, what its help looks like, and how signals and errors end it."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from recovery.cli.output import Output

#: What typer raises for a command line that it can't read; its class has no public name, and so no type.
_Unreadable: Any = typer.BadParameter.__bases__[0]


@contextmanager
def signals() -> Iterator[None]:
    """A runner that stops us says so by SIGTERM; it gets the same answer as ^C, also while we are being loaded."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Interrupted. Nothing was begun.", err=True)
        raise typer.Exit(130) from None


@contextmanager
def errors_shown() -> Iterator[None]:
    """The errors of commands that print no document, without loading what makes one."""
    from recovery.errors import RecoveryError

    with signals():
        try:
            yield
        except RecoveryError as error:
            from recovery.report import github

            typer.echo(error.shown, err=True)
            github.tell(error.refusal(), sys.stderr)
            raise typer.Exit(int(error.exit)) from None


@contextmanager
def shown(output: "Output") -> Iterator[None]:
    """Errors that a person can act on are shown as such; anything else is a bug and keeps its stack trace."""
    from recovery.errors import RecoveryError
    from states.answers import RUN_AGAIN, Exit, Refusal

    refusal: Refusal | None = None
    code = int(Exit.FAILURE)
    try:
        output.check()
        yield
        code = int(Exit.READY)
    except typer.Exit as ended:
        code = ended.exit_code
        raise
    except RecoveryError as error:
        refusal = error.refusal()
    except KeyboardInterrupt:
        fact = "Interrupted. Nothing is lost, and what was done is in the journal."
        remedy = "Run again: it goes on from what is true."
        refusal = Refusal("command.interrupted", fact, remedy, Exit.INTERRUPTED, (RUN_AGAIN,))
    except Exception as error:
        fact = f"A bug, or something that nobody thought of: {type(error).__name__}."
        output.failed(Refusal("command.bug", fact, "Report it with what is on standard error.", Exit.FAILURE))
        raise
    finally:
        if refusal is not None:
            code = int(refusal.exit)
            output.failed(refusal)
        output.end(code)
    if refusal is not None:
        raise typer.Exit(code)


@contextmanager
def documented(command: str, *, as_json: bool) -> Iterator["Output | None"]:
    """A command that has a document as well: what takes it, and errors as one; without it as in `errors_shown`."""
    if not as_json:
        with errors_shown():
            yield None
        return
    from recovery.cli.output import Output

    output = Output(command, as_json=True)
    with signals(), shown(output):
        yield output


def run_command_line(app: typer.Typer) -> NoReturn:
    """Runs a command and exits; what can't be read is told in words, or to a machine as it asked."""
    try:
        code = app(standalone_mode=False)
    except _Unreadable as error:
        ours = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv  # the rest is another's command line
        if {"--json", "--events"}.isdisjoint(ours):
            error.show()
        else:
            _unreadable(error.format_message())
        sys.exit(error.exit_code)
    except typer.Abort:  # the terminal is gone, or ^D
        sys.exit(1)
    sys.exit(code or 0)


def _unreadable(message: str) -> None:
    """Says to a machine that its command line can't be read."""
    from recovery.cli.output import Output
    from states.answers import Exit, Refusal

    output = Output("", as_json="--json" in sys.argv, as_events="--json" not in sys.argv)
    remedy = "See prisma-recovery --help, and --help of each command."
    output.failed(Refusal("usage.command_line", f"{message} Nothing was done.", remedy, Exit.USAGE))
    output.end(int(Exit.USAGE))


class Grouped(TyperCommand):
    """A command whose help has its options in groups. Plain text: what makes it rich takes as long as all the rest."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - see `_Unreadable`
        """Writes a section for each group, those of no group first, and `--help` last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                plain = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or plain, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)
