"""Numbered instants of a recovery; its process can be made to die at any of them."""

from collections.abc import Callable
from dataclasses import dataclass, field


class Died(BaseException):
    """The process was killed. Only the test that killed it may catch this."""


@dataclass(slots=True)
class Ticks:
    """Counts the instants of a recovery, and kills it at one of them.

    Attributes:
        die_at: number of the fatal instant, from 1; None to survive.
        meanwhile: actions of others, by the number of the instant at which they happen.
        passed: description of each instant so far.
    """

    die_at: int | None = None
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)

    def __call__(self, what: str) -> None:
        """Lets an instant pass.

        Raises:
            Died: this was the fatal instant.
        """
        self.passed.append(what)
        if action := self.meanwhile.get(len(self.passed)):
            action()
        if len(self.passed) == self.die_at:
            raise Died(what)
