"""The frame around each command: how an unreadable line, signals and errors end it."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click
from click.exceptions import Exit as Ended

from recovery.cli.interruption import INTERRUPTED, NOTHING_LOST, interruption

if TYPE_CHECKING:
    from recovery.cli.output import Output

#: Errors of a system that has no more files, processes, memory or room: no bug, whichever line meets them.
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT)

#: Commands that go on from where they were when they are given again; others begin anew.
_GO_ON = frozenset({"run", "plan", "pipeline", "fleet run", "fleet worker"})


@contextmanager
def signals() -> Iterator[None]:
    """Lets ^C, SIGTERM and SIGHUP raise KeyboardInterrupt until the command ends, and ends it in words."""
    try:
        interruption.raising = True
        yield
    except Ended:
        raise
    except BaseException as error:
        if not interruption.caused(error):
            raise
        interruption.raising = False
        click.echo(interruption.told, err=True)
        raise Ended(INTERRUPTED) from None
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

            click.echo(error.shown, err=True)
            github.tell(error.refusal(), sys.stderr)
            raise Ended(int(error.exit)) from None


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
    except Ended as ended:
        code = ended.exit_code
        raise
    except RecoveryError as error:
        refusal = error.refusal()
    except BaseException as error:
        if interruption.caused(error):
            goes_on = output.command in _GO_ON
            anew = "Run again: it looks at the database anew and goes on from there."
            remedy, commands = (anew, (RUN_AGAIN,)) if goes_on else ("Give the same command again.", ())
            refusal = Refusal("command.interrupted", NOTHING_LOST, remedy, Exit.INTERRUPTED, commands)
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
        raise Ended(code)


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


def run_command_line(app: click.Group) -> NoReturn:
    """Runs a command and exits. An unreadable command line is reported in words, or as JSON if that was asked for."""
    try:
        code = app(standalone_mode=False)
    except click.ClickException as error:
        ours = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv  # the rest is the command to guard
        if {"--json", "--events"}.isdisjoint(ours):
            error.show()
        else:
            _unreadable(error.format_message())
        sys.exit(error.exit_code)
    except click.Abort as error:  # ^D, or an interrupt as a command was about to begin or had ended
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
