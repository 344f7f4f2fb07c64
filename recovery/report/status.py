"""Prints the status of runs: unfinished runs and each target's newest in full, the others in a line each."""

from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from recovery.report import words
from recovery.report.document import Done, Standing, StatusDocument
from recovery.report.evidence import WARNING, indented
from states.table import FINAL, State

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STYLES = {State.PIPELINE_READY: "bold green", State.ABORTED: "bold", State.BLOCKED: "bold red"}


def show(console: Console, document: StatusDocument, now: datetime, complete: Callable[[str], str] = str) -> None:
    """Prints the status of all runs, the newest last.

    Args:
        console: where to print.
        document: the status of each run.
        now: the current time, to say how long ago a run changed its state.
        complete: adds the options that a suggested command needs.
    """
    if not document.runs:
        console.print(
            "The journal holds no recovery. `prisma-recovery run` starts one. The default is the journal in the "
            "project's root; --journal names another one.",
            soft_wrap=True,
        )
    newest = {each.target: each.run for each in document.runs}
    whole = {each.run for each in document.runs if each.state not in FINAL} | set(newest.values())
    earlier = [each for each in document.runs if each.run not in whole]
    if earlier:
        _in_lines(console, earlier, now)
    for number, each in enumerate(each for each in document.runs if each.run in whole):
        if number or earlier:
            console.print()
        _in_full(console, each, now, complete)


def _in_lines(console: Console, runs: list[Standing], now: datetime) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    for each in runs:
        table.add_row(each.run, Text(each.state, _STYLES.get(each.state, "")), Text(_ago(each.since, now), "dim"))
    console.print(table)


def _in_full(console: Console, each: Standing, now: datetime, complete: Callable[[str], str]) -> None:
    _, database, schema = each.target.split("/")
    where = f" in {each.stopped_in}" if each.stopped_in is not None else ""
    style = _STYLES.get(each.state, f"bold {WARNING}")
    code = f" [dim]({each.code})[/]" if each.code else ""
    console.print(f"[bold]{each.run}[/]  [{style}]{each.state}[/]{where}{code}", soft_wrap=True)
    since = f"since {_clock(each.since)}, {_ago(each.since, now)}; begun {_clock(each.started)}"
    console.print(indented(Text(f"{database}, schema {schema}; {since}", "dim"), 2))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    back = [escape(each.restore_point), escape(each.back)] if each.restore_point else []
    for word, lines in (
        ("decided", _decided(each)),
        ("done", _done(each)),
        ("pipeline", _steps(each)),
        ("way back", back),
    ):
        for number, line in enumerate(lines):
            grid.add_row(f"  {'' if number else word}", Text.from_markup(line))
    if each.because:
        grid.add_row("  why", Text(each.because))
    console.print(grid)
    what, *rest = each.next.split("\n")
    console.print(indented(Text.assemble(("What to do: ", "bold"), what), 2))
    for line in rest:
        console.print(Text(line), soft_wrap=True)
    for command in each.commands:
        if command.when:
            console.print(Text(f"  # {command.when}", "dim"))
        console.print(Text(f"  {complete(command.line)}", "bold"), soft_wrap=True)


def _decided(each: Standing) -> list[str]:
    lines = []
    for found in each.decided:
        approved = f", approved as {found.approved.removeprefix('mark_').replace('_', ' ')}" if found.approved else ""
        lines.append(f"{escape(found.migration)} {words.verdict_briefly(found.verdict)}{approved}")
    return lines


#: What an effect did, by its kind.
_DID = {
    "mark_applied": "marked applied",
    "mark_rolled_back": "marked rolled back",
    "deploy": "deployed",
    "end_orphan": "ended session",
    **words.REPAIRED,
}


def _done(each: Standing) -> list[str]:
    if not each.done:
        return ["nothing was changed"]
    return [_effect(done) for done in each.done]


def _effect(done: Done) -> str:
    kind, _, names = done.effect.partition(":")
    seconds = f"{done.seconds:.1f} s, " if done.seconds is not None else ""
    told = f"{_DID[kind]} {escape(names.replace(',', ', '))} [dim]({seconds}{_clock(done.time)})[/]"
    if done.shown:
        return f"[green]✓[/] {told}"
    if done.shown is None:
        return f"[{WARNING}]? in doubt:[/] {told}"
    not_all = "not all" if "," in names and not done.unchanged else "not"
    if done.seconds is None and not done.unchanged:
        return f"· {not_all} {told} (its process died, and {words.witness(done.effect)} does not show all of it)"
    why = f" ({escape(done.unchanged.rstrip('.'))})" if done.unchanged else ""
    return f"[red]✗ {not_all}[/] {told}{why}"


def _steps(each: Standing) -> list[str]:
    lines = []
    for step in each.steps:
        if step.exit_code is None:
            lines.append(f"[{WARNING}]? {escape(step.step)}[/] was begun, and how it ended is not known")
        elif step.exit_code:
            lines.append(f"[red]✗ {escape(step.step)}[/] exit code {step.exit_code}")
        else:
            lines.append(f"[green]✓[/] {escape(step.step)}")
    return lines


def _at(time: str) -> datetime:
    return datetime.fromisoformat(time).astimezone(UTC)


def _clock(time: str) -> str:
    return f"{_at(time):%Y-%m-%d %H:%M:%S} UTC"


def _ago(time: str, now: datetime) -> str:
    seconds = max(0, int((now - _at(time)).total_seconds()))
    for size, word in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return f"{seconds} s ago"
