"""The parts of docs/ that are made from the code: the diagram and its picture, the command line, the JSON Schema.

And what `--help` says.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. The tests compare.

And the site that Sphinx makes of README and docs/.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from click.testing import CliRunner

from recovery import events
from recovery.cli import documents
from recovery.cli.app import app
from recovery.fleet import document as fleet
from recovery.report import accounts, diagram, document
from states.table import EDGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOCS = Path(__file__).resolve().parent
SITE = DOCS.parent / "build" / "site"


def mermaid() -> str:
    """The table of edges as a Mermaid state diagram."""
    return f"```mermaid\n{diagram.mermaid()}```"


def edges() -> str:
    """The table of edges, row by row."""
    rows = ["| from | to | when |", "|---|---|---|"]
    return "\n".join([*rows, *(f"| {e.source} | {e.target} | {e.when} |" for e in EDGES)])


def commands() -> str:
    """Every command with every option, as the command line itself declares them."""
    parts = []
    for name, command in _visible(app.commands):
        parts += [f"## `{name}`", "", _one_line(command.help), ""]
        rows = [row for parameter in command.params if (row := _row(parameter))]
        parts += ["| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(parts).rstrip()


def _visible(commands: dict[str, click.Command], before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Each command with its whole name, a group before its own."""
    for name, command in commands.items():
        if not command.hidden:
            yield f"{before}{name}", command
            yield from _visible(getattr(command, "commands", {}), f"{before}{name} ")


def _row(parameter: click.Parameter) -> str:
    if parameter.name == "help":
        return ""
    flag = getattr(parameter, "is_flag", False)
    metavar = getattr(parameter, "metavar", None) or parameter.name.upper().rpartition("_")[2]
    argument = parameter.opts[0][0] != "-"
    shown = metavar if argument else parameter.opts[0] if flag else f"{parameter.opts[0]} {metavar}"
    needed = " Required." if parameter.required else ""
    meaning = _one_line(getattr(parameter, "explanation", "") or getattr(parameter, "help", "")).replace("|", "\\|")
    return f"| `{shown}` | {meaning}{needed} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _schema(title: str, *kinds: type) -> str:
    """The JSON Schema of documents that are one of `kinds`."""
    refs, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    for component in components.values():
        if "description" in component:  # a docstring's first line; the rest is for readers of the code
            component["description"] = component["description"].splitlines()[0]
        if "properties" in component:  # a default is for whoever makes a record; it is written all the same
            component["required"] = list(component["properties"])
            for field in component["properties"].values():
                field.pop("default", None)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"prisma-recovery {title}",
        **(refs[0] if len(refs) == 1 else {"oneOf": list(refs)}),
        "$defs": {name: components[name] for name in sorted(components)},
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _events() -> str:
    """The JSON Schema of a line of `run --events`: an event, with its time and its run."""
    kinds = [kind for kind in events.Event.__subclasses__() if kind.__module__ == events.__name__]
    whole = json.loads(_schema("run --events, a line", *kinds))
    for kind in kinds:
        component = whole["$defs"][kind.__name__]
        name = component["properties"].pop("event")
        time = {"type": "string", "format": "date-time", "description": "ISO 8601 in UTC."}
        run = {"type": "string", "description": "Empty before a run is begun or gone on with."}
        component["properties"] = {"event": name, "time": time, "run": run, **component["properties"]}
        component["required"] = list(component["properties"])
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


#: Name of each generated part, the document it stands in, and what makes it.
PARTS: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("diagram", "explanation/machine.md", mermaid),
    ("edges", "explanation/machine.md", edges),
    ("commands", "reference/cli.md", commands),
)
#: Each schema's file, and what makes it. Every command can print an error's document instead.
SCHEMAS: dict[str, Callable[[], str]] = {
    "reference/inspect.schema.json": lambda: _schema("inspect --json", document.InspectDocument),
    "reference/run.schema.json": lambda: _schema("run --json, pipeline --json", document.RunDocument),
    "reference/status.schema.json": lambda: _schema("status --json", document.StatusDocument),
    "reference/approve.schema.json": lambda: _schema("approve --json", document.ApproveDocument),
    "reference/repair.schema.json": lambda: _schema("repair --json", document.RepairDocument),
    "reference/abort.schema.json": lambda: _schema("abort --json", document.AbortDocument),
    "reference/report.schema.json": lambda: _schema("report --json", accounts.ReportDocument),
    "reference/graph.schema.json": lambda: _schema("graph --json", accounts.GraphDocument),
    "reference/guard.schema.json": lambda: _schema("guard --json", documents.GuardDocument),
    "reference/install.schema.json": lambda: _schema("guard install --json", documents.InstallDocument),
    "reference/fleet-inspect.schema.json": lambda: _schema("fleet inspect --json", fleet.FleetInspectDocument),
    "reference/fleet-run.schema.json": lambda: _schema("fleet run --json, fleet status --json", fleet.FleetRunDocument),
    "reference/completions.schema.json": lambda: _schema("completions --json", documents.CompletionsDocument),
    "reference/error.schema.json": lambda: _schema("--json of a command that failed", document.ErrorDocument),
    "reference/events.schema.json": _events,
}
PICTURE = "explanation/machine.svg"
#: What `--help` says, kept so that it is shown at once.
HELP = DOCS.parent / "recovery" / "cli" / "help.txt"


def expected() -> dict[Path, str]:
    """Every document that has a generated part, as it should be."""
    texts: dict[Path, str] = {}
    for name, page, make in PARTS:
        path = DOCS / page
        text = texts.get(path) or path.read_text()
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise LookupError(f"{page} needs the part {name} exactly once")
        made = f"\n{make()}\n\n"
        texts[path] = pattern.sub(lambda match, made=made: match[1] + made + match[2], text)  # type: ignore[misc]
    texts |= {DOCS / name: make() for name, make in SCHEMAS.items()}
    texts[DOCS / PICTURE] = diagram.svg()
    texts[HELP] = CliRunner().invoke(app, ["--help"], prog_name="prisma-recovery", env={"COLUMNS": "80"}).output
    return texts


def build(site: Path, root: Path = DOCS.parent) -> int:
    """Makes the site of README and docs/ under `root`; its exit code. Any warning, as of a broken link, is an error."""
    strict = ("--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--write-all", "--quiet")
    command = [sys.executable, "-m", "sphinx", *strict, "--conf-dir", str(DOCS), str(root), str(site)]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Write what differs, and build the site; with `--check` only name what differs, and fail if there is any."""
    stale = [(path, text) for path, text in expected().items() if not path.is_file() or path.read_text() != text]
    for path, text in stale:
        print(path.relative_to(DOCS.parent))
        if "--check" not in sys.argv:
            path.write_text(text)
    if "--check" in sys.argv:
        return 1 if stale else 0
    print(SITE.relative_to(DOCS.parent))
    return build(SITE)


if __name__ == "__main__":
    sys.exit(main())
