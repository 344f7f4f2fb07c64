"""The commands `run`, `run --plan` and `pipeline`: carry out a recovery, and show it as it goes on."""

from collections.abc import Sequence

from recovery import events
from recovery.app.api import Recovery
from recovery.cli.consent import Consent
from recovery.cli.output import Ask, Output
from recovery.cli.waiting import Waiting
from recovery.prisma.cli import command_line
from recovery.run.policy import auto
from recovery.run.ports import Ended
from recovery.run.proposal import baseline_proposed, proposed
from states.effects import Deploy
from states.evidence import NO_HANDWORK
from states.exit_codes import Exit
from states.table import State

#: What is typed to say that nobody ran the script's statements by hand.
_NOBODY = "nobody"


def recover(  # noqa: PLR0913 - the options of the command
    recovery: Recovery,
    output: Output,
    ask: Ask | None,
    *,
    yes: bool,
    pipeline: bool,
    repair: bool = False,
    end_orphan: int | None = None,
    discard: Sequence[str] = (),
    wait: float = 0.0,
) -> Exit:
    """Starts a recovery or resumes the unfinished one; with `pipeline` also runs the pipeline's steps.

    Where a decision rests on an assumption that nobody has made yet, a person is asked for it, and the run goes on.
    What passes by itself is waited out for `wait` seconds.
    """
    waiting = Waiting(wait, output.emit_at, quiet=output.as_json and wait > 0, asking=output.asking(ask) is not None)

    def attempt(emit: events.Sink) -> Ended:
        policy = _consent(recovery, output, ask, yes=yes, repair=repair, end_orphan=end_orphan)
        return recovery.run(policy, emit, pipeline=pipeline, discard=discard)

    def once() -> Ended:
        return waiting(attempt)

    ended, asking = once(), output.asking(ask)
    while asking is not None and ended.refusal is not None and ended.refusal.code == "classify.assumption":
        if asking(f"  Type “{_NOBODY}” if nobody did, anything else to stop: ").strip() != _NOBODY:
            break
        recovery.assume(NO_HANDWORK)
        output.assumed(NO_HANDWORK.replace("_", "-"))
        output.terminal.begin(State.PREFLIGHT)
        ended = once()
    return ended.exit_code


def run_pipeline(
    recovery: Recovery, output: Output, ask: Ask | None, *, repeat: Sequence[str], done: Sequence[str]
) -> Exit:
    """Runs the steps that are left of the last run's pipeline, if the gate is still open."""
    consent = _consent(recovery, output, ask, yes=False)
    if output.in_words:
        output.terminal.begin(State.PREFLIGHT)
    return recovery.pipeline(consent, output.emit, repeat=repeat, done=done).exit_code


def _consent(
    recovery: Recovery,
    output: Output,
    ask: Ask | None,
    *,
    yes: bool,
    repair: bool = False,
    end_orphan: int | None = None,
) -> Consent:
    settled, asking = auto(*recovery.settings.auto), output.asking(ask)
    return Consent(settled, yes=yes, ask=asking, console=output.console, repair=repair, end_orphan=end_orphan)


def show_plan(recovery: Recovery, output: Output) -> Exit:
    """Shows what `run` would do; changes nothing, the journal included."""
    if output.in_words:
        output.terminal.begin(State.PREFLIGHT)
    planned = recovery.plan(output.emit)
    if output.in_words:
        output.terminal.close()
        output.console.print("\n[bold]Plan[/] [dim](nothing was changed)[/]")
        output.terminal.said("Nothing was changed.")
    if planned.baseline is not None:
        event = baseline_proposed(planned.baseline, command_line(planned.effects[0]))
        _show_effect(event, output)
    for effect in planned.effects:
        if planned.baseline is not None and not isinstance(effect, Deploy):
            continue  # shown all at once
        evidence = planned.evidence.get(getattr(effect, "migration", ""))
        _show_effect(proposed(effect, command_line(effect), evidence), output)
    if planned.refusal is not None:
        output.emit(events.Refused(planned.state, planned.refusal))
        return planned.refusal.exit
    if not planned.effects and output.in_words:
        output.console.print("  nothing to do but to verify the schema")
    if output.github is not None:
        output.github.end()
    return Exit.READY


def _show_effect(event: events.EffectProposed, output: Output) -> None:
    if output.in_words:
        output.terminal.would_run("would run", event)
    else:
        output.emit(event)
    if output.in_words and output.github is not None:
        output.github(event)
