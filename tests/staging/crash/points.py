"""The points at which a recovery is killed: every append to the journal, every side of every effect, and more."""

from __future__ import annotations

import functools
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.staging.crash.instants import Fate
from tests.staging.crash.production import EFFECT, LOCK, BrokenError, Production

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The events of an uninterrupted recovery in the scenario `exists`, in their order.
EVENTS = (
    "run.started",
    "preflight.checked",
    "state.moved INSPECT",
    "migration.failed",
    "state.moved CLASSIFY",
    "migration.classified",
    "state.moved RESOLVE",
    "effect.intended mark_applied",
    "effect.observed mark_applied",
    "state.moved DEPLOY",
    "effect.intended deploy",
    "effect.observed deploy",
    "state.moved VERIFY",
    "state.moved PIPELINE_READY",
    "pipeline.requested",
    "step.intended load",
    "step.observed load",
    "step.intended promote",
    "step.observed promote",
)
#: Instants of the other scenarios that `exists` has nothing like.
OTHERS = {
    "absent": (
        "before effect.intended mark_rolled_back",
        "within effect.intended mark_rolled_back",
        "after effect.intended mark_rolled_back",
        "mark_rolled_back started",
        "mark_rolled_back let go",
        "after mark_rolled_back",
        "before effect.observed mark_rolled_back",
        "within effect.observed mark_rolled_back",
        "after effect.observed mark_rolled_back",
    ),
    "several": (
        "after state.moved INSPECT #2",
        "after state.moved CLASSIFY #2",
        "after migration.classified #2",
        "after effect.intended mark_rolled_back",
        "after mark_rolled_back",
        "after effect.observed mark_rolled_back",
    ),
    "failing-once": (
        "after deploy",
        "after effect.observed deploy",
        "after migration.failed #2",
        "after state.moved INSPECT #2",
        "after migration.classified #2",
        "after effect.intended mark_rolled_back",
        "after effect.observed mark_rolled_back",
        "after effect.intended deploy #2",
        "deploy let go #2",
        "after deploy #2",
    ),
    "approved": (
        "after state.moved PREFLIGHT",
        "after migration.classified",
        "after state.moved RESOLVE",
        "after effect.intended mark_rolled_back",
        "after mark_rolled_back",
        "after effect.observed mark_rolled_back",
        "deploy let go",
        "after deploy",
    ),
}
#: Instants within a repair that is one transaction, and within one whose statements are committed one by one.
REPAIRS = {
    "half-done": (
        "after migration.classified",
        "after state.moved RESOLVE",
        *(f"{when} effect.intended complete" for when in ("before", "within", "after")),
        "before complete",
        "complete locked",
        "before complete transaction",
        *(f"{when} transaction.begun complete" for when in ("before", "within", "after")),
        "complete checked",
        "after complete transaction",
        "after complete",
        *(f"{when} effect.observed complete" for when in ("before", "within", "after")),
        "after state.moved INSPECT #2",
        "after migration.classified #2",
        "after effect.intended mark_applied",
        "after mark_applied",
    ),
    "half-done-apart": (
        "after effect.intended complete",
        "complete locked",
        *(
            f"{when} statement.{what} complete{number}"
            for number in ("", " #2", " #3")
            for what in ("intended", "observed")
            for when in ("before", "within", "after")
        ),
        "complete checked",
        "after complete",
        "before effect.observed complete",
        "after effect.observed complete",
        "after migration.classified #2",
    ),
}
_COMMANDS = (("exists", "mark_applied"), ("exists", "deploy"), ("absent", "mark_rolled_back"), ("approved", "deploy"))
#: Where a Prisma command stands still: before that write to the ledger, or inside a script, before it makes an index.
Barrier = Literal["rolled back", "marked applied", "begun", "index", "counted", "finished"]
#: Who is killed there. What the server was told to do it finishes by itself, unless the session is ended too.
Victim = Literal["the recovery", "Prisma", "Prisma and its session", "both", "both and the session"]
_VICTIMS: dict[Barrier, tuple[Victim, ...]] = {
    "rolled back": ("the recovery", "both and the session"),
    "marked applied": ("the recovery", "Prisma", "Prisma and its session", "both", "both and the session"),
    "begun": ("the recovery", "both and the session"),
    "index": ("the recovery", "Prisma", "Prisma and its session", "both", "both and the session"),
    "counted": ("the recovery", "Prisma", "Prisma and its session", "both", "both and the session"),
    "finished": ("the recovery", "Prisma and its session", "both and the session"),
}
#: The server goes down while it is asked, between two states, and while Prisma waits for us.
_SERVER = ("before classify", "after state.moved RESOLVE", "mark_applied locked", "mark_applied queued", "before prove")
_LOCK = ("after effect.intended mark_applied", "mark_applied locked", "after effect.intended deploy", "deploy locked")
#: Where ^C or SIGTERM comes: while it looks, between intent and effect, while Prisma waits for us and while it works.
_SIGNAL = ("before classify", "after effect.intended mark_applied", "mark_applied queued", "deploy let go")
#: Where a mark is at work or was, and a deploy waits that was begun beside it.
_TWO = ("mark_applied barred", "after mark_applied", "after compare", "before effect.intended deploy", "before deploy")
#: Killed, and the next one too.
_TWICE = (
    ("after effect.intended mark_applied", "after effect.intended mark_applied"),
    ("after mark_applied", "after effect.intended deploy"),
    ("after deploy", "before state.moved VERIFY"),
    ("after effect.intended mark_applied", "before effect.found mark_applied"),
    ("after mark_applied", "after effect.found mark_applied"),
    ("after deploy", "after effect.found deploy"),
)


@dataclass(frozen=True)
class Point:
    """One thing that can happen to a recovery.

    Attributes:
        kind: what such points have in common.
        name: no other point has it.
        happen: makes it happen, on a production of that scenario; what is left then has to be recovered.
    """

    kind: str
    name: str
    scenario: str
    happen: Callable[[Production], None]


def points() -> Iterator[Point]:
    """All of them."""
    yield from _instants()
    yield from _incidents()


def _instants() -> Iterator[Point]:
    """Deaths of the recovery itself, at one of its own instants."""
    for event in EVENTS:
        for when in ("before", "within", "after") if event.startswith(("effect", "step")) else ("before", "after"):
            yield _at("journal", "exists", f"{when} {event}")
    for step in ("load", "promote"):
        yield _at("pipeline step", "exists", f"after step {step}")
    for effect in ("mark_applied", "deploy"):
        for moment in ("locked", "started", "queued", "let go", "ended"):
            yield _at("Prisma goes on", "exists", f"{effect} {moment}")
        yield _at("Prisma goes on", "exists", f"after {effect}")
    for instant in _TWO:
        yield _at("two commands", "exists", instant)
        yield _at("two commands", "exists", instant, "die with Prisma")
    for scenario, instants in OTHERS.items():
        for instant in instants:
            yield _at("other scenarios", scenario, instant)
    for scenario, effect in _COMMANDS:
        for moment in ("started", "queued", "let go"):
            yield _at("Prisma dies too", scenario, f"{effect} {moment}", "die with Prisma")
    for scenario, instants in REPAIRS.items():
        for instant in instants:
            yield _at("repair", scenario, instant)
    for first, second in _TWICE:
        name = f"exists: {first}, then {second}"
        yield Point("killed twice", name, "exists", functools.partial(_killed, (first, second), "die"))


def _incidents() -> Iterator[Point]:
    """What else can happen to it, to Prisma and to the server."""
    for barrier, victims in _VICTIMS.items():
        for victim in victims:
            happen = functools.partial(_at_barrier, barrier, victim)
            yield Point("within a command", f"exists: {victim}, before {barrier}", "exists", happen)
    for scenario in REPAIRS:
        for whom in ("the recovery", "the session", "both", "the server", "^C"):
            happen = functools.partial(_in_a_repair, whom)
            yield Point("within a repair", f"{scenario}: {whom}, before index", scenario, happen)
    for instant in _SERVER:
        yield Point("server down", f"exists: server down {instant}", "exists", functools.partial(_server_down, instant))
    yield Point("server down", "exists: server down within a script", "exists", _server_down_in_script)
    for instant in _LOCK:
        yield Point("lock lost", f"exists: lock lost {instant}", "exists", functools.partial(_lock_lost, instant))
    for instant in _SIGNAL:
        yield Point("interrupted", f"exists: interrupted {instant}", "exists", functools.partial(_interrupted, instant))
    yield Point("silence", "exists: server silent before classify", "exists", _silence)


def _at(kind: str, scenario: str, instant: str, fate: Fate = "die") -> Point:
    also = ", with Prisma" if fate == "die with Prisma" else ""
    return Point(kind, f"{scenario}: {instant}{also}", scenario, functools.partial(_killed, (instant,), fate))


def _killed(instants: tuple[str, ...], fate: Fate, production: Production) -> None:
    for instant in instants:
        production.start(at=instant, fate=fate).end().must(-signal.SIGKILL)


def _at_barrier(barrier: Barrier, victim: Victim, production: Production) -> None:
    with production.barrier(barrier) as reached:
        process = production.start()
        reached()
        if not victim.startswith("Prisma"):
            process.kill()
        if victim != "the recovery":
            production.kill_command()
        if victim.endswith("session"):
            production.end_sessions(EFFECT)
    # It lives, and has seen its command die: it goes on, is busy with what is still at work, or asks a person.
    process.end().must(*((0, 3, 5) if victim.startswith("Prisma") else (-signal.SIGKILL,)))


def _in_a_repair(whom: str, production: Production) -> None:
    """A statement of the plan stands still, and somebody goes, or is asked to stop."""
    with production.barrier("index") as reached:
        process = production.start()
        reached()
        match whom:
            case "the server":
                production.crash_server()
            case "^C":
                process.process.send_signal(signal.SIGINT)
            case _:
                if whom != "the session":
                    process.kill()
                if whom != "the recovery":
                    production.end_sessions(EFFECT)
    codes = {"the recovery": (-signal.SIGKILL,), "both": (-signal.SIGKILL,), "^C": (0, 130)}
    process.end().must(*codes.get(whom, (5, 6)))


def _server_down(instant: str, production: Production) -> None:
    process = production.start(at=instant, fate="stop")
    process.stopped()
    production.crash_server()
    process.go()
    process.end().must(5, 6)


def _server_down_in_script(production: Production) -> None:
    with production.barrier("index") as reached:
        process = production.start()
        reached()
        production.crash_server()
    process.end().must(5, 6)


def _lock_lost(instant: str, production: Production) -> None:
    """The session that holds our lock is ended: the effect must not happen."""
    process = production.start(at=instant, fate="stop")
    process.stopped()
    before = production.incident.ledger()
    production.end_sessions(LOCK)
    process.go()
    process.end().must(5)
    if production.incident.ledger() != before:
        raise BrokenError("without the lock, an effect took place")


def _interrupted(instant: str, production: Production) -> None:
    process = production.start(at=instant, fate="stop")
    process.stopped()
    process.process.send_signal(signal.SIGTERM)
    process.go()
    if "prisma-recovery run" not in process.end().must(130).said:
        raise BrokenError("it does not say how to go on")


def _silence(production: Production) -> None:
    """The session that it reads through says nothing any more, and its socket stays open: the wait has an end."""
    process = production.start(at="before classify", fate="stop")
    process.stopped()
    reading = "SELECT pid FROM pg_stat_activity WHERE application_name = 'prisma-recovery' AND datname = "
    pids = [pid for (pid,) in production.sql(f"{reading} current_database()")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        process.go()
        process.end().must(6)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
