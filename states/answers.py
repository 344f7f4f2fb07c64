"""The answer of a state: go on to another state, or stop with a refusal that names the fact and the remedy."""

from dataclasses import dataclass

from states.exit_codes import Exit
from states.table import State


@dataclass(frozen=True, slots=True)
class Go:
    """The recovery moves to `to`; `because` is a sentence for people."""

    to: State
    because: str


@dataclass(frozen=True, slots=True)
class NextCommand:
    """A command that a person can copy and run next.

    Attributes:
        line: the command line; `…` stands for text that the person fills in.
        when: the case in which it is the right one, as `if all of it is there`; empty if it always is.
    """

    line: str
    when: str = ""


#: The next command where a new run is all that is needed.
RUN_AGAIN = NextCommand("prisma-recovery run")
#: The same command, listed after another one.
THEN_RUN = NextCommand(RUN_AGAIN.line, "then")
#: The next command where only consent is missing.
RUN_AGREED = NextCommand(f"{RUN_AGAIN.line} --yes", "to agree to all that the evidence decides")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The recovery stops here.

    Attributes:
        code: stable and dotted, as `classify.drifted`; the error's place in the documentation.
        fact: what is true, and what was therefore not done.
        remedy: what to do next.
        exit: the exit code of the process.
        commands: the commands to run next, in this order.
    """

    code: str
    fact: str
    remedy: str
    exit: Exit = Exit.BLOCKED
    commands: tuple[NextCommand, ...] = ()

    @property
    def to(self) -> State:
        """The state that a refusal leads to: always BLOCKED."""
        return State.BLOCKED

    @property
    def because(self) -> str:
        """The fact, under the name that `Go` has for its sentence."""
        return self.fact


Answer = Go | Refusal
