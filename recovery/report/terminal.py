"""Shows events in a terminal, for a person in an incident: the verdict first, then why, then the commands."""

import contextlib
import re
import time
from collections import deque
from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.text import Text

from recovery import events
from recovery.report import evidence as verdicts
from recovery.report import words
from recovery.report.evidence import WARNING, indented
from recovery.report.live import Activity
from recovery.report.pieces import Pieces
from recovery.report.words import duration
from states.answers import Refusal
from states.comparison import some
from states.exit_codes import Exit
from states.facts import History, Outcome
from states.table import State

#: The headline of a refusal that passes by itself, or that a person asked for (^C); any other is BLOCKED.
_STOPS = {Exit.BUSY: "BUSY", Exit.INTERRUPTED: "STOPPED"}
#: How many of the differences that are no reason to stop are shown.
_ELSEWHERE = 5
#: How many migrations that were proven are named one by one.
_PROVEN = 12
#: How many lines of a command's output are kept, to be shown if it fails.
_KEPT = 500
#: The start of a stack trace in the logs of Prisma's engine, which is not shown: it helps nobody.
_TRACE = "\n   0: "


class Terminal(Pieces):
    """A sink that writes to a rich console. Call `close` at the end, also after an exception."""

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        *,
        live: bool = True,
        verbose: bool = False,
    ) -> None:
        """Shows nothing yet.

        Args:
            console: where to write.
            clock: monotonic seconds, to measure how long each state takes.
            live: whether a line may be animated, if it is a terminal; false if something else writes to it.
            verbose: also show what holds, each statement whole, and the output of Prisma's commands.
        """
        super().__init__(console, verbose=verbose)
        self._clock = clock
        self._since = clock()
        self._began = self._since
        self._waited = False
        self._state = State.PREFLIGHT
        self._took: dict[State, float] = {}
        self._headed: State | None = None
        self._heading_due = False
        self._after_line = False
        self._note = ""
        self._kept: deque[str] | None = None
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
                if self._verbose or any(check.outcome is not Outcome.HELD for check in event.checks):
                    self.checks(event.checks)
            case events.CheckMade():
                if self._verbose or event.check.outcome is not Outcome.HELD:
                    self.checks((event.check,))
            case events.StateEntered():
                self._enter(event.state, event.because)
            case events.Inspected():
                self._inspected(event.history)
            case events.EvidenceFound():
                self.evidence(event.evidence)
            case events.PresentFound():
                self.present(event.evidence)
            case events.BaselineFound():
                self.baseline(event.baseline)
            case events.PendingUncompared():
                self.uncompared(event.reason)
            case events.PendingRehearsed():
                self.rehearsals(event.rehearsals)
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
                self._kept = deque(maxlen=_KEPT)
            case events.OutputLine():
                self._output(event.line, now=event.ours)
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
        """Stops the animated line. The output of a command whose end was not seen is shown."""
        self._activity.end()
        self._reveal()

    def asking(self, ask: Callable[[str], str]) -> Callable[[str], str]:
        """The function `ask`, with nothing animated while a person answers; ^D is an empty answer."""

        def still(prompt: str) -> str:
            with self._activity.paused(), contextlib.suppress(EOFError):
                return ask(prompt)
            return ""  # ^D does not agree to anything

        return still

    def _started(self, event: events.RunStarted) -> None:
        how = f"goes on; it was left in {event.since}" if event.resumed else "begins"
        self._print(f"[bold]Recovery {event.run}[/] {how}")
        self._print(f"  {escape(event.target)}\n  [dim]URL from {escape(event.source)}[/]")
        self._heading(State.PREFLIGHT)

    def _enter(self, state: State, because: str) -> None:
        went = f"[dim]→ {escape(because)} ({duration(self._left())})[/]"
        if self._heading_due:  # nothing was to be said of the state, so it gets one line
            self._heading_due = False
            if not self._after_line:
                self._out()
            self._print(f"[bold]{self._headed}[/] {f'{self._note} ' if self._note else ''}{went}")
            self._after_line, self._note = True, ""
        else:
            self._print(f"  {went}")
        self._state = state
        if state is State.PIPELINE_READY:
            self._activity.end()
            self._print(f"\n[bold green]{state}[/]")
        else:
            self._heading(state)

    def _heading(self, state: State) -> None:
        if state is self._headed:
            return
        self._headed, self._heading_due = state, True
        self._activity.begin(state)

    def _out(self, *what: RenderableType, whole: bool = False) -> None:
        """Prints one thing, below the heading of its state."""
        if self._heading_due:
            self._heading_due = self._after_line = False
            super()._out()
            super()._out(Text(f"{self._headed} {self._note}".rstrip(), style="bold"))
            self._note = ""
        super()._out(*what, whole=whole)

    def _inspected(self, history: History) -> None:
        """Shows a line of numbers, since the verdict names what failed and the deploy what is pending."""
        if self._verbose:
            self.history(history)
            return
        counts = (
            ("applied", history.applied),
            ("failed", history.failed),
            ("pending", history.pending),
            ("edited since they ran", history.modified),
            ("missing in the folder", history.missing_locally),
        )
        self._note = ", ".join(f"{len(names)} {word}" for word, names in counts if names) or "no migration"

    def _output(self, line: str, *, now: bool = False) -> None:
        """Shows a line that a command printed; one of Prisma's only if it fails, unless `now`."""
        if not line.strip():
            return
        if self._kept is None or self._verbose or now:
            self._lines([indented(Text(line.rstrip(), style="dim"), 4)])
        else:
            self._kept.append(line)

    def _reveal(self) -> None:
        """Shows the lines that were kept."""
        kept, self._kept = self._kept, None
        for line in kept or ():
            self._output(line)

    def _left(self) -> float:
        """The seconds that the state took which the run leaves now; adds them to the state's total."""
        now = self._clock()
        lasted = now - self._since
        self._took[self._state] = self._took.get(self._state, 0.0) + lasted
        self._since = now
        return lasted

    def _proposed(self, event: events.EffectProposed) -> None:
        if not self._heading_due:
            self._out()
        self.would_run("To be run", event)

    def _effect_ended(self, event: events.EffectEnded) -> None:
        self._activity.over()
        if event.shown and not event.killed:
            self._kept = None
        self._reveal()
        if event.killed:
            self.warn(event.killed)
        if event.unchanged:
            self._print(f"  [{WARNING}]not run: {escape(event.unchanged)}[/]")
        elif event.shown:
            self._print(f"  [green]✓[/] {words.witness(event.effect)} shows it [dim]({duration(event.seconds)})[/]")
        else:
            self._print(
                f"  [bold red]✗[/] {words.witness(event.effect)} does not show it [dim]({duration(event.seconds)})[/]"
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
        proven = event.proven if self._verbose or len(event.proven) <= _PROVEN else event.proven[:0]
        if len(proven) < len(event.proven):
            self._print(f"  [green]✓[/] {len(event.proven)} migrations: the same as in the replay")
        for name in proven:
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
        self._print(f"  {ok} exit code {event.exit_code} [dim]({duration(event.seconds)})[/]")

    def refusal(self, state: State, refusal: Refusal) -> None:
        """Shows in which state the run stopped, why, and what to do."""
        self._left()
        word = _STOPS.get(refusal.exit, "BLOCKED")
        self._activity.end()
        if not self._note:
            self._heading_due = False  # the line below names the state
        where = "" if state is State.BLOCKED else f" in {state}"
        self._print(f"\n[bold red]{word}[/]{where} [dim]({refusal.code})[/]")
        fact = refusal.fact.partition(_TRACE)[0]
        for told in self._shown:  # the person has just read this sentence, above its table
            fact = fact.replace(f" {told}", "")
        self._print(f"  {escape(re.sub(r':(?= Nothing was|$)', '.', fact))}")
        self.to_do(refusal)

    def to_do(self, refusal: Refusal) -> None:
        """Shows what to do about a refusal, with the commands to copy."""
        what, *rest = refusal.remedy.split("\n")
        self._print(f"  [bold]What to do:[/] {escape(what)}")
        for line in rest:
            self._print(escape(line), whole=True)
        for command in refusal.commands:
            if command.when:
                self._print(f"  [dim]# {escape(command.when)}[/]")
            self._out(Text(f"  {self.complete(command.line)}", style="bold"), whole=True)

    def _ended(self, event: events.RunEnded) -> None:
        self._activity.end()
        states = " · ".join(f"{state} {duration(seconds)}" for state, seconds in self._took.items())
        took = duration(self._clock() - self._began)
        if event.exit_code == 0 and event.state is State.PIPELINE_READY:
            self._print("  [bold green]The schema is proven and the gate is open.[/]")
            self._print(f"  [dim]run {event.run}, {took}[/]")
        else:
            self._print(f"  [dim]run {event.run}, exit code {event.exit_code}, {took}[/]")
        if states:
            self._print(f"  [dim]{states}[/]")
