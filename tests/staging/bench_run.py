"""Compares the time of a whole recovery with that of its two Prisma commands, and of the recovery by hand.

Each round stages the case `exists` three times and times, in turn: `prisma-recovery run`; its two Prisma
commands alone; and the runbook by hand. All take turns within one process, so that a machine that becomes slower or
faster affects all three. The results are the ratios within each round, and their median.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.staging.incident import FAILED, Incident, stage
from tests.staging.node import toolchain
from tests.staging.postgres import start

_LOOK = f"SELECT migration_name, logs FROM \"_prisma_migrations\" WHERE migration_name = '{FAILED}';"
_TABLE = "SELECT to_regclass('public.password_reset_tokens');"


def _run(incident: Incident, *argv: str, script: str = "") -> None:
    done = subprocess.run(
        argv,
        cwd=incident.project,
        env=os.environ | incident.environment(),
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")


def _recovery(incident: Incident) -> None:
    _run(incident, "prisma-recovery", "run", "--yes")


def _commands_alone(incident: Incident) -> None:
    prisma = ("node", str(toolchain().prisma))
    _run(incident, *prisma, "migrate", "resolve", "--applied", FAILED)
    _run(incident, *prisma, "migrate", "deploy")


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
    "the runbook by hand": _by_hand,
}


def main() -> None:
    """Measures, and prints medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    with start() as server, tempfile.TemporaryDirectory() as work:
        for number in range(rounds + 1):  # the first one fills caches and is not counted
            for place, (name, way) in enumerate(WAYS.items()):
                folder = Path(work) / f"{number}-{place}"
                incident = stage("exists", folder, server, database=f"bench_{number}_{place}")
                began = time.perf_counter()
                way(incident)
                if number:
                    seconds[name].append(time.perf_counter() - began)
    ours, alone, hand = seconds.values()
    for name, measured in seconds.items():
        middle = statistics.median(measured)
        print(f"{name:<26} median {middle:5.2f} s   min {min(measured):5.2f}   max {max(measured):5.2f}")
    over = statistics.median(a / b for a, b in zip(ours, alone, strict=True))
    under = statistics.median(b / a for a, b in zip(ours, hand, strict=True))
    print(f"run / two commands         {over:.2f} x   (aim: at most 1.4)")
    print(f"by hand / run              {under:.2f} x   (aim: at least 2.5)")


if __name__ == "__main__":
    main()
