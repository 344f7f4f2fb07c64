"""`--help`: in groups, and without loading what only a command needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from recovery.cli.app import app

COMMANDS = ("run", "inspect", "status", "approve", "abort", "pipeline")


@pytest.mark.parametrize("command", COMMANDS)
def test_options_stand_in_groups(command: str) -> None:
    """Target, expectations and output each have a heading; every option stands below one heading, once."""
    said = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"}).output
    headings = [line for line in said.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert len(headings) == len(set(headings))
    assert "Target, project and journal:" in headings
    assert "Output:" in headings
    group: str | None = None
    groups: dict[str, str | None] = {}
    for line in said.splitlines():
        if line in headings:
            group = line
        elif line.startswith("  --"):
            option = line.split()[0]
            assert option not in groups
            groups[option] = group
    assert groups["--json"] == "Output:"
    assert groups["--schema"] == "Target, project and journal:"
    assert groups.get("--waive", "Expectations:") == "Expectations:"
    assert max(map(len, said.splitlines())) <= 80


def _modules(code: str) -> set[str]:
    """The modules that are loaded when that code exits, or has run to its end."""
    script = f"""
import os, sys
leave = os._exit
def tell(code):
    sys.stderr.write(' '.join(sys.modules))
    sys.stderr.flush()
    leave(code)
os._exit = tell
{code}
tell(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


def test_help_is_shown_with_nothing_loaded_but_python() -> None:
    """An allow-list: what says `--help`, and what every Python has."""
    code = "sys.argv = ['prisma-recovery', '--help']\nfrom recovery.cli import main\nmain()"
    assert _modules(code) - _modules("import _signal") == {"recovery", "recovery.cli"}


def test_what_help_says_is_kept_and_narrower_terminals_have_their_own() -> None:
    """The program says what click would, at 80 columns and above; below it is made anew."""
    program = Path(sys.executable).with_name("prisma-recovery")

    def said(columns: int, *more: str) -> str:
        environ = {**os.environ, "COLUMNS": str(columns)}
        argv = [str(program), *more, "--help"]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60, env=environ).stdout

    made = CliRunner().invoke(app, ["--help"], prog_name="prisma-recovery", env={"COLUMNS": "80"}).output
    assert said(80) == said(200) == made
    assert max(map(len, said(50).splitlines())) <= 50


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",)])
def test_help_loads_nothing_that_only_a_command_needs(arguments: tuple[str, ...]) -> None:
    """Neither rich, nor psycopg, nor structlog: that is what makes it answer at once."""
    code = (
        "import sys\nfrom recovery.cli.app import run_app\n"
        f"sys.argv = ['prisma-recovery', *{arguments!r}]\n"
        "try:\n    run_app()\nfinally:\n"
        "    heavy = {'rich', 'psycopg', 'structlog', 'msgspec', 'httpx', 'postgast', 'transitions'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"
    assert done.stdout


@pytest.mark.parametrize(
    ("line", "missing"),
    [("approve 1_a --reason x", "--evidence"), ("approve 1_a --evidence x", "--reason"), ("approve", "MIGRATION")],
)
def test_what_is_required_is_demanded(line: str, missing: str) -> None:
    """A command that lacks it is not begun."""
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 2
    assert "Missing" in done.output
    assert missing in done.output


def test_every_word_for_a_value_is_a_noun_in_capitals() -> None:
    """One style: alternatives stand in the sentence beside it; commands stand in the order in which they are needed."""
    for name, command in app.commands.items():
        for parameter in command.params:
            if not getattr(parameter, "is_flag", False):
                word = parameter.metavar or ""
                assert word.strip("[]") == word.strip("[]").upper().replace("|", ""), f"{name}: {word}"
    assert list(app.commands)[:3] == ["run", "repair", "inspect"]
