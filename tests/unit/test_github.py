"""What GitHub Actions is shown: nothing in it may be taken for a command, Markdown or HTML."""

import html
import io
import re
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from recovery import events
from recovery.errors import UsageError
from recovery.report.github import GitHub, annotation, code, error_summary, plain
from states.answers import Refusal
from states.exit_codes import Exit
from states.facts import Check, Outcome
from states.table import State

EVIL = "x%0A::error title=a,b:c::\r\n::set-output name=a::b <script>alert(1)</script> **b** `c` | [l](http://x) @me #1"


@given(st.text(), st.text())
def test_an_annotation_is_one_line_and_says_what_it_was_given(title: str, message: str) -> None:
    """GitHub's own way back gives the texts as they were."""
    line = annotation("error", title, message)
    assert not re.search(r"[\r\n]", line)
    found = re.fullmatch(r"::error title=([^:,]*)::(.*)", line, re.DOTALL)
    assert found is not None

    def back(text: str, *names: str) -> str:
        for name, char in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
            text = text.replace(name, char) if name in names else text
        return text

    assert back(found[1], "%0D", "%0A", "%3A", "%2C", "%25") == title
    assert back(found[2], "%0D", "%0A", "%25") == message


@given(st.text())
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    """One line without a character that has a meaning; a reader of HTML sees the words as they were."""
    shown = plain(text)
    assert re.fullmatch(r"(?:[^\W_]| |&#\d+;)*", shown)
    if not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]", text):  # HTML has none of these
        assert html.unescape(shown) == " ".join(text.split())


def written(path: Path, *happened: events.Event) -> tuple[str, str]:
    """The summary, and the annotations."""
    annotations = io.StringIO()
    sink = GitHub(path, annotations)
    for event in happened:
        sink(event)
    return path.read_text() if path.exists() else "", annotations.getvalue()


def test_a_refused_run_says_so_first(tmp_path: Path) -> None:
    """The outcome, what was done, what to do; each part of a run once; nothing of it is read as anything else."""
    path = tmp_path / "summary"
    path.write_text("before\n")
    check = Check("git.clean", Outcome.REFUSED, EVIL, "git")
    refusal = Refusal("classify.partial", f"fact {EVIL}", f"remedy {EVIL}", Exit.BLOCKED)
    summary, annotations = written(
        path,
        events.RunStarted("r1", "postgresql://h/d", "DATABASE_URL", resumed=False),
        events.ChecksMade((check,)),
        events.EffectStarted("mark_applied:x", f"prisma migrate resolve --applied {EVIL}"),
        events.OutputLine("::error::from a command"),
        events.EffectEnded("mark_applied:x", shown=True, seconds=1.0),
        events.Refused(State.CLASSIFY, refusal),
        events.RunEnded("r1", State.BLOCKED, 3),
        events.Refused(State.PIPELINE_READY, refusal),
    )
    assert summary.startswith("before\n## prisma-recovery: blocked in CLASSIFY\n")
    assert summary.count("## ") == 2
    assert "the ledger shows it" in summary
    assert "What to do:" in summary
    assert "<script" not in summary
    assert set(re.findall(r"<[^>]*>", summary)) == {"<code>", "</code>"}
    assert "`" not in summary
    assert [line[:8] for line in annotations.splitlines()] == ["::error ", "::error "]
    assert "::set-output" not in [line[:12] for line in annotations.splitlines()]


def test_a_summary_stays_below_githubs_limit(tmp_path: Path) -> None:
    """However much there is to say."""
    checks = tuple(Check(f"c{n}", Outcome.REFUSED, "é|" * 5000, "x") for n in range(500))
    started = events.RunStarted("r", "t", "s", resumed=False)
    summary, _ = written(tmp_path / "s", started, events.ChecksMade(checks), events.RunEnded("r", State.BLOCKED, 4))
    assert len(summary.encode()) < 2**20
    assert "and 450 more" in summary


def test_a_summary_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """It is told as an annotation."""
    _, annotations = written(tmp_path / "missing" / "s", events.RunEnded("r", State.PIPELINE_READY, 0))
    assert "could not be written" in annotations


def test_an_error_before_a_run_has_its_own_section() -> None:
    """With what to do, and its code."""
    text = error_summary(UsageError("url.missing", "fact <b>", "remedy").refusal())
    assert text.startswith("## prisma-recovery: stopped")
    assert "<b>" not in text
    assert code("url.missing") in text


def test_every_event_is_taken(tmp_path: Path) -> None:
    """No kind of event makes it fail; those that end something write."""
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)}
    simple = [
        events.StepStarted("intake", ("npm",)),
        events.StepEnded("intake", 0, 1.0),
        events.PendingUncompared("because"),
        events.RestorePointMade("neon", "branch", "0/1", "now", "neonctl"),
        events.SchemaCompared((EVIL,), (), ()),
        events.StateEntered(State.DEPLOY, "because"),
    ]
    assert {type(each) for each in simple} < kinds
    assert all(msgspec.to_builtins(each) for each in simple)
    summary, _ = written(tmp_path / "s", *simple, events.RunEnded("r", State.PIPELINE_READY, 0))
    assert "pipeline step" in summary
    assert "ready" in summary
