"""Shows events in a terminal, for a person in an incident: the verdict first, then why, then the commands."""

import contextlib
import io
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from typing import TextIO, cast

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from recovery import events
from recovery.report import evidence as verdicts
from recovery.report import words
from recovery.report.evidence import WARNING, indented
from recovery.report.live import Activity
from states.answers import Refusal
from states.baseline import Baseline
from states.comparison import some
from states.evidence import Decision, Evidence
from states.exit_codes import Exit
from states.facts import Check, History, Outcome
from states.table import State

_MARKS = {
    Outcome.HELD: ("✓", "green"),
    Outcome.REFUSED: ("✗", "bold red"),
    Outcome.UNKNOWN: ("?", f"bold {WARNING}"),
    Outcome.WAIVED: ("~", WARNING),
    Outcome.AWAITED: ("…", "dim"),
}
#: The headline of a refusal that passes by itself, or that a person asked for (^C); any other is BLOCKED.
_STOPS = {Exit.BUSY: "BUSY", Exit.INTERRUPTED: "STOPPED"}
#: Width in characters where the output is no terminal: wide enough that names and types are never broken.
LOG_WIDTH = 400
#: How many of the differences that are no reason to stop are shown.
_ELSEWHERE = 5


#: The start of a stack trace in the logs of Prisma's engine, which is not shown: it helps nobody.
_TRACE = "\n   0: "


def _told(evidence: Evidence) -> tuple[str, ...]:
    """The sentences that a refusal need not repeat once the evidence was shown."""
    return (f"What differs: {some(evidence.differences)}.", *evidence.reasons)


class _Log(io.TextIOBase):
    """Standard output without the spaces with which rich fills up a line."""

    def write(self, text: str) -> int:
        """See `TextIOBase.write`."""
        return sys.stdout.write(re.sub(r" +(?=\n)", "", text))

    def flush(self) -> None:
        """See `TextIOBase.flush`."""
        sys.stdout.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # of a property
        """See `TextIOBase.encoding`."""
        return sys.stdout.encoding


def console_of_output() -> Console:
    """A console on standard output. If that is no terminal, lines are not wrapped, so that a log can be searched."""
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size((100, 24)).columns, 80)
        return Console(soft_wrap=False, width=width, highlight=False, emoji=False)
    return Console(file=cast("TextIO", _Log()), soft_wrap=False, width=LOG_WIDTH, highlight=False, emoji=False)


class Terminal:
    """A sink that writes to a rich console. Call `close` at the end, also after an exception."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic, *, live: bool = True) -> None:
        """Shows nothing yet.

        Args:
            console: where to write.
            clock: monotonic seconds, to measure how long each state takes.
            live: whether a line may be animated, if it is a terminal; false if something else writes to it.
        """
        self._console = console
        self._clock = clock
        self._since = clock()
        self._began = self._since
        self._waited = False
        self._state = State.PREFLIGHT
        self._took: dict[State, float] = {}
        self._headed: State | None = None
        self._shown: tuple[str, ...] = ()
        self._activity = Activity(console, clock, live=live)
        #: Adds the options that a suggested command needs.
        self.complete: Callable[[str], str] = str

    def __call__(self, event: events.Event) -> None:  # noqa: C901, PLR0912, PLR0915 - a case an event
        """Shows one event."""
        match event:
            case events.RunStarted():
                if self._waited:
                    self._since = self._clock()
                self._started(event)
            case events.ChecksMade():
                self._heading(State.PREFLIGHT)
                self.checks(event.checks)
            case events.CheckMade():
                self.checks((event.check,))
            case events.StateEntered():
                self._enter(event.state, event.because)
            case events.Inspected():
                self.history(event.history)
            case events.EvidenceFound():
                self.evidence(event.evidence)
            case events.PresentFound():
                self.present(event.evidence)
            case events.BaselineFound():
                self.baseline(event.baseline)
            case events.PendingUncompared():
                self.uncompared(event.reason)
            case events.EffectProposed():
                self._proposed(event)
            case events.RestorePointMade():
                self._print(
                    f"  restore point ({event.kind}): {escape(event.place)} [dim]at {event.taken}, LSN {event.lsn}[/]"
                )
                self._print(f"  [bold]To go back:[/] {escape(event.back)}", whole=True)
            case events.RunWaits():
                self._waited = True
                since = f" since {words.duration(event.waited)}" if event.waited >= 1 else ""
                limit = words.duration(event.left)
                self._print(f"  [bold]Waiting[/]{since}, at most {limit} more: {escape(event.fact)}")
            case events.EffectStarted():
                self._print(f"  [bold]$ {escape(event.command)}[/]", whole=True)
            case events.OutputLine():
                if event.line.strip():
                    self._lines([indented(Text(event.line.rstrip(), style="dim"), 4)])
            case events.Progressed():
                self._activity.told(event)
            case events.EffectEnded():
                self._effect_ended(event)
            case events.EffectFound():
                self._found(event)
            case events.SchemaCompared():
                self._compared(event)
            case events.StepStarted():
                self._print(f"\n[bold]PIPELINE[/] {escape(event.step)}")
                self._print(f"  [bold]$ {escape(' '.join(event.command))}[/]", whole=True)
                self._activity.begin(event.step)
            case events.StepEnded():
                self._step_ended(event)
            case events.Refused():
                self.refusal(event.state, event.refusal)
            case events.Failed():
                self._activity.end()  # the command says it on standard error
            case events.RunEnded():
                self._ended(event)
            case _:
                raise AssertionError(f"no way to show {event}")

    def begin(self, what: str) -> None:
        """Shows that this work has begun; the next event ends it."""
        self._activity.begin(what)

    def close(self) -> None:
        """Stops the animated line."""
        self._activity.end()

    def asking(self, ask: Callable[[str], str]) -> Callable[[str], str]:
        """The function `ask`, with nothing animated while a person answers; ^D is an empty answer."""

        def still(prompt: str) -> str:
            with self._activity.paused(), contextlib.suppress(EOFError):
                return ask(prompt)
            return ""  # ^D does not agree to anything

        return still

    def _print(self, markup: str, *, whole: bool = False) -> None:
        """Prints markup, with wrapped lines indented; if `whole`, lines are not wrapped, since they may be copied."""
        if whole:
            self._console.print(markup, soft_wrap=True)
            return
        for line in markup.split("\n"):
            text = line.lstrip(" ")
            if not text:
                self._console.print()
                continue
            self._console.print(indented(Text.from_markup(text), len(line) - len(text)))

    def _lines(self, lines: Iterable[RenderableType]) -> None:
        for line in lines:
            self._console.print(line)

    def _started(self, event: events.RunStarted) -> None:
        how = f"goes on; it was left in {event.since}" if event.resumed else "begins"
        self._print(f"[bold]Recovery {event.run}[/] {how}")
        self._print(f"  {escape(event.target)}\n  [dim]URL from {escape(event.source)}[/]")
        self._heading(State.PREFLIGHT)

    def _enter(self, state: State, because: str) -> None:
        lasted = self._left()
        self._print(f"  [dim]→ {escape(because)} ({lasted:.2f} s)[/]")
        self._state = state
        if state is State.PIPELINE_READY:
            self._activity.end()
            self._print(f"\n[bold green]{state}[/]")
        else:
            self._heading(state)

    def _heading(self, state: State) -> None:
        if state is self._headed:
            return
        self._headed = state
        self._print(f"\n[bold]{state}[/]")
        self._activity.begin(state)

    def _left(self) -> float:
        """The seconds that the state took which the run leaves now; adds them to the state's total."""
        now = self._clock()
        lasted = now - self._since
        self._took[self._state] = self._took.get(self._state, 0.0) + lasted
        self._since = now
        return lasted

    def checks(self, checks: tuple[Check, ...]) -> None:
        """Shows all checks, refusals first; a refused or unknown one with its source and what to do."""
        order = {Outcome.REFUSED: 0, Outcome.UNKNOWN: 1, Outcome.WAIVED: 2, Outcome.HELD: 3, Outcome.AWAITED: 4}
        grid = Table.grid(padding=(0, 1))
        for check in sorted(checks, key=lambda check: order[check.outcome]):
            mark, style = _MARKS[check.outcome]
            against = check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN)
            name = Text(check.name, style="bold" if against else "")
            said = Text(check.seen, overflow="fold")
            if against:
                said.append(f" ({check.source})", "dim")
            grid.add_row(" ", Text(mark, style=style), name, said)
            if against and check.remedy:
                grid.add_row("", "", "", Text(check.remedy, style="dim", overflow="fold"))
        self._console.print(grid)

    def history(self, history: History) -> None:
        """Shows how many migrations are applied, failed, pending, edited since they ran, or missing in the folder."""
        self._print(
            f"  applied {len(history.applied)} · failed {len(history.failed)} · pending {len(history.pending)}"
            f" · edited since they ran {len(history.modified)} · missing in the folder {len(history.missing_locally)}"
        )
        for word, names in (("failed", history.failed), ("pending", history.pending)):
            for name in names:
                if word == "failed" or name not in history.failed:
                    self._print(f"    {word:<8} {escape(name)}")

    def evidence(self, evidence: Evidence) -> None:
        """Shows the verdict, the reasons, each statement, the differences, and how a person can look further."""
        self._shown = _told(evidence)
        self._lines([indented(verdicts.sentence(evidence), 2)])
        self._lines(indented(Text(reason), 2) for reason in verdicts.reasons(evidence))
        if cause := verdicts.cause(evidence):
            self._print(f"  [dim]{escape(cause)}[/]", whole=True)
        self._lines(verdicts.statements(evidence.statements, self._console))
        self._obstacles(evidence)
        if evidence.differences:
            self._print("\n  [bold]What differs:[/]")
            self._lines(verdicts.differences(evidence.differences, self._console))
        if evidence.repair.plans or evidence.repair.unplanned:
            self._print("")
        for line in verdicts.plans(evidence.repair):
            self._console.print(line, soft_wrap=isinstance(line, Text))
        if evidence.decision is Decision.OPERATOR:
            self._further(evidence)

    def _further(self, evidence: Evidence) -> None:
        """Shows what helps a person to decide: queries, the indication, and the evidence's digest to approve."""
        looks = list(verdicts.queries(evidence))
        if looks:
            self._print("\n  [bold]Did the open statements run?[/] These queries only read:")
            for line in looks:
                self._console.print(line, soft_wrap=True)
        if evidence.indications:
            self._print(f"\n  [bold]An indication, no proof:[/] {escape(' '.join(evidence.indications))}")
        if evidence.runner.source:
            self._print(f"  [dim]{escape(evidence.runner.source)}[/]")
        self._print(f"  [dim]evidence {evidence.evidence_digest}[/]", whole=True)

    def _obstacles(self, evidence: Evidence) -> None:
        for obstacle in evidence.obstacles:
            again = " again" if evidence.attempted else ""
            self._print(f"  [bold red]It would fail{again}:[/] statement {obstacle.statement}: {escape(obstacle.fact)}")
            self._print(escape(obstacle.query), whole=True)

    def present(self, evidence: Evidence) -> None:
        """Shows the verdict on a pending migration that production has already, in whole or in part."""
        self._shown += _told(evidence)
        self._lines([indented(verdicts.sentence(evidence), 2)])
        self._lines(indented(Text(reason), 4) for reason in evidence.reasons)
        if evidence.differences:
            self._print("  [bold]What differs:[/]")
            self._lines(verdicts.differences(evidence.differences, self._console))
        self._obstacles(evidence)
        if evidence.decision in (Decision.OPERATOR, Decision.DEPLOY):
            self._print(f"    [dim]evidence {evidence.evidence_digest}[/]", whole=True)

    def baseline(self, found: Baseline) -> None:
        """Shows how far production has the history, and what no schema shows of it."""
        self._shown = (f"What differs: {some(found.differences)}.", *found.reasons)
        self._lines(verdicts.baseline(found, self._console))

    def warn(self, sentence: str) -> None:
        """Shows a warning."""
        self._print(f"  [{WARNING}]{escape(sentence)}[/]")

    def uncompared(self, reason: str) -> None:
        """Shows why pending migrations could not be compared with production."""
        self._print(f"  [{WARNING}]Pending migrations could not be compared with production.[/] {escape(reason)}")

    def _proposed(self, event: events.EffectProposed) -> None:
        self._print("")
        self.would_run("To be run", event)

    def would_run(self, word: str, event: events.EffectProposed) -> None:
        """Shows a command that is to be run, its consequence, and what it leaves alone."""
        room = self._console.width - len(f"  {word}: {event.command}")
        between = " " if room >= 0 else "\n    "  # a long command gets a line of its own
        self._print(f"  {word}:{between}[bold]{escape(event.command)}[/]", whole=True)
        self._print(f"    {escape(event.consequence)}")
        self._print(f"    [dim]Not touched: {escape(event.untouched)}.[/]")

    def _effect_ended(self, event: events.EffectEnded) -> None:
        self._activity.over()
        if event.killed:
            self.warn(event.killed)
        if event.unchanged:
            self._print(f"  [{WARNING}]not run: {escape(event.unchanged)}[/]")
        elif event.shown:
            self._print(f"  [green]✓[/] {words.witness(event.effect)} shows it [dim]({event.seconds:.1f} s)[/]")
        else:
            self._print(
                f"  [bold red]✗[/] {words.witness(event.effect)} does not show it [dim]({event.seconds:.1f} s)[/]"
            )

    def _found(self, event: events.EffectFound) -> None:
        mark, end = (
            ("[green]✓[/]", f"{words.witness(event.effect)} shows it, so it is not repeated")
            if event.shown
            else ("[dim]·[/]", f"{words.witness(event.effect)} does not show it, so it is decided anew")
        )
        self._print(f"  {mark} The last process died during {escape(event.command)}: {end}")

    def _compared(self, event: events.SchemaCompared) -> None:
        self._activity.over()
        for name in event.proven:
            self._print(f"  [green]✓[/] {escape(name)}: the same as in the replay")
        self._shown = tuple(f"{some(each.differences)}." for each in event.differing)
        for each in event.differing:
            self._print(f"  [red]✗[/] [bold]{escape(each.migration)}[/] differs in production:")
            self._lines(verdicts.differences(each.differences, self._console))
        if event.elsewhere:
            count = sum(len(each.differences) for each in event.elsewhere)
            self._print(
                f"  [dim]{count} differences in migrations that are not in question, which are no reason to stop:[/]"
            )
            for difference in event.elsewhere[0].differences[:_ELSEWHERE]:
                self._print(f"    [dim]{escape(difference.object)} {escape(difference.property)}[/]")

    def _step_ended(self, event: events.StepEnded) -> None:
        self._activity.end()
        if event.already_done:
            self._print(f"\n[bold]PIPELINE[/] {escape(event.step)}: done before, not repeated")
            return
        ok = "[green]✓[/]" if event.exit_code == 0 else "[bold red]✗[/]"
        self._print(f"  {ok} exit code {event.exit_code} [dim]({event.seconds:.1f} s)[/]")

    def refusal(self, state: State, refusal: Refusal) -> None:
        """Shows in which state the run stopped, why, and what to do."""
        self._left()
        word = _STOPS.get(refusal.exit, "BLOCKED")
        self._activity.end()
        where = "" if state is State.BLOCKED else f" in {state}"
        self._print(f"\n[bold red]{word}[/]{where} [dim]({refusal.code})[/]")
        fact = refusal.fact.partition(_TRACE)[0]
        for told in self._shown:  # the person has just read this sentence, above its table
            fact = fact.replace(f" {told}", "")
        self._print(f"  {escape(re.sub(r': (?=Nothing was)', '. ', fact))}")
        what, *rest = refusal.remedy.split("\n")
        self._print(f"  [bold]What to do:[/] {escape(what)}")
        for line in rest:
            self._print(escape(line), whole=True)
        for command in refusal.commands:
            if command.when:
                self._print(f"  [dim]# {escape(command.when)}[/]")
            self._console.print(Text(f"  {self.complete(command.line)}", style="bold"), soft_wrap=True)

    def _ended(self, event: events.RunEnded) -> None:
        self._activity.end()
        states = " · ".join(f"{state} {seconds:.1f}" for state, seconds in self._took.items())
        took = f"{self._clock() - self._began:.1f} s"
        if event.exit_code == 0 and event.state is State.PIPELINE_READY:
            self._print("  [bold green]The schema is proven and the gate is open.[/]")
            self._print(f"  [dim]run {event.run}, {took}[/]")
        else:
            self._print(f"  [dim]run {event.run}, exit code {event.exit_code}, {took}[/]")
        if states:
            self._print(f"  [dim]seconds: {states}[/]")
