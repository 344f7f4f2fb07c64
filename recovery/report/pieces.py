"""What is shown of single things: checks, the history, evidence, a change to be made."""

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from recovery import events
from recovery.report import evidence as verdicts
from recovery.report import words
from recovery.report.evidence import WARNING, indented
from states.baseline import Baseline
from states.comparison import some
from states.evidence import Decision, Evidence
from states.facts import Check, History, Outcome
from states.rehearsals import Rehearsal

_MARKS = {
    Outcome.HELD: ("✓", "green"),
    Outcome.REFUSED: ("✗", "bold red"),
    Outcome.UNKNOWN: ("?", f"bold {WARNING}"),
    Outcome.WAIVED: ("~", WARNING),
    Outcome.AWAITED: ("…", "dim"),
}
#: The order in which checks are shown.
_ORDER = (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.WAIVED, Outcome.HELD, Outcome.AWAITED)


def _told(evidence: Evidence) -> tuple[str, ...]:
    """The sentences that a refusal need not repeat once the evidence was shown."""
    return (f"What differs: {some(evidence.differences)}.", *evidence.reasons)


class Pieces:
    """Shows single things on a rich console, for a person: the verdict first, then why, then the commands."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        """Shows nothing yet.

        Args:
            console: where to write.
            verbose: also show what holds, and each statement whole.
        """
        self._console = console
        self._verbose = verbose
        self._shown: tuple[str, ...] = ()

    def said(self, sentence: str) -> None:
        """Takes a sentence that was shown, so that the refusal below does not repeat it."""
        self._shown += (sentence,)

    def _out(self, *what: RenderableType, whole: bool = False) -> None:
        """Prints one thing, or an empty line; if `whole`, lines are not wrapped, since they may be copied."""
        self._console.print(*what, soft_wrap=whole)

    def _print(self, markup: str, *, whole: bool = False) -> None:
        """Prints markup, with wrapped lines indented; if `whole`, lines are not wrapped, since they may be copied."""
        if whole:
            self._out(markup, whole=True)
            return
        for line in markup.split("\n"):
            text = line.lstrip(" ")
            if not text:
                self._out()
                continue
            self._out(indented(Text.from_markup(text), len(line) - len(text)))

    def _lines(self, lines: Iterable[RenderableType]) -> None:
        for line in lines:
            self._out(line)

    def checks(self, checks: tuple[Check, ...]) -> None:
        """Shows the checks that do not hold, with their source and what to do, and how many hold; all if verbose."""
        held = [check for check in checks if check.outcome is Outcome.HELD]
        listed = [check for check in checks if self._verbose or check not in held]
        if listed:
            self._out(_grid(listed))
        if held and not self._verbose:
            others = "other " if listed else ""
            self._print(
                f"  [green]✓[/] {f'{len(held)} {others}checks hold' if len(held) > 1 else f'1 {others}check holds'}"
            )

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
        self._lines(verdicts.statements(evidence.statements, self._console, all_of_them=self._verbose))
        self._whole(evidence)
        self._obstacles(evidence)
        if evidence.differences:
            self._print("\n  [bold]What differs:[/]")
            self._lines(verdicts.differences(evidence.differences, self._console))
        if evidence.repair.plans or evidence.repair.unplanned:
            self._print("")
        for line in verdicts.plans(evidence.repair):
            self._out(line, whole=isinstance(line, Text))
        if evidence.decision is Decision.OPERATOR:
            self._further(evidence)

    def _whole(self, evidence: Evidence) -> None:
        """Shows statements to be copied, where a person may have to run them and no plan of repair does."""
        to_run = evidence.decision is Decision.OPERATOR and not evidence.repair.plans
        if not (to_run or self._verbose):
            return
        for statement in verdicts.whole(evidence.statements, self._console, all_of_them=self._verbose):
            self._out(statement, whole=True)

    def _further(self, evidence: Evidence) -> None:
        """Shows what helps a person to decide: queries, the indication, and the evidence's digest to approve."""
        looks = list(verdicts.queries(evidence))
        if looks:
            self._print("\n  [bold]Did the open statements run?[/] These queries only read:")
            for line in looks:
                self._out(line, whole=True)
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

    def rehearsals(self, found: Iterable[Rehearsal]) -> None:
        """Shows what a deploy would lock and rewrite, for each migration."""
        for each in found:
            on = f" [dim](rehearsed on PostgreSQL {each.server_version})[/]" if each.server_version else ""
            self._print(f"  [bold]{escape(each.migration)}[/] in production{on}:")
            self._lines(indented(Text(line), 4) for line in words.rehearsed(each))

    def warn(self, sentence: str) -> None:
        """Shows a warning."""
        self._print(f"  [{WARNING}]{escape(sentence)}[/]")

    def uncompared(self, reason: str) -> None:
        """Shows why pending migrations could not be compared with production."""
        self._print(f"  [{WARNING}]Pending migrations could not be compared with production.[/] {escape(reason)}")

    def would_run(self, word: str, event: events.EffectProposed) -> None:
        """Shows a command that is to be run, its consequence, and what it leaves alone."""
        room = self._console.width - len(f"  {word}: {event.command}")
        between = " " if room >= 0 else "\n    "  # a long command gets a line of its own
        self._print(f"  {word}:{between}[bold]{escape(event.command)}[/]", whole=True)
        self._print(f"    {escape(event.consequence)}")
        self._print(f"    [dim]Not touched: {escape(event.untouched)}.[/]")


def _grid(checks: Iterable[Check]) -> Table:
    """The checks as a table, refusals first; a refused or unknown one with its source and what to do."""
    grid = Table.grid(padding=(0, 1))
    for check in sorted(checks, key=lambda check: _ORDER.index(check.outcome)):
        mark, style = _MARKS[check.outcome]
        against = check.outcome in (Outcome.REFUSED, Outcome.UNKNOWN)
        name = Text(check.name, style="bold" if against else "")
        said = Text(check.seen, overflow="fold")
        if against:
            said.append(f" ({check.source})", "dim")
        grid.add_row(" ", Text(mark, style=style), name, said)
        if against and check.remedy:
            grid.add_row("", "", "", Text(check.remedy, style="dim", overflow="fold"))
    return grid
