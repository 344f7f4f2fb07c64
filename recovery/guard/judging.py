"""Judging a command line before it runs. Imports little: a harmless command must not wait for what it doesn't need."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import RecoveryError
from recovery.guard.disk import Disk
from recovery.guard.parsing import find


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of it.

    Attributes:
        refusal: why it must not run; None if it may.
        warning: what to tell first; empty for nothing.
        stdin: what was read of standard input, which the command still has to get; None if nothing was.
    """

    refusal: RecoveryError | None = None
    warning: str = ""
    stdin: bytes | None = None


def judge(argv: Sequence[str], cwd: Path, environ: Mapping[str, str], *, strict: bool) -> Judgement:
    """Whether `argv` may run in `cwd` with `environ`; `strict`: not where nobody said which database is production.

    Raises:
        UsageError: the command is dangerous, and prisma-recovery.toml can't be read.
        JournalError: the same of the journal.
    """
    found = find(argv, Disk(cwd))
    if not found.invocations and not found.unclear:
        return Judgement(warning="No Prisma command was found in this, so nothing is kept from production.")
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
        """All of it."""
        if self.content is None:
            try:
                with os.fdopen(os.dup(0), "rb") as file:
                    self.content = file.read()
            except OSError:  # there is none, or nothing can be read from it
                self.content = b""
        return self.content
