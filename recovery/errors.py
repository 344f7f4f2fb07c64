"""The errors that are shown to people: each says what is true, what was not done, and what to do next."""

from typing import Self

from states.answers import Refusal
from states.exit_codes import Exit


class RecoveryError(Exception):
    """Base of all errors that stop a recovery and are no bugs, so they are shown without a stack trace.

    Attributes:
        code: stable and dotted, as `config.unknown_key`.
        fact: what is true, and what was therefore not done. Never holds a secret.
        remedy: what to do next.
        exit: the exit code of the process.
    """

    exit: Exit = Exit.FAILURE

    def __init__(self, code: str, fact: str, remedy: str) -> None:
        super().__init__(f"{fact} {remedy}")
        self.code = code
        self.fact = fact
        self.remedy = remedy

    @classmethod
    def of(cls, refusal: Refusal, consequence: str = "") -> Self:
        """A refusal as an error of this class.

        Args:
            refusal: the refusal, from the rules in `states`.
            consequence: a sentence that says what was therefore not done.
        """
        return cls(refusal.code, f"{refusal.fact} {consequence}".rstrip(), refusal.remedy)

    @property
    def shown(self) -> str:
        """The error as the command line shows it."""
        return f"prisma-recovery: {self.fact}\n  What to do: {self.remedy}\n  ({self.code})"

    def refusal(self) -> Refusal:
        """The same facts as a refusal, for a recovery that was already under way."""
        return Refusal(self.code, self.fact, self.remedy, self.exit)


class UsageError(RecoveryError):
    """The command line, the settings or the project cannot be used as they are. Nothing was done."""

    exit = Exit.USAGE


class PreflightError(RecoveryError):
    """Preflight or guard refuses to let this database be worked on. Nothing was changed."""

    exit = Exit.PREFLIGHT


class ConsentError(RecoveryError):
    """Nobody agreed to a change. Nothing was changed."""

    exit = Exit.BLOCKED


class BusyError(RecoveryError):
    """Another recovery, deploy or running migration is at work. Nothing was changed."""

    exit = Exit.BUSY


class SlowStartError(RecoveryError):
    """A command did not ask for Prisma's lock in time, and was ended before it did anything."""


class StillRunningError(RecoveryError):
    """A command has ended, but its session on the database has not, so its outcome is not known yet."""

    exit = Exit.BUSY


class StoppedError(RecoveryError):
    """The recovery was asked to stop, and has stopped with nothing half done; it can be resumed."""

    exit = Exit.INTERRUPTED


class UnreachableError(RecoveryError):
    """The database or a platform does not answer."""

    exit = Exit.UNREACHABLE


class JournalError(RecoveryError):
    """The journal cannot be read or written. Nothing more is done: an effect without a record could be repeated."""
