"""Opens the parts of a recovery for one target and its project, and closes them again whatever happens."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from threading import Lock

from recovery import events
from recovery.app.decisions import answers
from recovery.app.observer import Observer
from recovery.app.session import AskName, Session
from recovery.app.world import RealWorld
from recovery.errors import RecoveryError
from recovery.postgres.target import Target
from recovery.prisma.cli import PrismaCli
from recovery.prisma.project import find_launcher
from states.facts import Answers

_WAITING = (
    "Interrupted: waiting for this command to end, since stopping it would leave a failed migration behind. "
    "Interrupt again to leave it running alone; the next run finds out what it did."
)


def new_run() -> str:
    """A unique id for a run; ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def one_at_a_time(emit: events.Sink) -> events.Sink:
    """A sink that passes events on from one thread at a time, since several threads of ours emit."""
    lock = Lock()

    def serial(event: events.Event) -> None:
        with lock:
            emit(event)

    return serial


@contextlib.contextmanager
def observing(session: Session, ask: AskName, emit: events.Sink) -> Iterator[Observer]:
    """Opens the target and a scratch server that starts meanwhile, to observe production and the checkout."""
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
            assume=session.assumed(),
            elsewhere=session.elsewhere(),
            answers=lambda: _answers(session, target),
        )


def _answers(session: Session, target: Target) -> Mapping[str, Answers]:
    """What a person said of statements; nothing where the journal can't be read, so that the evidence stays open."""
    with contextlib.suppress(RecoveryError):
        return answers(session.store(), target.identity.key)
    return {}


@contextlib.contextmanager
def working(session: Session, ask: AskName, emit: events.Sink, stop: Callable[[], None]) -> Iterator[RealWorld]:
    """The same with the project's Prisma CLI, and under the recovery's lock.

    Args:
        session: options and settings.
        ask: asks a person for the database's name.
        emit: takes the events.
        stop: called when ^C comes while a command is running, to ask the run to stop.

    Raises:
        BusyError: another recovery of this database is at work.
    """

    def show(line: str) -> None:
        emit(events.OutputLine(line))

    def interrupted() -> None:
        stop()
        with contextlib.suppress(Exception):  # a closed terminal must not end the wait for the command
            emit(events.OutputLine(_WAITING, ours=True))

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
