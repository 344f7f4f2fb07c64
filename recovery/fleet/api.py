"""A fleet for programs, `Fleet`; the commands `fleet …` are built on it too.

`run` and `work` need the library DBOS (`pip install 'prisma-recovery[fleet]'`), of which a process has one, so at most
one of them is at work in a program. Nothing here prints, configures logging but DBOS's own, or handles signals.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recovery.app.opening import new_run
from recovery.app.session import Options, Session
from recovery.config import CONTROL_VARIABLE, JOURNAL_VARIABLE, TARGET
from recovery.errors import StoppedError, UnreachableError, UsageError
from recovery.fleet import targets
from recovery.fleet.control import Control, RunPlan
from recovery.fleet.dbos_handing import installed
from recovery.fleet.document import (
    FleetDatabase,
    FleetInspectDocument,
    FleetRunDocument,
    FleetTargetStanding,
    counts,
    verdicts,
)
from recovery.fleet.looking import Look, each_look, looking
from recovery.fleet.own_control import OwnControl
from recovery.fleet.standing import standing
from recovery.fleet.targets import Listed
from recovery.fleet.working import Worker
from recovery.journal.run_record import record_of
from recovery.postgres.url import DatabaseUrl, parse
from recovery.replay.lending import ScratchPool
from states.fleet import (
    ENDED,
    Limits,
    Outcome,
    Status,
    Wave,
    again,
    needs_nothing,
    progress,
    same_database,
    waves,
)
from states.table import FINAL

_NOBODY: Callable[[Look], None] = lambda _: None  # noqa: E731 - the default of a parameter
_UNTOLD: Callable[[FleetRunDocument], None] = lambda _: None  # noqa: E731 - as above


class Fleet:
    """Many databases with one history, and one checkout of their Prisma project. Can be used from any thread."""

    def __init__(
        self,
        project: str | Path,
        options: Options = Options(),  # noqa: B008 - frozen
        *,
        targets_file: Path | None = None,
        control: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Reads the settings, and opens nothing yet.

        Args:
            project: a folder of the Prisma project, as for `Recovery`.
            options: options for each recovery; its URL, host and database come from the fleet's list.
            targets_file: lists the fleet, instead of the settings.
            control: URL of the control database; None: as `PRISMA_RECOVERY_CONTROL` says, else an embedded server of
                our own, for workers on one machine.
            environment: as for `Recovery`.

        Raises:
            UsageError: the settings can't be read.
        """
        self._environ = dict(os.environ if environment is None else environment)
        self._project = Path(project).resolve()
        self._options = options
        self._file = targets_file
        self._control = control or self._environ.get(CONTROL_VARIABLE)
        self._session = Session(options, self._project, self._environ)
        self._read: Listed | None = None
        self._replayed = 0
        self._stopping = False
        self._worker: Worker | None = None

    @property
    def listed(self) -> Listed:
        """The databases of the fleet, and how carefully they are worked on; read once.

        Raises:
            UsageError: the list can't be had, or is wrong.
        """
        if self._read is None:
            self._read = targets.read(self._session.config, self._file, self._project, self._environ)
        return self._read

    def stop(self) -> None:
        """Asks this object's calls to stop: a look between two databases, a run with nothing half done.

        Can be called from any thread, and from a signal handler.
        """
        self._stopping = True
        if self._worker is not None:
            self._worker.stop()

    @property
    def busy(self) -> bool:
        """Whether a recovery is at work in this process."""
        return self._worker is not None and self._worker.busy

    def looks(self) -> Iterator[Look]:
        """Looks at every database, read only, and gives each as it was found, in no certain order.

        Raises:
            RecoveryError: the list or the project can't be used. What is wrong with one database is an outcome.
        """
        members = self.listed.members
        with (
            contextlib.closing(ScratchPool()) as pool,
            looking(self._project, self._options, self._environ, members, pool) as looker,
        ):
            yield from each_look(looker, members, stop=lambda: self._stopping)
            self._replayed = looker.ends.replayed

    def inspect(self, on_look: Callable[[Look], None] = _NOBODY) -> FleetInspectDocument:
        """Looks at every database, read only.

        Args:
            on_look: called with what was found of each database, as it was found.

        Raises:
            RecoveryError: as of `looks`.
        """
        return self._inspected(on_look)[0]

    def _inspected(self, on_look: Callable[[Look], None]) -> tuple[FleetInspectDocument, dict[str, str]]:
        """The document, and for each target that was reached its key in journals."""
        began = time.monotonic()
        found: dict[str, FleetDatabase] = {}
        identities: dict[str, tuple[str, ...]] = {}
        keys: dict[str, str] = {}
        for look in self.looks():
            found[look.name] = FleetDatabase.of(look)
            if look.key:
                identities[look.name], keys[look.name] = look.identity, look.key
            on_look(look)
        names = [member.name for member in self.listed.members if member.name in found]
        same = same_database({name: identities[name] for name in names if name in identities})
        databases = tuple(found[name] for name in names)
        seconds = round(time.monotonic() - began, 2)
        by = counts(databases), verdicts(databases)
        return FleetInspectDocument(*by, databases, same, self._replayed, seconds), keys

    def plan(self, on_look: Callable[[Look], None] = _NOBODY) -> FleetRunDocument:
        """What `run` would hand out, in which waves. Changes nothing.

        Raises:
            RecoveryError: as of `looks`; two names lead to one database.
        """
        beginning = self._beginning(on_look, skip_unreachable=True, journal=self._journal(None))
        rows = tuple(
            FleetTargetStanding(name, wave.name, beginning.stands[name], beginning.found[name])
            for wave in beginning.waves
            for name in wave.targets
        )
        ended = all(each in ENDED for each in beginning.stands.values())
        total = progress(list(beginning.stands.values()), 0, 0.0)
        return FleetRunDocument("", "", ended, "", total, tuple(wave.name for wave in beginning.waves), rows)

    def _beginning(
        self, on_look: Callable[[Look], None], *, skip_unreachable: bool, journal: str | None
    ) -> "_Beginning":
        """Looks at all databases, and refuses what must be said before anything begins."""
        document, keys = self._inspected(on_look)
        if self._stopping:
            raise StoppedError("fleet.stopped", "The look at the fleet was stopped. Nothing was begun.", "Run again.")
        if document.same:
            raise UsageError(
                "fleet.same_database",
                f"{' and '.join(document.same[0])} lead to one and the same database and schema. Nothing was begun.",
                "Keep one of them in the fleet's list.",
            )
        away = [each for each in document.databases if each.outcome is Outcome.UNREACHABLE]
        if away and not skip_unreachable:
            more = f", and {len(away) - 1} more" if len(away) > 1 else ""
            raise UnreachableError(
                "fleet.unreachable",
                f"{away[0].name}{more} can't be reached: {away[0].said} Nothing was begun.",
                "Mend that, or give --skip-unreachable to count these as failed, and run again.",
            )
        unfinished = self._unfinished(journal)
        stands = {}
        for each in document.databases:
            ready = needs_nothing(each.outcome, unfinished=keys.get(each.name) in unfinished)
            stands[each.name] = Status.READY if ready else Status.WAITING
        settings, found = self.listed.settings, {each.name: each.outcome for each in document.databases}
        labels = {member.name: member.labels for member in self.listed.members if member.name in found}
        return _Beginning(
            found,
            stands | {each.name: Status.FAILED for each in away},
            {each.name: ("fleet.unreachable", each.said) for each in away},
            waves(labels, settings.canary, settings.by, settings.first),
        )

    def _unfinished(self, journal: str | None) -> frozenset[str]:
        """The databases with an unfinished recovery in the journal, unless each keeps a journal of its own."""
        session = Session(replace(self._options, journal=journal), self._project, self._environ)
        if (journal or self._environ.get(JOURNAL_VARIABLE) or session.config.journal.url) == TARGET:
            return frozenset()
        last = {key: record_of(events).state for key, _, events in session.store().everything()}
        return frozenset(key for key, state in last.items() if state not in FINAL)

    def _journal(self, control: DatabaseUrl | None) -> str | None:
        """Where journals are: as options or settings say, else in a control database that was named; None: a file."""
        named = self._options.journal or self._environ.get(JOURNAL_VARIABLE) or self._session.config.journal.url
        return named or (None if control is None else control.url)

    @contextlib.contextmanager
    def _controlled(self) -> Iterator[tuple[DatabaseUrl, bool]]:
        """The control database, and whether it was named."""
        if self._control is not None:
            url = parse(self._control)
            if url.pooled:
                raise UsageError(
                    "fleet.control_pooled",
                    f"The control database's URL ({url.host}:{url.port}) is a transaction pooler's, through which a "
                    "worker's lock does not hold. Nothing was done.",
                    url.past_the_pooler,
                )
            yield url, True
            return
        with contextlib.closing(OwnControl(self._session.home())) as own:
            yield own.url, False

    def run(
        self,
        *,
        yes: bool = False,
        limits: Limits | None = None,
        skip_unreachable: bool = False,
        anew: bool = False,
        on_look: Callable[[Look], None] = _NOBODY,
        tell: Callable[[FleetRunDocument], None] = _UNTOLD,
    ) -> FleetRunDocument:
        """Begins a run of the fleet, or goes on with the unfinished one, and works until it has ended.

        Args:
            yes: agree to every change that the evidence decides, besides what `auto` in the settings names.
            limits: how carefully it goes on; None: as the settings say.
            skip_unreachable: count databases that can't be reached as failed, instead of beginning nothing.
            anew: give up an unfinished run of the fleet, and begin another.
            on_look: as for `inspect`.
            tell: called about three times a second with where the run stands.

        Raises:
            RecoveryError: the run could not begin, or the control database can't be used.
        """
        installed()
        limits = limits or self.limits
        plan = RunPlan(limits, yes, self._options.assume, self._options.waive)
        with self._controlled() as (url, named):
            journal = self._journal(url if named else None)
            with contextlib.closing(Control(url)) as control:
                run = self._go_on(control, plan) if not anew else ""
                if not run:
                    begin = self._beginning(on_look, skip_unreachable=skip_unreachable, journal=journal)
                    run = new_run()
                    control.begin(run, plan, begin.waves, begin.found, begin.stands, begin.said)
                if not self._stopping and not self._ended(control, run):
                    self._work(url, journal, lambda of: self._ended(of, run), tell)
                return standing(control)

    def work(self, *, stay: bool = False) -> None:
        """Works as one more worker on the run of the fleet, until it has ended.

        Args:
            stay: work on the runs after it, too, until `stop`.

        Raises:
            RecoveryError: the control database or the list can't be used.
        """
        installed()
        with self._controlled() as (url, named):

            def until(control: Control) -> bool:
                run = control.run()
                return not stay and (run is None or run.ended)

            self._work(url, self._journal(url if named else None), until, _UNTOLD)

    def _work(
        self,
        url: DatabaseUrl,
        journal: str | None,
        until: Callable[[Control], bool],
        tell: Callable[[FleetRunDocument], None],
    ) -> None:
        members = {member.name: member for member in self.listed.members}
        options = replace(self._options, journal=journal)
        self._worker = Worker(self._project, options, self._environ, members, url)
        if self._stopping:
            return
        self._worker.work(until, lambda control: tell(standing(control)))

    @property
    def limits(self) -> Limits:
        """How carefully the fleet is worked on, by the settings."""
        settings = self.listed.settings
        return Limits(settings.at_once, settings.stop_after, settings.stop_after_in_wave, settings.canary > 0)

    def _go_on(self, control: Control, plan: RunPlan) -> str:
        """The unfinished run, which goes on with this plan; empty if there is none."""
        last = control.run()
        if last is None:
            return ""
        rows = control.targets(last.run)
        if all(each.stands in ENDED for each in rows):
            return ""
        other = {each.name for each in rows}.symmetric_difference(member.name for member in self.listed.members)
        if other:
            raise UsageError(
                "fleet.other_run",
                f"Run {last.run} of the fleet has not ended, and was begun with another list: {min(other)} is in one "
                "of them only. Nothing was begun.",
                "Give the list with which it was begun; or give --new, which gives up that run and begins another.",
            )
        control.go_on(last.run, plan)
        return last.run

    @staticmethod
    def _ended(control: Control, run: str) -> bool:
        now = control.run()
        if now is None or now.run != run:
            return True  # given up for a newer one
        return now.ended or all(each.stands in ENDED for each in control.targets(run))

    def status(self) -> FleetRunDocument:
        """Where the newest run of the fleet stands.

        Raises:
            UsageError: `fleet.no_run`.
        """
        with self._controlled() as (url, _), contextlib.closing(Control(url)) as control:
            return standing(control)

    def ask_to_stop(self) -> FleetRunDocument:
        """Asks the run of the fleet to hand out nothing more. What is at work ends by itself, on every worker.

        Raises:
            UsageError: `fleet.no_run`.
        """
        with self._controlled() as (url, _), contextlib.closing(Control(url)) as control:
            control.ask_to_stop(standing(control).run)
            return standing(control)

    def retry(self, names: Sequence[str] = ()) -> FleetRunDocument:
        """Lets targets that failed, or needed a person, be handed out again by the next `run`, or by workers at work.

        Args:
            names: their names; empty for all.

        Raises:
            UsageError: `fleet.no_run`; `fleet.unknown_name`.
        """
        with self._controlled() as (url, _), contextlib.closing(Control(url)) as control:
            now = standing(control)
            try:
                chosen = again({each.name: each.status for each in now.targets}, names)
            except ValueError as error:
                raise UsageError(
                    "fleet.unknown_name",
                    f"Run {now.run} of the fleet has no target {error.args[0]}. Nothing was changed.",
                    "See prisma-recovery fleet status for their names.",
                ) from error
            if chosen:
                control.retry(now.run, chosen)
            return standing(control)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a run begins with: what was found of each target, where it stands, what is said of it, and the waves."""

    found: dict[str, Outcome]
    stands: dict[str, Status]
    said: dict[str, tuple[str, str]]
    waves: tuple[Wave, ...]
