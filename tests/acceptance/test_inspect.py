"""`inspect`: what it prints, what it needs, what it leaves."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.further import further
from tests.acceptance.scene import PROGRAM, SECONDS, Done, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]

#: The contract. It may grow fields, and never lose or change one.
STATEMENT = {"index": int, "sql": str, "state": str, "proof": str, "look": str}
FAILURE = {
    "migration": str,
    "started_at": str,
    "applied_steps_count": int,
    "logs": (str, type(None)),
    "cause": {"sqlstate": (str, type(None)), "kind": str, "transient": bool, "said": str},
    "verdict": str,
    "decision": str,
    "progress": {"steps_in_place": [int], "steps_total": int},
    "statements": [STATEMENT],
    "differences": [
        {"object": str, "property": str, "expected": (str, type(None)), "actual": (str, type(None))},
    ],
    "reasons": [str],
    "evidence_digest": str,
    "forensics": [
        {"object": str, "order": str, "transaction": int, "owner": str, "committed_at": (str, type(None))},
    ],
    "indications": [str],
    "runner": {"engine": str, "version": (str, type(None)), "whole": (bool, type(None)), "source": str},
}
DOCUMENT = {
    "schema_version": int,
    "target": {"host": str, "database": str, "schema": str, "server_version": str},
    "history": {"applied": int, "pending": [str], "modified": [str], "missing_locally": [str]},
    "failed": [FAILURE],
    "checks": [{"name": str, "outcome": str, "seen": str, "source": str, "remedy": str}],
}
VALUES = {
    "verdict": {"applied", "not_applied", "partial", "drifted", "undecidable", "in_progress"},
    "decision": {"mark_applied", "mark_rolled_back", "operator", "wait"},
    "state": {"in_place", "absent", "differs", "open", "inert"},
    "outcome": {"held", "refused", "unknown", "waived"},
    "order": {"before", "after", "same", "unknown"},
    "engine": {"native", "javascript", "unknown"},
}


def departures(value: Any, form: Any, where: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Where a document departs from the contract."""
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return [where]
        missing = [f"{where}.{name}" for name in form if name not in value]
        inner = [
            each for name in form if name in value for each in departures(value[name], form[name], f"{where}.{name}")
        ]
        wrong = [f"{where}.{n}={value[n]}" for n in form.keys() & VALUES.keys() if value.get(n) not in VALUES[n]]
        return missing + inner + wrong
    if isinstance(form, list):
        if not isinstance(value, list):
            return [where]
        return [each for i, element in enumerate(value) for each in departures(element, form[0], f"{where}[{i}]")]
    boolean = form is bool or (isinstance(form, tuple) and bool in form)
    return [] if isinstance(value, form) and (boolean or not isinstance(value, bool)) else [f"{where}: {value!r}"]


@pytest.mark.parametrize(
    ("case", "verdict", "decision", "steps", "states"),
    [
        ("exists", "applied", "mark_applied", [5, 5], ["in_place"] * 5),
        ("absent", "not_applied", "mark_rolled_back", [0, 0], ["absent"] * 5),
        ("partial", "partial", "operator", [2, 2], ["in_place"] * 2 + ["absent"] * 3),
        ("drifted", "drifted", "operator", [0, 0], ["differs", "in_place", "in_place", "absent", "absent"]),
    ],
)
def test_the_document_has_every_field_of_the_contract(
    make: Make, case: Case, verdict: str, decision: str, steps: list[int], states: list[str]
) -> None:
    """`inspect --json` prints the whole contract; exit code 0, or 3 if asked for; nothing is changed.

    Without --json the verdict, the differences and the digest are there to be read.
    """
    scene = make(case)
    before = scene.everything()
    done = scene.cli("inspect", "--json")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert departures(document, DOCUMENT) == []
    assert document["schema_version"] == 1
    assert document["target"]["database"] == scene.database
    assert document["target"]["schema"] == "public"
    assert document["target"]["server_version"] == scene.server.version
    assert document["history"] == {"applied": 5, "pending": list(PENDING), "modified": [], "missing_locally": []}
    (failed,) = document["failed"]
    assert failed["migration"] == FAILED
    assert (failed["verdict"], failed["decision"]) == (verdict, decision)
    said = failed["cause"].pop("said")
    assert said.startswith('relation "password_reset_tokens')
    assert said.endswith("already exists")
    assert failed["cause"] == {"sqlstate": "42P07", "kind": "object_exists", "transient": False}
    assert failed["progress"] == {"steps_in_place": steps, "steps_total": 5}
    assert [statement["state"] for statement in failed["statements"]] == states
    assert failed["evidence_digest"].startswith("sha256:")
    assert bool(failed["differences"]) == (case in ("partial", "drifted"))
    # Whether an earlier command has proved where the project's Prisma goes is no matter of this document.
    assert {check["outcome"] for check in document["checks"] if check["name"] != "prisma.target"} == {"held"}
    if case == "drifted":
        difference = next(d for d in failed["differences"] if d["property"] == "column expires_at type")
        assert difference["object"] == "table public.password_reset_tokens"
        assert difference["expected"] == "timestamp(3) without time zone"
        assert difference["actual"] == "timestamp with time zone"
        done = scene.cli("inspect", "--exit-code")
        assert done.code == 3
        for word in (scene.database, FAILED, "column expires_at type", failed["evidence_digest"]):
            assert word in done.out
        assert done.out.count(f"PostgreSQL {scene.server.version}") <= 2
    assert scene.everything() == before
    assert not (scene.folder / ".prisma-recovery").exists()


def test_it_needs_neither_node_nor_a_project(make: Make, tmp_path: Path) -> None:
    """With a URL and a folder of migrations it tells the same, in an empty folder, with nothing on PATH."""
    scene = make("exists")
    shutil.copytree(scene.folder / "prisma/migrations", tmp_path / "alone" / "copied")
    environment = {k: v for k, v in os.environ.items() if not k.endswith(("_URL", "_UNPOOLED"))} | {"PATH": "/nowhere"}
    command = [PROGRAM, "inspect", "--json", "--database-url", scene.incident.database_url, "--migrations", "copied"]

    def run(*more: str) -> Done:
        done = subprocess.run(
            [*command, *more],
            cwd=tmp_path / "alone",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    here = run()
    assert here.code == 0, here
    (failed,) = json.loads(here.out)["failed"]
    (there,) = json.loads(scene.cli("inspect", "--json").out)["failed"]
    assert failed.pop("runner")["version"] is None
    assert there.pop("runner")["version"] == "6.19.3"
    assert failed == there
    assert [path.name for path in (tmp_path / "alone").iterdir()] == ["copied"]
    assert run("--exit-code").code == 3


def test_a_healthy_database_has_nothing_failed(make: Make) -> None:
    """Where nothing failed `inspect` says so, and exits with 0 with --exit-code too."""
    scene = further(make, "marked")
    done = scene.cli("inspect", "--exit-code")
    assert done.code == 0, done
    assert "No migration failed" in done.out
    elsewhere = ("inspect", "--expect-host", "db.example.com")
    assert scene.cli(*elsewhere).code == 0
    assert scene.cli(*elsewhere, "--exit-code").code == 4, "what is well with another database is no gate"
    assert json.loads(scene.cli("inspect", "--json").out)["failed"] == []


def test_what_a_person_must_decide_is_shown_with_what_decides_it(make: Make) -> None:
    """An open statement has a query that can be copied and run, and what is in production says when it was written."""
    scene = make("exists")
    script = 'ALTER TABLE "places" ADD COLUMN "rank" INTEGER;\n\nUPDATE "places" SET "rank" = 1 WHERE "rank" IS NULL;\n'
    folder = scene.folder / "prisma/migrations/20260301000000_rank"
    folder.mkdir()
    (folder / "migration.sql").write_text(script)
    scene.sql(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at)"
        f" VALUES ('rank', '{hashlib.sha256(script.encode()).hexdigest()}', '{folder.name}', now())"
    )
    scene.sql("ALTER TABLE places ADD COLUMN rank INTEGER")
    document = json.loads(scene.cli("inspect", "--json").out)
    assert departures(document, DOCUMENT) == []
    failed = next(each for each in document["failed"] if each["migration"] == folder.name)
    assert (failed["verdict"], failed["decision"]) == ("undecidable", "operator")
    assert [(t["object"], t["order"]) for t in failed["forensics"]] == [("table public.places column rank", "after")]
    assert failed["runner"]["engine"] == "unknown"
    look = failed["statements"][1]["look"]
    shown = scene.cli("inspect").out
    assert f"\n{look}\n" in shown
    assert f"An indication, no proof: {' '.join(failed['indications'])}" in shown
    ((before,),) = scene.sql(look)
    assert before > 0
    scene.sql('UPDATE "places" SET "rank" = 1 WHERE "rank" IS NULL')
    assert scene.sql(look) == [(0,)]


def test_what_is_pending_is_rehearsed(make: Make) -> None:
    """By `inspect --pending`, the plan, and a run that asks whether to deploy, all the same; without the option not."""
    scene = make("exists")
    before = scene.everything()
    assert json.loads(scene.cli("inspect", "--json").out)["rehearsals"] == []
    found = json.loads(scene.cli("inspect", "--pending", "--json").out)["rehearsals"]
    assert [each["migration"] for each in found] == [*PENDING]
    (table,) = found[0]["locks"]
    assert (table["table"], table["lock"], table["rewrites"]) == ("public.places", "AccessExclusiveLock", [])
    assert table["bytes"] > 0
    assert [each["table"] for each in found[1]["locks"]] == [
        "public.places",
        "public.intake_batches",
        "public.intake_items",
    ]
    assert json.loads(scene.cli("run", "--plan", "--json").out)["rehearsals"] == found
    assert scene.everything() == before
    scene.configuration.write_text(f'auto = ["applied"]\n{scene.configuration.read_text()}')
    done = scene.cli("run", "--json")
    assert (done.code, json.loads(done.out)["refusal"]["code"]) == (3, "deploy.consent"), done
    now = [{**each, "locks": [{**t, "bytes": 0} for t in each["locks"]]} for each in json.loads(done.out)["rehearsals"]]
    assert now == [{**each, "locks": [{**t, "bytes": 0} for t in each["locks"]]} for each in found]
    assert "What the deploy does to tables" in scene.cli("report", "--markdown").out
