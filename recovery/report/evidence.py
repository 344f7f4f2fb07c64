"""Evidence on a console: the verdict, the reasons, each statement, the differences, and queries to look further."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from recovery.report import words
from states.baseline import Baseline
from states.comparison import Difference, StatementState
from states.evidence import Decision, Evidence, Verdict
from states.plans import Repairs

#: The colour of lines that need a person; unlike yellow, it is readable on dark and on light backgrounds.
WARNING = "dark_orange3"
_STATES = {
    "in_place": ("✓ in place", "green"),
    "absent": ("· absent", "default"),
    "differs": ("✗ differs", "bold red"),
    "open": ("? open", f"bold {WARNING}"),
    "inert": ("- no effect", "dim"),
}
_GOOD = (Verdict.APPLIED, Verdict.NOT_APPLIED)
#: From this width on, in characters, a statement and its proof are printed side by side.
WIDE = 120
#: Characters between the columns of a wide table, and for the mark before a statement.
_GAP = 2
_MARK = 12


def sentence(evidence: Evidence) -> Text:
    """The verdict on the migration, in one sentence."""
    good = evidence.verdict in _GOOD or evidence.decision is Decision.DEPLOY
    style = "bold green" if good else f"bold {WARNING}"
    attempted = "" if evidence.attempted else "was never attempted, and "
    return Text.assemble((evidence.migration, "bold"), (f" {attempted}{words.verdict_now(evidence.verdict)}", style))


def reasons(evidence: Evidence) -> Iterator[str]:
    """The reasons for the verdict, without those that the table of statements repeats."""
    told = {f"Statement {each.index} is open: {each.proof}." for each in evidence.statements}
    told |= {f"Statement {each.index} did not run: {each.proof}." for each in evidence.statements}
    return (reason for reason in evidence.reasons if reason not in told)


def cause(evidence: Evidence) -> str:
    """A sentence on the cause of the failure, with the error's own; empty if nothing is known of it."""
    found = evidence.cause
    if found.kind == "unknown":
        return f"It failed with: {found.said}" if found.said else ""
    code = f" ({found.sqlstate})" if found.sqlstate else ""
    said = f": {found.said}" if found.said else ""
    return f"It failed for: {found.kind.replace('_', ' ')}{code}{said}"


def is_wide(console: Console) -> bool:
    """Whether to print in columns. Never in a log, whose readers search for whole lines."""
    return console.is_terminal and console.width >= WIDE


#: From this many statements on, those in a row that are in the same state are told together.
_MANY = 60
#: How many of these are shown, before the rest is counted.
_SHOWN = 3


def _in_rows(
    each: tuple[StatementState, ...], *, all_of_them: bool
) -> Iterator[tuple[list[StatementState], list[StatementState]]]:
    """The statements to show, and those after them that are like them and are only counted."""
    if all_of_them or len(each) < _MANY:
        yield list(each), []
        return
    for _, alike in groupby(each, key=lambda statement: (statement.state, statement.proof)):
        row = list(alike)
        rest = row[_SHOWN:] if len(row) > _SHOWN + 1 else []
        yield row[: len(row) - len(rest)], rest


def _rest(these: list[StatementState]) -> Text:
    return Text(f"… and {len(these):,} more like these, up to statement {these[-1].index}", "dim")


def statements(
    each: tuple[StatementState, ...], console: Console, *, all_of_them: bool = True
) -> Iterator[RenderableType]:
    """Each statement with its state (in place, absent, …) and its proof; of very many, the first of those alike."""
    digits = len(str(len(each)))
    if not is_wide(console):
        for shown, rest in _in_rows(each, all_of_them=all_of_them):
            for statement in shown:
                yield from _in_two_lines(statement, digits, console.width)
            if rest:
                yield indented(_rest(rest), digits + 3)
        return
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(justify="right")
    table.add_column(width=_MARK, no_wrap=True)
    table.add_column(max_width=_room(each, console), no_wrap=True, overflow="ellipsis")
    table.add_column(overflow="fold")
    for shown, rest in _in_rows(each, all_of_them=all_of_them):
        for statement in shown:
            mark, style = _STATES[statement.state]
            number = Text(str(statement.index))
            table.add_row(number, Text(mark, style), Text(_one_line(statement.sql)), Text(statement.proof, "dim"))
        if rest:
            table.add_row("", "", _rest(rest), "")
    yield Padding(table, (0, 0, 0, 2))


def _room(each: tuple[StatementState, ...], console: Console) -> int:
    """How many characters of a statement are shown on its line."""
    digits = len(str(len(each)))
    if not is_wide(console):
        return console.width - digits - 3 - _MARK
    return (console.width - 4 - digits - _MARK - 2 * _GAP) * 11 // 20


def _in_two_lines(statement: StatementState, digits: int, width: int) -> Iterator[RenderableType]:
    mark, style = _STATES[statement.state]
    line = Text(f"  {statement.index:>{digits}} ").append(f"{mark:<{_MARK}}", style).append(_one_line(statement.sql))
    line.truncate(width, overflow="ellipsis")
    yield line
    yield indented(Text(statement.proof, style="dim"), digits + 3 + _MARK)


def whole(each: tuple[StatementState, ...], console: Console, *, all_of_them: bool) -> Iterator[Text]:
    """Each statement that `statements` cuts, as the script writes it, to be copied: what is not in place, or all.

    Of those alike that are only counted there, a person finds the rest in the file.
    """
    for statement in (one for shown, _ in _in_rows(each, all_of_them=all_of_them) for one in shown):
        line = _one_line(statement.sql)
        cut = line != statement.sql.strip() or len(line) > _room(each, console)
        if cut and (all_of_them or statement.state in ("absent", "differs", "open")):
            word = _STATES[statement.state][0].partition(" ")[2]
            yield Text(f"-- Statement {statement.index}, {word}:", style="dim")
            yield Text(f"{statement.sql.strip()};")


def _one_line(sql: str) -> str:
    lines = [line for line in sql.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return " ".join(" ".join(lines).split())


def differences(found: Iterable[Difference], console: Console) -> Iterator[RenderableType]:
    """Each property that differs, with its expected and its actual value."""
    if not is_wide(console):
        for each in found:
            yield indented(Text.assemble(("✗ ", "red"), (_property(each), "bold")), 2)
            for word, value, style in (
                ("expected", each.expected, "green"),
                ("in production", each.actual, "red"),
            ):
                side = Text(words.differing(value, each.property), style)
                yield indented(Text(f"{word:<14}").append_text(side), 6)
        return
    table = Table.grid(padding=(0, _GAP, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold", max_width=(console.width - 8) // 3)
    table.add_row(Text(""), Text("expected", "dim"), Text("in production", "dim"))
    for each in found:
        what = Text.assemble(("✗ ", "red"), (_property(each), "bold"))
        expected, actual = (words.differing(side, each.property) for side in (each.expected, each.actual))
        table.add_row(what, Text(expected, "green"), Text(actual, "red"))
    if table.row_count > 1:
        yield Padding(table, (0, 0, 0, 2))


def _property(difference: Difference) -> str:
    return difference.object + ("" if difference.property == "exists" else f", {difference.property}")


def queries(evidence: Evidence) -> Iterator[Text]:
    """For each open statement the query that looks for its effect; not indented and never wrapped, to be copied."""
    opened = [statement for statement in evidence.statements if statement.state == "open"]
    if without := [statement.index for statement in opened if not statement.look]:
        text = f"-- Statement{'' if len(without) == 1 else 's'} {_numbers(without)}: no query was derived from the text"
        yield Text(f"{text} that would show an effect.", style="dim")
    for statement in opened:
        if not statement.look:
            continue
        yield Text(f"-- Statement {statement.index}:", style="dim")
        for line in statement.look.splitlines():
            yield Text(line, style="dim" if line.startswith("--") else "")


def _numbers(each: list[int]) -> str:
    """Ascending numbers, as `1, 4 to 9`."""
    # Numbers that follow one another are equally far from their places.
    rows = [[number for _, number in row] for _, row in groupby(enumerate(each), lambda pair: pair[1] - pair[0])]
    return ", ".join(str(row[0]) if len(row) == 1 else f"{row[0]} to {row[-1]}" for row in rows)


#: How many names of a list are shown; the JSON has all.
_NAMES = 12


def baseline(found: Baseline, console: Console) -> Iterator[RenderableType]:
    """How far production has the history, what the ledger lacks of it, and what no schema shows."""
    good = found.verdict is Verdict.APPLIED
    for reason in found.reasons:
        yield indented(Text(reason, f"bold {'green' if good else WARNING}"), 2)
    for word, names in (("to be marked", found.lacking), ("not the history's", found.others)):
        if names:
            yield indented(Text(f"{word}: {len(names)}", "dim"), 4)
            more = [f"… and {len(names) - _NAMES} more"] if len(names) > _NAMES else []
            yield from (indented(Text(name), 6) for name in (*names[:_NAMES], *more))
    if found.open:
        yield indented(Text("What the schema does not show:", "bold"), 2)
    for each in found.open:
        where = f"{each.migration}, statement {each.statement}" if each.statement else each.migration
        line = Text.assemble(("? ", f"bold {WARNING}"), (where, "bold"), f"  {_one_line(each.sql)}")
        line.truncate(console.width - 4, overflow="ellipsis")
        yield indented(line, 2)
        yield indented(Text(each.why, "dim"), 6)
    if found.differences:
        yield indented(Text("What differs:", "bold"), 2)
        yield from differences(found.differences, console)
    yield indented(Text(f"evidence {found.evidence_digest}", "dim"), 2)


def indented(text: Text, columns: int) -> Padding:
    """The text with an indent that wrapped lines keep, and without padding on the right."""
    return Padding(text, (0, 0, 0, columns), expand=False)


def plans(repairs: Repairs) -> Iterator[Text | Padding]:
    """Each plan of repair with its statements, what they lock and lose, and its digest; and why there is no other.

    What is a `Text` is for copying, and stays on one line.
    """
    for plan in repairs.plans:
        head = Text.assemble(("A plan to ", "bold"), (plan.way, "bold green"), (f" it: {plan.proof}.", "bold"))
        yield indented(head, 2)
        for each in plan.statements:
            yield Text(f"    {each.sql};")
            if told := words.planned(each):
                yield Text(f"    -- {told}", style="dim")
        for obstacle in plan.obstacles:
            yield Text.assemble("    ", ("It would fail:", "bold red"), f" {obstacle.fact}")
            yield Text(obstacle.query)
        yield Text(f"    plan {plan.digest}", style="dim")
    for reason in repairs.unplanned:
        yield indented(Text(reason, style="dim"), 2)
