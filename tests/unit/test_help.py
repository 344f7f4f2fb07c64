"""`--help`: in groups, and without loading what only a command needs."""

import subprocess
import sys

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
