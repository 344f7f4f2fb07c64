"""RULES F2: a command is let go only if it is proven to go where the evidence came from."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.acceptance.further import agree_to
from tests.acceptance.scene import MARKED_APPLIED, STUCK, Held, Scene
from tests.staging import Case
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]
READS = 'process.env.DATABASE_URL ?? ""'
# A variable that no pattern can know for a URL, and that leads to another database: staging's.
DIVERTED = 'process.env["STAGING" + "_DB"] ?? ""'


def divert(scene: Scene, database: str) -> None:
    """The project's configuration takes its database from a variable of its own."""
    config = scene.folder / "prisma.config.ts"
    text = config.read_text()
    assert READS in text
    config.write_text(text.replace(READS, DIVERTED))
    scene.variables["STAGING_DB"] = scene.server.url(database)


def test_a_project_that_works_on_another_database_is_refused_until_that_is_put_right(make: Make) -> None:
    """Evidence from production, command on staging: neither is touched, and the check is named.

    A proof that fails is not kept, so it fails again for the same configuration. Once that is put right the same run
    goes on: a project that goes where it is sent is proven with `migrate status`, and no other command.
    """
    production, other = make("exists"), make("exists")
    config = (production.folder / "prisma.config.ts").read_text()
    divert(production, other.database)
    production.rehearse()
    agree_to(production, "applied")
    before = production.everything(), other.everything()
    for _ in range(2):
        done = production.cli("run", "--yes")
        assert done.code == 4, done
        assert "preflight.prisma.target" in done.said
    assert (production.everything(), other.everything()) == before
    assert production.effects("intended") == []
    (production.folder / "prisma.config.ts").write_text(config)
    done = production.cli("run")
    assert "(deploy.consent)" in done.out, done
    assert FAILED in done.out
    assert production.ledger() == MARKED_APPLIED
    assert [words[1] for words in production.commands()] == ["resolve"]


def test_without_the_proof_the_other_database_would_have_been_stamped(make: Make) -> None:
    """What the check is for: waived by name, the command goes to the other database, and this one's ledger tells."""
    production, other = make("exists"), make("exists")
    divert(production, other.database)
    done = production.cli("run", "--yes", "--waive", "prisma.target=to see what it keeps from happening")
    assert done.code in (3, 5), done
    assert production.ledger() == STUCK


def test_evidence_is_gathered_while_prisma_starts_and_nothing_is_changed_before_it_is_proven(make: Make) -> None:
    """The change is proposed while the proof is being made; it is begun only once that holds."""
    scene = make("exists")
    scene.rehearse(other="hold")
    scene.variables["PRISMA_RECOVERY_CACHE"] = str(scene.rehearsed / "cache")
    held = Held(scene.rehearsed)
    agree_to(scene, "applied")
    process = scene.start("run", "--events")
    assert process.stdout is not None
    told = map(json.loads, process.stdout)
    held.wait()
    before = list(until(told, "effect.proposed"))
    (checks,) = [event["checks"] for event in before if event["event"] == "checks.made"]
    assert {check["name"] for check in checks if check["outcome"] == "awaited"} == {"prisma.target"}
    assert scene.effects("intended") == []
    held.go()
    after = list(told)
    assert process.wait() == 3
    names = [event["event"] for event in after]
    assert names.index("check.made") < names.index("effect.started")
    assert after[names.index("check.made")]["check"]["outcome"] == "held"
    assert scene.ledger() == MARKED_APPLIED


def until(told: Iterator[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """Up to the first event of this name, which is left out."""
    return itertools.takewhile(lambda event: event["event"] != name, told)
