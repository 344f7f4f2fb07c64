"""The real world behind the engine: one production database, one checkout, one Prisma CLI, one scratch server."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recovery import events
from recovery.effects.handover import HandOver
from recovery.errors import BusyError, PreflightError
from recovery.evidence.investigator import Classified, Investigator
from recovery.evidence.obstacles.finding import tested
from recovery.evidence.pending import Compared, PendingInvestigator
from recovery.evidence.proof import Proof, Prover, watched
from recovery.journal.confirmations import Pin
from recovery.outcomes import unknown
from recovery.postgres.connect import answering
from recovery.postgres.sessions import OUR_NAME, RECOVERY_LOCK, SessionLock, holders
from recovery.postgres.target import Target
from recovery.preflight.activity import alone_check, quiet_checks
from recovery.preflight.ancestry import NAME as ANCESTRY
from recovery.preflight.ancestry import ledger_check
from recovery.preflight.checks import checkout_checks, command_awaited, command_check, database_checks, not_looked_at
from recovery.preflight.expectation import Expectation, waive
from recovery.prisma import logs
from recovery.prisma.cli import PrismaCli, command_line
from recovery.prisma.git import Repository
from recovery.prisma.migrations import read as read_migrations
from recovery.prisma.scripts import Scripts
from recovery.prisma.sentinel import Sentinel
from recovery.replay.history import Script
from recovery.replay.workshop import Workshop
from recovery.run.ports import Inspection, Performed
from states.deployment import Failure
from states.effects import Deploy, Effect, Resolution
from states.facts import Check, Outcome, Row


def inspection(scripts: Scripts, rows: Sequence[Row]) -> Inspection:
    """Ledger and folder side by side, with the cause of each failure."""
    history = scripts.history(rows)
    failures = []
    for name in dict.fromkeys(row.migration for row in rows if row.failed):
        last = next(row for row in reversed(rows) if row.migration == name and row.failed)
        failures.append(Failure(name, logs.cause(last.logs), last.logs))
    for name in (*history.failed, *history.pending):
        scripts.present(name)  # one that can't be read is refused now: half-way through the recovery it is too late
    checksums = {name: migration.checksum for name, migration in scripts.migrations.items()}
    return Inspection(history, tuple(rows), tuple(failures), checksums)


@dataclass(slots=True)
class Observer:
    """Production and checkout, read only: what `inspect` needs, without Node or a Prisma project.

    Attributes:
        folder: the migrations folder.
        pins: what was confirmed before.
        platforms: further checks, made side by side with the others.
        emit: told how far it is with what takes long; from other threads, too.
    """

    target: Target
    folder: Path
    workshop: Workshop
    expected: Expectation
    sleep: Callable[[float], None] = time.sleep
    pins: Callable[[], Sequence[Pin]] = lambda: ()
    platforms: Sequence[Callable[[], Check]] = ()
    emit: events.Sink = events.nobody

    def __post_init__(self) -> None:
        """The workshop tells the same listener."""
        self.workshop.emit = self.emit

    def scripts(self) -> Scripts:
        """The folder, read anew."""
        return Scripts(self.folder, read_migrations(self.folder), Repository.find(self.folder))

    def checks(self, ours: int | None = None) -> tuple[Check, ...]:
        """Every check that reading allows.

        Args:
            ours: as `alone_check` takes it.
        """
        with ThreadPoolExecutor(max_workers=1 + len(self.platforms)) as beside:
            pins = beside.submit(self.pins)
            platforms = [beside.submit(check) for check in self.platforms]
            with answering(self.target.url):
                # What a person takes on by name stands in the way of no other check.
                made = [*waive(database_checks(self.target, self.expected, pins.result), self.expected)]
                further = not_looked_at(made) or [
                    *quiet_checks(self.target, self.sleep, self.emit),
                    self._ledger_check(),
                ]
                alone = alone_check(self.target, ours)
            made += [*further[:-1], *checkout_checks(self.folder, self.expected), further[-1]]
            made += [*(check.result() for check in platforms), alone]
        return waive(made, self.expected)

    def _ledger_check(self) -> Check:
        try:
            return ledger_check(self.scripts(), self.target.rows())
        except PreflightError as error:
            return unknown(ANCESTRY, error.fact, "_prisma_migrations", error.remedy)

    def inspect(self) -> Inspection:
        """Ledger and folder, read anew."""
        with answering(self.target.url):
            return inspection(self.scripts(), self.target.rows())

    def investigator(self) -> Investigator:
        """Classifies, from the folder as it is now."""
        return Investigator(self.target, self.scripts(), self.workshop, self.sleep)

    def classify(self, name: str) -> Classified:
        """The evidence on a failed migration, and what would make it fail again."""
        with answering(self.target.url):
            scripts = self.scripts()
            found = Investigator(self.target, scripts, self.workshop, self.sleep).classify(name)
            return tested(found, scripts, self.target)

    def compare(self, inspected: Inspection) -> Compared:
        """The pending migrations beside production."""
        with answering(self.target.url):
            pending = PendingInvestigator(self.target, self.scripts(), self.workshop, self.sleep)
            return pending.compare(inspected.history.pending, inspected.rows)


class RealWorld:
    """The engine's world. Holds the recovery's lock until `close`."""

    def __init__(
        self,
        observer: Observer,
        cli: PrismaCli,
        sentinel: Sentinel,
        on_output: Callable[[str], None],
        on_interrupt: Callable[[], None],
    ) -> None:
        """Takes the recovery's lock.

        Args:
            observer: what it sees through.
            cli: the project's Prisma.
            sentinel: proves that it works on the database that it is given (RULES F2).
            on_output: called with each line that a command prints.
            on_interrupt: called when ^C comes while a command is waited for.

        Raises:
            BusyError: another recovery of this database is at work.
        """
        self._observer = observer
        self._sentinel = sentinel
        self.target = observer.target
        self._connection = self.target.working(f"{OUR_NAME} lock")
        self._lock = SessionLock(self._connection, RECOVERY_LOCK)
        if not self._lock.try_take():
            held = holders(self.target.reading(), RECOVERY_LOCK)
            self._connection.close()
            who = f": {held[0]}" if held else ""
            raise BusyError(
                "lock.recovery",
                f"Another recovery of this database is at work{who}. Nothing was done.",
                "Wait for it to end, and run again.",
            )
        self._handover = HandOver(
            self.target, cli, self._lock, on_output, on_interrupt, observer.emit, sleep=observer.sleep
        )
        self._prover: Prover | None = None

    def close(self) -> None:
        """Gives the lock back."""
        self._connection.close()

    def checks(self) -> tuple[Check, ...]:
        """See `World.checks`."""
        self._sentinel.begin()
        made = self._observer.checks(self._lock.pid)
        return (*made, *(self._command_checks() if self._sentinel.answered else (command_awaited(),)))

    def settled(self, checks: tuple[Check, ...], *, wait: bool = True) -> tuple[Check, ...]:
        """See `World.settled`."""
        if not (wait or self._sentinel.answered):
            return checks
        made = [check for check in checks if check.outcome is not Outcome.AWAITED]
        return (*made, *self._command_checks()) if len(made) < len(checks) else checks

    def _command_checks(self) -> tuple[Check, ...]:
        return waive([command_check(self._sentinel.holds())], self._observer.expected)

    def inspect(self) -> Inspection:
        """See `World.inspect`."""
        return self._observer.inspect()

    def classify(self, name: str) -> Classified:
        """See `World.classify`."""
        return self._observer.classify(name)

    def compare(self, inspection: Inspection) -> Compared:
        """See `World.compare`."""
        return self._observer.compare(inspection)

    def command(self, effect: Effect) -> str:
        """See `World.command`."""
        return command_line(effect)

    def resolve(self, effect: Resolution, classified: Classified) -> Performed:
        """See `World.resolve`."""

        def changed() -> str:
            now = self._observer.investigator().digest_now(classified)
            same = now == classified.evidence.evidence_digest
            return "" if same else "the evidence has changed since it was judged"

        with answering(self.target.url):
            return self._handover.perform(effect, changed, lambda: None)

    def deploy(self, effect: Deploy, before: Inspection) -> Performed:
        """See `World.deploy`."""
        scripts = self._observer.scripts()

        def changed() -> str:
            now = self._observer.inspect()
            if now.history.pending != effect.migrations:
                return "what is pending has changed since it was planned"
            if any(now.checksums[name] != before.checksums[name] for name in effect.migrations):
                return "a pending migration's file has changed since it was planned"
            if now.rows != before.rows:
                return "the ledger has changed since it was planned"
            if now.failures:
                return f"{now.failures[0].migration} has failed meanwhile"
            return ""

        # All that can be refused is refused here: once the command is let go, its end has to be waited for.
        coming = [script for name in effect.migrations if (script := scripts.present(name))]
        done, _ = scripts.finished(before.rows)
        history: list[Script] = [*(s for s in done if s not in coming), *coming]
        watching = watched(before.rows) | frozenset(effect.migrations)

        def meanwhile() -> None:
            """While Prisma deploys, the same history is replayed, so that the proof needn't wait for it."""
            prover = Prover(self.target, scripts, self._observer.workshop)
            prover.begin(history, watching)
            self._prover = prover

        with answering(self.target.url):
            return self._handover.perform(effect, changed, meanwhile)

    def prove(self, rows: tuple[Row, ...], deployed: frozenset[str]) -> Proof:
        """See `World.prove`."""
        prover = self._prover or Prover(self.target, self._observer.scripts(), self._observer.workshop)
        self._prover = None
        with answering(self.target.url):
            return prover.prove(rows, deployed)
