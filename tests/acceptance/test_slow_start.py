"""F12: a slow machine gets a slower recovery, and is never called busy."""

from collections.abc import Callable

from recovery import Event, Exit, Options, Recovery, auto
from recovery.events import Progressed, Task
from tests.acceptance.scene import MARKED_APPLIED, STUCK, Held, Scene
from tests.staging import Case

Make = Callable[[Case], Scene]
YES = auto("applied")


def recovery(scene: Scene) -> Recovery:
    """A recovery of that scene, which is told its environment."""
    return Recovery(scene.folder, Options(), environment=scene.environment())


def test_a_command_that_takes_long_to_start_gets_its_turn(make: Make) -> None:
    """While Prisma starts, its seconds are told; once it asks for the lock it is first, and the recovery goes on.

    It goes on to the deploy, to which nobody agreed.
    """
    scene = make("exists")
    scene.rehearse(resolve="hold")
    held = Held(scene.rehearsed)
    told: list[float] = []

    def watch(event: Event) -> None:
        if isinstance(event, Progressed) and event.task is Task.START:
            if not told:
                held.wait()
                held.go()
            told.append(event.seconds)

    ended = recovery(scene).run(YES, watch)
    assert ended.refusal is not None
    assert (ended.refusal.code, ended.exit_code) == ("deploy.consent", Exit.BLOCKED)
    assert told
    assert told[0] >= 1.0
    assert scene.ledger() == MARKED_APPLIED


def test_a_command_that_never_starts_is_ended_before_it_did_anything(make: Make) -> None:
    """It is no other session's doing, so the refusal is not that of a busy database; the settings decide how long."""
    scene = make("exists")
    scene.rehearse(resolve="hold")
    held = Held(scene.rehearsed)
    recovery(scene).plan()  # the proof of where Prisma goes has its time, and is kept
    text = scene.configuration.read_text()
    scene.configuration.write_text(text.replace("[prisma]\n", "[prisma]\nstart_seconds = 1\n"))
    ended = recovery(scene).run(YES)
    held.close()
    assert ended.refusal is not None
    assert (ended.refusal.code, ended.exit_code) == ("prisma.too_slow", Exit.FAILURE)
    assert "did not connect to the database within 1 s" in ended.refusal.fact
    assert "start_seconds" in ended.refusal.remedy
    assert scene.ledger() == STUCK
