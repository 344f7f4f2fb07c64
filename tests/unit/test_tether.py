"""A command that is tied to this process ends with it, however that ends, until it is let off."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 30
#: Starts a command that ends with its standard output, tells its id, and is killed before or after it lets it off.
DYING = """
import os, signal, subprocess, sys
from recovery.prisma.process import Tether
tether = Tether()
command = subprocess.Popen(tether.tied(["sh", "-c", "echo begun; read -r _ < $1", "sh", sys.argv[1]]),
                           stdin=tether.pipe, start_new_session=True)
if sys.argv[2] == "let off":
    os.read(os.open(sys.argv[3], os.O_RDONLY), 1)
    tether.let_off()
print(command.pid, file=sys.stderr, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["tied", "let off"])
def test_it_ends_with_us_until_it_is_let_off(tmp_path: Path, when: str) -> None:
    """Its whole group is killed; one that was let off goes on, and ends when it is done."""
    waits, told = tmp_path / "waits", tmp_path / "told"
    os.mkfifo(waits)
    os.mkfifo(told)
    argv = [sys.executable, "-c", DYING, str(waits), when, str(told)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        assert dying.stderr is not None
        if when == "let off":
            assert dying.stdout.readline() == "begun\n"
            told.write_text("go")
        pid = int(dying.stderr.readline())
        assert dying.wait(SECONDS) == -signal.SIGKILL
        if when == "let off":
            os.kill(pid, 0)  # it is there
            waits.write_text("\n")
        assert dying.stdout.read() in ("", "begun\n")  # the command's end closes it


def test_of_a_command_that_never_began_nothing_is_left() -> None:
    """The watcher ends when the command is let off, before it has said anything."""
    script = (
        "from recovery.prisma.process import Tether; t = Tether(); t.let_off(); t.let_off(); print(t._watcher.poll())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=SECONDS)
    assert done.stdout == "0\n"
