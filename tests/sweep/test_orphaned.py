"""A session whose client is gone holds Prisma's lock: it is ended only where somebody agrees to exactly that."""

import pytest
from rich.console import Console

from recovery.cli.consent import Consent
from recovery.journal.run_record import Kind
from recovery.run.engine import Engine
from recovery.run.policy import auto
from recovery.run.ports import Ended, Policy
from recovery.testing import MemoryWorld
from states.exit_codes import Exit
from states.facts import Check, Outcome
from tests.sweep.rehearsal import Rehearsal
from tests.sweep.scenarios import orphaned

EVERY = auto("applied", "not_applied", "baseline", "deploy", "pipeline", "repair")


def agreeing(*, yes: bool = False, repair: bool = False, end_orphan: int | None = None, typed: str = "") -> Consent:
    """The command line's policy with these flags, and a person who types this."""
    console = Console(quiet=True)
    return Consent(EVERY, yes=yes, ask=lambda _: typed, console=console, repair=repair, end_orphan=end_orphan)


def once(rehearsal: Rehearsal, policy: Policy) -> Ended:
    """One run under this policy."""
    world = MemoryWorld(rehearsal.database)
    try:
        return Engine(world, rehearsal.journal(), policy, lambda _: None, lambda: "run").run("t", "s")
    finally:
        world.close()


@pytest.mark.parametrize(
    "policy",
    [EVERY, agreeing(yes=True, repair=True), agreeing(end_orphan=8), agreeing(typed="applied")],
    ids=["settings", "--yes --repair", "another session", "another word"],
)
def test_no_other_consent_covers_it(policy: Policy) -> None:
    """The run stops as it would for a deploy at work, shows the command, and has ended nothing."""
    rehearsal = orphaned()
    ended = once(rehearsal, policy)
    assert rehearsal.database.orphan is not None
    assert ended.refusal is not None
    assert (ended.exit_code, ended.refusal.code) == (Exit.BUSY, "preflight.deploy.lock")
    assert [each.line for each in ended.refusal.commands] == [
        "prisma-recovery run --end-orphan 7",
        "prisma-recovery run",
    ]


@pytest.mark.parametrize("policy", [agreeing(end_orphan=7), agreeing(typed="end")], ids=["--end-orphan", "typed"])
def test_with_its_own_consent_it_is_ended_and_the_run_goes_on(policy: Policy) -> None:
    """What was known of it, and that it is gone, is in the journal."""
    rehearsal = orphaned()
    assert once(rehearsal, policy).exit_code is Exit.READY
    assert rehearsal.database.orphan is None
    told = [e.payload for e in rehearsal.journal().events("run") if e.kind in (Kind.ORPHAN_INTENDED, Kind.ORPHAN_ENDED)]
    assert [each["pid"] for each in told] == [7, 7]
    assert (told[0]["statement"], told[1]["ended"]) == ("SELECT pg_terminate_backend(7)", True)


def test_while_anything_else_is_in_the_way_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be another database than the one that is meant."""
    rehearsal, wrong = orphaned(), Check("target.identity", Outcome.REFUSED, "another database", "the test")
    before = MemoryWorld.checks
    monkeypatch.setattr(MemoryWorld, "checks", lambda world: (wrong, *before(world)))
    ended = once(rehearsal, agreeing(end_orphan=7))
    assert rehearsal.database.orphan is not None
    assert ended.exit_code is Exit.PREFLIGHT
