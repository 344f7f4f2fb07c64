"""The four shapes that production can have, from the first command to the end."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from states.table import State
from tests.acceptance.further import further
from tests.acceptance.scene import APPLIED, RUN_AGAIN, STUCK, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
STEPS = ("intake", "resolve", "promote")

ALL_THE_WAY = [
    State.PREFLIGHT,
    State.INSPECT,
    State.CLASSIFY,
    State.RESOLVE,
    State.DEPLOY,
    State.VERIFY,
    State.PIPELINE_READY,
]

NEW_COLUMNS = """
SELECT attname FROM pg_attribute
 WHERE attrelid IN ('places'::regclass, 'intake_batches'::regclass, 'intake_items'::regclass)
   AND attname IN ('energy', 'formality', 'scored_at', 'golden_item_id', 'source', 'promoted_at', 'tier', 'score')
"""


@pytest.mark.parametrize(
    ("case", "effect", "rows"), [("exists", "mark_applied", APPLIED), ("absent", "mark_rolled_back", RUN_AGAIN)]
)
def test_a_decidable_incident_ends_ready_in_one_command(
    make: Make, case: Case, effect: str, rows: list[tuple[str, str, int]]
) -> None:
    """Where the evidence decides, one command resolves, deploys, verifies, and runs the pipeline once.

    `run --plan` before it shows what would be run, in order, and leaves no trace, not even a journal.
    """
    scene = make(case)
    before = scene.everything()
    planned = scene.cli("run", "--plan", "--yes")
    assert planned.code == 0, planned
    resolve = planned.out.index(f"would run: prisma migrate resolve --{effect[5:].replace('_', '-')} {FAILED}")
    assert planned.out.index("would run: prisma migrate deploy") > resolve
    assert all(name in planned.out for name in PENDING)
    assert scene.everything() == before
    assert not (scene.folder / ".prisma-recovery").exists()
    assert scene.ledger() == STUCK
    done = scene.cli("run", "--yes", "--pipeline")
    assert done.code == 0, done
    assert scene.ledger() == rows
    assert len(scene.sql(NEW_COLUMNS)) == 8
    assert scene.path() == ALL_THE_WAY
    assert scene.effects("intended") == scene.effects("observed") == [effect, "deploy"]
    ended = [(e.payload["name"], e.payload["exit_code"]) for e in scene.events() if e.kind == "step.observed"]
    assert ended == [(step, 0) for step in STEPS]
    assert scene.sql("SELECT count(*) FROM places WHERE golden_item_id IS NOT NULL") == [(6,)]
    assert scene.incident.prisma("migrate", "deploy").returncode == 0


@pytest.mark.parametrize(
    ("case", "named"),
    [
        (
            "drifted",
            (
                "column expires_at type",
                "timestamp with time zone",
                "column used_at",
                "index public.password_reset_tokens_expires_at_idx",
                "constraint password_reset_tokens_user_id_fkey",
                "evidence sha256:",
            ),
        ),
        (
            "partial",
            (
                "The first 2 of 5 statements are in production",
                "index public.password_reset_tokens_user_id_idx",
                "index public.password_reset_tokens_expires_at_idx",
                "constraint password_reset_tokens_user_id_fkey",
            ),
        ),
    ],
)
def test_an_undecidable_incident_blocks_and_names_every_difference(
    make: Make, case: Case, named: tuple[str, ...]
) -> None:
    """Where it doesn't, exit code 3, each difference by name, and not a byte of the database is changed.

    `run --plan` before it says so with the run's own exit code.
    """
    scene = make(case)
    before = scene.everything()
    planned = scene.cli("run", "--plan")
    assert planned.code == 3
    assert f"classify.{case}" in planned.out
    assert "would run" not in planned.out
    assert not (scene.folder / ".prisma-recovery").exists()
    done = scene.cli("run", "--yes", "--pipeline")
    assert done.code == 3, done
    assert f"classify.{case}" in done.out
    assert [name for name in named if name not in done.out] == [], done
    assert scene.everything() == before
    assert scene.path() == [*ALL_THE_WAY[:3], State.BLOCKED]
    assert scene.effects("intended") == []
    assert [e for e in scene.events() if e.kind.startswith("step.")] == []


def test_a_recovered_database_is_verified_and_nothing_more(make: Make) -> None:
    """Run on what is recovered already, it proves the schema again and runs no Prisma command."""
    scene = further(make, "recovered")
    scene.rehearse()
    before = scene.everything()
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert scene.everything() == before
    assert scene.path() == [State.PREFLIGHT, State.INSPECT, State.VERIFY, State.PIPELINE_READY]
    assert scene.commands() == []


def test_the_demo_runs() -> None:
    """`scripts/demo` stages an incident, repairs and recovers it, and says that it ended as expected."""
    demo = Path(__file__).resolve().parents[2] / "scripts" / "demo"
    done = subprocess.run(
        [demo, "--prisma", "7", "--case", "partial", "--repair"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("as expected")
