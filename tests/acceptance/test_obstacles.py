"""A cause that still holds: said before anything is changed, and gone once it is cleaned up."""

import hashlib
import json
from collections.abc import Callable

from states.table import State
from tests.acceptance.scene import RUN_AGAIN, STUCK, Scene
from tests.staging import Case
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]
FIRST = "20251103091500_init"
UNIQUE = 'CREATE UNIQUE INDEX "users_city_key" ON "users" ("city");'


def with_duplicates(make: Make) -> Scene:
    """The failed migration has a unique index for which rows are in the way, and Prisma's own logs of that."""
    scene = make("absent")
    path = scene.folder / "prisma" / "migrations" / FAILED / "migration.sql"
    path.write_text(f"{UNIQUE}\n{path.read_text()}")
    first = path.parents[1] / FIRST / "migration.sql"
    text = first.read_text() + '\nALTER TABLE "users" ADD COLUMN "city" TEXT;\n'
    first.write_text(text)
    scene.commit("a unique index")
    scene.sql("ALTER TABLE users ADD COLUMN city text")
    scene.sql("UPDATE users SET city = 'Lisbon' WHERE id IN ('u_ada', 'u_bela')")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    scene.sql(f"UPDATE _prisma_migrations SET checksum = '{checksum}' WHERE migration_name = '{FIRST}'")
    scene.sql(f"DELETE FROM _prisma_migrations WHERE migration_name = '{FAILED}'")
    assert scene.incident.prisma("migrate", "deploy").returncode == 1
    assert scene.ledger() == STUCK
    return scene


def test_a_cause_that_holds_blocks_until_it_is_cleaned_up(make: Make) -> None:
    """Exit code 3 with count and query, nobody asked and nothing changed; cleaned up, the same command ends ready.

    Marked rolled back by hand, the next deploy would run it again: that is refused as well. A new migration that sorts
    before it, and removes what is in its way, is the cure: then nothing blocks.
    """
    scene = with_duplicates(make)
    scene.rehearse()
    before = scene.everything()
    done = scene.cli("run", "--yes")
    assert done.code == 3, done
    assert "classify.cause_holds" in done.out
    assert "Statement 1: 1 value of (city) occurs more than once in public.users" in done.out
    (failed,) = json.loads(scene.cli("inspect", "--json").out)["failed"]
    assert (failed["verdict"], failed["cause"]["kind"]) == ("not_applied", "duplicates")
    (obstacle,) = failed["obstacles"]
    assert (obstacle["statement"], obstacle["kind"], obstacle["count"]) == (1, "duplicates", 1)
    assert obstacle["query"] in done.out.splitlines()
    assert scene.sql(obstacle["query"]) == [("Lisbon", 2)]
    planned = scene.cli("run", "--plan")
    assert planned.code == 3
    assert "classify.cause_holds" in planned.out
    assert obstacle["query"] in planned.out.splitlines()
    assert "would run" not in planned.out
    assert scene.everything() == before
    assert scene.effects("intended") == []
    assert scene.path() == [State.PREFLIGHT, State.INSPECT, State.CLASSIFY, State.BLOCKED]
    marked = f"UPDATE _prisma_migrations SET rolled_back_at = {{}} WHERE migration_name = '{FAILED}'"
    scene.sql(marked.format("now()"))  # as Prisma does
    done = scene.cli("run", "--plan")
    assert (done.code, "classify.cause_holds" in done.out) == (3, True), done
    scene.sql(marked.format("NULL"))
    cure = scene.folder / "prisma" / "migrations" / "20260216000000_cure" / "migration.sql"
    cure.parent.mkdir()
    cure.write_text("UPDATE users SET city = id;\n")
    done = scene.cli("run", "--plan", "--waive", "git.clean=the cure is not committed")
    assert (done.code, "would run: prisma migrate deploy" in done.out) == (0, True), done
    cure.unlink()
    cure.parent.rmdir()
    assert scene.everything() == before
    scene.sql("UPDATE users SET city = 'Porto' WHERE id = 'u_bela'")
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert "PIPELINE_READY" in done.out
    assert scene.ledger() == RUN_AGAIN
    (again,) = {event.payload["digest"] for event in scene.events() if event.kind == "migration.classified"}
    assert again == failed["evidence_digest"]
