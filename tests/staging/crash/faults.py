"""Faults that come at a random instant of a recovery: of processes, disk, network, clock and processor."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from tests.staging.crash.production import EFFECT, OURS, BrokenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.staging.crash.points import Barrier
    from tests.staging.crash.production import Production, Started

#: Inside a command: before it writes that to the ledger, or in a script, before it makes an index.
_INSIDE: tuple[Barrier, ...] = ("begun", "index", "counted", "finished")
Kind = Literal["processes", "signals", "disk", "network", "clock", "processor"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Instant:
    """One instant and what happens there.

    Attributes:
        number: of the draw, by which it can be drawn again.
        scenario: of the production.
        after: seconds after the recovery began; None: inside a command, at `barrier`.
    """

    number: int
    kind: Kind
    fault: str
    scenario: str
    after: float | None
    barrier: Barrier

    def __str__(self) -> str:
        when = f"before {self.barrier}" if self.after is None else f"after {self.after:.2f} s"
        return f"{self.number}: {self.scenario}, {self.fault}, {when}"


def draw(seed: int, number: int, span: float) -> Instant:
    """The instant of this number.

    Args:
        seed: of the campaign.
        number: of the instant.
        span: seconds that an uninterrupted recovery takes.
    """
    chance = random.Random(f"{seed} {number}")  # noqa: S311 - no secret
    kind = KINDS[number % len(KINDS)]
    fault = chance.choice([name for name, (of, _) in FAULTS.items() if of == kind])
    # Three in ten are inside a command: that takes only a small part of the time, and is where the harm would be.
    inside = chance.random() < 0.3
    scenario = "exists" if inside else chance.choice(("exists", "exists", "absent", "failing-once"))
    return Instant(number, kind, fault, scenario, None if inside else chance.uniform(0, span), chance.choice(_INSIDE))


def happen(instant: Instant, production: Production) -> Started:
    """Begins a recovery, and makes the fault happen; the recovery is ended, or goes on to its end."""
    act = FAULTS[instant.fault][1]
    if instant.after is None:
        with production.barrier(instant.barrier) as reached:
            process = production.start()
            reached()
            act(production, process)
    else:
        process = production.start()
        time.sleep(instant.after)  # the instant is drawn: nothing is waited for
        if process.process.poll() is None:
            act(production, process)
    return process


def _signal(number: signal.Signals, times: int = 1) -> Callable[[Production, Started], None]:
    def act(_: Production, process: Started) -> None:
        for _time in range(times):
            process.process.send_signal(number)

    return act


def _kill_command(production: Production, _: Started) -> None:
    with contextlib.suppress(BrokenError, ProcessLookupError):  # it may have none at work
        production.kill_command()


def _kill_both(production: Production, process: Started) -> None:
    process.process.send_signal(signal.SIGKILL)
    _kill_command(production, process)


def _kill_all(production: Production, process: Started) -> None:
    _kill_both(production, process)
    production.end_sessions(EFFECT)


def _full_disk(_: Production, process: Started) -> None:
    """No file of the recovery can grow any more, its journal's and its output's among them."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (0, 0))


def _few_files(_: Production, process: Started) -> None:
    """It can open nothing more."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, (3, 3))


def _cut_sessions(production: Production, _: Started) -> None:
    production.end_sessions(OURS)


def _slow_network(production: Production, _: Started) -> None:
    """No answer comes for a second."""
    there = f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {OURS}"
    pids = [pid for (pid,) in production.sql(there)]
    _still(pids, 1.0)


def _still(pids: list[int], seconds: float) -> None:
    for number, pause in ((signal.SIGSTOP, seconds), (signal.SIGCONT, 0.0)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(pause)


def _suspended(_: Production, process: Started) -> None:
    """It gets no processor for two seconds, while time goes on."""
    _still([process.process.pid], 2.0)


def _starved(production: Production, process: Started) -> None:
    """It and its command get a tenth of the processor for three seconds."""
    end = time.monotonic() + 3
    while time.monotonic() < end and process.process.poll() is None:
        pids = [process.process.pid]
        with contextlib.suppress(BrokenError):
            pids.append(production.command())
        _still(pids, 0.18)
        time.sleep(0.02)


def _clock_back(production: Production, process: Started) -> None:
    """The recovery dies, and what was deployed meanwhile has the times of a clock that was an hour slow."""
    process.kill()
    with production.connect() as connection:
        connection.execute("SET session_replication_role = replica")  # the witness is not to take it for Prisma's
        connection.execute(
            "UPDATE _prisma_migrations SET started_at = started_at - interval '1 hour',"
            " finished_at = finished_at - interval '1 hour'"
            " WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL AND applied_steps_count > 0"
            " AND migration_name > '20260217'"
        )


#: Each fault, its kind, and what makes it happen.
FAULTS: dict[str, tuple[Kind, Callable[[Production, Started], None]]] = {
    "the recovery is killed": ("processes", _signal(signal.SIGKILL)),
    "Prisma is killed": ("processes", _kill_command),
    "both are killed": ("processes", _kill_both),
    "both and the session are killed": ("processes", _kill_all),
    "SIGTERM": ("signals", _signal(signal.SIGTERM)),
    "SIGTERM twice": ("signals", _signal(signal.SIGTERM, 2)),
    "SIGHUP twice": ("signals", _signal(signal.SIGHUP, 2)),
    "its disk is full": ("disk", _full_disk),
    "it can open no file": ("disk", _few_files),
    "the server crashes": ("disk", lambda production, _: production.crash_server()),
    "its sessions are cut": ("network", _cut_sessions),
    "no answer for a second": ("network", _slow_network),
    "a slow clock": ("clock", _clock_back),
    "it stands still for two seconds": ("clock", _suspended),
    "a tenth of a processor": ("processor", _starved),
}
