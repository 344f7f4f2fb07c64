"""What a state answers: go on, and why; or a refusal, with the fact it rests on and the remedy."""

from dataclasses import dataclass
from enum import IntEnum

from states.table import State


class Exit(IntEnum):
    """What a refusal means for whoever called us; the process exits with this number."""

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


@dataclass(frozen=True, slots=True)
class Go:
    """The recovery moves to `to`; `because` is a sentence for people."""

    to: State
    because: str


@dataclass(frozen=True, slots=True)
class NextCommand:
    """A command to copy.

    Attributes:
        line: complete, but for `…` where a person has to say something.
        when: in which case it is the right one, as `if all of it is there`; empty where it is in any.
    """

    line: str
    when: str = ""


#: The next command where nothing else is to be said.
RUN_AGAIN = NextCommand("prisma-recovery run")
#: The same after another one.
THEN_RUN = NextCommand(RUN_AGAIN.line, "then")
#: The same where nothing but consent is missing.
RUN_AGREED = NextCommand(f"{RUN_AGAIN.line} --yes", "to agree to all that the evidence decides")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The recovery stops here.

    Attributes:
        code: stable and dotted, as `classify.drifted`; the error's place in the documentation.
        fact: what is true, and what was therefore not done.
        remedy: what to do next.
        exit: what it means for the caller.
        commands: the next ones, in their order.
    """

    code: str
    fact: str
    remedy: str
    exit: Exit = Exit.BLOCKED
    commands: tuple[NextCommand, ...] = ()

    @property
    def to(self) -> State:
        """Where a refusal leads: always BLOCKED."""
        return State.BLOCKED

    @property
    def because(self) -> str:
        """The same sentence a `Go` carries: here, the fact."""
        return self.fact


Answer = Go | Refusal
