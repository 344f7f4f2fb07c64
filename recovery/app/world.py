"""The real world behind the engine: production, the checkout, the Prisma CLI and the scratch server."""

from collections.abc import Callable, Collection, Sequence

from recovery.app.observer import Observer
from recovery.effects import orphans
from recovery.effects.handover import HandOver
from recovery.effects.repairing import Note, Repairer
from recovery.effects.results import Performed
from recovery.errors import BusyError
from recovery.evidence.baseline import Baselined
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.pending import Compared
from recovery.evidence.proof import Proof, Prover
from recovery.postgres.connect import answering
from recovery.postgres.locks import RECOVERY_LOCK, SessionLock
from recovery.postgres.sessions import OUR_NAME, holders, undone
from recovery.preflight.checks import command_awaited, command_check
from recovery.prisma.cli import PrismaCli, command_line
from recovery.prisma.sentinel import Sentinel
from recovery.sql.script import Script
from states.effects import Deploy, Effect, Resolution
from states.facts import Check, Orphan, Outcome, Row
from states.plans import Plan
from states.rehearsals import Rehearsal
from states.verification import to_be_proven


class RealWorld:
    """The engine's real `World`. Holds the recovery's lock until `close`."""

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
            observer: observes production and the checkout.
            cli: the project's Prisma CLI.
            sentinel: proves that the Prisma CLI works on the database that it is given (RULES F2).
            on_output: called with each line that a command prints.
            on_interrupt: called when ^C comes while a command is running.

        Raises:
            BusyError: another recovery of this database is at work.
        """
        self._observer = observer
        self._sentinel = sentinel
        self._version = cli.version
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
            self.target,
            cli,
            self._lock,
            on_output,
            on_interrupt,
            observer.emit,
            sleep=observer.sleep,
            start_limit=lambda: sentinel.start_limit,
        )
        self._repairer = Repairer(self.target, self._lock, observer.emit, sleep=observer.sleep)
        self._prover: Prover | None = None

    def close(self) -> None:
        """Ends what was begun and not let through, and releases the lock."""
        self.withdraw()
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
        made = command_check(self._sentinel.holds(), self._sentinel.start_limit, self._version)
        return self._observer.expected.waive([made])

    def end_orphan(self, orphan: Orphan) -> str:
        """See `World.end_orphan`."""
        with answering(self.target.url):
            return orphans.end(self.target, orphan, self._observer.sleep)

    def inspect(self) -> Inspection:
        """See `World.inspect`."""
        return self._observer.inspect()

    def classify(self, name: str, settled: Collection[str] = (), *, marking: bool = False) -> Classified:
        """See `World.classify`."""
        return self._observer.classify(name, settled, marking=marking)

    def compare(self, inspection: Inspection, *, failed: bool = False, begun: bool = False) -> Compared:
        """See `World.compare`."""
        return self._observer.compare(inspection, failed=failed, begun=begun)

    def rehearse(self, planned: Sequence[Effect], compared: Compared | None = None) -> tuple[Rehearsal, ...]:
        """See `World.rehearse`."""
        return self._observer.rehearse(planned, compared)

    def failing_after(self, marks: Sequence[Resolution], inspection: Inspection) -> tuple[Classified, ...]:
        """See `World.failing_after`."""
        return self._observer.failing_after(marks, inspection)

    def command(self, effect: Effect) -> str:
        """See `World.command`."""
        return command_line(effect)

    def withdraw(self) -> None:
        """See `World.withdraw`."""
        self._handover.withdraw()

    def resolve(self, effect: Resolution, classified: Classified | Baselined, then: Deploy | None = None) -> Performed:
        """See `World.resolve`."""

        def changed() -> str:
            if isinstance(classified, Baselined):
                now = self._observer.baselines().baseline_now()
            else:
                now = self._observer.investigator().digest_now(classified)
            same = now == classified.evidence.evidence_digest
            return "" if same else "the evidence has changed since it was judged"

        with answering(self.target.url):
            return self._handover.perform(effect, changed, lambda: None, then)

    def repair(self, plan: Plan, classified: Classified, note: Note) -> Performed:
        """See `World.repair`."""
        investigator = self._observer.investigator()

        def changed() -> str:
            same = investigator.digest_now(classified) == classified.evidence.evidence_digest
            return "" if same else "the evidence has changed since the plan was made"

        with answering(self.target.url):
            return self._repairer.perform(
                plan,
                changed,
                lambda session: investigator.left_to(session, classified, plan.ends),
                note,
                lambda: investigator.asked_now(classified),
            )

    def undone(self, transaction: int) -> bool:
        """See `World.undone`."""
        with answering(self.target.url):
            return undone(self.target.reading(), transaction)

    def deploy(self, effect: Deploy, before: Inspection) -> Performed:
        """See `World.deploy`."""
        scripts = self._observer.scripts()

        def changed() -> str:
            now = self._observer.inspect()
            if now.history.pending != effect.migrations:
                return "the pending migrations have changed since the deploy was planned"
            if any(now.checksums[name] != before.checksums[name] for name in effect.migrations):
                return "a pending migration's file has changed since the deploy was planned"
            if now.rows != before.rows:
                return "the ledger has changed since the deploy was planned"
            if now.failures:
                return f"{now.failures[0].migration} has failed meanwhile"
            return ""

        # Whatever can raise comes before the command starts: once it runs, its end has to be waited for.
        coming = [script for name in effect.migrations if (script := scripts.present(name))]
        done, _ = scripts.finished(before.rows)
        history: list[Script] = [*(s for s in done if s not in coming), *coming]
        watching = to_be_proven(before.rows) | frozenset(effect.migrations)

        def meanwhile() -> None:
            """Replays the same history while Prisma deploys, so that the proof needn't wait for it afterwards."""
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
