"""Judging a command line before it runs. Imports little at first, so that a harmless command starts without delay."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import RecoveryError
from recovery.guard.disk import Disk
from recovery.guard.parsing import find


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a command line may run.

    Attributes:
        refusal: why it must not run; None if it may.
        warning: the warning to print before it runs; empty for none.
        stdin: the content already read from standard input, which the command still needs; None if it was not read.
    """

    refusal: RecoveryError | None = None
    warning: str = ""
    stdin: bytes | None = None


def judge(argv: Sequence[str], cwd: Path, environ: Mapping[str, str], *, strict: bool) -> Judgement:
    """Judges whether a command line may run.

    Args:
        argv: the words of the command line.
        cwd: the working directory, absolute.
        environ: the environment.
        strict: refuse a dangerous command also if no database is known to be production.

    Raises:
        UsageError: the command is dangerous, and prisma-recovery.toml can't be read.
        JournalError: the command is dangerous, and the journal can't be read.
    """
    found = find(argv, Disk(cwd))
    if not found.invocations and not found.unclear:
        return Judgement(warning="No Prisma command was recognised in this, so nothing was checked.")
    dangerous = [each for each in found.invocations if each.command.danger is not None]
    if not dangerous and not found.unclear:
        return Judgement()
    from recovery.guard.dangerous import Meeting

    stdin = _Stdin()
    meeting = Meeting(cwd, environ, stdin.read)
    refusal, warning = meeting.judge(dangerous, found.unclear, strict=strict)
    return Judgement(refusal, warning, stdin.content)


class _Stdin:
    """Standard input, read at most once."""

    def __init__(self) -> None:
        self.content: bytes | None = None

    def read(self) -> bytes:
        """The whole content."""
        if self.content is None:
            try:
                with os.fdopen(os.dup(0), "rb") as file:
                    self.content = file.read()
            except OSError:  # standard input is closed or unreadable
                self.content = b""
        return self.content
