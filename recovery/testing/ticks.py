"""Numbered instants of a recovery, at each of which its process can be made to die."""

from collections.abc import Callable
from dataclasses import dataclass, field


class Died(BaseException):
    """The process was killed. Nothing catches it but the test that killed it."""


@dataclass(slots=True)
class Ticks:
    """Counts instants, and kills at one of them.

    Attributes:
        die_at: number of the fatal instant, 1 for the first; None to live.
        meanwhile: what others do, by the number of the instant at which they do it.
        passed: what happened at each instant so far.
    """

    die_at: int | None = None
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)

    def __call__(self, what: str) -> None:
        """An instant passes.

        Raises:
            Died: it was the fatal one.
        """
        self.passed.append(what)
        if action := self.meanwhile.get(len(self.passed)):
            action()
        if len(self.passed) == self.die_at:
            raise Died(what)
