"""What the documents say of the code is so, and nothing is left out."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import recovery
from docs import documents
from recovery import Recovery, config, events
from recovery.report import words
from states.checks import NAMES
from states.evidence import Verdict
from states.exit_codes import Exit

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("path", documents.expected(), ids=lambda path: str(path.relative_to(DOCS.parent)))
def test_generated_parts_are_up_to_date(path: Path) -> None:
    """`scripts/docs` would change nothing: diagram, edges, options and JSON Schema are the code's."""
    assert path.read_text() == documents.expected()[path], "run scripts/docs"


def sources() -> Iterator[tuple[Path, ast.AST]]:
    """Every node of every module."""
    for folder in ("recovery", "states"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                yield path, node


def codes() -> set[str]:
    """Every code that the source gives to a refusal or an error; of built ones, every form that they can take."""
    found: set[str] = set()
    checks = set(NAMES)
    forms = {"preflight.": checks, "classify.": set(Verdict)}
    for path, node in sources():
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        first = node.args[0]
        other = ("AssertionError", "AttributeError", "PermissionError", "ValueError", "ImpossibleMoveError")
        if name in other or not re.fullmatch(r"Refusal|\w+Error", name):
            continue
        if isinstance(first, ast.Constant):
            found.add(first.value)
        elif isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
            prefix = first.values[0].value
            found |= {prefix + form for form in forms[prefix]}
        else:
            assert ast.unparse(first) == "self.code", f"{path}:{node.lineno}: the code is not to be read here"
    return found


def test_every_code_is_documented_and_no_other() -> None:
    """docs/reference/errors.md names each code of the source in a row of its own, and none that is gone."""
    rows = re.findall(r"^\| `([\w.]+)` \|", (DOCS / "reference" / "errors.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(set(rows)), "a code is listed twice"
    assert set(rows) == codes()


def test_every_check_of_preflight_is_documented() -> None:
    """docs/reference/cli.md lists the names that --waive takes."""
    text = (DOCS / "reference" / "cli.md").read_text()
    checks = {code.removeprefix("preflight.") for code in codes() if code.startswith("preflight.")} - {"no_checks"}
    assert checks == set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", text, re.MULTILINE))


def test_every_exit_code_is_documented() -> None:
    """README and docs/reference/exit-codes.md list the same codes as the source."""
    text = (DOCS / "reference" / "exit-codes.md").read_text()
    listed = re.findall(r"^\| (\d+) \| (\w+) \|", text, re.MULTILINE)
    assert [(str(int(code)), code.name) for code in Exit] == listed
    readme = (ROOT / "README.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    assert [str(int(code)) for code in Exit] == re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)


def test_every_verdict_is_explained() -> None:
    """README's table and docs/how-to/verdicts.md have all six verdicts."""
    readme = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    headings = re.findall(r"^## (\w+)$", (DOCS / "how-to" / "verdicts.md").read_text(), re.MULTILINE)
    assert readme == headings == [verdict.value for verdict in Verdict]


def test_verdicts_are_quoted_as_the_terminal_says_them() -> None:
    """docs/how-to/verdicts.md has the terminal's sentence for each verdict."""
    text = " ".join((DOCS / "how-to" / "verdicts.md").read_text().split())
    for verdict in Verdict:
        assert f"**{words.verdict_now(verdict)}**" in text


def keys(table: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Every key of the configuration, dotted, except the tables that only hold others."""
    for field in msgspec.structs.fields(table):
        name = f"{prefix}{field.name}"
        inner = config._TABLES.get(name)  # noqa: SLF001 - the one list of what is where
        if inner is not None:
            yield from ([name] if name in ("pipeline.steps", "fleet.targets") else [])
            yield from keys(inner, f"{name}.")
        elif name != "path":
            yield name


def test_every_key_of_the_configuration_is_documented() -> None:
    """docs/reference/configuration.md has a row for each key, and for no other."""
    text = (DOCS / "reference" / "configuration.md").read_text().partition("## Environment")[0]
    assert set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)) == set(keys(config.Config))


def test_settings_that_are_shown_are_accepted(tmp_path: Path) -> None:
    """Every block of TOML in README and docs is a configuration that can be loaded."""
    shown = [b for d in DOCUMENTS for b in re.findall(r"^```toml\n(.*?)^```$", d.read_text(), re.MULTILINE | re.DOTALL)]
    assert shown
    for number, block in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        loaded = config.load(file, tmp_path)
        assert loaded.fleet != config.Fleet() or loaded.production == config.Production("db.example.com", "app")


@pytest.mark.parametrize("name", documents.SCHEMAS)
def test_every_field_of_a_schema_is_documented(name: str) -> None:
    """json.md, and for events events.md, name each field of each record that a machine can get."""
    text = "".join((DOCS / "reference" / page).read_text() for page in ("json.md", "events.md"))
    parts = json.loads((DOCS / name).read_text())["$defs"].values()
    for field in {field for part in parts for field in part.get("properties", ())}:
        assert re.search(rf"`(\w+\.|\w+\[\]\.|\.)?{field}(\[\])?(\.\w+)?`", text), field


def test_every_event_is_documented() -> None:
    """events.md has a row for each event, and for no other."""
    text = (DOCS / "reference" / "events.md").read_text().partition("**`progressed`**")[0]
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}
    parts = json.loads((DOCS / "reference" / "events.schema.json").read_text())["$defs"].values()
    assert named == {kind for part in parts for kind in part.get("properties", {}).get("event", {}).get("enum", ())}


def test_every_public_name_is_documented() -> None:
    """docs/reference/python.md has a row for each name of `recovery.__all__`, each of Recovery's, and each event."""
    text = (DOCS / "reference" / "python.md").read_text()
    names, _, rest = text.partition("\n## `Recovery`")
    methods, _, rest = rest.partition("\n## Events")
    told = rest.partition("\n## ")[0]
    row = re.compile(r"^\| (`.*?`) \|", re.MULTILINE)
    assert sorted(name.strip("`") for name in row.findall(names)) == sorted(recovery.__all__)
    public = {name for name in vars(Recovery) if not name.startswith("_")}
    assert {re.split(r"\W", name.strip("`"))[0] for name in row.findall(methods)} == public
    tags = {each.__struct_config__.tag for each in events.Event.__subclasses__()}
    assert {tag.strip("`") for names in row.findall(told) for tag in names.split(", ")} == tags


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link names a file that is there, and a heading that it has."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        target, _, anchor = re.sub(r"\s+", "", link).partition("#")
        if target.startswith("https://"):
            continue
        path = (document.parent / target).resolve() if target else document
        assert path.is_file(), f"{document.name}: {link}"
        assert not anchor or anchor in anchors(path), f"{document.name}: {link}"


def test_every_document_is_in_the_index() -> None:
    """docs/index.md leads to each document."""
    index = (DOCS / "index.md").read_text()
    for path in DOCS.rglob("*.md"):
        if path.name != "index.md":
            assert f"({path.relative_to(DOCS)})" in index, path
