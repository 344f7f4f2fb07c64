"""Signals from the first instant on, outputs that nobody reads, and commands that are killed from outside."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.further import further
from tests.acceptance.scene import APPLIED, MARKED_APPLIED, PROGRAM, SECONDS, STUCK, Held, Scene, eventually
from tests.acceptance.test_signals import deploying, until_it_waits
from tests.staging import Case, warm

Make = Callable[[Case], Scene]

# The console script, to which a signal comes as it looks for a module; or in a destructor, where Python ignores errors.
CALLED = """
import os, signal, sys
from recovery.cli import main

class Dying:
    def __del__(self):
        os.kill(os.getpid(), number)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            sys.meta_path.remove(self)
            if where == "destructor":
                Dying()
            else:
                os.kill(os.getpid(), number)

number, wanted, where = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sys.argv = ["prisma-recovery", *sys.argv[4:]]
sys.meta_path.insert(0, Finder())
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "where", "number"),
    [
        # At the first of them the handlers are makeshifts, one for each signal; then they are one and the same.
        ("recovery.cli.interruption", "import", signal.SIGINT),
        ("recovery.cli.interruption", "import", signal.SIGTERM),
        ("recovery.cli.interruption", "import", signal.SIGHUP),
        ("click", "import", signal.SIGTERM),
        ("recovery.app.head_start", "import", signal.SIGHUP),
        ("psycopg", "import", signal.SIGINT),
        ("recovery.run.engine", "destructor", signal.SIGINT),
    ],
)
def test_a_signal_while_modules_are_loaded(tmp_path: Path, module: str, where: str, number: signal.Signals) -> None:
    """It ends the command with 130, in a line of words at most."""
    done = subprocess.run(
        [sys.executable, "-c", CALLED, str(int(number)), module, where, "run", "--plan"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        # A test run in the background ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 130, done
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


OUT_OF_FILES = """
import resource
from recovery.cli.output import Output
from states.answers import Refusal
output = Output("run")
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
output.failed(Refusal("journal.unwritable", "The journal cannot be opened.", "Close some.", commands=()))
"""


def test_an_error_where_no_file_can_be_opened() -> None:
    """It is shown all the same."""
    done = subprocess.run([sys.executable, "-c", OUT_OF_FILES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "prisma-recovery: The journal cannot be opened.",
        "  What to do: Close some.",
        "  (journal.unwritable)",
    ]


USED_UP = """
import resource, subprocess, click
from recovery.cli.harness import shown
from recovery.cli.output import Output
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    with shown(Output("run")):
        subprocess.run(["git", "status"], capture_output=True)
except click.exceptions.Exit as ended:
    print("exit", ended.exit_code)
"""


def test_no_more_files_is_no_bug() -> None:
    """Whichever line meets it, it is one sentence with a remedy, and no stack trace."""
    done = subprocess.run([sys.executable, "-c", USED_UP], capture_output=True, text=True, check=False)
    assert done.stdout == "exit 1\n", done
    assert done.stderr.startswith("prisma-recovery: The system lacks what the command needs: Too many open files")
    assert "(system.used_up)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("graph",), ("status",)])
def test_an_output_that_nobody_reads(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """`prisma-recovery … | head -1`: it ends with 130, and says nothing of a stack."""
    reading, writing = os.pipe()
    os.close(reading)
    with (
        os.fdopen(writing, "wb") as out,
        os.fdopen(os.memfd_create("err"), "rb") as err,
        Path(os.devnull).open("rb") as nothing,
    ):
        descriptors = nothing.fileno(), out.fileno(), err.fileno()
        process = warm.nursery().start(arguments, cwd=tmp_path, env=os.environ, descriptors=descriptors)
        assert process.wait(SECONDS) == 130
        said = os.pread(err.fileno(), os.fstat(err.fileno()).st_size, 0).decode()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_an_output_that_nobody_reads_under_nohup(tmp_path: Path) -> None:
    """Who ignores SIGHUP wants the work done, whoever listens."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        done = subprocess.run(
            [PROGRAM, "graph"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
            timeout=SECONDS,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )
    assert done.returncode == 0, done


@pytest.mark.parametrize("how", ["the terminal is closed", "nobody reads"])
def test_whoever_listens_leaves_and_the_deploy_is_waited_for(make: Make, how: str) -> None:
    """As at the first ^C: the command ends, its outcome is recorded, and the recovery ends with 130."""
    scene = further(make, "marked")
    with deploying(scene) as process:
        assert process.stdout is not None
        if how == "nobody reads":
            process.stdout.close()
        else:
            # A shell and the kernel may each send one, and two are no second ^C.
            process.send_signal(signal.SIGHUP)
            until_it_waits(process)
            process.send_signal(signal.SIGHUP)
    assert process.wait(SECONDS) == 130
    assert scene.ledger() == APPLIED
    assert scene.effects("observed") == ["deploy"]


def test_a_recovery_that_is_suspended_goes_on(make: Make) -> None:
    """^Z stops the recovery alone; Prisma's command goes on, and after `fg` the recovery does as well."""
    scene = further(make, "marked")

    def suspended() -> bool:
        return (Path("/proc") / str(process.pid) / "stat").read_text().rpartition(")")[2].split()[0] == "T"

    with deploying(scene) as process:
        os.kill(process.pid, signal.SIGSTOP)  # what SIGTSTP does to a process that does not handle it
        eventually(suspended)
    eventually(lambda: scene.ledger() == APPLIED)
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said


def test_a_command_is_killed_from_outside_and_then_a_recovery_is_given_up(make: Make) -> None:
    """Both while a mark waits to begin, and each time the next run goes on from what is true.

    Killed by the system, for want of memory, or by somebody: that is said in words, and not as an output of Prisma's.
    `abort` is heeded before the next change; what the command at work did is recorded; `run` starts a new recovery.
    """
    scene = make("exists")
    scene.rehearse(resolve="hold")
    held = Held(scene.rehearsed)
    process = scene.start("run", "--yes")
    held.wait()
    held.kill()
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 3, said
    assert "killed from outside (SIGKILL)" in said
    assert "(effect.killed)" in said
    assert "does not show" in said
    assert scene.ledger() == STUCK
    held = Held(scene.rehearsed)
    process = scene.start("run", "--yes")
    held.wait()
    aborted = scene.cli("abort", "--reason", "restored instead")
    assert aborted.code == 0, aborted
    held.go()
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, said
    assert "(engine.given_up)" in said
    assert "conflict" not in said
    assert scene.ledger() == MARKED_APPLIED
    assert scene.effects("observed")[-1:] == ["mark_applied"]
    scene.rehearse()
    again = scene.cli("run", "--yes")
    assert again.code == 0, again
    assert scene.ledger() == APPLIED
