"""What a person reads: in which order, how wide, and with which colours."""

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from recovery import events
from recovery.events import EffectProposed
from recovery.prisma.cli import command_line
from recovery.report.terminal import Terminal
from recovery.run.proposal import proposed
from states.answers import Refusal
from states.classification import ClassifyFacts, decide
from states.comparison import Difference, StatementState
from states.effects import Deploy, MarkApplied, MarkRolledBack
from states.evidence import Decision, Evidence, Progress, Verdict
from states.exit_codes import Exit
from states.facts import Cause, Check, History, Outcome
from states.table import State

NAME = "20260217000000_add_password_reset_tokens"
OPEN = "its effect can't be seen in the schema"
EVIDENCE = Evidence(
    NAME,
    "2026-02-17T00:00:00Z",
    0,
    None,
    Cause("42P07", "object_exists", transient=False),
    Verdict.UNDECIDABLE,
    Decision.OPERATOR,
    Progress((1, 1), 2),
    (
        StatementState(1, 'CREATE TABLE "x" (\n  "id" TEXT NOT NULL\n)', "in_place", "as replayed: table public.x"),
        StatementState(2, "UPDATE y SET z = 1", "open", OPEN, "-- Rows to do.\nSELECT count(*) FROM public.y;"),
    ),
    (Difference("table public.x", "column id type", "text", "integer"),),
    ("Not all of it can be seen.", f"Statement 2 is open: {OPEN}."),
    "sha256:" + "a1" * 32,
)


def said(*shown: events.Event, width: int = 80, terminal: bool = False, verbose: bool = False, **variables: str) -> str:
    """What these events look like."""
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, _environ={"TERM": "xterm-256color", **variables})
    sink = Terminal(console, verbose=verbose)
    for event in shown:
        sink(event)
    sink.close()
    return file.getvalue()


def blocked() -> events.Refused:
    """The refusal that follows from the evidence."""
    answer = decide(ClassifyFacts(EVIDENCE))
    assert isinstance(answer, Refusal)
    return events.Refused(State.CLASSIFY, answer)


def test_the_verdict_comes_first_then_why_then_what_differs_then_how_to_look() -> None:
    """A person reads from above: the sentence, the reason, each statement with its proof, differences, queries."""
    text = said(events.EvidenceFound(EVIDENCE))
    parts = [
        f"{NAME} may be in the",
        "Not all of it can be seen.",
        "1 ✓ in place",
        "as replayed: table public.x",
        "2 ? open",
        OPEN,
        "What differs:",
        "table public.x, column id type",
        "expected      text",
        "in production integer",
        "SELECT count(*) FROM public.y;",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count(OPEN) == 1, "what the table says of a statement is not a reason once more"


def test_side_by_side_where_there_is_room() -> None:
    """On a wide terminal a statement and its proof are one line, and so are both sides of a difference."""
    text = re.sub("\x1b\\[[0-9;]*m", "", said(events.EvidenceFound(EVIDENCE), width=200, terminal=True))
    assert re.search(r'1 +✓ in place +CREATE TABLE "x" .* as replayed: table public.x', text)
    assert re.search(r"column id type +text +integer", text)


@pytest.mark.parametrize("width", [80, 100, 119, 120, 200])
def test_no_line_is_wider_than_the_terminal_but_for_what_is_copied(width: int) -> None:
    """Only commands, queries and the digest may go on beyond the edge: broken by us they could not be copied."""
    text = said(
        events.EvidenceFound(EVIDENCE),
        proposed(MarkApplied(NAME), command_line(MarkApplied(NAME)), EVIDENCE),
        blocked(),
        width=width,
    )
    wide = [line for line in text.splitlines() if len(line) > width]
    assert all(re.match(r" *(prisma-recovery approve|evidence sha256)", line) for line in wide), wide


def test_the_next_commands_are_whole_and_each_says_when() -> None:
    """Undecidable: a line for either answer with the digest in full, to be copied, and then the run."""
    lines = said(blocked()).splitlines()
    digest = EVIDENCE.evidence_digest
    at = lines.index("  # if all of it is there")
    assert lines[at + 1] == f'  prisma-recovery approve {NAME} --applied --evidence {digest} --reason "…"'
    at = lines.index("  # if nothing of it is there")
    assert lines[at + 1] == f'  prisma-recovery approve {NAME} --rolled-back --evidence {digest} --reason "…"'
    at = lines.index("  # then")
    assert lines[at + 1] == "  prisma-recovery run"


def test_an_answer_that_would_not_count_is_not_proposed() -> None:
    """Of a script that Prisma counted as run to its end, nobody is told to say that it is not there."""
    answer = decide(ClassifyFacts(EVIDENCE, ran_to_its_end=True))
    assert isinstance(answer, Refusal)
    assert [command.line.split()[3] for command in answer.commands if "approve" in command.line] == ["--applied"]


def test_what_was_just_read_is_not_said_again() -> None:
    """Below the evidence the refusal has its own fact only; alone it has the reasons too."""
    assert "Not all of it can be seen." in said(blocked(), width=400)
    both = said(events.EvidenceFound(EVIDENCE), blocked(), width=400)
    assert both.count("Not all of it can be seen.") == 1
    assert f"{NAME} may be in the database. Nothing was changed." in both


@pytest.mark.parametrize(
    ("effect", "evidence", "consequence", "untouched"),
    [
        (MarkApplied(NAME), EVIDENCE, "never runs its script", "every row of another migration"),
        (MarkApplied(NAME), replace(EVIDENCE, started_at=""), "was never attempted", "every row of another migration"),
        (MarkRolledBack(NAME), EVIDENCE, "from its beginning", "every row of another migration"),
        (MarkRolledBack(NAME), replace(EVIDENCE, verdict=Verdict.APPLIED), "stays applied", "rows of yours"),
        (Deploy(("1_a", "2_b")), None, "these 2 scripts, in this order, on production: 1_a, 2_b", "do not change"),
    ],
)
def test_a_change_says_what_follows_and_what_is_left_alone(
    effect: MarkApplied | MarkRolledBack | Deploy, evidence: Evidence | None, consequence: str, untouched: str
) -> None:
    """Command, consequence and what is not touched are told together, before anybody agrees."""
    event = proposed(effect, command_line(effect), evidence)
    assert isinstance(event, EffectProposed)
    text = said(event, width=400)
    assert f"To be run: {event.command}" in text
    assert consequence in text
    assert untouched in text.partition("Not touched:")[2]


def test_a_check_that_does_not_hold_comes_first_with_its_remedy() -> None:
    """What is refused is above what holds, with what to do about each."""
    checks = (
        Check("target.primary", Outcome.HELD, "a primary", "x"),
        Check("git.clean", Outcome.REFUSED, "not committed: a.sql", "x", "Commit or discard it."),
        Check("git.commit", Outcome.UNKNOWN, "no git here", "x", "Install git."),
    )
    text = said(events.ChecksMade(checks))
    parts = ["✗ git.clean", "Commit or discard it.", "? git.commit", "Install git.", "✓ 1 other check holds"]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_plain_where_it_is_no_terminal_and_without_colour_where_nobody_wants_it() -> None:
    """A log holds no control characters; NO_COLOR leaves bold and dim, and no colour."""
    shown = (events.EvidenceFound(EVIDENCE), blocked())
    assert "\x1b" not in said(*shown)
    codes = {
        code for found in re.findall("\x1b\\[([0-9;]*)m", said(*shown, terminal=True)) for code in found.split(";")
    }
    assert "38" in codes or "31" in codes
    plain = re.findall("\x1b\\[([0-9;]*)m", said(*shown, terminal=True, NO_COLOR="1"))
    assert {code for found in plain for code in found.split(";")} <= {"0", "1", "2"}


def test_no_colour_that_is_lost_on_a_light_ground() -> None:
    """Neither yellow, nor cyan, nor white: on white they can't be read."""
    found = re.findall("\x1b\\[([0-9;]*)m", said(events.EvidenceFound(EVIDENCE), blocked(), terminal=True))
    assert not {code for each in found for code in each.split(";")} & {"33", "36", "37", "93", "96", "97"}


def test_each_state_has_a_line_with_its_time_and_all_have_one_at_the_end() -> None:
    """The time of a state stands where it is left, and that of each at the end."""
    now = iter([0.0, *[float(second) for second in range(60)]])
    file = StringIO()
    sink = Terminal(Console(file=file, width=120), lambda: next(now))
    sink(events.RunStarted("r", "db", "env", resumed=False))
    sink(events.StateEntered(State.INSPECT, "all checks hold"))
    sink(events.Refused(State.INSPECT, Refusal("a.b", "It is so.", "Do it.", Exit.BUSY)))
    sink(events.RunEnded("r", State.BLOCKED, 5))
    text = file.getvalue()
    assert re.search(r"→ all checks hold \(\d+\.\d\d s\)", text)
    assert "BUSY in INSPECT (a.b)" in text
    assert re.search(r"PREFLIGHT \d+\.\d\d s · INSPECT \d+\.\d\d s", text)


def test_what_holds_is_one_line_above_the_verdict() -> None:
    """Checks that hold, and the numbers of migrations, take a line each; --verbose lists them."""
    checks = (Check("target.primary", Outcome.HELD, "a primary", "x"), Check("git.clean", Outcome.HELD, "clean", "x"))
    shown = (
        events.RunStarted("r", "db", "env", resumed=False),
        events.ChecksMade(checks),
        events.StateEntered(State.INSPECT, "all 2 checks hold"),
        events.Inspected(History(("1_a",), (NAME,), ("3_c",), (), ())),
        events.StateEntered(State.CLASSIFY, "one failed"),
        events.EvidenceFound(EVIDENCE),
    )
    text = re.sub(r"\(\d\.\d\d s\)", "(…)", said(*shown))
    assert text.split("env\n")[1].startswith(
        "\nPREFLIGHT → all 2 checks hold (…)\nINSPECT 1 applied, 1 failed, 1 pending → one failed (…)\n\nCLASSIFY\n"
    )
    assert "target.primary" not in text
    listed = said(*shown, verbose=True)
    assert "✓ target.primary a primary" in listed
    assert "pending  3_c" in listed


def ran(*, shown: bool) -> tuple[events.Event, ...]:
    """A command that prints a line, and how it ended."""
    return (
        events.EffectStarted("e", "prisma migrate deploy"),
        events.OutputLine("Prisma config detected"),
        events.EffectEnded("e", shown, 1.0),
    )


def test_prismas_output_is_shown_where_it_failed() -> None:
    """What Prisma says of a success is noise; of a failure, or of a command whose end was not seen, it is evidence."""
    assert "Prisma config" not in said(*ran(shown=True))
    failed = said(*ran(shown=False))
    assert failed.index("Prisma config") < failed.index("✗ the ledger does not show it")
    assert "Prisma config" in said(*ran(shown=True)[:2])
    assert "Prisma config" in said(*ran(shown=True), verbose=True)
    waiting = (ran(shown=True)[0], events.OutputLine("Interrupted: waiting", ours=True), ran(shown=True)[2])
    assert "Interrupted: waiting" in said(*waiting), "what we say ourselves is said at once"
    step = (events.StepStarted("s", ("npm",)), events.OutputLine("8 items"), events.StepEnded("s", 0, 1.0))
    assert "8 items" in said(*ran(shown=True), *step), "a step of the pipeline is somebody else's command"


def test_a_statement_that_a_person_may_have_to_run_is_whole() -> None:
    """Where no plan has it, it is given as the script writes it; not where its line has it whole already."""
    sql = 'CREATE INDEX "a_very_long_name_of_an_index_idx" ON "a_very_long_name"("column");'.removesuffix(";")
    states = (StatementState(1, sql, "absent", "not there"), StatementState(2, "UPDATE y SET z = 1", "open", OPEN))
    text = said(events.EvidenceFound(replace(EVIDENCE, statements=states)))
    assert f"-- Statement 1, absent:\n{sql};\n" in text
    assert "Statement 2, open" not in text


def test_that_nothing_was_changed_is_said_once() -> None:
    """Where a plan's heading says so, the refusal below does not say it again."""
    file = StringIO()
    sink = Terminal(Console(file=file, width=400))
    sink(events.EvidenceFound(EVIDENCE))
    sink.said("Nothing was changed.")
    sink(blocked())
    assert f"  {NAME} may be in the database.\n" in file.getvalue()
    assert "Nothing was changed" not in file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_of_very_many_statements_those_alike_are_counted(*, terminal: bool) -> None:
    """A script of a thousand INSERTs does not push the verdict out of sight."""
    first = StatementState(1, "ALTER TABLE y ADD c int", "absent", "not there")
    others = [StatementState(n, f"INSERT INTO y VALUES ({n})", "open", OPEN) for n in range(2, 1001)]
    found = events.EvidenceFound(replace(EVIDENCE, statements=(first, *others)))
    text = said(found, terminal=terminal, width=160)
    assert "INSERT INTO y VALUES (4)" in text
    assert "INSERT INTO y VALUES (5)" not in text
    assert "… and 996 more like these, up to statement 1000" in text
    assert "-- Statements 2 to 1000: no query was derived" in text
    assert "INSERT INTO y VALUES (500)" in said(found, terminal=terminal, width=160, verbose=True)
