"""`run` and `pipeline`: the engine with the real world, a journal, and a person or a rule that consents."""

import contextlib
import secrets
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from recovery import events
from recovery.cli.consent import Consent
from recovery.cli.once import doubt
from recovery.cli.session import Session
from recovery.engine import Engine
from recovery.journal import Journal
from recovery.journal.open import Store
from recovery.memory import Memory, recall
from recovery.pipeline import PipelineRunner, Word, unfinished
from recovery.plan import plan
from recovery.ports import Ended
from recovery.prisma.cli import PrismaCli
from recovery.prisma.project import find_launcher
from recovery.prisma.sentinel import Sentinel, fingerprint, lasting, proven
from recovery.replay.embedded import cache_folder
from recovery.report.terminal import Terminal, console_of_output
from recovery.secrets import Redactor
from recovery.target import Target
from recovery.world import Observer, RealWorld
from states import preflight
from states.answers import Exit, Refusal
from states.inspection import InspectFacts
from states.preflight import PreflightFacts
from states.table import State

_WAITING = (
    "Interrupted: waiting for this command to end, since ending it would leave a failed migration behind. "
    "Interrupt again to leave it at work alone; the next run finds out what it did."
)
NO_WORD = Word()
AskName = Callable[[str], str | None]


def new_run() -> str:
    """A name that sorts by time and that nobody else has."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


@contextlib.contextmanager
def _world(session: Session, ask: AskName, emit: events.Sink) -> Iterator[tuple[Target, RealWorld]]:
    target = session.target()
    launcher = find_launcher(session.project(), session.config.prisma.command)
    environment = session.environment()
    cli = PrismaCli(session.project(), launcher, environment)
    project = session.project()
    proof = fingerprint(project, launcher, environment) if lasting(project) else None
    with session.workshop(target) as workshop:
        expected, platforms = session.expectation(ask), session.platforms()
        observer = Observer(target, session.folder(), workshop, expected, pin=session.pin, platforms=platforms)
        world = RealWorld(
            observer,
            cli,
            Sentinel(cache_folder(), proof, lambda: proven(cli)).holds,
            on_output=lambda line: emit(events.OutputLine(line)),
            on_interrupt=lambda: emit(events.OutputLine(_WAITING)),
        )
        try:
            yield target, world
        finally:
            world.close()
            target.close()


def _kept(store: Store, target: str) -> bool:
    """There is a journal to go on with; nothing is made to find that out."""
    found = store.find(target)
    if found is not None:
        found.close()
    return found is not None


def _refused(world: RealWorld, emit: events.Sink, state: State) -> Refusal | None:
    """Preflight by itself, told only where it refuses."""
    checks = world.checks()
    answer = preflight.decide(PreflightFacts(checks))
    if not isinstance(answer, Refusal):
        return None
    emit(events.ChecksMade(checks))
    emit(events.Refused(state, answer))
    return answer


def recover(
    session: Session, ask_name: AskName, ask: Callable[[str], str] | None, *, yes: bool, pipeline: bool, verbose: bool
) -> Exit:
    """Starts a recovery or goes on with the unfinished one, and with `pipeline` runs its steps."""
    console = console_of_output()
    emit: events.Sink = Terminal(console)
    if verbose:
        from recovery.report.log import beside

        emit = beside(emit, sys.stderr)
    with _world(session, ask_name, emit) as (target, world):
        store, restore_point = session.store(), session.restore_point(target)
        # A schema of ours is made in no database before it is known to be the right one.
        if store.shared and not _kept(store, target.identity.key) and (no := _refused(world, emit, State.PREFLIGHT)):
            return no.exit
        with contextlib.closing(store.open(target.identity.key)) as journal:
            runs = journal.runs()
            steps = session.config.pipeline.steps
            last = recall(journal.events(runs[-1])) if runs else None
            if pipeline and last is not None and last.state is State.PIPELINE_READY and unfinished(last, steps):
                return _steps(session, journal, world, emit, runs[-1], ask)
            policy = Consent(session.config.auto, yes=yes, ask=ask, console=console)
            redact = Redactor(target.url.url, *store.secrets)
            engine = Engine(world, journal, policy, emit, new_run, restore_point, redact)
            ended = engine.run(str(target.url), target.source)
            emit(events.RunEnded(ended.run, ended.state, int(ended.exit_code)))
            if pipeline and ended.state is State.PIPELINE_READY:
                return _steps(session, journal, world, emit, ended.run, ask)
    return ended.exit_code


def run_pipeline(session: Session, ask_name: AskName, ask: Callable[[str], str] | None, word: Word) -> Exit:
    """Runs what is left of the last run's pipeline, if the gate is still open."""
    emit = Terminal(console_of_output())
    with _world(session, ask_name, emit) as (target, world), contextlib.ExitStack() as stack:
        store = session.store()
        last: Memory | None = None
        if _kept(store, target.identity.key):
            journal = stack.enter_context(contextlib.closing(store.open(target.identity.key)))
            runs = journal.runs()
            last = recall(journal.events(runs[-1])) if runs else None
            if last is not None and last.state is State.PIPELINE_READY:
                return _steps(session, journal, world, emit, runs[-1], ask, word)
        stands = "there is no recovery of this database" if last is None else f"it stands at {last.state}"
        refusal = Refusal(
            "pipeline.not_ready",
            f"The gate is closed: {stands}. No step was run.",
            "Run prisma-recovery run first.",
        )
        emit(events.Refused(State.PREFLIGHT if last is None else last.state, refusal))
        return refusal.exit


def _steps(
    session: Session,
    journal: Journal,
    world: RealWorld,
    emit: events.Sink,
    run: str,
    ask: Callable[[str], str] | None,
    word: Word = NO_WORD,
) -> Exit:
    """The gate is looked at once more: what was proven may have changed since."""
    if no := _refused(world, emit, State.PIPELINE_READY):
        return no.exit
    facts = InspectFacts(world.inspect().history)
    left = (*facts.unsettled, *facts.history.pending)
    if left:
        refusal = Refusal(
            "pipeline.history_changed",
            f"The gate was open, but {left[0]} is failed or pending now. No step was run.",
            "Run prisma-recovery run first.",
        )
        emit(events.Refused(State.PIPELINE_READY, refusal))
        return refusal.exit
    target = world.target
    variables = session.project().url_variables if session.options.database_url else ()
    redact = Redactor(target.url.url, *session.store().secrets)
    runner = PipelineRunner(
        journal,
        session.config.pipeline.steps,
        session.home(),
        session.environment() | dict.fromkeys(variables, target.url.url),
        emit,
        lambda line: emit(events.OutputLine(redact(line))),
    )
    runner.decide(run, word)
    ended: Ended = runner.run(run, doubt(session, target.identity.key, ask, console_of_output()))
    return ended.exit_code


def show_plan(session: Session, ask_name: AskName) -> Exit:
    """Shows what `run` would do, found on the same path; changes nothing, the journal included."""
    console = console_of_output()
    emit = Terminal(console)
    with _world(session, ask_name, emit) as (_, world):
        planned = plan(world, emit)
        console.print("\n[bold]Plan[/] [dim](nothing was changed)[/]")
        for effect in planned.effects:
            console.print(f"  would run: [bold]{world.command(effect)}[/]", highlight=False)
        if planned.refusal is not None:
            emit.refusal(planned.state, planned.refusal)
            return planned.refusal.exit
        if not planned.effects:
            console.print("  nothing to do but to verify the schema")
    return Exit.READY
