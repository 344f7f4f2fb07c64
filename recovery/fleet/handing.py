"""The port through which work is handed out to workers, and the loop of the worker that leads."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from recovery.errors import RecoveryError
from recovery.fleet.control import Control, RunRow, TargetRow, waves_of
from states.exit_codes import Exit
from states.fleet import Status, after_recovery, moves, passing, rest_seconds, share

#: A worker whose lock is gone counts as dead after so many seconds, in which it can come back: its connection to the
#: control database may only have broken.
GRACE_SECONDS = 3.0


class Result(msgspec.Struct, frozen=True):
    """How a recovery ended.

    Attributes:
        exit_code: its exit code.
        recovery: id of its run in the journal; empty if none was begun.
        code: code of the refusal; empty if it is ready.
        said: fact and remedy.
    """

    exit_code: int
    recovery: str = ""
    code: str = ""
    said: str = ""

    @classmethod
    def of(cls, error: RecoveryError) -> "Result":
        """The result of a recovery that could not begin, or ended with an error."""
        return cls(error.exit, code=error.code, said=f"{error.fact} {error.remedy}")


class Stage(StrEnum):
    """Where a piece of work is."""

    #: Nobody has it yet.
    QUEUED = "queued"
    #: A worker has it.
    TAKEN = "taken"
    #: Its result is there.
    ENDED = "ended"
    #: It was withdrawn, or never came to be.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a piece of work.

    Attributes:
        stage: where it is.
        executor: the worker that took it last; empty if none did.
        result: how it ended; None if it has not.
    """

    stage: Stage
    executor: str = ""
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A recovery that is to be done.

    Attributes:
        run: the fleet's run.
        name: the target's name.
        attempt: the number of this attempt.
    """

    run: str
    name: str
    attempt: int

    @property
    def id(self) -> str:
        """Unique; the same for the same attempt."""
        return f"{self.run}/{self.attempt}/{self.name}"


class Handing(Protocol):
    """Hands work to exactly one worker at a time, and keeps what became of it."""

    def hand_out(self, work: Work) -> None:
        """Queues a piece of work. A second call with the same work does nothing."""

    def seen(self, works: Sequence[Work]) -> dict[str, Seen]:
        """What is known of these pieces of work, by their ids."""

    def share(self, each: int) -> None:
        """Lets each worker take so many at the same time, at most."""

    def take_over(self, work: Work) -> None:
        """Queues work again whose worker is dead."""


@dataclass(slots=True)
class Leader:
    """Hands out the work of a run: one worker at a time does, whichever holds the leader's lock.

    Attributes:
        control: the control database.
        handing: the port.
        clock: a monotonic clock, in seconds.
    """

    control: Control
    handing: Handing
    clock: Callable[[], float] = time.monotonic
    _missed: dict[str, float] = field(default_factory=dict)

    def tick(self, *, hand_out: bool = True) -> None:
        """Takes in what has ended, takes over what dead workers had, and hands out what may be.

        Args:
            hand_out: whether anything new may be handed out.
        """
        run = self.control.run()
        if run is None or run.ended:
            return
        targets = self.control.targets(run.run)
        if self._take_in(run, [each for each in targets if each.stands is Status.AT_WORK]):
            targets = self.control.targets(run.run)
        self.handing.share(share(run.plan.limits.at_once, len(self.control.alive())))
        stands = {each.name: each.stands for each in targets}
        resting = {each.name for each in targets if each.resting}
        next_ = moves(waves_of(targets), stands, run.plan.limits, resting=resting, asked_to_stop=run.asked_to_stop)
        if next_.stop or next_.ended:
            self.control.stopped(run.run, next_.stop, ended=next_.ended)
        for name in next_.hand_out if hand_out else ():
            # Recorded first: an attempt that is recorded and was not queued is queued by a later tick.
            self.handing.hand_out(Work(run.run, name, self.control.handed_out(run.run, name)))

    def _take_in(self, run: RunRow, at_work: Sequence[TargetRow]) -> bool:
        works = {each.name: Work(run.run, each.name, each.attempts) for each in at_work}
        seen = self.handing.seen(list(works.values())) if works else {}
        dead = self._dead({each.executor for each in seen.values() if each.stage is Stage.TAKEN})
        changed = False
        for target in at_work:
            work = works[target.name]
            now = seen.get(work.id, Seen(Stage.LOST))
            if now.stage is Stage.ENDED and now.result is not None:
                self._settle(run, target, now.result)
                changed = True
            elif now.stage is Stage.LOST:
                self.handing.hand_out(work)
            elif now.stage is Stage.TAKEN and now.executor in dead:
                self.handing.take_over(work)
                self.control.taken_over(run.run, target.name)
        return changed

    def _dead(self, executors: set[str]) -> set[str]:
        """Those of the workers that have been gone for longer than a broken connection takes to be made anew."""
        alive, now = self.control.alive(), self.clock()
        self._missed = {name: self._missed.get(name, now) for name in executors - alive}
        return {name for name, since in self._missed.items() if now - since >= GRACE_SECONDS}

    def _settle(self, run: RunRow, target: TargetRow, result: Result) -> None:
        exit_code = Exit(result.exit_code)
        passed = target.passed + (1 if passing(exit_code, result.code) else 0)
        status = after_recovery(exit_code, result.code, passed)
        self.control.settle(
            run.run,
            target.name,
            status,
            passed=passed,
            rests=rest_seconds(passed) if status is Status.WAITING and passed > target.passed else 0.0,
            recovery=result.recovery or target.recovery,
            code=result.code,
            told=result.said,
        )
