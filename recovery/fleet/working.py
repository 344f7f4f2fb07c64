"""A worker of a fleet: recovers what it is handed, and hands out what may be if no other worker leads."""

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from recovery.app.api import Recovery
from recovery.app.session import Options, Session
from recovery.config import Automatic
from recovery.errors import RecoveryError, UnreachableError
from recovery.fleet.control import Control, RunPlan
from recovery.fleet.dbos_handing import DbosHanding
from recovery.fleet.handing import Leader, Result
from recovery.fleet.looking import Looker, for_member, looking
from recovery.fleet.targets import FleetMember
from recovery.journal.run_record import record_of
from recovery.postgres.url import DatabaseUrl
from recovery.replay.lending import ScratchPool
from recovery.run.policy import auto
from recovery.run.ports import Policy
from states.exit_codes import Exit
from states.fleet import needs_nothing
from states.table import FINAL

#: Seconds between two looks of the leader.
TICK_SECONDS = 0.3
#: Seconds for which a worker goes on while the control database does not answer.
PATIENCE_SECONDS = 120.0
#: How often a worker that was stopped looks at what its recoveries came to: DBOS writes that down a moment later.
_LAST_TICKS = 3
_YES: tuple[Automatic, ...] = ("applied", "not_applied", "baseline", "deploy")


def new_executor() -> str:
    """A unique name for a worker: its machine, its process, and a few letters."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


@dataclass(slots=True)
class Worker:
    """Recovers databases of a fleet that it is handed, several at a time.

    Attributes:
        project: a folder of the Prisma project.
        options: options for each recovery, but for its URL; they say where the journals are.
        environ: environment variables.
        members: the fleet's databases, by their names.
        control: where the control database is.
        executor: its name.
    """

    project: Path
    options: Options
    environ: Mapping[str, str]
    members: Mapping[str, FleetMember]
    control: DatabaseUrl
    executor: str = field(default_factory=new_executor)
    _stopping: bool = False
    _at_work: dict[str, Recovery] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def stop(self) -> None:
        """Asks the recoveries at work to stop, and takes no more. Can be called from any thread."""
        self._stopping = True
        with self._lock:
            for recovery in self._at_work.values():
                recovery.stop()

    @property
    def busy(self) -> bool:
        """Whether a recovery is at work."""
        return bool(self._at_work)

    def work(self, until: Callable[[Control], bool], tell: Callable[[Control], None] = lambda _: None) -> None:
        """Works until that is asked for, or until `stop`.

        Args:
            until: whether there is nothing more to do; asked after each look at the control database.
            tell: called about three times a second.

        Raises:
            RecoveryError: the control database can't be used, or has not answered for two minutes.
        """
        with contextlib.ExitStack() as opened:
            control = opened.enter_context(contextlib.closing(Control(self.control)))
            control.live(self.executor, secrets.randbelow(2**31 - 1) + 1)
            pool = opened.enter_context(contextlib.closing(ScratchPool()))
            looker = opened.enter_context(
                looking(self.project, self.options, self.environ, list(self.members.values()), pool)
            )

            def do(run: str, name: str, attempt: int) -> Result:
                del attempt
                return self._do(looker, pool, run, name)

            handing = DbosHanding(self.control, self.executor, do)
            leader = Leader(control, handing)
            try:
                self._loop(control, leader, until, tell)
            finally:
                self.stop()
                with contextlib.suppress(RecoveryError):
                    self._settle_down(control, leader)
                handing.close()

    def _settle_down(self, control: Control, leader: Leader) -> None:
        """Waits for the recoveries at work, and sees that what they came to is known, so that a next run finds it."""
        while self._at_work:
            time.sleep(TICK_SECONDS)
        for _ in range(_LAST_TICKS):
            if not control.lead():
                return
            leader.tick(hand_out=False)
            time.sleep(TICK_SECONDS)

    def _loop(
        self, control: Control, leader: Leader, until: Callable[[Control], bool], tell: Callable[[Control], None]
    ) -> None:
        lost: float | None = None
        while not self._stopping:
            try:
                if control.lead():
                    leader.tick()
                tell(control)
                if until(control):
                    return
                lost = None
            except UnreachableError:
                # Its own recoveries go on meanwhile, and their journals say what was done.
                lost = time.monotonic() if lost is None else lost
                if time.monotonic() - lost > PATIENCE_SECONDS:
                    raise
            time.sleep(TICK_SECONDS)

    def _do(self, looker: Looker, pool: ScratchPool, run: str, name: str) -> Result:
        """One recovery. Never raises."""
        if self._stopping:
            return Result(Exit.INTERRUPTED)
        member = self.members.get(name)
        if member is None:
            return Result.of(
                UnreachableError(
                    "fleet.unknown_target",
                    f"The worker {self.executor} finds no target {name} in its list. Nothing was done there.",
                    "Give each worker the same list of the fleet.",
                )
            )
        try:
            with contextlib.closing(Control(self.control)) as control:
                control.taken(run, name, self.executor)
                now = control.run()
            if now is None or now.run != run:
                return Result(Exit.INTERRUPTED)  # queued for a run that was given up
            return self._recovered(looker, pool, member, now.plan)
        except RecoveryError as error:
            return Result.of(error)
        except Exception as error:  # noqa: BLE001 - one database must not end the others' worker
            fact = f"A bug, or an unexpected failure: {type(error).__name__}."
            return Result.of(RecoveryError("command.bug", fact, "Run this database by itself to see it."))

    def _recovered(self, looker: Looker, pool: ScratchPool, member: FleetMember, plan: RunPlan) -> Result:
        options = for_member(self.options, member)
        options = replace(options, assume=(*options.assume, *plan.assume), waive=(*options.waive, *plan.waive))
        session = Session(options, self.project, self.environ)
        look = next(looker.look([member]))
        if look.key and needs_nothing(look.outcome, unfinished=_unfinished(session, look.key)):
            return Result(Exit.READY)
        recovery = Recovery(self.project, options, environment=self.environ, scratch=pool)
        with self._counted(member.name, recovery):
            ended = recovery.run(_policy(plan, session))
        refusal = ended.refusal
        if refusal is None:
            return Result(ended.exit_code, ended.run)
        return Result(ended.exit_code, ended.run, refusal.code, f"{refusal.fact} {refusal.remedy}")

    @contextlib.contextmanager
    def _counted(self, name: str, recovery: Recovery) -> Iterator[None]:
        with self._lock:
            self._at_work[name] = recovery
        if self._stopping:
            recovery.stop()
        try:
            yield
        finally:
            with self._lock:
                del self._at_work[name]


def _policy(plan: RunPlan, session: Session) -> Policy:
    return auto(*session.config.auto, *(_YES if plan.yes else ()))


def _unfinished(session: Session, key: str) -> bool:
    """Whether the journal has a recovery of this database that was neither ended nor given up."""
    journal = session.store().find(key)
    if journal is None:
        return False
    with contextlib.closing(journal):
        runs = journal.runs()
        return bool(runs) and record_of(journal.events(runs[-1])).state not in FINAL
