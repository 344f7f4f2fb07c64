"""Commands that are shown to be copied: each is one that the command line takes, with the options that were given."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from recovery.app.session import Options
from recovery.cli.app import app
from recovery.cli.next_commands import completion
from states.answers import RUN_AGAIN, RUN_AGREED
from states.classification import ASSUMING

GIVEN = Options(
    database_url="postgresql://u:s3cret@h/d",
    migrations=Path("a b/migrations"),
    schema=Path("prisma"),
    config=Path("x.toml"),
    expect_host="h",
    expect_database="d",
    expect_commit="main",
    waive=("git.clean=a 'b'", "git.commit=c"),
    journal="postgresql://u:s3cret@h/journal",
    restore_point="none",
    assume=("no-handwork",),
    scripts=(Path("gone"), Path("lost too")),
)
LINES = (
    RUN_AGAIN.line,
    RUN_AGREED.line,
    "prisma-recovery pipeline",
    "prisma-recovery pipeline --repeat seed",
    "prisma-recovery pipeline --done seed",
    'prisma-recovery approve 1_a --applied --evidence sha256:1 --reason "…"',
    'prisma-recovery abort --reason "…"',
)


def parsed(line: str) -> dict[str, Any]:
    """The values that the command gets; what it does not take is an error."""
    _, name, *words = shlex.split(line)
    return dict(app.commands[name].make_context(name, words).params)


@pytest.mark.parametrize("line", LINES)
def test_a_completed_command_is_one_that_there_is(line: str) -> None:
    """It is read without an error, with what the bare one says, and shows no secret."""
    completed = completion(GIVEN)(line)
    assert "s3cret" not in completed
    bare, whole = parsed(line), parsed(completed)
    assert {name for name in bare if bare[name] != whole[name]} >= {"database_url", "schema", "config", "journal"}
    kept = {name: value for name, value in bare.items() if value not in (None, False, [], ())}
    assert {name: whole[name] for name in kept} == kept


def test_run_gets_all_that_was_given() -> None:
    """URLs as the word that stands for them in the help; the rest as it was."""
    whole = parsed(completion(GIVEN)(RUN_AGAIN.line))
    wanted = {name: getattr(GIVEN, name) for name in Options.__dataclass_fields__}
    wanted |= {"database_url": "URL", "journal": "URL"}
    assert {name: whole[name] for name in wanted} == wanted


@pytest.mark.parametrize("line", [RUN_AGAIN.line, RUN_AGREED.line, ASSUMING.line])
def test_run_keeps_what_was_agreed_to(line: str) -> None:
    """Once each, whether the line has them already or not; no other command takes them."""
    complete = completion(GIVEN, ("--yes", "--pipeline"))
    words = shlex.split(complete(line))
    assert [words.count(word) for word in ("--yes", "--pipeline", "--assume", "no-handwork")] == [1, 1, 1, 1]
    assert parsed(complete(line))["pipeline"]
    assert "--yes" not in complete("prisma-recovery pipeline")


def test_where_nothing_was_given_nothing_is_added() -> None:
    """As the command is documented."""
    assert [completion(Options())(line) for line in LINES] == [*LINES]
