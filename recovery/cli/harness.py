"""The frame around each command: reading its line, the look of its help, and how signals and errors end it."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperCommand

from recovery.cli.interruption import INTERRUPTED, NOTHING_LOST, interruption

if TYPE_CHECKING:
    from recovery.cli.output import Output

#: Errors of a system that has no more files, processes, memory or room: no bug, whichever line meets them.
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT)
#: The exception of typer for an unreadable command line (click's ClickException), which has no public name there.
_Unreadable: Any = typer.BadParameter.__bases__[0]


@contextmanager
def signals() -> Iterator[None]:
    """Lets ^C, SIGTERM and SIGHUP raise KeyboardInterrupt until the command ends, and ends it in words."""
    try:
        interruption.raising = True
        yield
    except typer.Exit:
        raise
    except BaseException as error:
        if not interruption.caused(error):
            raise
        interruption.raising = False
        typer.echo(interruption.told, err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        interruption.raising = False


@contextmanager
def errors_shown() -> Iterator[None]:
    """Shows the errors of a command that prints no document, without loading the modules that make documents."""
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
    """Shows errors that a person can act on; any other exception is a bug, and keeps its stack trace."""
    from recovery.errors import RecoveryError
    from states.answers import RUN_AGAIN, Refusal
    from states.exit_codes import Exit

    refusal: Refusal | None = None
    code = int(Exit.FAILURE)
    try:
        interruption.begun = True
        output.check()
        yield
        code = int(Exit.READY)
    except typer.Exit as ended:
        code = ended.exit_code
        raise
    except RecoveryError as error:
        refusal = error.refusal()
    except BaseException as error:
        if interruption.caused(error):
            remedy = "Run again: it looks at the database anew and goes on from there."
            refusal = Refusal("command.interrupted", NOTHING_LOST, remedy, Exit.INTERRUPTED, (RUN_AGAIN,))
        elif isinstance(error, OSError) and error.errno in _USED_UP:
            fact = f"The system lacks what the command needs: {error.strerror}. What was done is in the journal."
            remedy = "Free some, or raise the limit (`ulimit -a` shows the limits), and run again."
            refusal = Refusal("system.used_up", fact, remedy, Exit.FAILURE, (RUN_AGAIN,))
        else:
            fact = f"A bug, or an unexpected failure: {type(error).__name__}."
            output.failed(Refusal("command.bug", fact, "Report it with the output on standard error.", Exit.FAILURE))
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
    """Runs a command that can print a document: gives the output for it, or None if `as_json` is not asked for."""
    if not as_json:
        with errors_shown():
            yield None
        return
    from recovery.cli.output import Output

    output = Output(command, as_json=True)
    with signals(), shown(output):
        yield output


def run_command_line(app: typer.Typer) -> NoReturn:
    """Runs a command and exits. An unreadable command line is reported in words, or as JSON if that was asked for."""
    try:
        code = app(standalone_mode=False)
    except _Unreadable as error:
        ours = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv  # the rest is the command to guard
        if {"--json", "--events"}.isdisjoint(ours):
            error.show()
        else:
            _unreadable(error.format_message())
        sys.exit(error.exit_code)
    except typer.Abort as error:  # ^D, or an interrupt as a command was about to begin or had ended
        if interruption.caused(error):
            interruption.leave()
        sys.exit(1)
    sys.exit(code or 0)


def _unreadable(message: str) -> None:
    """Reports an unreadable command line as JSON."""
    from recovery.cli.output import Output
    from states.answers import Refusal
    from states.exit_codes import Exit

    output = Output("", as_json="--json" in sys.argv, as_events="--json" not in sys.argv)
    remedy = "See prisma-recovery --help, and --help of each command."
    output.failed(Refusal("usage.command_line", f"{message} Nothing was done.", remedy, Exit.USAGE))
    output.end(int(Exit.USAGE))


def _with_times(args: list[str]) -> Iterator[str]:
    """The arguments, with the usual time after each `--wait` that no time follows."""
    for place, arg in enumerate(args):
        if arg == "--wait":
            from recovery.cli.waiting import DEFAULT, is_time

            given = args[place + 1 : place + 2]
            yield arg if given and is_time(given[0]) else f"{arg}={DEFAULT}"
        else:
            yield arg


class Grouped(TyperCommand):
    """A command whose help shows its options in groups, as plain text: loading rich would double the time for help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - see `_Unreadable`
        """Reads the command line; `--wait` may stand without its time, which typer knows no option for."""
        return super().parse_args(ctx, list(_with_times(args)))

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - see `_Unreadable`
        """Writes a section for each group of options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                plain = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or plain, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)
