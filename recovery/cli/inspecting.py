"""`inspect`: shows failed and pending migrations and the evidence for each, read only."""

from recovery import events
from recovery.app.api import Recovery
from recovery.app.overview import Overview
from recovery.cli.output import Output
from recovery.prisma.cli import command_line
from recovery.report.terminal import Terminal
from recovery.run.proposal import baseline_proposed, proposed
from states.baseline import Baseline
from states.baseline_answers import BaselineFacts, approvals
from states.classification import ClassifyFacts
from states.effects import Deploy, MarkApplied
from states.exit_codes import Exit
from states.facts import Outcome
from states.inspection import look_exit, would_run, would_stop


def look(recovery: Recovery, output: Output, *, exit_code: bool, pending: bool = False) -> Exit:
    """Looks at the database and shows the result. A refused check stops nothing, since nothing is changed here.

    Returns:
        READY; with `exit_code` PREFLIGHT if this is not the expected database, BLOCKED if a migration failed.
    """
    if output.in_words:
        output.terminal.begin("looking")

    def watch(event: events.Event) -> None:
        """In words the result is shown at the end, verdicts first; until then only progress is."""
        if not output.in_words or isinstance(event, events.Progressed):
            output.emit(event)
        else:
            output.log(event)

    seen = recovery.look(watch, pending=pending)
    output.document(seen.document())
    if output.github is not None:
        output.github.inspected(seen.history, seen.checks, seen.failed, seen.compared, seen.rehearsals)
    if output.in_words:
        output.terminal.close()
        _show(seen, output)
    if not exit_code:
        return Exit.READY
    return look_exit(seen.checks, failed=bool(seen.failed))


def _show(seen: Overview, output: Output) -> None:
    console, terminal, who = output.console, output.terminal, seen.identity
    console.print(f"[bold]{who.database} on {who.host}, schema {who.schema}, PostgreSQL {who.server_version}[/]")
    if not seen.failed:
        console.print("\n  [bold green]No migration failed.[/]")
    for evidence in seen.failed:
        console.print()
        terminal.evidence(evidence)
        if evidence.migration in seen.history.missing_locally:
            terminal.warn("It is not in the migrations folder: is this the right checkout?")
    baseline = seen.compared.baseline
    if baseline is not None:
        console.print()
        terminal.baseline(baseline.evidence)
        _would_mark(baseline.evidence, output)
    elif not seen.compared.found and not {each.migration for each in seen.failed} & {*seen.history.missing_locally}:
        _would_run(seen, output)
    for classified in seen.compared.found:
        console.print()
        terminal.present(classified.evidence)
    if seen.compared.missing:
        terminal.uncompared(seen.compared.missing)
    if seen.rehearsals:
        console.print()
        terminal.rehearsals(seen.rehearsals)
    console.print()
    terminal.history(seen.history)
    console.print()
    _checks(seen, terminal)


def _would_run(seen: Overview, output: Output) -> None:
    """Shows the commands that `run` would propose, as far as the evidence decides, and what to do where it does not."""
    known = {evidence.migration: evidence for evidence in seen.failed}
    questions = [ClassifyFacts(evidence) for evidence in seen.failed]
    for effect in would_run(questions, seen.history):
        output.console.print()
        evidence = None if isinstance(effect, Deploy) else known[effect.migration]
        output.terminal.would_run("`prisma-recovery run` would run", proposed(effect, command_line(effect), evidence))
    if (refusal := would_stop(questions)) is not None:
        output.console.print()
        output.terminal.to_do(refusal)


def _would_mark(found: Baseline, output: Output) -> None:
    """Shows what `run` would mark, if the evidence decides."""
    facts = BaselineFacts(found)
    if facts.marks:
        output.console.print()
        proposal = baseline_proposed(facts, command_line(MarkApplied(facts.marks[0])))
        output.terminal.would_run("`prisma-recovery run` would run", proposal)
    for command in approvals(found):
        output.console.print(f"  [dim]# {command.when or 'to decide it'}[/]")
        output.console.print(f"  {output.complete(command.line)}", style="bold", soft_wrap=True, markup=False)


def _checks(seen: Overview, terminal: Terminal) -> None:
    terminal.checks(seen.checks)
    if any(check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN) for check in seen.checks):
        terminal.warn("Before `run` changes anything, every check has to hold.")
