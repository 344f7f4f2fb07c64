"""The page of a look at a fleet in a real browser: sortable, filterable, readable everywhere, and it loads nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from recovery.fleet.page import html
from states.fleet import Outcome
from tests.fleet.made import NASTY, found
from tests.report.test_page import FAINT

#: Names in the rows that are shown, in order.
SHOWN = "[...document.querySelectorAll('#databases tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].dataset.sort)"


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page, opened once; what it asks for, and what goes wrong, is an error."""
    file = tmp_path_factory.mktemp("fleet") / "fleet.html"
    file.write_text(html(found(), "2026-03-01 12:00 UTC"))
    opened = browser.new_context().new_page()
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    opened.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else wrong.append(request.url)
    )
    opened.goto(file.as_uri())
    opened.evaluate("window.wrong = []")
    assert wrong == []
    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_readable_on_every_screen(page: Page, width: int, scheme: str) -> None:
    """No sideways scrolling, and no faint text, on a phone and on a desk, by day and by night."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
    wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room
    seen, faint = page.evaluate(FAINT)
    assert seen > 100
    assert faint == []


def test_it_sorts_by_each_column_both_ways(page: Page) -> None:
    """Numbers as numbers; the heading says which way."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.click("th:nth-child(1) button")
    names = page.evaluate(SHOWN)
    assert names == sorted(names)
    page.click("th:nth-child(1) button")
    assert page.evaluate(SHOWN) == sorted(names, reverse=True)
    assert page.get_attribute("th:nth-child(1)", "aria-sort") == "descending"
    page.click("th:nth-child(4) button")
    page.click("th:nth-child(4) button")
    assert page.inner_text("#databases tbody tr:first-child td:nth-child(4)").strip() == "1"


def test_it_filters_by_outcome_and_by_words(page: Page) -> None:
    """Both at once; a second click takes an outcome back."""
    page.click("button[data-outcome=failed]")
    assert len(page.evaluate(SHOWN)) == 10
    page.fill("#search", "eu undecid")
    assert 0 < len(page.evaluate(SHOWN)) < 10
    assert page.inner_text("#shown") == f"{len(page.evaluate(SHOWN))} of 40"
    page.fill("#search", "")
    page.click("button[data-outcome=failed]")
    assert len(page.evaluate(SHOWN)) == 40


def test_a_hostile_name_is_text(page: Page) -> None:
    """It runs nothing, and is shown as it is."""
    assert NASTY in page.evaluate(SHOWN)
    assert page.evaluate("document.scripts.length") == 1


def test_every_outcome_is_counted(page: Page) -> None:
    """The chips show how many there are of each, and none of what there is not."""
    chips = page.evaluate("[...document.querySelectorAll('button[data-outcome]')].map(b => b.dataset.outcome)")
    assert set(chips) == set(Outcome) - {Outcome.UNKNOWN}
    assert "5 applied, 5 undecidable" in page.inner_text("button[data-outcome=failed]")


def test_without_scripts_it_is_a_plain_table(browser: Browser, tmp_path: Path) -> None:
    """All rows are there, and no tool that would do nothing."""
    file = tmp_path / "fleet.html"
    file.write_text(html(found(), "now"))
    opened = browser.new_context(java_script_enabled=False).new_page()
    opened.goto(file.as_uri())
    assert opened.locator("#databases tbody tr").count() == 40
    assert not opened.locator("#search").is_visible()
