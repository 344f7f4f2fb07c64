"""Observes production and the checkout, read only: all that `inspect` needs, and the base of the real world."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from recovery import events
from recovery.errors import PreflightError
from recovery.evidence.baseline import Baselined, BaselineInvestigator, Kept
from recovery.evidence.inspection import Inspection, inspection
from recovery.evidence.investigator import Classified, Investigator
from recovery.evidence.obstacles.finding import hindered, may_hinder, tested
from recovery.evidence.pending import Compared, PendingInvestigator
from recovery.journal.confirmations import Confirmation
from recovery.postgres.connect import answering
from recovery.postgres.target import Target
from recovery.preflight.activity import alone_check, quiet_checks
from recovery.preflight.ancestry import NAME as ANCESTRY
from recovery.preflight.ancestry import ledger_check
from recovery.preflight.checks import checkout_checks, database_checks
from recovery.preflight.expectation import Expectation
from recovery.preflight.image import from_image
from recovery.prisma.git import Repository
from recovery.prisma.migrations import read as read_migrations
from recovery.prisma.scripts import Scripts
from recovery.repair.pending import rehearsed
from recovery.repair.planning import planned
from recovery.replay.workshop import Workshop
from states.baseline import looked_for, overwritten, tells_more
from states.checks import not_looked_at, unknown
from states.classification import deploy_fails
from states.effects import Effect, MarkApplied, MarkRolledBack, Resolution
from states.facts import Answers, Check, Row
from states.ledger import foreseen
from states.rehearsals import Rehearsal, as_production, deployed


@dataclass(slots=True)
class Observer:
    """Observes production and the checkout, read only, without Node or a Prisma project.

    Attributes:
        target: the production database.
        folder: the migrations folder.
        workshop: makes replays on the scratch server.
        expected: the expectations of the target and the checkout, and the waived checks.
        sleep: waits for a number of seconds.
        confirmed: reads from the journal which databases were confirmed before.
        platforms: checks that ask Neon or Vercel, made side by side with the others.
        emit: takes progress events, also from other threads.
        assume: names of the assumptions that decisions may rest on.
        elsewhere: further folders in which scripts are looked for whose migrations are gone from the folder.
        answers: reads from the journal what a person has said of statements, by the migration.
        once: read the migrations folder once, for who looks and changes nothing.
    """

    target: Target
    folder: Path
    workshop: Workshop
    expected: Expectation
    sleep: Callable[[float], None] = time.sleep
    confirmed: Callable[[], Sequence[Confirmation]] = lambda: ()
    platforms: Sequence[Callable[[], Check]] = ()
    emit: events.Sink = events.nobody
    assume: frozenset[str] = frozenset()
    elsewhere: Sequence[Path] = ()
    answers: Callable[[], Mapping[str, Answers]] = dict
    once: bool = False
    _scripts: Scripts | None = field(default=None, init=False)
    _kept: Kept = field(default_factory=dict, init=False)
    _checkout: tuple[Repository | None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Lets the workshop emit its progress to the same sink."""
        self.workshop.emit = self.emit

    def scripts(self) -> Scripts:
        """The scripts of the migrations folder, read anew but for `once`. Its checkout is looked for once."""
        if self.once and self._scripts is not None:
            return self._scripts
        if self._checkout is None:
            image = from_image(self.folder, self.expected)
            self._checkout = (None if image else Repository.find(self.folder),)
        (repository,) = self._checkout
        self._scripts = Scripts(self.folder, read_migrations(self.folder), repository, self.elsewhere)
        return self._scripts

    def checks(self, ours: int | None = None) -> tuple[Check, ...]:
        """Makes all checks of preflight that only read: all but `prisma.target`.

        Args:
            ours: as for `alone_check`.
        """
        with ThreadPoolExecutor(max_workers=1 + len(self.platforms)) as beside:
            confirmed = beside.submit(self.confirmed)
            platforms = [beside.submit(check) for check in self.platforms]
            with answering(self.target.url):
                # Waived first: a waived check must not keep the later checks from being made.
                made = [*self.expected.waive(database_checks(self.target, self.expected, confirmed.result))]
                further = not_looked_at(made) or [
                    *quiet_checks(self.target, self.sleep, self.emit),
                    self._ledger_check(),
                ]
                alone = alone_check(self.target, ours)
            made += [*further[:-1], *checkout_checks(self.folder, self.expected), further[-1]]
            made += [*(check.result() for check in platforms), alone]
        return self.expected.waive(made)

    def _ledger_check(self) -> Check:
        try:
            return ledger_check(self.scripts(), self.target.rows())
        except PreflightError as error:
            return unknown(ANCESTRY, error.fact, "_prisma_migrations", error.remedy)

    def inspect(self) -> Inspection:
        """The ledger beside the migrations folder, both read anew."""
        with answering(self.target.url):
            scripts = self.scripts()
            return inspection(scripts, scripts.under_present_names(self.target.rows()))

    def investigator(self) -> Investigator:
        """An investigator on the migrations folder as it is now."""
        return self._investigator(self.scripts())

    def _investigator(self, scripts: Scripts) -> Investigator:
        return Investigator(self.target, scripts, self.workshop, self.sleep, self.assume, self.answers)

    def classify(self, name: str, settled: Collection[str] = (), *, marking: bool = False) -> Classified:
        """The evidence on a failed migration, what would make it fail again, and the plans of repair.

        Args:
            name: the migration.
            settled: migrations that this run has marked rolled back.
            marking: as for `World.classify`.
        """
        with answering(self.target.url):
            scripts = self.scripts()
            found = self._investigator(scripts).classify(name, settled, marking=marking)
            return planned(tested(found, scripts, self.target), self.workshop, self.target)

    def compare(self, inspected: Inspection, *, failed: bool = False, begun: bool = False) -> Compared:
        """Compares the pending migrations with production, and finds what would make them fail.

        Args:
            inspected: ledger and folder.
            failed: a migration failed; then only what the ledger may have lost before it is looked for.
            begun: as for `World.compare`.
        """
        with answering(self.target.url):
            lost = looked_for(inspected.history, inspected.rows, begun=begun)
            baseline = self._baseline(inspected) if lost else None
            if failed or (baseline is not None and (baseline.evidence.marked or not inspected.history.applied)):
                return Compared(baseline=baseline)
            scripts = self.scripts()
            pending = PendingInvestigator(self.target, scripts, self.workshop, self.sleep, self.assume)
            compared = pending.compare(inspected.history.pending, inspected.rows)
            if not lost and overwritten(each.evidence for each in compared.found):
                baseline = self._baseline(inspected)
                if baseline is not None and tells_more(baseline.evidence):
                    return Compared(baseline=baseline)
            compared = hindered(compared, inspected, scripts, self.target)
            return replace(compared, baseline=baseline if lost else None)

    def rehearse(self, planned: Sequence[Effect], compared: Compared | None = None) -> tuple[Rehearsal, ...]:
        """See `World.rehearse`."""
        coming = deployed(planned)
        if not coming:
            return ()
        with answering(self.target.url):
            scripts = self.scripts()
            marks = [each for each in planned if isinstance(each, MarkApplied | MarkRolledBack)]
            rows = _after(marks, self.target.rows(), scripts)
            if compared is None:
                pending = PendingInvestigator(self.target, scripts, self.workshop, self.sleep, self.assume)
                found = pending.compare(coming, rows)
                compared = hindered(found, inspection(scripts, rows), scripts, self.target)
            as_before = [each.migration for each in compared.absent if each.as_before]
            return rehearsed(
                [script for name in coming if (script := scripts.present(name)) is not None],
                scripts.finished(rows)[0],
                as_production(coming, marks, [each.subject for each in compared.found], as_before),
                {each.evidence.migration: each.evidence.obstacles for each in compared.found},
                self.workshop,
                self.target,
            )

    def failing_after(self, marks: Sequence[Resolution], inspected: Inspection) -> tuple[Classified, ...]:
        """The pending migrations on which the deploy after these marks would surely fail; see `World.failing_after`."""
        with answering(self.target.url):
            scripts = self.scripts()
            marked = {mark.migration for mark in marks}
            others = (MarkRolledBack(name) for name in inspected.history.failed if name not in marked)
            rows = _after((*marks, *others), inspected.rows, scripts)
            then = inspection(scripts, rows)
            if not may_hinder(then, scripts, self.target):
                return ()
            pending = PendingInvestigator(self.target, scripts, self.workshop, self.sleep, self.assume)
            compared = hindered(pending.compare(then.history.pending, rows), then, scripts, self.target)
            return tuple(each for each in compared.found if deploy_fails(each.evidence))

    def baselines(self) -> BaselineInvestigator:
        """An investigator of the whole history; what it has replayed is kept for the next one."""
        found = BaselineInvestigator(self.target, self.scripts(), self.workshop, self.sleep, self.assume)
        found.kept = self._kept
        return found

    def _baseline(self, inspected: Inspection) -> Baselined | None:
        return self.baselines().find(inspected.rows)


def _after(marks: Iterable[Resolution], rows: tuple[Row, ...], scripts: Scripts) -> tuple[Row, ...]:
    """The ledger as these marks will leave it."""
    for mark in marks:
        present = scripts.present(mark.migration)
        rows = foreseen(mark, "" if present is None else present.checksum, rows)
    return rows
