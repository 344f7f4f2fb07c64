"""The incident further on: as a recovery of the real Prisma left it, made once a server and copied."""

from collections.abc import Callable
from typing import Literal

from tests.acceptance.scene import APPLIED, MARKED_APPLIED, Scene
from tests.staging import Case

Make = Callable[[Case], Scene]
#: marked: the failed migration was marked applied, two are pending; recovered: these are deployed as well.
Stand = Literal["marked", "recovered"]


def further(make: Make, stand: Stand) -> Scene:
    """A project that knows of no recovery, and its production as one left it there."""
    scene = make("exists")
    if not scene.server.has_database("staged_recovered"):
        _recover(make("exists"))
    scene.server.drop_database(scene.database)
    scene.server.create_database(scene.database, f"staged_{stand}")
    return scene


def agree_to(scene: Scene, *kinds: str) -> None:
    """From now on the project's settings agree to changes of these kinds, and a run stops before any other."""
    words = ", ".join(f'"{kind}"' for kind in kinds)
    scene.configuration.write_text(f"auto = [{words}]\n{scene.configuration.read_text()}")


def _recover(scene: Scene) -> None:
    agree_to(scene, "applied")
    assert scene.cli("run").code == 3
    assert scene.ledger() == MARKED_APPLIED
    scene.server.create_database("staged_marked", scene.database)
    assert scene.cli("run", "--yes").code == 0
    assert scene.ledger() == APPLIED
    scene.server.create_database("staged_recovered", scene.database)
