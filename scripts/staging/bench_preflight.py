"""Times the checks of preflight as `run` makes them, inside one process, with no platform configured.

Twice a round: with the proof kept of where the project's Prisma goes, and with that proof made anew by a command of it.
Beside them, as the machine's measure, that command alone. What adds to a recovery is the first.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from recovery.expectation import Expectation
from recovery.postgres.url import parse
from recovery.preflight import command_check
from recovery.prisma import project
from recovery.prisma.cli import PrismaCli
from recovery.prisma.sentinel import proven
from recovery.replay import scratch
from recovery.replay.background import Workshop
from recovery.target import Target
from recovery.world import Observer
from staging.incident import Incident, stage
from staging.postgres import start
from states.facts import Outcome

#: Seconds that preflight may add.
AIM = 0.5


def _checks(incident: Incident, prove: Callable[[], bool | None]) -> float:
    """Seconds from the first connection to the last check."""
    url = parse(incident.database_url)
    target = Target(url, "the bench")
    workshop = Workshop(scratch.embedded, url.schema)
    expected = Expectation(host=url.host, database=url.database)
    observer = Observer(target, incident.project / "prisma" / "migrations", workshop, expected)
    began = time.perf_counter()
    checks = observer.further_checks(lambda: command_check(prove()))
    seconds = time.perf_counter() - began
    target.close()
    workshop.close()
    if any(check.outcome is not Outcome.HELD for check in checks):
        raise RuntimeError(f"preflight does not hold: {checks}")
    return seconds


def main() -> None:
    """Measures, and prints medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {"proof kept": [], "proof made": [], "migrate status": []}
    with start() as server, tempfile.TemporaryDirectory() as work:
        incident = stage("exists", Path(work) / "project", server, database="bench")
        found = project.find(incident.project)
        cli = PrismaCli(found, project.find_launcher(found), os.environ | incident.environment())
        for number in range(rounds + 1):  # the first one fills caches and is not counted
            kept, made = _checks(incident, lambda: True), _checks(incident, lambda: proven(cli))
            began = time.perf_counter()
            incident.prisma("migrate", "status")
            alone = time.perf_counter() - began
            if number:
                for measured, value in zip(seconds.values(), (kept, made, alone), strict=True):
                    measured.append(value)
    for name, measured in seconds.items():
        middle = statistics.median(measured)
        print(f"{name:<16} median {middle:5.3f} s   min {min(measured):5.3f}   max {max(measured):5.3f}")
    ratio = statistics.median(a / b for a, b in zip(seconds["proof kept"], seconds["migrate status"], strict=True))
    print(f"proof kept / migrate status   {ratio:.2f} x   (aim: proof kept under {AIM} s)")


if __name__ == "__main__":
    main()
