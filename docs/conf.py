"""How `scripts/docs` makes the site of README.md, CHANGELOG.md and this folder.

Sources are the files as they stand in the repository, and the site mirrors their folders. So a relative link leads to
the same place in both.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

project = "prisma-recovery"
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "docs/**"]
exclude_patterns = [".*", "build", "node_modules"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False

#: So many columns need no names.
PLAIN = 2
#: What begins a row of the reference that can be linked to: a code, a key, a check.
DOTTED = re.compile(r"[a-z_]+(\.[a-z_\d]+)+")


def navigation(index: str) -> Iterator[str]:
    """The tables of contents of the site: docs/index.md, heading by heading."""
    for section in index.split("\n## ")[1:]:
        pages = re.findall(r"^- \[.*?\]\((\S+)\.md\)", section, re.MULTILINE)
        entries = [(Path("docs") / page).as_posix().replace("docs/../", "") for page in pages]
        yield "\n".join(["```{toctree}", ":hidden:", f":caption: {section.splitlines()[0]}", "", *entries, "```", ""])


def on_source_read(app: Sphinx, name: str, source: list[str]) -> None:
    """The first page has the navigation."""
    if name == root_doc:
        index = (app.srcdir / "docs" / "index.md").read_text()
        source[0] = "\n\n".join([source[0], "```{toctree}\n:hidden:\n\ndocs/index\n```", *navigation(index)])


def on_doctree_read(app: Sphinx, document: nodes.document) -> None:
    """Makes of the documents what a host of code would, and what only a site can."""
    for block in document.findall(nodes.literal_block):
        if block.get("language") == "mermaid":  # what draws it is a script that would have to come with the page
            block["language"] = "text"
    for table in document.findall(nodes.table):
        label_cells(table)
    if app.env.current_document.docname.startswith("docs/reference/"):
        anchor_rows(document)


def label_cells(table: nodes.table) -> None:
    """Each cell says its column: a phone shows cells one below the other. With two columns it is plain without that."""
    head, *rows = table.findall(nodes.row)
    if len(head) > PLAIN:
        for row in rows:
            for title, cell in zip(head[1:], row[1:], strict=True):
                cell.insert(0, nodes.paragraph("", title.astext(), classes=["label"]))


def anchor_rows(document: nodes.document) -> None:
    """A row that begins with a dotted name can be linked to: that of `lock.prisma` by `#lock-prisma`."""
    for row in document.findall(nodes.row):
        first = row[0]
        literal = next(iter(first.findall(nodes.literal)), None)
        name = first.astext()
        anchor = nodes.make_id(name)
        if literal is None or not DOTTED.fullmatch(name) or anchor in document.ids:
            continue
        row["ids"].append(anchor)
        document.ids[anchor] = row
        literal.replace_self(nodes.reference("", "", literal.deepcopy(), internal=True, refid=anchor))


def on_build_finished(app: Sphinx, failed: Exception | None) -> None:
    """README is what a browser is given for the folder."""
    if failed is None:
        shutil.copyfile(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", on_source_read)
    app.connect("doctree-read", on_doctree_read)
    app.connect("build-finished", on_build_finished)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
