"""No block of the documents is left to itself: each is run, or checked by what it is.

A block that cannot be run says why, in a comment right before it: `<!-- not run: it needs your project in Vercel -->`.
Whatever calls `prisma-recovery` in it is read by the real command line all the same, as is such a call in a sentence.
"""

import ast
import importlib
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgast
import pytest
import yaml
from markdown_it import MarkdownIt

from recovery.cli.app import app
from recovery.version import __version__
from tests.docs import test_examples, test_run
from tests.docs.test_reference import DOCUMENTS, ROOT

#: Shown as it is, and nothing that anybody would type.
SHOWN = ("text", "mermaid")
SHELL = ("bash", "sh", "console")
ENDS = re.compile(r"[;&|()<>]+")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, what its info string says, its text, and the comment before it."""

    document: Path
    line: int
    info: str
    text: str
    marks: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def unrun(self) -> str | None:
        """Why it isn't run, if it says so."""
        found = re.search(r"<!-- not run: (.+) -->", self.marks)
        return found[1] if found else None

    @property
    def shell(self) -> str:
        """What a shell reads of it; of a console block what stands behind the prompt."""
        if self.info != "console":
            return self.text
        return "\n".join(line[2:] for line in self.text.splitlines() if line.startswith("$ "))


def blocks() -> Iterator[Block]:
    """Every fenced block of every document."""
    for document in DOCUMENTS:
        before = None
        for token in MarkdownIt("commonmark").parse(document.read_text()):
            if token.type == "fence":
                assert token.map is not None
                marks = before.content if before is not None and before.type == "html_block" else ""
                yield Block(document, token.map[0] + 1, token.info, token.content, marks)
            before = token


def sentences() -> Iterator[tuple[str, str]]:
    """Every call of the command in a sentence, and the document that it stands in."""
    markdown = MarkdownIt("commonmark").enable("table")
    for document in DOCUMENTS:
        for token in markdown.parse(document.read_text()):
            for part in token.children or ():
                if part.type == "code_inline" and part.content.startswith("prisma-recovery "):
                    yield str(document.relative_to(ROOT)), part.content


def calls(shell: str) -> Iterator[list[str]]:
    """The arguments of each call of `prisma-recovery` in a shell's text."""
    for line in shell.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        current: list[str] | None = None
        for word in [*words, ";"]:
            if ENDS.fullmatch(word):
                if current is not None:
                    yield current
                current = None
            elif current is not None:
                current.append(word)
            elif word == "prisma-recovery":
                current = []


def read(arguments: list[str]) -> None:
    """Lets the real command line read them, down to the command that would be called, and doesn't call it."""
    command: Any = app
    name: str | None = "prisma-recovery"
    context = None
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        if not hasattr(command, "resolve_command"):
            return
        rest = [*context._protected_args, *context.args]  # noqa: SLF001 - where click keeps what a group has not read
        name, command, arguments = command.resolve_command(context, rest)


def strings(value: object) -> Iterator[str]:
    """Every text in a document of YAML or JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def check_dockerfile(block: Block) -> None:
    """Each line is an instruction, and a shell can read what is run."""
    stages: list[str] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        instruction, _, rest = line.partition(" ")
        assert instruction in ("#", "FROM", "RUN", "COPY", "ENV", "WORKDIR", ""), f"{block}: {line}"
        if instruction == "FROM":
            stages += rest.split()[2:]
        elif instruction == "RUN":
            subprocess.run(["sh", "-n", "-c", rest], check=True)
        elif "--from=" in rest:
            assert rest.split("--from=")[1].split()[0] in stages, f"{block}: {line}"


def check(block: Block) -> None:
    """Checks a block that is neither run nor excused by what it is; fails if it is nothing that is known."""
    texts: list[str] = []
    match block.info:
        case "toml":
            tomllib.loads(block.text)  # loaded as a configuration by test_settings_that_are_shown_are_accepted
        case "yaml":
            texts = [*strings(yaml.safe_load(block.text))]
        case "json":
            value = json.loads(block.text)
            assert "schema_version" not in value, f"{block}: show it as what a command prints, and run that"
            texts = [*strings(value)]
        case "dockerfile":
            check_dockerfile(block)
        case "sql":
            postgast.parse(block.text)
        case "python":
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    module = importlib.import_module(node.module)
                    assert all(hasattr(module, each.name) for each in node.names)
        case kind if kind in SHOWN:
            assert not re.search(r"^\$ ", block.text, re.MULTILINE), f"{block}: commands in a block of {kind}"
        case kind:
            pytest.fail(f"{block}: say how this block of {kind or 'nothing'} is run, or why it is not")
    for text in texts:
        for arguments in calls(text):
            read(arguments)


def test_every_block_is_run_or_checked() -> None:
    """A block is run by test_run or test_examples, or is checked here, or says why it cannot be run."""
    run = {
        document: {text for each in test_run.blocks(document) for text in (each.text, *dict(each.files).values())}
        for document in DOCUMENTS
    }
    counts = {"run": 0, "staged": 0, "not run": 0, "checked": 0}
    for block in blocks():
        if block.document == test_examples.PAGE:
            assert block.info in (*test_examples.COMMON, *test_examples.ORDER, "sql script"), block
            counts["staged"] += 1
        elif block.unrun is not None:
            assert block.info in SHELL, f"{block}: {block.info} is checked by what it is"
            for arguments in calls(block.shell):
                read(arguments)
            counts["not run"] += 1
        elif block.text in run[block.document]:
            counts["run"] += 1
        else:
            check(block)
            counts["checked"] += 1
    assert all(counts.values()), counts


@pytest.mark.parametrize(("document", "call"), [*sentences()])
def test_a_call_in_a_sentence_is_one_that_the_command_line_takes(document: str, call: str) -> None:
    """Commands and options that are named in passing exist too."""
    (arguments,) = calls(call)
    assert arguments[0] == "COMMAND" or read(arguments) is None, document


def test_calls_that_do_not_exist_are_found() -> None:
    """What the command line would not take is told: an option, a command, a value that is lacking."""
    for wrong in ("prisma-recovery run --yess", "prisma-recovery recover", "x=1 prisma-recovery approve NAME"):
        (arguments,) = calls(wrong)
        with pytest.raises(Exception, match=r"(?i)no such|missing"):
            read(arguments)
    loop = "until prisma-recovery run --yes; do\n  sleep 5 # prisma-recovery nothing\ndone"
    assert [*calls(loop)] == [["run", "--yes"]]


def test_it_can_be_installed_as_the_documents_say() -> None:
    """The wheel that is named is the one that is built; tests/shipping builds, installs and runs it."""
    (block,) = (each for each in blocks() if each.document.name == "README.md" and "pip install" in each.text)
    assert block.text.splitlines() == ["pipx install .", "pip install ."]
    wheel = f"prisma_recovery-{__version__}-py3-none-any.whl"
    assert f"`vendor/{wheel}`" in (ROOT / "docs" / "how-to" / "vercel.md").read_text()
