"""The API for programs, `Recovery`; the command line is built on it too.

Nothing here prints, configures logging, handles signals, or changes the state of the whole process. Each call opens
the connections, the scratch server and the threads that it needs, and has closed them when it returns or raises.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from recovery import events
from recovery.app import decisions
from recovery.app.decisions import ApprovedAs
from recovery.app.head_start import Ahead
from recovery.app.opening import new_run, observing, one_at_a_time, working
from recovery.app.overview import Overview, overview
from recovery.app.session import AskName, Options, Session
from recovery.app.world import RealWorld
from recovery.config import Config
from recovery.journal import Journal
from recovery.journal.run_record import record_of
from recovery.journal.stores import Store
from recovery.replay.lending import ScratchPool
from recovery.report.document import InspectDocument, Standing
from recovery.run.engine import Engine
from recovery.run.once_only import unless_run_elsewhere
from recovery.run.pipeline import Decided, PipelineRunner
from recovery.run.plan import Plan, plan
from recovery.run.policy import auto
from recovery.run.ports import Ended, Policy
from recovery.secrets import Redactor
from states import preflight
from states.answers import Refusal
from states.inspection import InspectFacts
from states.pipeline import GateFacts, gate
from states.preflight import PreflightFacts
from states.table import State

_NO_WORD = Decided()
#: The format of a report.
Form = Literal["html", "markdown"]


def _nobody(_where: str) -> str | None:
    return None


class Recovery:
    """The recovery of one database from one checkout of its Prisma project.

    It can be used from any thread, and recoveries of different databases can run side by side in one process. Of two
    recoveries of the same database, the second raises BusyError.

    Attributes:
        settings: the settings from `prisma-recovery.toml`, or the defaults.
    """

    def __init__(
        self,
        project: str | Path,
        options: Options = Options(),  # noqa: B008 - frozen
        *,
        environment: Mapping[str, str] | None = None,
        ask_database: AskName = _nobody,
        ahead: Ahead | None = None,
        scratch: ScratchPool | None = None,
    ) -> None:
        """Reads the settings, and opens nothing yet.

        Args:
            project: a folder of the Prisma project; the schema and `prisma-recovery.toml` are looked for from there
                upwards, and relative paths count from there.
            options: options that override the settings.
            environment: the variables in which the target's URL, the journal's URL and tokens are looked for, and
                that Prisma and the pipeline's steps inherit; None: a copy of the process's environment as it is now.
            ask_database: called with host and port of the target if neither options nor settings name the production
                database; returns the name that a person gives, or None.
            ahead: a head start, for the first call that needs it, which also closes it.
            scratch: scratch servers to work on, which recoveries of other databases use, too, and which whoever made
                them closes; None: each call starts one of its own.

        Raises:
            UsageError: the settings can't be read.
        """
        environ = dict(os.environ if environment is None else environment)
        self._session = Session(options, Path(project).resolve(), environ, ahead, scratch)
        self._ask_database = ask_database
        self._stopping = False

    @property
    def settings(self) -> Config:
        """The settings from `prisma-recovery.toml`, or the defaults."""
        return self._session.config

    def assume(self, *names: str) -> None:
        """Lets the decisions of later calls rest on these assumptions, besides those of settings and options.

        Args:
            names: such as `no_handwork`, after a run was refused with `classify.assumption`.
        """
        session = self._session
        options = replace(session.options, assume=(*session.options.assume, *names))
        self._session = Session(options, session.cwd, session.environ, lent=session.lent)

    def stop(self) -> None:
        """Asks this object's runs to stop. Can be called from any thread, from a signal handler, or before a run.

        A run stops before its next state, command or step. A command that is running is waited for, and its outcome
        is recorded. The run then returns with exit code 130, and can be resumed by another Recovery. A request to
        stop cannot be withdrawn.
        """
        self._stopping = True  # an assignment, so that a signal handler may call this

    def _asked(self) -> bool:
        return self._stopping

    def inspect(self, *, pending: bool = False) -> InspectDocument:
        """Failed and pending migrations with the evidence for each, read only.

        With `pending`, what is pending is rehearsed, too: what it locks and rewrites in production.

        Needs no Node, and no Prisma project if the options name `migrations`. A check of preflight that is refused is
        part of the result and stops nothing, since nothing is changed here.

        Raises:
            RecoveryError: the database, the project or the scratch server cannot be used.
        """
        return self.look(pending=pending).document()

    def look(self, on_event: events.Sink = events.nobody, *, pending: bool = False) -> Overview:
        """The same as `inspect`, as records; `on_event` takes the events meanwhile."""
        emit = one_at_a_time(on_event)
        with observing(self._session, _nobody, emit) as observer:
            return overview(observer, self._session.command_check, emit, pending=pending)

    def repair_script(
        self, migration: str | None = None, way: str | None = None, on_event: events.Sink = events.nobody
    ) -> str:
        """A plan of repair as a script of SQL, to be run by hand. Reads only.

        Args:
            migration: name of the migration; None: the first that has a plan.
            way: `complete`, `mend` or `undo`; None: the first choice.
            on_event: takes the events meanwhile.

        Raises:
            UsageError: `repair.none`: there is no such plan; it is said why.
        """
        return decisions.repair_script(self._session, self.look(on_event).failed, migration, way)

    def plan(self, on_event: events.Sink = events.nobody) -> Plan:
        """The changes that `run` would make, found on the same path. Changes nothing, the journal included.

        Raises:
            RecoveryError: the database, the project or the scratch server cannot be used.
        """
        emit = one_at_a_time(on_event)
        with working(self._session, self._ask_database, emit, self.stop) as world:
            return plan(world, emit)

    def run(
        self,
        policy: Policy | None = None,
        on_event: events.Sink = events.nobody,
        *,
        pipeline: bool = False,
        discard: Sequence[str] = (),
    ) -> Ended:
        """Starts a recovery, or resumes the unfinished one, until it is ready or stops with a refusal.

        Args:
            policy: decides whether each change may be made; None: only the changes that `auto` in the settings names.
            on_event: takes the events, from one thread at a time. An exception that it raises ends the run at that
                point, as a kill would; the run can be resumed. If it raises for a line of a command's output, only the
                further output of that command is lost.
            pipeline: run the pipeline's steps too, once the gate is open.
            discard: names of tables and columns, as `public.x` and `public.x.y`, whose rows a repair may lose.

        Raises:
            RecoveryError: the run could not begin, or the journal can't be written. Nothing more was done.
        """
        session, emit = self._session, one_at_a_time(on_event)
        policy = auto(*session.config.auto) if policy is None else policy
        with working(session, self._ask_database, emit, self.stop) as world:
            target = world.target
            store, restore_point, key = session.store(), session.restore_point(target, discard), target.identity.key
            # Opening the journal may create a schema in a database, so preflight must hold before that.
            if store.shared and not _kept(store, key) and (no := _refused(world, emit, State.PREFLIGHT)):
                return Ended("", State.PREFLIGHT, no.exit, no)
            with contextlib.closing(store.open(key)) as journal:
                redact = Redactor(target.url.url, *store.secrets)
                lost = frozenset(discard)
                engine = Engine(
                    world, journal, policy, emit, new_run, restore_point, self._asked, redact=redact, discard=lost
                )
                ended = engine.run(str(target.url), target.source)
                emit(events.RunEnded(ended.run, ended.state, int(ended.exit_code)))
                if pipeline and ended.state is State.PIPELINE_READY:
                    return self._steps(journal, world, emit, ended.run, policy)
        return ended

    def pipeline(
        self,
        policy: Policy | None = None,
        on_event: events.Sink = events.nobody,
        *,
        repeat: Sequence[str] = (),
        done: Sequence[str] = (),
    ) -> Ended:
        """Runs the steps that are left of the last run's pipeline, if the gate is still open; each at most once.

        Args:
            policy: as for `run`; asked about steps that must run once, if the journal can't show whether they have.
            on_event: as for `run`.
            repeat: names of steps to run again, however they ended.
            done: names of steps that count as done, however they ended.

        Raises:
            RecoveryError: the pipeline could not begin, or the journal can't be written.
        """
        session, emit = self._session, one_at_a_time(on_event)
        policy = auto(*session.config.auto) if policy is None else policy
        with working(session, self._ask_database, emit, self.stop) as world:
            store, target = session.store(), world.target.identity.key
            run, state = _stands(store, target)
            if refusal := gate(GateFacts(state)):
                stopped = state or State.PREFLIGHT
                emit(events.Refused(stopped, refusal))
                return Ended(run, stopped, refusal.exit, refusal)
            with contextlib.closing(store.open(target)) as journal:
                return self._steps(journal, world, emit, run, policy, Decided(tuple(repeat), tuple(done)))

    def _steps(
        self,
        journal: Journal,
        world: RealWorld,
        emit: events.Sink,
        run: str,
        policy: Policy,
        word: Decided = _NO_WORD,
    ) -> Ended:
        """Runs the steps, after preflight and the history are checked once more: they may have changed since."""
        session, target = self._session, world.target
        if no := _refused(world, emit, State.PIPELINE_READY):
            return Ended(run, State.PIPELINE_READY, no.exit, no)
        facts = InspectFacts(world.inspect().history)
        left = (*facts.unsettled, *facts.history.pending)
        if refusal := gate(GateFacts(State.PIPELINE_READY, left)):
            emit(events.Refused(State.PIPELINE_READY, refusal))
            return Ended(run, State.PIPELINE_READY, refusal.exit, refusal)
        variables = session.project().url_variables if session.options.database_url else ()
        redact = Redactor(target.url.url, *session.store().secrets)

        def show(line: str) -> None:
            emit(events.OutputLine(redact(line)))

        runner = PipelineRunner(
            journal,
            session.config.pipeline.steps,
            session.home(),
            session.environment() | dict.fromkeys(variables, target.url.url),
            emit,
            show,
        )
        runner.decide(run, word)
        guard = unless_run_elsewhere(session.store(), session.home(), target.identity.key, policy)
        return runner.run(run, guard, self._asked)

    def status(self) -> tuple[Standing, ...]:
        """Where the recoveries in the journal stand, and what to do next. Reads the journal only.

        Raises:
            RecoveryError: the journal can't be read.
        """
        return decisions.standings(self._session)

    def report(self, run: str | None = None, form: Form = "html") -> str:
        """The report of a run, with its postmortem note. Reads the journal only.

        Args:
            run: id of the run; None: the newest.
            form: a complete HTML page that loads no other file, or Markdown.

        Raises:
            RecoveryError: the journal can't be read, or has no such run.
        """
        # Imported here, since no other call needs them.
        from recovery.report.markdown import markdown  # noqa: PLC0415
        from recovery.report.page import html  # noqa: PLC0415
        from recovery.report.story import told  # noqa: PLC0415

        story = told(decisions.events_of(self._session, run))
        return html(story) if form == "html" else markdown(story)

    def approve(
        self, migration: str, answer: ApprovedAs, *, evidence: str, reason: str, run: str | None = None
    ) -> Standing:
        """Records a person's decision on a migration. The next run acts on it if the evidence is still the same.

        Args:
            migration: name of a migration that the evidence does not decide.
            answer: `applied`: the migration is in the database; `rolled_back`: it is not; `repair`: the plan with the
                given digest is to be carried out.
            evidence: digest of the evidence that the person has seen, or of the plan.
            reason: why; recorded in the journal.
            run: id of the run; None: the unfinished one.

        Raises:
            UsageError: the decision could never count, so nothing was recorded.
        """
        return decisions.approve(self._session, migration, answer, evidence, reason, run)

    def answer(
        self,
        migration: str,
        done: Mapping[int, bool],
        *,
        evidence: str,
        reason: str,
        run: str | None = None,
    ) -> Standing:
        """Records what a person knows of statements' work on rows. The evidence takes it in, if it is still the same.

        Args:
            migration: name of a migration that is half done, drifted or undecidable.
            done: by the number of a statement, whether its work on rows is done.
            evidence: digest of the evidence that the person has seen.
            reason: how it is known; recorded in the journal.
            run: id of the run; None: the unfinished one.

        Raises:
            UsageError: the answers could never count, so nothing was recorded.
        """
        return decisions.answer(self._session, migration, done, evidence, reason, run)

    def abort(self, reason: str, *, run: str | None = None) -> Standing:
        """Gives up the unfinished recovery. Changes nothing in the database.

        Raises:
            UsageError: no recovery is unfinished, or several are and `run` names none of them.
        """
        return decisions.abort(self._session, reason, run)


def _stands(store: Store, target: str) -> tuple[str, State | None]:
    """Id and state of the last run of this database, or an empty id and None; creates nothing."""
    journal = store.find(target)
    if journal is None:
        return "", None
    with contextlib.closing(journal):
        runs = journal.runs()
        return (runs[-1], record_of(journal.events(runs[-1])).state) if runs else ("", None)


def _kept(store: Store, target: str) -> bool:
    """Whether the store has a journal of the target; creates nothing."""
    found = store.find(target)
    if found is not None:
        found.close()
    return found is not None


def _refused(world: RealWorld, emit: events.Sink, state: State) -> Refusal | None:
    """The refusal of preflight, or None; emits events only for a refusal."""
    checks = world.settled(world.checks())
    answer = preflight.decide(PreflightFacts(checks))
    if not isinstance(answer, Refusal):
        return None
    emit(events.ChecksMade(checks))
    emit(events.Refused(state, answer))
    return answer
