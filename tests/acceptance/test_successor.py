"""The deploy that is begun beside a mark, with the real Prisma (RULES F13)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Event, Thread
from typing import Any

import pytest

from recovery.effects.handover import HandOver
from recovery.effects.successor import BARRIER_NAME, Successor
from recovery.postgres.locks import PRISMA_LOCK, RECOVERY_LOCK, SessionLock
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.prisma import project
from recovery.prisma.cli import PrismaCli
from recovery.prisma.process import Running
from states.effects import Deploy, Effect, MarkApplied
from tests.acceptance.scene import APPLIED, MARKED_APPLIED, SECONDS, STUCK, Scene
from tests.staging import Case
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
MARK, DEPLOY = MarkApplied(FAILED), Deploy(PENDING)
QUEUED = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = {PRISMA_LOCK}"


class Two:
    """A mark, and what was begun beside it."""

    def __init__(self, hand: HandOver, begun: list[Successor]) -> None:
        self.hand = hand
        self.begun = begun

    def mark(self) -> None:
        """The mark, with a deploy beside it; it must succeed."""
        assert self.hand.perform(MARK, lambda: "", lambda: None, DEPLOY).exit_code == 0

    def ended(self) -> bool:
        """The one that was begun is gone, and its session, too."""
        (one,) = self.begun
        return one.running.poll() is not None


@pytest.fixture
def two(make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Scene], Two]]:
    """What hands commands over, in this very process."""
    del make
    begun: list[Successor] = []
    made, start = Successor.__init__, PrismaCli.start

    def noted(successor: Successor, *arguments: object) -> None:
        begun.append(successor)
        made(successor, *arguments)  # type: ignore[arg-type] - passed on

    def halted(cli: PrismaCli, effect: Effect, **how: Any) -> Running:  # noqa: ANN401 - passed on
        running = start(cli, effect, **how)
        # On a machine at work it may ask for the lock before anybody has seen its connection.
        if "tether" in how:
            running.stop_group(on=True)
        return running

    monkeypatch.setattr(Successor, "__init__", noted)
    monkeypatch.setattr(PrismaCli, "start", halted)
    with ExitStack() as stack:

        def open_(scene: Scene) -> Two:
            found = project.find(scene.folder)
            cli = PrismaCli(found, project.find_launcher(found), scene.environment())
            target = stack.enter_context(closing(Target(parse(scene.incident.database_url), "the test")))
            ours = SessionLock(stack.enter_context(closing(target.working("the test"))), RECOVERY_LOCK)
            assert ours.try_take()
            hand = HandOver(target, cli, ours, lambda _: None, lambda: None)
            stack.callback(hand.withdraw)
            return Two(hand, begun)

        yield open_


def test_it_waits_until_it_is_let_through_and_is_not_started_twice(make: Make, two: Callable[[Scene], Two]) -> None:
    """Between the two our barrier holds the lock; what is looked at there is looked at before the deploy."""
    scene = make("exists")
    both = two(scene)
    both.mark()
    assert scene.ledger() == MARKED_APPLIED
    seen: list[object] = []
    done = both.hand.perform(DEPLOY, lambda: seen.append(scene.ledger()) or "", lambda: None)
    assert (done.exit_code, seen) == (0, [MARKED_APPLIED])
    assert scene.ledger() == APPLIED
    assert "migrations have been successfully applied" in done.output
    assert len(both.begun) == 1


def test_if_the_look_says_no_it_is_ended(make: Make, two: Callable[[Scene], Two]) -> None:
    """It has done nothing, and the lock is free."""
    scene = make("exists")
    both = two(scene)
    both.mark()
    assert both.hand.perform(DEPLOY, lambda: "a file changed", lambda: None).unchanged == "a file changed"
    assert both.ended()
    assert scene.ledger() == MARKED_APPLIED
    assert scene.sql(f"SELECT pg_try_advisory_lock({PRISMA_LOCK})") == [(True,)]


def test_a_rival_between_the_two_ends_it(
    make: Make, two: Callable[[Scene], Two], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a rival's request, which may be one that waits for snapshots, ours must not wait (RULES F3)."""
    scene = make("exists")
    both = two(scene)
    bar = Successor.bar
    rival = scene.connect()
    asking = Thread(target=lambda: rival.execute("SELECT pg_advisory_lock(%s)", (PRISMA_LOCK,)))

    def behind_a_rival(successor: Successor, before: tuple[str, ...]) -> bool:
        asking.start()
        while scene.sql(QUEUED) != [(2,)]:
            assert asking.is_alive()
        return bar(successor, before)

    monkeypatch.setattr(Successor, "bar", behind_a_rival)
    with rival:
        both.mark()
        assert both.ended()
        asking.join(SECONDS)
        assert scene.ledger() == MARKED_APPLIED
        rival.execute("SELECT pg_advisory_unlock(%s)", (PRISMA_LOCK,))
    assert both.hand.perform(DEPLOY, lambda: "", lambda: None).exit_code == 0
    assert scene.ledger() == APPLIED


def test_one_that_overtakes_the_mark_is_ended(
    make: Make, two: Callable[[Scene], Two], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asked for the lock before it was halted: the mark takes place, and the deploy is started in its own time."""
    scene = make("exists")
    both = two(scene)
    queue = HandOver._queue  # noqa: SLF001 - it has no other name

    def late(hand: HandOver, lock: SessionLock, *rest: object) -> bool:
        while scene.sql(QUEUED) == [(0,)]:
            assert hand._successor is not None  # noqa: SLF001 - as above
            hand._successor.running.stop_group(on=False)  # noqa: SLF001 - as above
        return queue(hand, lock, *rest)  # type: ignore[arg-type] - passed on

    started = PrismaCli.start

    def start(cli: PrismaCli, effect: object, **how: object) -> object:
        running = started(cli, effect, **how)  # type: ignore[arg-type] - passed on
        if effect == MARK:
            running.stop_group(on=True)
            Thread(target=lambda: _until(scene, QUEUED) and running.stop_group(on=False)).start()
        return running

    monkeypatch.setattr(PrismaCli, "start", start)
    monkeypatch.setattr(HandOver, "_queue", late)
    both.mark()
    assert both.ended()
    assert scene.ledger() == MARKED_APPLIED


def _until(scene: Scene, query: str) -> bool:
    while scene.sql(query) == [(0,)]:
        pass
    return True


def test_the_mark_fails(make: Make, two: Callable[[Scene], Two]) -> None:
    """A command that ends without asking for the lock: nothing is deployed."""
    scene = make("exists")
    both = two(scene)
    wrong = MarkApplied("20990101000000_nowhere")
    assert both.hand.perform(wrong, lambda: "", lambda: None, DEPLOY).exit_code == 1
    both.hand.withdraw()
    assert both.ended()
    assert scene.ledger() == STUCK


def test_whoever_ends_the_barrier_lets_the_deploy_through_and_it_is_waited_for(
    make: Make, two: Callable[[Scene], Two], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is at work then, so it is not killed (RULES F11), and the ledger tells what it did."""
    scene = make("exists")
    both = two(scene)
    both.mark()
    _until(scene, QUEUED)
    looked = Event()
    escaped = Successor.escaped

    def look(successor: Successor) -> bool:
        try:
            return escaped(successor)
        finally:
            looked.set()

    monkeypatch.setattr(Successor, "escaped", look)
    with scene.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("LOCK TABLE places IN ACCESS SHARE MODE")
        scene.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{BARRIER_NAME}'")
        _until(scene, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'places'::regclass")
        leaving = Thread(target=both.hand.withdraw)
        leaving.start()
        assert looked.wait(SECONDS)
        assert not both.ended()
        reader.execute("ROLLBACK")
    leaving.join(SECONDS)
    assert scene.ledger() == APPLIED
