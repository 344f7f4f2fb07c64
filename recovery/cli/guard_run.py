"""`guard`: runs a command, unless it is dangerous and would meet production."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from recovery.errors import RecoveryError, UsageError
from recovery.guard.judging import Judgement, judge


def quickly(arguments: Sequence[str]) -> None:
    """Runs `guard [--strict] -- COMMAND` without click, which would take longer to load than guard takes to decide.

    Returns only if the arguments are no such call.

    Args:
        arguments: the program's arguments.
    """
    strict = arguments[1:2] == ["--strict"]
    dashes = 2 if strict else 1
    if arguments[:1] != ["guard"] or arguments[dashes : dashes + 1] != ["--"] or len(arguments) == dashes + 1:
        return
    try:
        guard(arguments[dashes + 1 :], strict=strict)
    except RecoveryError as error:
        print(error.shown, file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(int(error.exit))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def guard(command: Sequence[str], *, strict: bool) -> NoReturn:
    """Replaces this process by `command` (exec), so that input, output, signals and exit code are the command's own.

    Raises:
        PreflightError: `guard.production`, `guard.unclear`, `guard.not_pinned`: it was not run.
        UsageError: `guard.not_started`; and as `judge`.
        JournalError: as `judge`.
    """
    judgement = judged(command, strict=strict)
    if judgement.warning:
        print(f"prisma-recovery guard: {judgement.warning}", file=sys.stderr)  # noqa: T201 - as above
    if judgement.stdin is not None:
        _give(judgement.stdin)
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these signals, and a program inherits which signals are ignored.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), os.environ)  # noqa: S606 - to run what was given is what this is for
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            "guard.not_started",
            f"{command[0]} cannot be started ({reason}). Nothing was done.",
            "Correct the command, or install what it starts.",
        ) from error


def judged(command: Sequence[str], *, strict: bool) -> Judgement:
    """The judgement of a command that may run.

    Raises:
        PreflightError: as above.
        UsageError: as `judge`.
        JournalError: as `judge`.
    """
    judgement = judge(command, Path.cwd(), os.environ, strict=strict)
    if judgement.refusal is not None:
        raise judgement.refusal
    return judgement


def _give(content: bytes) -> None:
    """Gives the content read from standard input back to the command, as an unnamed file."""
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        os.dup2(file.fileno(), 0)
