"""How the parts are put together: one target and its project, opened, and closed again whatever happens."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Lock

from recovery import events
from recovery.app.observer import Observer
from recovery.app.session import AskName, Session
from recovery.app.world import RealWorld
from recovery.prisma.cli import PrismaCli
from recovery.prisma.project import find_launcher

_WAITING = (
    "Interrupted: waiting for this command to end, since ending it would leave a failed migration behind. "
    "Interrupt again to leave it at work alone; the next run finds out what it did."
)


def new_run() -> str:
    """A name that sorts by time and that nobody else has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def one_at_a_time(emit: events.Sink) -> events.Sink:
    """A sink that is called by one thread at a time: a command's output is read by a thread of its own."""
    lock = Lock()

    def serial(event: events.Event) -> None:
        with lock:
            emit(event)

    return serial


@contextlib.contextmanager
def observing(session: Session, ask: AskName, emit: events.Sink) -> Iterator[Observer]:
    """Production and checkout, read only, with a scratch server that is starting."""
    target = session.target()
    with contextlib.closing(target), session.workshop(target) as workshop:
        yield Observer(
            target,
            session.folder(),
            workshop,
            session.expectation(ask),
            confirmed=session.confirmations,
            platforms=session.platforms(),
            emit=emit,
        )


@contextlib.contextmanager
def working(session: Session, ask: AskName, emit: events.Sink, stop: Callable[[], None]) -> Iterator[RealWorld]:
    """The same with the project's Prisma, holding the recovery's lock. ^C asks to stop while a command is at work.

    Raises:
        BusyError: another recovery of this database is at work.
    """

    def show(line: str) -> None:
        emit(events.OutputLine(line))

    def interrupted() -> None:
        stop()
        with contextlib.suppress(Exception):  # a terminal that went away must not end the wait
            show(_WAITING)

    project, environment = session.project(), session.environment()
    launcher = find_launcher(project, session.config.prisma.command)
    cli = PrismaCli(project, launcher, environment)
    with contextlib.closing(session.proof()) as sentinel:
        sentinel.begin()
        with (
            observing(session, ask, emit) as observer,
            contextlib.closing(RealWorld(observer, cli, sentinel, show, interrupted)) as world,
        ):
            yield world
