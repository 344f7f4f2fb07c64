"""The exit codes of the command line: what a refusal means to the caller."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of the process, and what each means for the caller."""

    #: The gate is open, or nothing was wrong.
    READY = 0
    #: A bug or an unexpected failure.
    FAILURE = 1
    #: Usage or configuration.
    USAGE = 2
    #: A person must decide, or approve; or deploy fails for good; or verify refuses, nothing changed.
    BLOCKED = 3
    #: Preflight refused.
    PREFLIGHT = 4
    #: Another recovery, deploy or running migration: try later.
    BUSY = 5
    #: Database or platform unreachable: try later.
    UNREACHABLE = 6
    #: Verification failed after something was changed.
    VERIFY_FAILED = 7
    #: Interrupted, and resumable.
    INTERRUPTED = 130


#: What stopped a run with one of these is expected to pass by itself.
PASSING = frozenset({Exit.BUSY, Exit.UNREACHABLE})
