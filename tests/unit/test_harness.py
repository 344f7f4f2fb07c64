"""The frame around each command: what is said where one ends early."""

import pytest
from click.exceptions import Exit as Ended

from recovery.cli import harness
from recovery.cli.output import Output


@pytest.mark.parametrize(
    ("command", "remedy"), [("run", "    prisma-recovery run\n"), ("inspect", "Give the same command again.\n")]
)
def test_who_interrupts_a_look_is_not_sent_to_run(
    command: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a command that goes on from where it was is told as the one to run again."""
    with pytest.raises(Ended), harness.shown(Output(command)):
        raise KeyboardInterrupt
    said = capsys.readouterr().err
    assert remedy in said
    assert ("prisma-recovery run" in said) == (command == "run")
