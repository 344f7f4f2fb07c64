"""^C and SIGTERM while Prisma is at work."""

import itertools
import linecache
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

import pytest

from recovery.effects import handover
from recovery.effects.handover import HandOver, _Turn
from recovery.effects.watch import Watch
from recovery.postgres.locks import RECOVERY_LOCK, SessionLock
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.prisma import process as commands
from recovery.prisma import project
from recovery.prisma.cli import PrismaCli
from recovery.prisma.process import Running
from recovery.secrets import Redactor
from states.effects import Effect, MarkApplied
from tests.acceptance.further import further
from tests.acceptance.scene import APPLIED, SECONDS, Scene
from tests.staging import Case
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]
T = TypeVar("T")
AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'prisma-recovery effect%'"
BLOCKED = AT_WORK + " AND wait_event_type = 'Lock' AND query LIKE '%places%'"
#: The ledger as it was before the mark.
UNMARKED = (
    f"DELETE FROM _prisma_migrations WHERE migration_name = '{FAILED}' AND finished_at IS NOT NULL;"
    f"UPDATE _prisma_migrations SET rolled_back_at = NULL WHERE migration_name = '{FAILED}'"
)


def until(scene: Scene, query: str, count: int) -> None:
    """Looks until that many sessions are found; a deadline, and no time that decides."""
    deadline = time.monotonic() + SECONDS
    while scene.sql(query) != [(count,)]:
        assert time.monotonic() < deadline, f"never {count}: {query}"


@contextmanager
def deploying(scene: Scene) -> Iterator[subprocess.Popen[str]]:
    """A recovery whose deploy waits for somebody who reads `places`; that somebody leaves at the block's end."""
    with scene.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("LOCK TABLE places IN ACCESS SHARE MODE")
        process = scene.start("run", "--yes")
        until(scene, BLOCKED, 1)
        yield process
        reader.execute("ROLLBACK")


def until_it_waits(process: subprocess.Popen[str]) -> str:
    """Reads until it says that it waits for its command; all that it said."""
    assert process.stdout is not None
    said = ""
    while "waiting for this command to end" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def test_the_first_signal_lets_the_deploy_end_and_says_so(make: Make) -> None:
    """SIGTERM waits for the command, records its outcome, exits with 130; the next run repeats nothing."""
    scene = further(make, "marked")
    with deploying(scene) as process:
        process.send_signal(signal.SIGTERM)
        said = until_it_waits(process)
        assert process.poll() is None
    rest, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, said + rest
    assert "prisma-recovery run" in rest
    assert scene.ledger() == APPLIED
    assert scene.effects("observed") == ["deploy"]
    again = scene.cli("run", "--yes")
    assert again.code == 0, again
    assert scene.effects("intended") == ["deploy"]


def test_the_second_signal_leaves_at_once_and_the_next_run_recovers(make: Make) -> None:
    """The deploy goes on alone; as long as it does the next run is busy, then it goes on from what is true."""
    scene = further(make, "marked")
    with deploying(scene) as process:
        process.send_signal(signal.SIGTERM)  # not SIGINT: a test run in the background ignores it, and so its children
        until_it_waits(process)
        process.send_signal(signal.SIGTERM)  # not SIGINT: a test run in the background ignores it, and so its children
        process.communicate(timeout=SECONDS)
        assert process.returncode == 130
        assert scene.sql(AT_WORK) == [(1,)]
        assert scene.effects("observed") == []
    until(scene, AT_WORK, 0)
    again = scene.cli("run", "--yes")
    assert again.code == 0, again
    assert scene.ledger() == APPLIED
    assert scene.effects("intended") == ["deploy"]


@contextmanager
def handing_over(scene: Scene, interrupted: Callable[[], None]) -> Iterator[HandOver]:
    """What hands a command over, in this very process."""
    found = project.find(scene.folder)
    cli = PrismaCli(found, project.find_launcher(found), scene.environment())
    with closing(Target(parse(scene.incident.database_url), "the test")) as target, ExitStack() as stack:
        ours = SessionLock(stack.enter_context(closing(target.working("the test"))), RECOVERY_LOCK)
        assert ours.try_take()
        yield HandOver(target, cli, ours, lambda _: None, interrupted)


def cut_off(times: int, work: Callable[..., T], after: bool) -> Callable[..., T]:  # noqa: FBT001 - two places
    """`work`, at which ^C comes so many times: before it is done, or as soon as it is."""
    left = iter(range(times))

    def doing(*arguments: object) -> T:
        if after:
            done = work(*arguments)
        if next(left, None) is not None:
            raise KeyboardInterrupt
        return done if after else work(*arguments)

    return doing


def test_wherever_the_first_interrupt_comes_the_command_is_waited_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it was let go: while the lock is given back, beside it, and while its session is waited for.

    At each place before and after it is done.
    """

    def meanwhile() -> None:
        """Nothing to be done."""

    scene = make("exists")
    told: list[str] = []
    with handing_over(scene, lambda: told.append("waiting")) as hand:
        for place, after in itertools.product(("release", "watch", "meanwhile", "gone"), (False, True)):
            told.clear()
            scene.sql(UNMARKED)
            work = cut_off(1, meanwhile, after) if place == "meanwhile" else meanwhile
            with monkeypatch.context() as patched:
                match place:
                    case "release":
                        patched.setattr(SessionLock, "release", cut_off(1, SessionLock.release, after))
                    case "watch":
                        patched.setattr(Watch, "__enter__", cut_off(1, Watch.__enter__, after))
                    case "gone":
                        patched.setattr(handover, "our_effects", cut_off(1, handover.our_effects, after))
                performed = hand.perform(MarkApplied(FAILED), lambda: "", work)
            assert (performed.exit_code, performed.unchanged, told) == (0, "", ["waiting"]), (place, after)
            assert scene.ledger()[-1] == (FAILED, "finished", 0), (place, after)


@contextmanager
def interrupted_at(number: int, turn: _Turn) -> Iterator[list[int]]:
    """^C at the line of that number, of the lines that see a command through once it has its turn; gives those seen."""
    files = {handover.__file__, commands.__file__}
    seen: list[int] = []

    def look(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 - as Python wants it
        if frame.f_code.co_filename not in files or threading.current_thread() is not threading.main_thread():
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        # Between a block and its own end Python heeds no signal.
        if event == "line" and turn.given and not line.startswith("with "):
            seen.append(frame.f_lineno)
            if len(seen) == number:
                raise KeyboardInterrupt
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        yield seen
    finally:
        sys.settrace(before)


def test_at_no_line_does_the_first_interrupt_leave_a_command_alone(make: Make) -> None:
    """Once it has its turn, no instant lies between one wait and the next."""
    scene = make("exists")
    with handing_over(scene, lambda: None) as hand:
        for number in itertools.count(1):
            command = subprocess.Popen(["/bin/sleep", "0.03"], stdout=subprocess.PIPE, text=True)
            turn = _Turn("nobody", Running(command, Redactor(), None, None), lambda: None)
            with interrupted_at(number, turn) as seen, suppress(KeyboardInterrupt):
                hand._see_through(turn, MarkApplied(scene.incident.failed), lambda: None)  # noqa: SLF001 - from there on
            assert command.returncode == 0, seen
            if len(seen) < number:
                break
    assert number > 20


def test_the_second_interrupt_is_not_kept_back(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves twice leaves; the command ends by itself."""

    def start(cli: PrismaCli, effect: Effect, **how: Any) -> Running:  # noqa: ANN401 - passed on
        begun.append(given(cli, effect, **how))
        return begun[0]

    scene = make("exists")
    told: list[str] = []
    begun: list[Running] = []
    given = PrismaCli.start
    monkeypatch.setattr(PrismaCli, "start", start)
    with handing_over(scene, lambda: told.append("waiting")) as hand, pytest.raises(KeyboardInterrupt):
        hand.perform(MarkApplied(scene.incident.failed), lambda: "", cut_off(2, lambda: None, after=False))
    assert told == ["waiting"]
    assert begun[0].wait(SECONDS).exit_code == 0
    assert scene.ledger()[-1] == (scene.incident.failed, "finished", 0)


def test_a_connection_that_breaks_as_the_lock_is_given_back(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock went with it, so the command is at work, and waited for like any other."""
    scene = make("exists")

    def broken(lock: SessionLock) -> None:
        with scene.connect() as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 10000)", (lock.pid,))
        release(lock)

    release = SessionLock.release
    monkeypatch.setattr(SessionLock, "release", broken)
    with handing_over(scene, lambda: None) as hand:
        performed = hand.perform(MarkApplied(scene.incident.failed), lambda: "", lambda: None)
    assert performed.exit_code == 0
    assert scene.ledger()[-1] == (scene.incident.failed, "finished", 0)
