"""`run` and `pipeline`: a recovery shown in the terminal, and a person or a rule that consents."""

import sys
from collections.abc import Callable, Sequence

from recovery import events
from recovery.api import Recovery
from recovery.cli.consent import Consent
from recovery.policy import auto
from recovery.prisma.cli import command_line
from recovery.report import github
from recovery.report.terminal import Terminal, console_of_output
from states.answers import Exit

Ask = Callable[[str], str]


def recover(recovery: Recovery, ask: Ask | None, *, yes: bool, pipeline: bool, verbose: bool) -> Exit:
    """Starts a recovery or goes on with the unfinished one, and with `pipeline` runs its steps."""
    console = console_of_output()
    emit: events.Sink = github.beside(Terminal(console))
    if verbose:
        from recovery.report.log import beside

        emit = beside(emit, sys.stderr)
    consent = Consent(auto(*recovery.settings.auto), yes=yes, ask=ask, console=console)
    return recovery.run(consent, emit, pipeline=pipeline).exit_code


def run_pipeline(recovery: Recovery, ask: Ask | None, *, repeat: Sequence[str], done: Sequence[str]) -> Exit:
    """Runs what is left of the last run's pipeline, if the gate is still open."""
    console = console_of_output()
    consent = Consent(auto(*recovery.settings.auto), yes=False, ask=ask, console=console)
    return recovery.pipeline(consent, github.beside(Terminal(console)), repeat=repeat, done=done).exit_code


def show_plan(recovery: Recovery) -> Exit:
    """Shows what `run` would do; changes nothing, the journal included."""
    console = console_of_output()
    terminal = Terminal(console)
    planned = recovery.plan(terminal)
    console.print("\n[bold]Plan[/] [dim](nothing was changed)[/]")
    for effect in planned.effects:
        console.print(f"  would run: [bold]{command_line(effect)}[/]", highlight=False)
    if planned.refusal is not None:
        terminal.refusal(planned.state, planned.refusal)
        return planned.refusal.exit
    if not planned.effects:
        console.print("  nothing to do but to verify the schema")
    return Exit.READY
