"""A recovery inside a program: nothing of its process is touched, and several work side by side."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from recovery import Ended, Event, Exit, Options, Question, Recovery, RecoveryError, Refusal, State, auto, events
from tests.acceptance.further import further
from tests.acceptance.scene import APPLIED, MARKED_APPLIED, MARKED_ROLLED_BACK, SECONDS, STUCK, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
YES = auto("applied", "not_applied", "deploy")
SESSIONS = (
    "SELECT application_name FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


def recovery(scene: Scene, options: Options = Options()) -> Recovery:  # noqa: B008 - frozen
    """A recovery of that scene, which is told its environment."""
    return Recovery(scene.folder, options, environment=scene.environment())


def children() -> set[str]:
    """Process ids of what this process has started and that is still there."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def process_wide() -> dict[str, object]:
    """What belongs to the whole process, and to whoever embeds us."""
    root = logging.getLogger()
    return {
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "logging": (root.level, list(root.handlers), logging.root.manager.disable),
        "structlog": (structlog.is_configured(), structlog.get_config()),
        "threads": set(threading.enumerate()),
        "children": children(),
    }


def test_nothing_of_the_process_is_touched(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """A look, a plan and a whole recovery print nothing, change nothing process-wide, and leave nothing behind."""
    scene = make("exists")
    one = recovery(scene)
    before = process_wide()
    found = one.inspect()
    assert [(each.migration, each.verdict) for each in found.failed] == [(FAILED, "applied")]
    assert [effect.id for effect in one.plan().effects] == [f"mark_applied:{FAILED}", f"deploy:{','.join(PENDING)}"]
    assert scene.ledger() == STUCK
    told: list[Event] = []
    ended = one.run(YES, told.append)
    assert (ended.state, ended.exit_code, ended.refusal) == (State.PIPELINE_READY, Exit.READY, None)
    assert process_wide() == before
    assert capfd.readouterr() == ("", "")
    assert scene.sql(SESSIONS) == []
    assert scene.ledger() == APPLIED
    assert isinstance(told[0], events.RunStarted)
    assert told[-1] == events.RunEnded(ended.run, State.PIPELINE_READY, 0)
    moves = [event.state for event in told if isinstance(event, events.StateEntered)]
    assert [State.PREFLIGHT, *moves] == scene.path()


def test_two_databases_are_recovered_side_by_side(make: Make) -> None:
    """Two threads of one process, each with a database of its own, neither of which waits for the other."""
    scenes = [make("exists"), make("absent")]
    both = threading.Barrier(2, timeout=SECONDS)

    def run(scene: Scene) -> Refusal | None:
        def meet(event: Event) -> None:
            if isinstance(event, events.EffectStarted):
                both.wait()  # each of two commands begins only when the other recovery has come as far

        return recovery(scene, Options(journal="target")).run(auto("applied", "not_applied"), meet).refusal

    with ThreadPoolExecutor(max_workers=2) as threads:
        ended = list(threads.map(run, scenes))
    assert [refusal and refusal.code for refusal in ended] == ["deploy.consent"] * 2
    assert [scene.ledger() for scene in scenes] == [MARKED_APPLIED, MARKED_ROLLED_BACK]


def test_asyncio_goes_on_meanwhile_and_one_database_is_recovered_once(make: Make) -> None:
    """In a thread of its own a recovery does not block the loop, which reads its events as they come.

    While it is at work, another of the same process is busy, and changes nothing.
    """
    scene = further(make, "marked")
    refused: list[RecoveryError] = []

    def rival(event: Event) -> None:
        if isinstance(event, events.EffectStarted):
            with pytest.raises(RecoveryError) as caught:
                recovery(scene).run(YES)
            refused.append(caught.value)

    async def main() -> tuple[Ended, list[Event]]:
        loop, queue, told = asyncio.get_running_loop(), asyncio.Queue[Event](), list[Event]()

        def tell(event: Event) -> None:
            rival(event)
            loop.call_soon_threadsafe(queue.put_nowait, event)

        running = asyncio.create_task(asyncio.to_thread(recovery(scene).run, YES, tell))
        while not told or not isinstance(told[-1], events.RunEnded):
            told.append(await asyncio.wait_for(queue.get(), SECONDS))
            if isinstance(told[-1], events.RunStarted):
                assert not running.done()
        return await running, told

    ended, told = asyncio.run(main())
    assert (ended.state, ended.refusal) == (State.PIPELINE_READY, None)
    assert sum(isinstance(event, events.EffectEnded) for event in told) == 1
    assert [(error.code, error.exit) for error in refused] == [("lock.recovery", Exit.BUSY)]
    assert scene.effects("intended") == ["deploy"]
    assert scene.ledger() == APPLIED


def test_a_request_to_stop_lets_the_command_end(make: Make) -> None:
    """Asked while a deploy is at work, the run records its outcome and ends with 130; the next repeats nothing."""
    scene = further(make, "marked")
    one = recovery(scene)

    def stop(event: Event) -> None:
        if isinstance(event, events.EffectStarted) and event.effect.startswith("deploy"):
            one.stop()

    ended = one.run(YES, stop)
    assert ended.refusal is not None
    assert (ended.exit_code, ended.refusal.code) == (Exit.INTERRUPTED, "engine.stopped")
    assert scene.ledger() == APPLIED
    assert scene.effects("observed") == ["deploy"]
    assert one.run(YES).exit_code is Exit.INTERRUPTED  # there is no taking it back
    assert recovery(scene).run().refusal is None
    assert scene.effects("intended") == ["deploy"]


def test_without_consent_nothing_is_changed(make: Make) -> None:
    """A policy is asked with the evidence; its no stops the run, whose standing can be read, and given up."""
    scene = make("exists")
    asked: list[Question] = []

    class No:
        def consents(self, question: Question) -> bool:
            asked.append(question)
            return False

    one = recovery(scene)
    assert one.run(No()).exit_code is Exit.BLOCKED
    (question,) = asked
    assert (question.kind, question.command) == ("applied", f"prisma migrate resolve --applied {FAILED}")
    assert question.evidence is not None
    ended = one.run()  # the settings name nothing that needs no word
    assert ended.refusal is not None
    assert ended.refusal.code == "classify.consent"
    with pytest.raises(RecoveryError) as caught:
        one.approve(FAILED, "applied", evidence="sha256:other", reason="seen")
    assert caught.value.code == "approve.other_evidence"
    with pytest.raises(ValueError, match="rolled-back"):
        one.approve(FAILED, "rolled-back", evidence=question.evidence.evidence_digest, reason="seen")
    approved = one.approve(FAILED, "applied", evidence=question.evidence.evidence_digest, reason="seen")
    assert (approved.run, approved.state, approved.changed) == (ended.run, State.BLOCKED, False)
    assert one.abort("it is done by hand").state is State.ABORTED
    assert [standing.state for standing in one.status()] == [State.ABORTED]
    assert scene.ledger() == STUCK


def test_a_callback_that_fails_loses_nothing(make: Make) -> None:
    """What it raises comes out of the run; the lock is free again, and the next run goes on from what is true."""
    scene = make("exists")

    def broken(event: Event) -> None:
        match event:
            case events.EffectEnded():
                raise LookupError(event.effect)

    with pytest.raises(LookupError, match="mark_applied"):
        recovery(scene).run(YES, broken)
    assert scene.sql(SESSIONS) == []
    refusal = recovery(scene).run(auto("applied")).refusal
    assert refusal is not None
    assert refusal.code == "deploy.consent"
    assert scene.ledger() == MARKED_APPLIED
    assert scene.effects("intended") == ["mark_applied"]
