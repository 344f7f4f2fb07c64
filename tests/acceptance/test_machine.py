"""For machines: one document and nothing else, as its published schema says; and each event when it happens."""

import json
import shlex
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

from recovery.postgres.url import parse
from recovery.report.document import InspectDocument
from states.evidence import Verdict
from tests.acceptance.scene import Done, Held, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


@cache
def schema(name: str) -> dict[str, Any]:
    """A published schema that lets nothing through that it does not name."""
    whole: dict[str, Any] = json.loads((REFERENCE / f"{name}.schema.json").read_text())
    for part in whole["$defs"].values():
        if "properties" in part:
            part["additionalProperties"] = False
    return whole


def valid(document: object, name: str) -> None:
    """Fails with each place where `document` is not as the schema says."""
    validator = jsonschema.Draft202012Validator(schema(name), format_checker=jsonschema.FormatChecker())
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)] == []


def document(done: Done, name: str) -> dict[str, Any]:
    """All that a command printed on stdout: one document, as its schema says."""
    found: dict[str, Any] = json.loads(done.out)
    valid(found, name)
    assert done.err == "", done.err
    return found


def refusal(done: Done, name: str = "error") -> dict[str, Any]:
    """The refusal in a document; its exit code is the process's."""
    found = document(done, name)["refusal"]
    assert found["exit"] == done.code
    assert found["fact"]
    assert found["remedy"]
    return found  # type: ignore[no-any-return]


def test_a_recovery_as_documents(make: Make) -> None:
    """Blocked, decided by a person, through to the pipeline: what each command prints is as published."""
    scene = make("drifted")
    inspected = document(scene.cli("inspect", "--json"), "inspect")
    assert msgspec.convert(inspected, InspectDocument).failed[0].verdict is Verdict.DRIFTED
    blocked = scene.cli("run", "--yes", "--json")
    assert blocked.code == 3
    run = document(blocked, "run")
    assert (run["command"], run["state"], run["exit_code"]) == ("run", "BLOCKED", 3)
    assert [move["state"] for move in run["path"]] == ["PREFLIGHT", "INSPECT", "CLASSIFY"]
    assert run["evidence"][0]["evidence_digest"] == inspected["failed"][0]["evidence_digest"]
    repair, by_hand = run["refusal"]["commands"]
    assert repair == {"line": "prisma-recovery run --repair --yes", "when": "to mend it by the plan"}
    assert by_hand["line"].startswith("prisma-recovery repair ")
    (standing,) = document(scene.cli("status", "--json"), "status")["runs"]
    # What was agreed to in that call is not agreed to in this one.
    assert [each["line"] for each in standing["commands"]] == ["prisma-recovery run --repair", by_hand["line"]]
    assert (standing["run"], standing["stopped_in"], standing["done"]) == (run["run"], "CLASSIFY", [])
    seen = run["evidence"][0]["evidence_digest"]
    arguments = ("approve", FAILED, "--applied", "--evidence", seen, "--reason", "looked")
    approved = document(scene.cli(*arguments, "--json"), "approve")
    assert (approved["run"], approved["decision"]) == (run["run"], "mark_applied")
    ended = scene.cli("run", "--yes", "--json")
    assert ended.code == 7
    run = document(ended, "run")
    assert [each["shown"] for each in run["effects"]] == [True, True]
    assert run["proof"]["differing"][0]["migration"] == FAILED
    assert run["refusal"]["code"] == "verify.differs"
    assert refusal(scene.cli("pipeline", "--json"), "run")["code"] == "pipeline.not_ready"
    given_up = document(scene.cli("abort", "--json", "--reason", "x"), "abort")
    assert given_up == {
        "schema_version": 1,
        "run": run["run"],
        "changed": True,
        "commands": [{"line": "prisma-recovery run", "when": ""}],
    }


def test_commands_to_be_copied_are_whole(make: Make) -> None:
    """Where the journal is belongs to them, since without it they would find nothing, and what was said of the target.

    But for a URL, which may hold a password: its word in the help stands for it. To `run` goes what `run` takes.
    """
    scene = make("drifted")
    blocked = refusal(scene.cli("run", "--yes", "--json", "--journal", "target"), "run")
    lines = [command["line"] for command in blocked["commands"]]
    assert lines
    assert all(" --journal target" in line for line in lines if line.startswith("prisma-recovery run"))
    (standing,) = document(scene.cli("status", "--json", "--journal", "target"), "status")["runs"]
    unagreed = [line.removesuffix(" --yes") for line in lines]
    assert [command["line"] for command in standing["commands"]] == unagreed
    happened = [json.loads(line) for line in scene.cli("run", "--events", "--journal", "target").out.splitlines()]
    (refused,) = [event for event in happened if event["event"] == "refused"]
    assert [command["line"] for command in refused["refusal"]["commands"]] == unagreed
    url, scene.variables["DATABASE_URL"] = scene.incident.database_url, ""
    host = parse(url).host
    pinned = ("--expect-host", host, "--expect-database", scene.database, "--waive", "git.clean=a b")
    said = ("--journal", "target", "--database-url", url, *pinned)
    blocked = refusal(scene.cli("run", "--yes", "--json", *said), "run")
    again, by_hand = (command["line"] for command in blocked["commands"])
    assert " --database-url URL" in by_hand
    wanted = f"--expect-host {host} --expect-database {scene.database} --waive 'git.clean=a b'"
    assert again == f"prisma-recovery run --repair --journal target --database-url URL {wanted} --yes"
    assert again in scene.cli("run", "--yes", *said).out
    assert url not in json.dumps(blocked)
    done = scene.cli(*shlex.split(again.replace("URL", url))[1:])
    assert done.code == 0, done
    assert "goes on" in done.out


def test_a_guard_as_documents(make: Make) -> None:
    """`guard --json` says whether a command may run, and runs none; `guard install --json` what it changed."""
    scene = make("exists")
    pinned = f'[production]\nhost = "127.0.0.1"\ndatabase = "{scene.database}"\n'
    text = scene.configuration.read_text()
    scene.configuration.write_text(text if "[production]" in text else f"{text}\n{pinned}")
    ran = scene.folder / "ran"
    harmless = document(scene.cli("guard", "--json", "--", "touch", str(ran)), "guard")
    assert harmless["command"] == ["touch", str(ran)]
    assert "No Prisma command" in harmless["warning"]
    assert not ran.exists()
    assert refusal(scene.cli("guard", "--json", "--", "npx", "prisma", "db", "push"))["code"] == "guard.production"
    package = scene.folder / "package.json"
    package.write_text('{"scripts": {"push": "prisma db push"}}')
    for words in (("guard", "install", "--json"), ("guard", "--json", "install")):
        assert refusal(scene.cli(*words))["code"] == "guard.consent"
    assert "guard" not in package.read_text()
    installed = document(scene.cli("guard", "install", "--json", "--yes"), "install")
    assert (installed["changed"], installed["unclear"]) == (True, [])
    assert '+{"scripts": {"push": "prisma-recovery guard -- prisma db push"}}' in installed["difference"]
    assert not document(scene.cli("guard", "install", "--json"), "install")["changed"]
    completions = document(scene.cli("completions", "bash", "--json"), "completions")
    assert "prisma-recovery" in completions["script"]


def test_a_plan_as_a_document(make: Make) -> None:
    """`run --plan --json` has the effects that would be run, with what follows, and has run none."""
    scene = make("absent")
    before = scene.everything()
    plan = document(scene.cli("run", "--plan", "--json"), "run")
    assert (plan["command"], plan["run"], plan["refusal"]) == ("plan", "", None)
    assert [each["command"] for each in plan["effects"]] == [
        f"prisma migrate resolve --rolled-back {FAILED}",
        "prisma migrate deploy",
    ]
    assert not any(each["started"] for each in plan["effects"])
    assert scene.everything() == before


def test_a_command_that_fails_prints_one_document_too(make: Make) -> None:
    """Whatever stops it: code, fact, remedy and exit are at the same place, and no password is.

    With --events it is a line, as published.
    """
    scene = make("exists")
    for arguments, code, name in (
        (("abort", "--json"), 2, "error"),
        (("inspect", "--json", "--database-url", "mysql://h/d"), 2, "error"),
        (("inspect", "--json", "--database-url", "postgresql://u:hunter2@127.0.0.1:1/d"), 6, "error"),
        (("run", "--json", "--database-url", "mysql://h/d"), 2, "run"),
        (("run", "--json", "--yes", "--expect-host", "elsewhere"), 4, "run"),
        (("run", "--json", "--events"), 2, "run"),
        (("run", "--json", "--no-such-option"), 2, "error"),
        (("status", "--json", "no-such-run"), 2, "error"),
        (("approve", "x", "--json"), 2, "error"),
        (("approve", "x", "--json", "--applied", "--evidence", "sha256:0", "--reason", "y"), 2, "error"),
        (("pipeline", "--json", "--config", "/no/such/file.toml"), 2, "run"),
    ):
        done = scene.cli(*arguments)
        assert refusal(done, name)["exit"] == code, arguments
        assert "hunter2" not in done.said
    done = scene.cli("run", "--events", "--database-url", "mysql://h/d")
    (line,) = map(json.loads, done.out.splitlines())
    valid(line, "events")
    assert line["event"] == "failed"
    assert line["refusal"]["exit"] == done.code == 2


def test_a_recovery_as_events_and_its_pipeline_as_documents(make: Make) -> None:
    """A line an event, as published, with name, time and run; each is there while the next thing is still at work.

    `run --pipeline --json`, on what is recovered then, holds the steps with their exit codes; what they print is
    nowhere on stdout. `report --json` of the recovery has what the pages have; a page for a file is written beside it,
    and none to standard output.
    """
    scene = make("exists")
    text = scene.configuration.read_text()
    scene.configuration.write_text(f'auto = ["pipeline"]\n{text}' if "auto =" not in text else text)
    scene.variables["PRISMA_RECOVERY_JOURNAL"] = "target"
    scene.rehearse(deploy="hold")
    held = Held(scene.rehearsed)
    process = scene.start("run", "--yes", "--events")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1].get("effect") == f"deploy:{','.join(PENDING)}" and lines[-1]["event"] == "effect.started":
            break
    held.wait()  # the command that the last line announced has not even begun
    held.go()
    lines += map(json.loads, process.stdout)
    assert process.wait() == 0
    for each in lines:
        valid(each, "events")
        assert datetime.fromisoformat(each["time"]).tzinfo is not None
    names = [each["event"] for each in lines]
    assert names[0] == "run.started"
    assert names[-1] == "run.ended"
    assert {each["run"] for each in lines} == {lines[0]["run"]}
    states = [each["state"] for each in lines if each["event"] == "state.entered"]
    assert states == ["INSPECT", "CLASSIFY", "RESOLVE", "DEPLOY", "VERIFY", "PIPELINE_READY"]
    assert [each["shown"] for each in lines if each["event"] == "effect.ended"] == [True, True]
    proposals = [each["effect"] for each in lines if each["event"] == "effect.proposed"]
    assert proposals == [each["effect"] for each in lines if each["event"] == "effect.started"]
    run = document(scene.cli("run", "--yes", "--pipeline", "--json"), "run")
    assert [(step["step"], step["exit_code"]) for step in run["steps"]] == [
        ("intake", 0),
        ("resolve", 0),
        ("promote", 0),
    ]
    assert (run["state"], run["exit_code"], run["refusal"]) == ("PIPELINE_READY", 0, None)
    page = scene.folder / "page.html"
    told = document(scene.cli("report", lines[0]["run"], "--json", "--html", str(page)), "report")
    assert told["state"] == "PIPELINE_READY"
    assert [(each["effect"].partition(":")[0], each["outcome"]) for each in told["commands"]] == [
        ("mark_applied", "shown"),
        ("deploy", "shown"),
    ]
    assert told["findings"][0]["verdict"] == "applied"
    assert told["postmortem"][0]["migration"] == FAILED
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert refusal(scene.cli("report", "--json", "--markdown"))["code"] == "usage.output"
    assert refusal(scene.cli("report", "nobody", "--json"))["code"] == "run.unknown"
    drawn = document(scene.cli("graph", "--json", "--run", "newest"), "graph")
    assert drawn["current"] == "PIPELINE_READY"
    went = {edge["source"]: edge["target"] for edge in drawn["edges"] if 1 in edge["moves"]}
    assert went == {"PREFLIGHT": "INSPECT"}
    assert refusal(scene.cli("graph", "--json", "--format", "png"))["code"] == "usage.format"


def test_logs_go_to_standard_error_in_either_format(make: Make) -> None:
    """Beside a document, or words, on stdout; in JSON a line is an object with its level."""
    scene = make("exists")
    done = scene.cli("inspect", "--json", "--log-format", "json")
    valid(json.loads(done.out), "inspect")
    logged = [json.loads(line) for line in done.err.splitlines()]
    names = [line["event"] for line in logged]
    assert "prisma_recovery.evidence.found" in names
    assert {line["level"] for line in logged} <= {"info", "warning"}
    done = scene.cli("run", "--log-format", "text")
    assert done.code == 3
    (line,) = [line for line in done.err.splitlines() if "prisma_recovery.refused" in line]
    assert "refusal.code=classify.consent" in line
    assert "classify.consent" in done.out
    done = scene.cli("pipeline", "--verbose")
    assert json.loads(done.err.splitlines()[-1])["level"] == "error"
