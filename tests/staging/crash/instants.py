"""Runs `prisma-recovery` with its instants named; at a chosen one it dies, or stops until it is told to go on.

`begin` is what the console script calls, for a process of `tests.staging.warm`. The recovery knows nothing of it: the
methods through which it reaches the journal, the world and Prisma are wrapped from outside, before it begins. Each of
these is an instant:

- `before`, `within` and `after` an event: not yet appended; written and not yet committed; on the disk (with a
  journal in a file: the one in PostgreSQL has no `within`);
- `before` and `after` a question to the world (`checks`, `inspect`, `classify`, `compare`, `prove`), a Prisma command
  (`mark_applied`, `mark_rolled_back`, `deploy`) and a step of the pipeline;
- of a Prisma command also `locked` (Prisma's lock is ours), `started`, `queued` (it waits behind us), `barred` (of a
  mark: our barrier stands behind it, before the deploy that was begun beside it), `let go` and `ended`;
- of a plan of repair `locked`, before and after its `transaction`, and `checked` (the last look before COMMIT).

What happens again is numbered: `before inspect #2`.
"""

import collections
import functools
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from recovery.app.world import RealWorld
from recovery.cli import main
from recovery.effects import handover, repairing
from recovery.effects.handover import HandOver
from recovery.effects.repairing import Repairer
from recovery.effects.successor import Successor
from recovery.journal.postgres import PostgresJournal
from recovery.journal.sqlite import SqliteJournal
from recovery.postgres import sessions
from recovery.postgres.locks import PRISMA_LOCK, SessionLock
from recovery.prisma.cli import PrismaCli, Status
from recovery.prisma.process import Running
from recovery.run.pipeline import PipelineRunner
from states.effects import PrismaEffect

VARIABLE = "STAGING_INSTANT"
#: What happens at the instant: SIGKILL to itself; first to the Prisma command at work too; SIGSTOP to itself.
Fate = Literal["die", "die with Prisma", "stop"]


@dataclass(frozen=True)
class Plan:
    """What is to happen when.

    Attributes:
        passed: a file that each instant's name is appended to.
        at: the instant's name; empty for none.
        patience: how long it waits for what others have left at work, in seconds; None: as ever.
    """

    passed: str
    at: str = ""
    fate: Fate = "die"
    patience: float | None = None

    def environment(self) -> dict[str, str]:
        """The variable that hands it to the process."""
        return {VARIABLE: json.dumps(asdict(self))}


class Instants:
    """Named instants of this process."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._count: collections.Counter[str] = collections.Counter()
        self._passed = os.open(plan.passed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        #: The effect whose command is at work, and the command.
        self.effect = ""
        self.command: Running | None = None

    def __call__(self, what: str) -> None:
        """An instant passes."""
        self._count[what] += 1
        name = what if self._count[what] == 1 else f"{what} #{self._count[what]}"
        os.write(self._passed, f"{name}\n".encode())
        if name != self._plan.at:
            return
        if self._plan.fate == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if self._plan.fate == "die with Prisma" and self.command is not None:
            self.command.kill_group()
        os.kill(os.getpid(), signal.SIGKILL)


def event(kind: str, payload: dict[str, Any]) -> str:
    """The name of an event: its kind, and what it is about."""
    about = payload.get("to") or payload.get("name") or str(payload.get("effect", "")).partition(":")[0]
    return f"{kind} {about}".strip()


def _around(owner: type, method: str, name: Callable[..., str], passes: Instants) -> None:
    original = getattr(owner, method)

    @functools.wraps(original)
    def wrapped(self: object, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method takes
        what = name(*args, **named)
        passes(f"before {what}")
        result = original(self, *args, **named)
        passes(f"after {what}")
        return result

    setattr(owner, method, wrapped)


def _after(owner: type, method: str, act: Callable[..., None]) -> None:
    original = getattr(owner, method)

    @functools.wraps(original)
    def wrapped(self: object, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method takes
        result = original(self, *args, **named)
        act(self, result, *args)
        return result

    setattr(owner, method, wrapped)


def _journal(passes: Instants) -> None:
    at_work = [""]

    def named(_run: str, kind: str, _state: str, payload: dict[str, Any]) -> str:
        at_work[0] = event(kind, payload)
        return at_work[0]

    def watch(_: object, __: None, connection: sqlite3.Connection, *___: object) -> None:
        connection.set_trace_callback(lambda sql: passes(f"within {at_work[0]}") if sql == "COMMIT" else None)

    _after(SqliteJournal, "__init__", watch)
    for journal in (SqliteJournal, PostgresJournal):
        _around(journal, "append", named, passes)


def _commands(passes: Instants) -> None:
    def named(effect: Any, *_: object) -> str:  # noqa: ANN401 - an effect
        passes.effect = effect.id.partition(":")[0]
        return passes.effect

    def locked(lock: Any, taken: bool) -> None:  # noqa: ANN401, FBT001 - as `_after` calls it
        if taken and lock._key == PRISMA_LOCK:  # noqa: SLF001 - it has no other name
            passes(f"{passes.effect} locked")

    def started(_: object, running: Running, effect: PrismaEffect | Status) -> None:
        if isinstance(effect, Status):
            return
        word = effect.id.partition(":")[0]
        if word == passes.effect:
            passes.command = running
        passes(f"{word} started")

    def let_go(lock: Any, _: None) -> None:  # noqa: ANN401 - as `_after` calls it
        if lock._key == PRISMA_LOCK:  # noqa: SLF001 - it has no other name
            passes(f"{passes.effect} let go")

    def ended(running: Running, *_: object) -> None:
        if running is passes.command:
            passes(f"{passes.effect} ended")

    _around(HandOver, "perform", named, passes)
    _after(SessionLock, "try_take", locked)
    _after(PrismaCli, "start", started)
    _after(HandOver, "_queue", lambda *_: passes(f"{passes.effect} queued"))
    _after(SessionLock, "release", let_go)
    _after(Running, "wait", ended)


def _two_commands(passes: Instants) -> None:
    def barred(_: object, yes: bool, *__: object) -> None:  # noqa: FBT001 - as `_after` calls it
        if yes:
            passes(f"{passes.effect} barred")

    def kept_back(_: object, yes: bool) -> None:  # noqa: FBT001 - as `_after` calls it
        if yes:
            passes(f"{passes.effect} locked")

    def next_one(_: object, yes: bool, successor: Successor) -> None:  # noqa: FBT001 - as `_after` calls it
        if yes:
            passes.command = successor.running
            passes(f"{passes.effect} queued")

    _after(HandOver, "_next", next_one)
    _after(Successor, "bar", barred)
    _after(Successor, "kept_back", kept_back)


def _repairs(passes: Instants) -> None:
    def named(plan: Any, *_: object) -> str:  # noqa: ANN401 - a plan
        passes.effect = str(plan.way)
        return passes.effect

    _around(Repairer, "perform", named, passes)
    _around(Repairer, "_together", lambda *_: f"{passes.effect} transaction", passes)
    hold = repairing._hold  # noqa: SLF001 - the last look before COMMIT

    def checked(left: Any) -> None:  # noqa: ANN401 - differences
        hold(left)
        passes(f"{passes.effect} checked")

    repairing._hold = checked  # noqa: SLF001 - as above


def wrap(passes: Instants) -> None:
    """Names the instants of this process from now on."""
    _journal(passes)
    _commands(passes)
    _two_commands(passes)
    _repairs(passes)
    _around(RealWorld, "__init__", lambda *_, **__: "lock", passes)
    for question in ("checks", "inspect", "classify", "compare", "prove"):
        _around(RealWorld, question, lambda *_, question=question, **__: question, passes)
    _around(PipelineRunner, "_process", lambda step: f"step {step.name}", passes)


def begin() -> None:
    """`prisma-recovery`, as the plan in its environment says."""
    plan = Plan(**json.loads(os.environ.pop(VARIABLE)))
    if plan.patience is not None:
        sessions.LOCK_PATIENCE_SECONDS = handover.LEFTOVER_SECONDS = plan.patience
    wrap(Instants(plan))
    main()
