"""F15: the gate is as old as its proof, so `run --pipeline` recovers first, every time."""

import json
from collections.abc import Callable

from recovery import Event, Exit, Options, Recovery, State, auto
from recovery.events import StateEntered, StepEnded, StepStarted
from tests.acceptance.scene import Scene
from tests.staging import Case

Make = Callable[[Case], Scene]
ADDED = "20260301000000_added"
STEPS = """
[[pipeline.steps]]
name = "load"
command = {command}
"""


def test_an_ordinary_job_in_a_row(make: Make) -> None:
    """Four runs: each inspects and verifies; what was added in between is deployed; the step runs once in all.

    The journal is in the target, as where no folder outlasts a job; the contract of journals holds either to the same.
    """
    scene = make("exists")
    command = json.dumps(["sh", "-c", "echo load >>loaded"])
    scene.configuration.write_text(scene.configuration.read_text().partition("# What may run only")[0])
    scene.configuration.write_text(scene.configuration.read_text() + STEPS.format(command=command))
    scene.commit("one step")
    policy = auto("applied", "not_applied", "deploy", "pipeline")
    for number in range(4):
        if number == 2:
            script = scene.folder / "prisma" / "migrations" / ADDED / "migration.sql"
            script.parent.mkdir()
            script.write_text("CREATE TABLE added (id integer PRIMARY KEY);\n")
            scene.commit("one more migration")
        seen: list[Event] = []
        recovery = Recovery(scene.folder, Options(journal="target"), environment=scene.environment())
        ended = recovery.run(policy, seen.append, pipeline=True)
        assert (ended.state, ended.exit_code) == (State.PIPELINE_READY, Exit.READY), ended.refusal
        entered = [event.state for event in seen if isinstance(event, StateEntered)]
        assert (entered[0], entered[-2:]) == (State.INSPECT, [State.VERIFY, State.PIPELINE_READY])
        assert (State.DEPLOY in entered) is (number in (0, 2))
        begun = [event.step for event in seen if isinstance(event, StepStarted)]
        before = [event.step for event in seen if isinstance(event, StepEnded) and event.already_done]
        assert (begun, before) == ((["load"], []) if number == 0 else ([], ["load"]))
    assert (ADDED, "finished", 1) in scene.ledger()
    assert (scene.folder / "loaded").read_text() == "load\n"
