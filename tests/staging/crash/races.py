"""Two at once: a second recovery of the same database, and somebody who deploys between evidence and effect."""

from __future__ import annotations

import functools
import shutil
from threading import Thread
from typing import TYPE_CHECKING, Literal

from tests.staging.crash import truth
from tests.staging.crash.points import Point
from tests.staging.crash.production import BrokenError
from tests.staging.incident import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.staging.crash.production import Production

#: The rival is through before the recovery goes on; or they go on at the same time.
Pace = Literal["first", "beside"]
#: Scenario, the instant at which the rival begins, and its pace: whoever waits for Prisma's lock can't be first.
_RIVALS: tuple[tuple[str, str, Pace], ...] = (
    ("exists", "after migration.classified", "first"),
    ("absent", "after migration.classified", "first"),
    ("exists", "after effect.intended mark_applied", "first"),
    ("absent", "after effect.intended mark_rolled_back", "first"),
    ("exists", "after migration.classified", "beside"),
    ("absent", "after effect.intended mark_rolled_back", "beside"),
    ("exists", "mark_applied locked", "beside"),
    ("absent", "mark_rolled_back locked", "beside"),
    ("exists", "mark_applied queued", "beside"),
    ("absent", "mark_rolled_back queued", "beside"),
)


def together() -> Iterator[Point]:
    """Two recoveries of one database, in one checkout and in two."""
    for where in ("one checkout", "two checkouts"):
        happen = functools.partial(_two_recoveries, apart=where == "two checkouts")
        yield Point("two recoveries", f"exists: started together in {where}", "exists", happen)


def rivals() -> Iterator[Point]:
    """Somebody who deploys between evidence and effect."""
    for scenario, instant, pace in _RIVALS:
        happen = functools.partial(_rival_deploy, instant=instant, pace=pace)
        yield Point("rival deploy", f"{scenario}: a rival {pace}, {instant}", scenario, happen)


def _two_recoveries(production: Production, *, apart: bool) -> None:
    """Two processes reach for the lock at the same time: one works, the other is busy, and nothing is done twice.

    Args:
        production: nothing has been done to it yet.
        apart: the second one is at work in another checkout, with a journal of its own.

    Raises:
        BrokenError: otherwise.
    """
    other = production.folder.parent / "other"
    if apart:
        shutil.copytree(production.folder, other, symlinks=True)
    both = [
        production.start(at="before lock", fate="stop"),
        production.start(at="before lock", fate="stop", folder=other if apart else None),
    ]
    for each in both:
        each.stopped()
    for each in both:
        each.go()
    first, second = (each.end() for each in both)
    if sorted((first.code, second.code)) != [0, 5]:
        raise BrokenError(f"exit codes {first.code} and {second.code}:\n{first.said}\n{second.said}")
    if "lock.recovery" not in (second if second.code else first).said:
        raise BrokenError(f"busy, and not with the other one:\n{second.said}")
    if second.code == 0 and apart:
        # The journal that tells of it all is the second one's.
        shutil.rmtree(production.folder / ".prisma-recovery", ignore_errors=True)
        shutil.copytree(other / ".prisma-recovery", production.folder / ".prisma-recovery")
        if (other / "done").exists():
            shutil.copy(other / "done", production.folder / "done")


def _rival_deploy(production: Production, instant: str, pace: Pace) -> None:
    """Somebody marks the failed migration rolled back, and deploys, between our evidence and our effect.

    Raises:
        BrokenError: a row was marked that the evidence wasn't about.
    """
    process = production.start(at=instant, fate="stop")
    process.stopped()
    rival = _Rival(production)
    if pace == "first":
        rival.end()
    process.go()
    process.end().must(0, 3, 5)
    rival.end()
    truth.judged(production)


class _Rival:
    """`prisma migrate resolve --rolled-back`, then `prisma migrate deploy`, whatever they say."""

    def __init__(self, production: Production) -> None:
        self._thread = Thread(target=self._work, args=(production,))
        self._thread.start()

    def _work(self, production: Production) -> None:
        production.incident.prisma("migrate", "resolve", "--rolled-back", FAILED)
        production.incident.prisma("migrate", "deploy")

    def end(self) -> None:
        """Waits for it."""
        self._thread.join()
