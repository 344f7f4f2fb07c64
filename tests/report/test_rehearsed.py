"""What the deploy does to tables, in the page, the Markdown, the job's summary and the terminal."""

import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from recovery import events
from recovery.journal import JournalEvent
from recovery.journal.run_record import Kind
from recovery.report import markdown, page
from recovery.report.accounts import ReportDocument
from recovery.report.collect import Collector
from recovery.report.github import GitHub
from recovery.report.story import Story, told
from recovery.report.terminal import Terminal
from states.facts import Obstacle
from states.rehearsals import LockedTable, Rehearsal
from tests.report.made import NASTY, SCRIPT, production, recovered

FOUND = (
    Rehearsal(
        "20260103_later",
        (
            LockedTable("public.big", "AccessExclusiveLock", 2, (3,), 14 << 30),
            LockedTable("public.gone", "ShareLock", 1),
        ),
        (Obstacle(2, "nulls", 1, "there is 1 row without a value", "SELECT 1"),),
        untold=("Statement 4 may work on other tables where there are rows, and lock these.",),
        server_version="18.6",
    ),
    Rehearsal("20260104_harmless", server_version="18.6"),
    Rehearsal(
        "20260105_wrong", fails="statement 1 fails in the rehearsal: 42703 no such column", server_version="18.6"
    ),
)
SAID = (
    "public.big (14 GB): AccessExclusiveLock by statement 2, written anew by statement 3",
    "public.gone: ShareLock by statement 1",
    "It would fail: statement 2: there is 1 row without a value.",
    "Statement 4 may work on other tables where there are rows, and lock these.",
    "It locks no table of production more strongly than an application does.",
    "It would fail: statement 1 fails in the rehearsal: 42703 no such column.",
)


def story(found: tuple[Rehearsal, ...]) -> Story:
    """A run that rehearsed this."""
    known = recovered(production("CREATE TABLE a ()", "a"))
    payload = {"rehearsals": msgspec.to_builtins(found)}
    last = known[-1]
    return told([*known, JournalEvent(last.run, last.seq + 1, last.time, Kind.REHEARSED, last.state, payload)])


def in_the_terminal(found: tuple[Rehearsal, ...]) -> str:
    out = io.StringIO()
    Terminal(Console(file=out, width=200), live=False)(events.PendingRehearsed(found))
    return out.getvalue()


def in_the_summary(path: Path, found: tuple[Rehearsal, ...]) -> str:
    sink = GitHub(path, io.StringIO())
    sink(events.PendingRehearsed(found))
    sink.end()
    return path.read_text()


def plain(text: str) -> str:
    """Without what Markdown and HTML need."""
    for written, shown in (
        ("\\_", "_"),
        ("&#46;", "."),
        ("&#58;", ":"),
        ("&#40;", "("),
        ("&#41;", ")"),
        ("&#44;", ","),
    ):
        text = text.replace(written, shown)
    return " ".join(text.split())


@pytest.mark.parametrize(
    "shown",
    [
        lambda _: page.html(story(FOUND)),
        lambda _: markdown.markdown(story(FOUND)),
        lambda _: in_the_terminal(FOUND),
        lambda folder: in_the_summary(folder / "summary", FOUND),
    ],
    ids=["page", "markdown", "terminal", "summary"],
)
def test_it_is_told_everywhere(shown: Callable[[Path], str], tmp_path: Path) -> None:
    """Each table with its lock and size, each rewrite, each obstacle, and what is not known."""
    text = plain(shown(tmp_path))
    assert [line for line in SAID if line not in text] == []


def test_a_report_and_a_run_have_it_as_json() -> None:
    """The documents hold the records as they are."""
    assert ReportDocument.of(story(FOUND)).rehearsals == FOUND
    collector = Collector("plan")
    collector(events.PendingRehearsed(FOUND))
    assert collector.document(0).rehearsals == FOUND


def test_what_others_wrote_stays_text() -> None:
    """A table's name, and PostgreSQL's words."""
    hostile = (Rehearsal(NASTY, (LockedTable(NASTY, "ShareLock", 1),), fails=NASTY, untold=(NASTY,)),)
    assert SCRIPT not in page.html(story(hostile))
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown.markdown(story(hostile)))
    kinds = {each.type for token in tokens for each in (token, *(token.children or ()))}
    assert not kinds & {"html_inline", "link_open", "image", "em_open"}


def test_where_nothing_was_rehearsed_nothing_is_said() -> None:
    """A run that deployed nothing, or of an older release."""
    assert "does to tables" not in page.html(told(recovered(production("CREATE TABLE a ()", "a"))))
