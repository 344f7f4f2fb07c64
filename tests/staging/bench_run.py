"""Compares the time of a whole recovery with that of its two Prisma commands, and of the recovery by hand.

Each round stages the case `exists` four times and times, in turn: `prisma-recovery run`; its two Prisma commands alone,
as a person starts them; the same where Node keeps what it compiles, as it does in a recovery; and the runbook by hand.
All take turns within one process, so that a machine that becomes slower or faster affects all. The results are the
ratios within each round, and their median. Beside the time the processor time is told of all processes but servers,
which a busy machine changes less.

The recovery is an installed program: its bytecode is kept, as pip keeps it.
"""

import argparse
import functools
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.staging.cache import compile_product
from tests.staging.incident import FAILED, Incident, stage
from tests.staging.node import toolchain
from tests.staging.postgres import start

_LOOK = f"SELECT migration_name, logs FROM \"_prisma_migrations\" WHERE migration_name = '{FAILED}';"
_TABLE = "SELECT to_regclass('public.password_reset_tokens');"


def _run(incident: Incident, *argv: str, script: str = "", compiled: bool = False) -> None:
    # Of its own accord, Node keeps nothing; the toolchain of the tests makes it.
    plain = {} if compiled else {"NODE_DISABLE_COMPILE_CACHE": "1"}
    done = subprocess.run(
        argv,
        cwd=incident.project,
        env=os.environ | incident.environment() | plain,
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")


def _recovery(incident: Incident) -> None:
    _run(incident, "prisma-recovery", "run", "--yes", compiled=True)


def _commands_alone(incident: Incident, *, compiled: bool = False) -> None:
    prisma = ("node", str(toolchain().prisma))
    _run(incident, *prisma, "migrate", "resolve", "--applied", FAILED, compiled=compiled)
    _run(incident, *prisma, "migrate", "deploy", compiled=compiled)


def _by_hand(incident: Incident) -> None:
    """Times the steps of the runbook: read the row, look for the table, resolve, deploy, check the result."""
    execute = ("npx", "prisma", "db", "execute", "--schema=prisma/schema.prisma", "--stdin")
    _run(incident, *execute, script=_LOOK)
    _run(incident, *execute, script=_TABLE)
    _run(incident, "npx", "prisma", "migrate", "resolve", "--applied", FAILED)
    _run(incident, "npx", "prisma", "migrate", "deploy")
    _run(incident, "npx", "prisma", "migrate", "status")


WAYS: dict[str, Callable[[Incident], None]] = {
    "prisma-recovery run": _recovery,
    "its two Prisma commands": _commands_alone,
    "the two, compiled": functools.partial(_commands_alone, compiled=True),
    "the runbook by hand": _by_hand,
}


@dataclass(frozen=True)
class Taken:
    """Seconds of time, and of processor time."""

    time: float
    processor: float


def _taken(way: Callable[[Incident], None], incident: Incident) -> Taken:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    way(incident)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Measures, and prints medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    compile_product()
    taken: dict[str, list[Taken]] = {name: [] for name in WAYS}
    with start() as server, tempfile.TemporaryDirectory() as work:
        for number in range(rounds + 1):  # the first one fills caches and is not counted
            for place, (name, way) in enumerate(WAYS.items()):
                folder = Path(work) / f"{number}-{place}"
                incident = stage("exists", folder, server, database=f"bench_{number}_{place}")
                measured = _taken(way, incident)
                if number:
                    taken[name].append(measured)
    for name, each in taken.items():
        times, processor = [one.time for one in each], statistics.median(one.processor for one in each)
        middle = statistics.median(times)
        print(
            f"{name:<26} median {middle:5.2f} s   min {min(times):5.2f}   max {max(times):5.2f}   cpu {processor:5.2f}"
        )
    ours, alone, compiled, hand = taken.values()
    print(f"{'run / two commands':<26} {_ratio(ours, alone)}   (aim: at most 1.0)")
    print(f"{'run / the two, compiled':<26} {_ratio(ours, compiled)}")
    print(f"{'by hand / run':<26} {_ratio(hand, ours)}   (aim: at least 3)")
    print(f"load {os.getloadavg()[0]:.1f}")


def _ratio(above: list[Taken], below: list[Taken]) -> str:
    of_time = statistics.median(a.time / b.time for a, b in zip(above, below, strict=True))
    of_processor = statistics.median(a.processor / b.processor for a, b in zip(above, below, strict=True))
    return f"{of_time:.2f} x, cpu {of_processor:.2f} x"


if __name__ == "__main__":
    main()
