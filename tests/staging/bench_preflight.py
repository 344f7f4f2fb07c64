"""Times what preflight adds to a recovery, with no platform configured.

First the checks alone are timed as `run` makes them, in one process, with a kept proof of where the project's Prisma
connects. Then whole processes are timed up to the moment when they propose a change, each compared with one that has
that proof: after the configuration changed, so that the proof is made anew; and on a fresh machine, which also makes
the scratch server's data directory. The command that makes the proof is timed alone, as a measure of the machine.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from recovery.app.observer import Observer
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.preflight.expectation import Expectation
from recovery.replay import scratch
from recovery.replay.workshop import Workshop
from states.facts import Outcome
from tests.staging.incident import Incident, stage
from tests.staging.postgres import start

#: Seconds that preflight may add.
AIM = 0.5
_DATABASE = "bench"


def _checks(incident: Incident) -> float:
    """Seconds from the first connection to the last check, apart from that of Prisma's target, whose proof is kept."""
    url = parse(incident.database_url)
    target = Target(url, "the bench")
    workshop = Workshop(scratch.embedded, url.schema)
    expected = Expectation(host=url.host, database=url.database)
    observer = Observer(target, incident.project / "prisma" / "migrations", workshop, expected)
    began = time.perf_counter()
    checks = observer.checks()
    seconds = time.perf_counter() - began
    target.close()
    workshop.close()
    if any(check.outcome is not Outcome.HELD for check in checks):
        raise RuntimeError(f"preflight does not hold: {checks}")
    return seconds


def _to_the_proposal(incident: Incident, cache: Path) -> float:
    """Seconds from the start of a run to the proposal of a change, to which nobody consents."""
    host = parse(incident.database_url).host
    began = time.perf_counter()
    with subprocess.Popen(
        ["prisma-recovery", "run", "--events", "--expect-host", host, "--expect-database", _DATABASE],
        cwd=incident.project,
        env=os.environ | incident.environment() | {"PRISMA_RECOVERY_CACHE": str(cache)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        seconds = None
        for line in process.stdout or ():
            if seconds is None and json.loads(line)["event"] == "effect.proposed":
                seconds = time.perf_counter() - began
    if seconds is None:
        raise RuntimeError("the run proposed nothing")
    return seconds


def _round(incident: Incident, work: Path, cache: Path) -> dict[str, float]:
    measured = {"the checks": _checks(incident), "a run": _to_the_proposal(incident, cache)}
    proofs = cache / "sentinel"
    with tempfile.TemporaryDirectory(dir=work) as first:
        shutil.copytree(proofs, Path(first) / proofs.name)
        measured["nothing but the proof"] = _to_the_proposal(incident, Path(first))
    with tempfile.TemporaryDirectory(dir=work) as first:
        measured["nothing yet"] = _to_the_proposal(incident, Path(first))
    shutil.rmtree(proofs)
    measured["no proof"] = _to_the_proposal(incident, cache)
    began = time.perf_counter()
    incident.prisma("migrate", "status")
    return measured | {"migrate status": time.perf_counter() - began}


def main() -> None:
    """Measures, and prints medians and the time that preflight adds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    measured: dict[str, list[float]] = {}
    with start() as server, tempfile.TemporaryDirectory() as folder:
        # The scratch server may run as another user, who has to read the cache.
        work = Path(folder)
        work.chmod(0o755)
        incident = stage("exists", work / "project", server, database=_DATABASE)
        cache = work / "cache"
        _to_the_proposal(incident, cache)  # fills it
        for _ in range(rounds):
            for name, took in _round(incident, work, cache).items():
                measured.setdefault(name, []).append(took)
    middle = {name: statistics.median(seconds) for name, seconds in measured.items()}
    for name, seconds in measured.items():
        print(f"{name:<24} median {middle[name]:5.3f} s   min {min(seconds):5.3f}   max {max(seconds):5.3f}")
    checks = middle["the checks"]
    adds = {
        "with the proof kept": checks,
        "after the configuration changed": checks + middle["no proof"] - middle["a run"],
        "the first time on a machine": checks + middle["nothing yet"] - middle["nothing but the proof"],
    }
    print(f"preflight adds (aim: under {AIM} s)")
    for name, more in adds.items():
        print(f"  {name:<32} {more:.3f} s   {more / middle['migrate status']:.2f} x migrate status")


if __name__ == "__main__":
    main()
