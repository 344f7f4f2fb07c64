"""The site that `scripts/docs` builds of README and docs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils.nodes import make_id
from playwright.sync_api import Page

from docs import documents
from tests.browser import chromium
from tests.docs.test_reference import DOCUMENTS, ROOT, codes

#: What a browser loads by itself; a link in the text waits for a click.
LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(?:https?:)?//|url\([\"']?(?:https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built anew."""
    folder = tmp_path_factory.mktemp("site")
    assert documents.build(folder) == 0, "the build has warnings; they are above"
    return folder


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of a phone's width, in a real browser."""
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 360, "height": 740})


def of(document: Path) -> str:
    """Where a document is on the site."""
    return str(document.relative_to(ROOT).with_suffix(".html"))


def test_the_site_has_every_document_and_begins_with_the_readme(site: Path) -> None:
    """Built without a warning; index.html is the README, and each document has its page."""
    assert (site / "index.html").read_text() == (site / "README.html").read_text()
    for document in DOCUMENTS:
        title = re.split("['`]", document.read_text().partition("\n")[0].removeprefix("# "))[0]
        assert f"<h1>{title}" in (site / of(document)).read_text(), document


def test_every_code_can_be_linked_to(site: Path) -> None:
    """errors.html has an anchor for each code: `lock.prisma` is at `#lock-prisma`."""
    text = (site / "docs" / "reference" / "errors.html").read_text()
    rows = re.findall(r'<tr [^>]*id="([\w-]+)"', text)
    assert sorted(rows) == sorted({make_id(code) for code in codes()})


def test_the_site_needs_no_network(site: Path) -> None:
    """No page and no style sheet loads anything from elsewhere."""
    files = [file for kind in ("html", "css") for file in site.rglob(f"*.{kind}")]
    assert len(files) > len(DOCUMENTS)
    for file in files:
        assert not LOADED.search(file.read_text()), file


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a page nor a heading that is not there gets through."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Readme\n\n[page](docs/nowhere.md) [heading](docs/index.md#nowhere)\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n")
    (tmp_path / "docs" / "index.md").write_text("# Index\n\n## Only\n\n- [Changelog](../CHANGELOG.md)\n")
    assert documents.build(tmp_path / "site", tmp_path) != 0
    warnings = re.findall(r"WARNING: (.*) \[[\w.]+\]", capfd.readouterr().err)
    assert [re.findall(r"'(.*?)'", warning)[-1] for warning in warnings] == ["docs/nowhere.md", "nowhere"], warnings


def test_pages_fit_a_phone_in_silence(site: Path, page: Page) -> None:
    """At 360 px no page scrolls sideways, writes to the console, or asks for what is not in the folder."""
    faults: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on("request", lambda request: requests.append(request.url))
    for document in DOCUMENTS:
        page.goto((site / of(document)).as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{document}: {wide} px too wide"
    assert faults == []
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}


def test_search_finds_a_code(site: Path, page: Page) -> None:
    """The search works from the folder alone."""
    page.goto(f"{(site / 'search.html').as_uri()}?q=orphan")
    page.wait_for_selector("#search-results li a")
    assert "docs/reference/errors.html" in " ".join(
        link.get_attribute("href") or "" for link in page.query_selector_all("#search-results li a")
    )
