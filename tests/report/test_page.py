"""The HTML report in a real browser: readable everywhere, loads nothing, runs nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from recovery.journal.run_record import Kind
from recovery.report import diagram
from recovery.report.page import html
from recovery.report.story import told
from tests.report.made import FAILED, LONG, NASTY, SCRIPT, TRACE, hostile, production, recovered, traced

Scheme = Literal["light", "dark"]
Open = Callable[..., AbstractContextManager[Page]]

#: Texts whose contrast with what is behind them is too low: at least 4.5 is what WCAG 2 asks of small text (AA).
FAINT = """() => {
  const rgb = text => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return {c: [r, g, b], a} };
  const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 :
    ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05) };
  const behind = el => { for (; el; el = el.parentElement) {
    const {c, a} = rgb(getComputedStyle(el).backgroundColor); if (a === 1) return c } return [255, 255, 255] };
  const found = [], seen = [];
  for (const el of document.body.querySelectorAll('*')) {
    const svg = el.namespaceURI.includes('svg');
    if (svg && el.tagName !== 'text') continue;
    if (![...el.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(el);
    let color = rgb(style.color).c, ground;
    if (svg) {
      let box = el.previousElementSibling;
      while (box && (box.tagName !== 'rect' || getComputedStyle(box).fill === 'none')) box = box.previousElementSibling;
      color = rgb(style.fill).c; ground = rgb(getComputedStyle(box).fill).c;
    } else ground = behind(el);
    seen.push(el.textContent);
    if (ratio(color, ground) < 4.5) found.push([el.textContent.trim().slice(0, 60), ratio(color, ground)]);
  }
  return [seen.length, found];
}"""


@dataclass(frozen=True)
class Opened:
    """A page in the browser, what went wrong on it, and what it asked for."""

    page: Page
    wrong: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Opened]:
    """Opens each page once; what has become of it by then stays known to the tests after."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def opening(text: str) -> Opened:
        file = folder / f"{hash(text)}.html"
        file.write_text(text)
        page = browser.new_context().new_page()
        wrong: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return Opened(page, wrong, asked)

    return opening


@pytest.fixture
def shown(opened: Callable[[str], Opened]) -> Open:
    """Shows a page in the browser; at its end nothing has left, and the console holds no error."""

    @contextmanager
    def showing(text: str, width: int = 1280, scheme: Scheme = "light") -> Iterator[Page]:
        one = opened(text)
        one.page.set_viewport_size({"width": width, "height": 800})
        one.page.emulate_media(media="screen", color_scheme=scheme)
        yield one.page
        assert one.wrong == []
        assert [url for url in one.asked if not url.startswith("data:")] == [one.page.url]

    return showing


def ready() -> str:
    events = recovered(production(f"CREATE TABLE a (); CREATE TABLE {LONG} ()", "a", LONG), restore_point=True)
    return html(told(traced(events, TRACE, TRACE)))


def blocked() -> str:
    return html(told(recovered(production(f"CREATE TABLE a (); CREATE TABLE {LONG} ()", "a"), agrees=False)))


def markup() -> str:
    return html(told(hostile(recovered(production("CREATE TABLE a ()", "a"), restore_point=True))))


PAGES = {"ready": ready, "blocked": blocked, "hostile": markup}


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_screen(shown: Open, name: str, width: int) -> None:
    """No page scrolls sideways, with names and statements of hundreds of letters without a space."""
    with shown(PAGES[name](), width) as page:
        assert LONG in page.content()
        wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert room == width
        assert wide <= room
        beyond = (
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        )
        assert page.evaluate(f"{beyond}.map(e => e.outerHTML.slice(0, 80))") == []


def test_what_others_wrote_is_text(shown: Open) -> None:
    """A migration named like a script is shown by its name; no element comes of anybody's text."""
    with shown(markup()) as page:
        said = page.inner_text("body")
        assert FAILED in said
        assert " ".join(NASTY.split()).split("`")[0] in " ".join(said.split())
        assert "{{7*7}}" in said
        assert page.evaluate("document.scripts.length") == 0
        assert page.locator("img, iframe, object, embed, form, a").count() == 0
        assert page.title().startswith("Recovery 20260217-030000-abc123")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_text_can_be_read(shown: Open, name: str, scheme: Scheme) -> None:
    """Text and what is behind it differ enough, light and dark, the diagram's too."""
    with shown(PAGES[name](), scheme=scheme) as page:
        count, faint = page.evaluate(FAINT)
        assert count > 50
        assert faint == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") is (scheme == "light")


def test_print_is_dark_on_white_and_whole(shown: Open) -> None:
    """Whoever prints at night gets black on white, and nothing is hidden behind a scroll bar."""
    events = traced(recovered(production("CREATE TABLE a ()", "a")), TRACE, logs="one line\n" * 200)
    hidden = "[...document.querySelectorAll('pre')].filter(e => e.scrollHeight > e.clientHeight).length"
    with shown(html(told(events)), scheme="dark") as page:
        assert page.evaluate(hidden) == 1
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate(FAINT)[1] == []
        assert page.evaluate(hidden) == 0
        assert page.pdf(format="A4").startswith(b"%PDF")


def headings(page: Page) -> list[str]:
    return page.locator("h2").all_inner_texts()


def test_a_recovery_is_told_from_its_summary_to_its_postmortem(shown: Open) -> None:
    """Summary first: what happened, where it stands, what to do. Then all the rest, in its order."""
    with shown(ready()) as page:
        lead = page.inner_text("#summary")
        assert f"{FAILED} failed and was in the database; it was marked applied; 1 migration was deployed" in lead
        assert "the gate is open" in lead
        assert "What to do: Nothing: the gate is open." in lead
        assert headings(page) == [
            "Verdict",
            "Commands",
            "Verification",
            "Evidence",
            "The ledger, before and after",
            "Restore point",
            "Postmortem note",
            "The path, and when",
            "Checks that hold",
        ]
        assert page.locator(".machine text.here").all_text_contents() == ["PIPELINE_READY"]
        moves = page.locator("ol.time .n:not(.none)").all_inner_texts()
        assert moves == ["1", "2", "3", "4", "5", "6"]
        assert "How to go back to it: psql -f EMPTY" in page.inner_text("body")


def test_attempts_that_changed_nothing_are_folded(shown: Open) -> None:
    """A container that restarts for ever leaves one line, and the last attempt; what ran stays in sight."""
    started, *first = recovered(production("CREATE TABLE a ()", "a"), agrees=False)
    again = msgspec.structs.replace(
        started, kind=Kind.MOVED, payload={"from": "BLOCKED", "to": "PREFLIGHT", "because": "run again"}
    )
    with shown(html(told([started, *first, again, *first, again, *first])), 360) as page:
        fold = page.locator("li.fold")
        assert fold.locator("summary").all_inner_texts() == ["2 earlier attempts, in which nothing was changed"]
        assert not page.get_by_text("The recovery begins").is_visible()
        assert page.locator(".two > ol.time > li:not(.fold) .what").first.inner_text() == "BLOCKED → PREFLIGHT"
        assert page.locator("#verdict ~ section.card h3").first.is_visible()
    changed = [started, *recovered(production("CREATE TABLE a ()", "a"))[1:], again, *first]
    with shown(html(told(changed)), 360) as page:
        assert page.locator("li.fold").count() == 0


def test_a_block_says_what_to_do(shown: Open) -> None:
    """Where it is blocked the remedy is the second thing on the page, and nothing is said to have been changed."""
    with shown(blocked(), 360) as page:
        lead = page.inner_text("#summary")
        assert "the recovery is blocked in CLASSIFY (classify.partial), nothing was changed." in lead
        assert "What to do: Agree to the plan to complete it, which is proven by rehearsal" in lead
        assert page.locator("td.absent").all_inner_texts() == ["absent"]
        assert page.locator("#summary").bounding_box()["y"] < 200  # type: ignore[index]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_alone_can_be_read(shown: Open, scheme: Scheme) -> None:
    """`graph --format svg` has grounds and colours of its own, and its words stay inside."""
    with shown(f"<!DOCTYPE html><body>{diagram.svg()}", scheme=scheme) as page:
        count, faint = page.evaluate(FAINT)
        assert count > 30
        assert faint == []
        outside = """[...document.querySelectorAll('svg text')].filter(e => {
            const [t, s] = [e.getBoundingClientRect(), e.ownerSVGElement.getBoundingClientRect()];
            return t.left < s.left || t.right > s.right || t.bottom > s.bottom}).map(e => e.textContent)"""
        assert page.evaluate(outside) == []
        boxes: Any = page.evaluate("""[...document.querySelectorAll('svg rect.node')].map(e => {
            const [box, text] = [e.getBBox(), [...e.parentNode.querySelectorAll('text')].find(t =>
                t.getBBox().x > e.getBBox().x && t.getBBox().y > e.getBBox().y
                && t.getBBox().y < e.getBBox().y + e.getBBox().height && !t.classList.contains('number'))];
            return [text.textContent, text.getBBox().width < box.width]})""")
        assert len(boxes) == 9
        assert [name for name, fits in boxes if not fits] == []
        assert SCRIPT not in page.content()
