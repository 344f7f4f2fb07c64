"""Events as a person reads them in an incident: the verdict first, then why, then what is run."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from recovery import events
from states.answers import Exit, Refusal
from states.comparison import StatementState
from states.facts import Check, History, Outcome
from states.table import State
from states.verdict import Decision, Evidence, Verdict
from states.verification import MigrationDifference

_MARKS = {
    Outcome.HELD: ("✓", "green"),
    Outcome.REFUSED: ("✗", "bold red"),
    Outcome.UNKNOWN: ("?", "bold yellow"),
    Outcome.WAIVED: ("~", "yellow"),
}
_STATES = {
    "in_place": ("✓ in place", "green"),
    "absent": ("· absent", "cyan"),
    "differs": ("✗ differs", "bold red"),
    "open": ("? open", "bold yellow"),
    "inert": ("- no effect", "dim"),
}
_SENTENCES = {
    Verdict.APPLIED: "is in the database",
    Verdict.NOT_APPLIED: "is not in the database",
    Verdict.PARTIAL: "is half in the database",
    Verdict.DRIFTED: "has drifted: production is neither as before it nor as after it",
    Verdict.UNDECIDABLE: "may be in the database: the schema alone can't tell",
    Verdict.IN_PROGRESS: "may still be running",
}
#: What a refusal is called that passes by itself, or that somebody asked for; any other is BLOCKED.
_STOPS = {Exit.BUSY: "BUSY", Exit.INTERRUPTED: "STOPPED"}
_GOOD = (Verdict.APPLIED, Verdict.NOT_APPLIED)
#: Width of what is no terminal, a log above all: wide enough for names and types to stay whole.
_LOG_WIDTH = 400


def console_of_output() -> Console:
    """A console on stdout. In a log nobody wraps lines, and whoever searches it wants names whole."""
    width = max(shutil.get_terminal_size((100, 24)).columns, 80) if sys.stdout.isatty() else _LOG_WIDTH
    return Console(soft_wrap=False, width=width)


class Terminal:
    """A sink that writes to a rich console."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the console; `clock` gives seconds for the time that each state took."""
        self._console = console
        self._clock = clock
        self._since = clock()
        self._began = self._since
        self._state = State.PREFLIGHT

    def __call__(self, event: events.Event) -> None:  # noqa: C901, PLR0912 - a case an event
        """Shows one event."""
        match event:
            case events.RunStarted():
                how = f"goes on; it was left in {event.since}" if event.resumed else "begins"
                self._print(f"[bold]Recovery {event.run}[/] {how}")
                self._print(f"  {escape(event.target)}\n  [dim]URL from {escape(event.source)}[/]")
            case events.ChecksMade():
                self._enter(State.PREFLIGHT)
                self.checks(event.checks)
            case events.StateEntered():
                self._leave(event.because)
                self._enter(event.state)
            case events.Inspected():
                self.history(event.history)
            case events.EvidenceFound():
                self.evidence(event.evidence)
            case events.PresentFound():
                self.present(event.evidence)
            case events.PendingUncompared():
                self.uncompared(event.reason)
            case events.RestorePointMade():
                self._print(
                    f"  restore point ({event.kind}): {escape(event.place)} [dim]at {event.time}, LSN {event.lsn}[/]"
                )
            case events.EffectStarted():
                self._print(f"  [bold]$ {escape(event.command)}[/]", whole=True)
            case events.OutputLine():
                if event.line.strip():
                    self._console.print(Text(f"    {event.line}", style="dim"), soft_wrap=True)
            case events.EffectEnded():
                self._effect_ended(event)
            case events.SchemaCompared():
                self._compared(event)
            case events.StepStarted():
                self._print(f"\n[bold]PIPELINE[/] {escape(event.step)}\n  [bold]$ {escape(' '.join(event.command))}[/]")
            case events.StepEnded():
                if event.already_done:
                    self._print(f"\n[bold]PIPELINE[/] {escape(event.step)}: done before, not repeated")
                else:
                    ok = "[green]✓[/]" if event.exit_code == 0 else "[bold red]✗[/]"
                    self._print(f"  {ok} exit code {event.exit_code} [dim]({event.seconds:.1f} s)[/]")
            case events.Refused():
                self.refusal(event.state, event.refusal)
            case events.RunEnded():
                self._ended(event)
            case _:
                raise AssertionError(f"no way to show {event}")

    def _print(self, markup: str, *, whole: bool = False) -> None:
        """`whole` lines are never broken: they are there to be copied."""
        if whole:
            self._console.print(markup, highlight=False, soft_wrap=True)
            return
        for line in markup.split("\n"):
            text = line.lstrip(" ")
            if not text:
                self._console.print()
                continue
            self._console.print(_indented(Text.from_markup(text), len(line) - len(text)))

    def _lines(self, lines: Iterable[Text | Padding]) -> None:
        for line in lines:
            self._console.print(line)

    def _enter(self, state: State) -> None:
        if state is self._state and state is not State.PREFLIGHT:
            return
        if state is not State.PREFLIGHT:
            self._since = self._clock()
        self._state = state
        style = "bold green" if state is State.PIPELINE_READY else "bold"
        self._print(f"\n[{style}]{state}[/]")

    def _leave(self, because: str) -> None:
        self._print(f"  [dim]→ {escape(because)} ({self._clock() - self._since:.2f} s)[/]")

    def checks(self, checks: tuple[Check, ...]) -> None:
        """The list in full, refusals first."""
        order = {Outcome.REFUSED: 0, Outcome.UNKNOWN: 1, Outcome.WAIVED: 2, Outcome.HELD: 3}
        grid = Table.grid(padding=(0, 1))
        for check in sorted(checks, key=lambda check: order[check.outcome]):
            mark, style = _MARKS[check.outcome]
            grid.add_row(" ", Text(mark, style=style), Text(check.name), Text(check.seen, overflow="fold"))
        self._console.print(grid)

    def history(self, history: History) -> None:
        """What the ledger says, in a line for each list."""
        self._print(
            f"  applied {len(history.applied)} · failed {len(history.failed)} · pending {len(history.pending)}"
            f" · edited since {len(history.modified)} · missing here {len(history.missing_locally)}"
        )
        for word, names in (("failed", history.failed), ("pending", history.pending)):
            for name in names:
                if word == "failed" or name not in history.failed:
                    self._print(f"    {word:<8} {escape(name)}")

    def evidence(self, evidence: Evidence) -> None:
        """The verdict in a sentence, then why."""
        style = "green" if evidence.verdict in _GOOD else "yellow"
        self._print(f"  [bold]{escape(evidence.migration)} [{style}]{_SENTENCES[evidence.verdict]}[/][/]")
        for reason in evidence.reasons:
            self._print(f"  {escape(reason)}")
        if evidence.cause.kind != "unknown":
            code = f" ({evidence.cause.sqlstate})" if evidence.cause.sqlstate else ""
            self._print(f"  [dim]It failed for: {evidence.cause.kind.replace('_', ' ')}{code}[/]")
        for statement in evidence.statements:
            self._lines(_statement(statement, len(str(len(evidence.statements))), self._console.width))
            if statement.state == "open" and evidence.decision is Decision.OPERATOR:
                self._query(statement.look)
        for obstacle in evidence.obstacles:
            self._print(f"  [bold red]It would fail again:[/] statement {obstacle.statement}: {escape(obstacle.fact)}")
            self._print(escape(obstacle.query), whole=True)
        if evidence.differences:
            self._print("  [bold]What differs:[/]")
            self._lines(_differences((MigrationDifference(evidence.migration, evidence.differences),)))
        if evidence.decision is Decision.OPERATOR:
            self._indications(evidence)
            self._print(f"  [dim]evidence {evidence.evidence_digest}[/]", whole=True)

    def _query(self, query: str) -> None:
        """Whole lines, from the first column on: they are there to be copied into psql."""
        for line in query.splitlines():
            self._console.print(Text(line, style="dim" if line.startswith("--") else "cyan"), soft_wrap=True)
        if not query:
            self._print("      [dim]No query can be derived from its text that would show its effect.[/]")

    def _indications(self, evidence: Evidence) -> None:
        if evidence.indications:
            self._print(f"  [bold]An indication, no proof:[/] {escape(' '.join(evidence.indications))}")
        if evidence.runner.source:
            self._print(f"  [dim]{escape(evidence.runner.source)}[/]")

    def present(self, evidence: Evidence) -> None:
        """A pending migration that production has something of: in how far, why, and what differs."""
        style = "green" if evidence.decision in (Decision.MARK_APPLIED, Decision.DEPLOY) else "yellow"
        sentence = _SENTENCES[evidence.verdict]
        self._print(f"  [bold]{escape(evidence.migration)} [{style}]was never attempted, and {sentence}[/][/]")
        for reason in evidence.reasons:
            self._print(f"    {escape(reason)}")
        self._lines(_differences((MigrationDifference(evidence.migration, evidence.differences),)))
        if evidence.decision in (Decision.OPERATOR, Decision.DEPLOY):
            self._print(f"    [dim]evidence {evidence.evidence_digest}[/]", whole=True)

    def uncompared(self, reason: str) -> None:
        """Nothing is known of the pending ones; a deploy finds out."""
        self._print(f"  [yellow]Pending migrations could not be compared with production.[/] {escape(reason)}")

    def _effect_ended(self, event: events.EffectEnded) -> None:
        if event.unchanged:
            self._print(f"  [yellow]not run: {escape(event.unchanged)}[/]")
        elif event.shown:
            self._print(f"  [green]✓[/] the ledger shows it [dim]({event.seconds:.1f} s)[/]")
        else:
            self._print(f"  [bold red]✗[/] the ledger does not show it [dim]({event.seconds:.1f} s)[/]")

    def _compared(self, event: events.SchemaCompared) -> None:
        for name in event.proven:
            self._print(f"  [green]✓[/] {escape(name)}: every object and column is as the replay has it")
        self._lines(_differences(event.differing))
        if event.elsewhere:
            count = sum(len(each.differences) for each in event.elsewhere)
            self._print(
                f"  [dim]{count} differences in migrations that are not in question; shown, no reason to stop:[/]"
            )
            for difference in event.elsewhere[0].differences[:5]:
                self._print(f"    [dim]{escape(difference.object)} {escape(difference.property)}[/]")

    def refusal(self, state: State, refusal: Refusal) -> None:
        """Where it stopped, what is true, and what to do."""
        word = _STOPS.get(refusal.exit, "BLOCKED")
        self._print(f"\n[bold red]{word}[/] in {state} [dim]({refusal.code})[/]")
        self._print(f"  {escape(refusal.fact)}")
        self._print(f"  [bold]What to do:[/] {escape(refusal.remedy)}", whole=True)

    def _ended(self, event: events.RunEnded) -> None:
        took = f"{self._clock() - self._began:.1f} s"
        if event.exit_code == 0 and event.state is State.PIPELINE_READY:
            self._print(
                f"  [bold green]The schema is proven and the gate is open.[/] [dim](run {event.run}, {took})[/]"
            )
        else:
            self._print(f"  [dim]run {event.run}, exit code {event.exit_code}, {took}[/]")


def _indented(text: Text, columns: int) -> Padding:
    """Lines that go on below keep the indent, and nothing is padded on the right."""
    return Padding(text, (0, 0, 0, columns), expand=False)


def _one_line(sql: str) -> str:
    lines = [line for line in sql.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return " ".join(" ".join(lines).split())


def _statement(statement: StatementState, digits: int, width: int) -> Iterator[Text | Padding]:
    """A line; its proof below where it says more than that all is as expected."""
    mark, style = _STATES[statement.state]
    line = Text(f"  {statement.index:>{digits}} ").append(f"{mark:<12}", style).append(_one_line(statement.sql))
    line.truncate(width, overflow="ellipsis")
    yield line
    if statement.state in ("differs", "open", "inert"):
        yield _indented(Text(statement.proof, style="dim"), digits + 15)


def _differences(differing: tuple[MigrationDifference, ...]) -> Iterator[Padding]:
    for each in differing:
        for difference in each.differences:
            what = difference.object + ("" if difference.property == "exists" else f", {difference.property}")
            yield _indented(Text("✗ ", style="red").append(what, style="bold"), 2)
            for word, value, style in (
                ("expected", difference.expected, "green"),
                ("in production", difference.actual, "red"),
            ):
                yield _indented(Text(f"{word:<14}").append_text(_value(value, style)), 6)


def _value(value: str | None, style: str) -> Text:
    """`exists` and `yes` are how a snapshot says that something is there."""
    if value is None:
        return Text("absent", style=style)
    return Text("there" if value in ("yes", "exists") else value, style=style)
