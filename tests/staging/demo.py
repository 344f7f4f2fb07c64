"""The demo: stages the runbook's incident with the real Prisma, then recovers it by `prisma-recovery run`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.staging.incident import CASES, FAILED, PARTIAL_STEPS, Case, Incident, stage
from tests.staging.node import VERSIONS, NodeMissingError
from tests.staging.postgres import ServerError, start

if TYPE_CHECKING:
    from tests.staging.postgres import Server

STAGED: dict[Case, str] = {
    "exists": "its table is there, with its indexes and foreign key: someone made it by hand",
    "absent": "nothing of it is there: the table it ran into has been dropped since",
    "drifted": "its table is there, made by hand, and not the same",
    "partial": f"{PARTIAL_STEPS[0]} of its {PARTIAL_STEPS[1]} statements took effect before it failed",
}
#: Exit codes of `prisma-recovery run`: 0 production is ready, 3 a person must decide.
EXPECTED: dict[Case, int] = {"exists": 0, "absent": 0, "drifted": 3, "partial": 3}
#: With `--repair`, a plan of repair that is proven ends these in PIPELINE_READY, too.
REPAIRED: tuple[Case, ...] = ("partial", "drifted")
MEANING = {0: "production is ready", 3: "a person must decide, and nothing was changed"}


def main() -> int:
    """Run the demo; 0 if the recovery ended as it should for the case, else 1."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--case", choices=CASES, default="exists", help="what production looks like (default: exists)")
    parser.add_argument("--prisma", type=int, choices=VERSIONS, default=6, help="its major version (default: 6)")
    parser.add_argument("--repair", action="store_true", help="agree to a plan of repair that is proven by rehearsal")
    parser.add_argument("--keep", action="store_true", help="leave the project and its server until Enter is pressed")
    parser.add_argument("--stage", action="store_true", help="only stage it, and leave it until Enter is pressed")
    chosen = parser.parse_args()
    if (chosen.case, chosen.prisma) == ("partial", 5):
        parser.error("Prisma 5 sends a script whole, so a script like this one leaves nothing half-applied")
    # SIGTERM acts like Ctrl-C, so that the folder is removed. The server ends in any case.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="prisma-recovery-demo-"))
    try:
        with start() as server:
            incident = _stage(chosen.case, folder / "project", server, chosen.prisma)
            code = _rehearse(incident, only_stage=chosen.stage, repair=chosen.repair)
            if chosen.keep or chosen.stage:
                _hold(incident)
            return code
    except (ServerError, NodeMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage(case: Case, project: Path, server: Server, prisma: int) -> Incident:
    _say(f"Staging the incident on PostgreSQL {server.version}: real server, real Prisma {prisma}")
    return stage(case, project, server, prisma=prisma)


def _rehearse(incident: Incident, *, only_stage: bool, repair: bool) -> int:
    case = incident.case
    print(f"project   {incident.project}")
    print(f"database  {incident.database_url}")
    print(f"failed    {incident.failed}")
    print(f"          {STAGED[case]}")
    for name in incident.pending:
        print(f"pending   {name}")
    blocked = incident.prisma("migrate", "deploy")
    _say("$ prisma migrate deploy")
    print(_error(blocked.stdout + blocked.stderr))
    if blocked.returncode == 0:
        print("prisma migrate deploy was to be blocked, and was not", file=sys.stderr)
        return 1
    if only_stage:
        return 0
    before = incident.ledger()
    options = ["run", "--yes", *(["--repair"] if repair else []), "--pipeline"]
    expected = 0 if repair and case in REPAIRED else EXPECTED[case]
    _say(f"$ prisma-recovery {' '.join(options)}")
    ended = _recover(incident, options)
    _say("How it ended")
    for row in incident.ledger():
        if row not in before or row.migration_name == FAILED:
            state = "applied" if row.finished_at else "rolled back" if row.rolled_back_at else "failed"
            print(f"{state:<12}{row.migration_name}")
    unchanged = incident.ledger() == before
    right = ended == expected and (ended == 0 or unchanged)
    print(f"exit code {ended}: {MEANING.get(ended, 'not an end that this case may have')}")
    print("as expected" if right else f"NOT as expected: {expected}, {MEANING[expected]}")
    return 0 if right else 1


def _recover(incident: Incident, options: list[str]) -> int:
    """Run `prisma-recovery` as a user would, on this terminal."""
    program = Path(sys.executable).with_name("prisma-recovery")
    if not program.is_file():
        print(f"{program.name} isn't installed beside {sys.executable}: run scripts/bootstrap", file=sys.stderr)
        return 127
    sys.stdout.flush()
    command = [str(program), *options]
    environment = os.environ | incident.environment()
    return subprocess.run(command, cwd=incident.project, env=environment, check=False).returncode


def _error(said: str) -> str:
    """Return the CLI's output from its error on, without blank lines."""
    return "\n".join(line for line in said[said.find("Error:") :].splitlines() if line.strip())


def _say(title: str) -> None:
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    print(f"\n── {title} ".ljust(width + 1, "─"), flush=True)


def _hold(incident: Incident) -> None:
    _say("Kept until Enter is pressed")
    wanted = (
        "DATABASE_URL",
        *(("PRISMA_SCHEMA_ENGINE_BINARY", "PRISMA_QUERY_ENGINE_LIBRARY") if incident.version == 5 else ()),
    )
    given = " ".join(f"{name}='{value}'" for name, value in incident.environment().items() if name in wanted)
    print(f"cd '{incident.project}' && export {given}", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    sys.exit(main())
