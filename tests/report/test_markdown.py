"""The Markdown report: what others wrote stays text, wherever it stands."""

from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from recovery.report import markdown
from recovery.report.story import told
from tests.report.made import FAILED, LONG, NASTY, TRACE, hostile, production, recovered, traced

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {"<details><summary>The machine</summary>", "</details>"}


def tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def said(text: str) -> str:
    """What a reader sees."""
    return " ".join(token.content for token in tokens(text) if token.type in ("text", "code_inline", "fence"))


def hostile_report() -> str:
    return markdown.markdown(told(hostile(recovered(production("CREATE TABLE a ()", "a"), restore_point=True))))


def test_what_others_wrote_is_text() -> None:
    """No element, link, image or emphasis comes of it, and nobody is mentioned."""
    text = hostile_report()
    kinds = {token.type for token in tokens(text)}
    assert not kinds & {"html_inline", "link_open", "image", "em_open", "s_open", "blockquote_open"}
    html = {token.content.strip() for token in tokens(text) if token.type == "html_block"}
    assert html == OURS
    assert FAILED in said(text)
    assert "@someone" not in "".join(token.content for token in tokens(text) if token.type == "text")


def test_each_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    """A bar in a name, in a statement or in a value ends no cell."""
    text = hostile_report()
    row, rows, head = 0, 0, 0
    for token in tokens(text):
        if token.type == "table_open":
            head = 0
        elif token.type == "tr_open":
            row = 0
        elif token.type in ("th_open", "td_open"):
            row += 1
        elif token.type == "thead_close":
            head = row
        elif token.type == "tr_close" and head:
            rows += 1
            assert row == head
    assert rows > 10
    for line in text.splitlines():
        if line.startswith("| ") and "\\|" in line:
            return
    raise AssertionError("no bar was escaped")


@given(st.text())
@example("__0__")
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    """As words of a sentence, but for blanks, and a mark that no mention comes of an @."""
    plain = " ".join(text.split())
    found = list(tokens(f"It says: {markdown._text(plain)} (end)\n"))  # noqa: SLF001 - what all of it goes through
    assert {token.type for token in found} <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
    content = "".join(t.content for t in found if t.type in ("text", "text_special"))
    assert content.replace("\u200b", "") == f"It says: {plain} (end)".replace("\u200b", "").replace("\0", "\ufffd")


@given(st.text())
def test_any_text_is_one_piece_of_code(text: str) -> None:
    """As code in the cell of a table too."""
    plain = " ".join(text.split())
    code = markdown._cell(plain)  # noqa: SLF001 - as above
    found = [t for t in tokens(f"| a | b |\n|---|---|\n| {code} | x |\n") if t.type == "code_inline"]
    assert [t.content for t in found] == ([plain.replace("\0", "\ufffd")] if plain else [])


def test_it_tells_the_same_as_the_page() -> None:
    """Summary first, then evidence, commands, ledger, restore point, postmortem, and the path at the end."""
    events = recovered(production(f"CREATE TABLE a (); CREATE TABLE {LONG} ()", "a", LONG), restore_point=True)
    text = markdown.markdown(told(traced(events, TRACE)))
    inline = PARSER.parse(text)
    heads = [inline[n + 1].content for n, token in enumerate(inline) if token.type == "heading_open"]
    assert heads[0] == "Recovery 20260217-030000-abc123: ready"
    assert heads[2:-1] == [
        "Commands",
        "Verification",
        "The ledger, before and after",
        "Restore point",
        "Postmortem note",
        heads[7],
        "The path, and when",
    ]
    assert "**What to do:** Nothing: the gate is open." in text
    assert "PREFLIGHT → INSPECT → CLASSIFY → RESOLVE → DEPLOY → VERIFY → **PIPELINE_READY**" in text
    assert " ".join(NASTY.split()).partition("`")[0].split()[-1] in said(text)


def test_it_fits_into_an_issue() -> None:
    """A script of a hundred long statements is cut, and says so; an issue holds 65,536 characters."""
    script = "; ".join(f"CREATE TABLE t{n}_{LONG} ()" for n in range(100))
    text = markdown.markdown(told(recovered(production(script, f"t0_{LONG}"))))
    assert len(text) < 65_536
    assert "| (60 more) |" in text
