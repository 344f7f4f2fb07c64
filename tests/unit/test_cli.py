"""The Prisma CLI: which commands there are, and how a process is run, watched and ended."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.errors import UsageError
from recovery.files import cache_folder
from recovery.prisma.cli import Command, PrismaCli, Status, command
from recovery.prisma.process import KEPT
from recovery.prisma.project import Launcher, Project
from states.effects import Deploy, MarkApplied, MarkRolledBack

URL = "postgresql://user:hunt%40er2@host/db"
Fake = Callable[[str], PrismaCli]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Makes a CLI of a Python script."""

    def make(code: str) -> PrismaCli:
        script = tmp_path / "prisma"
        script.write_text(f"#!{sys.executable} -u\nimport json, os, signal, subprocess, sys, time\n{code}\n")
        script.chmod(0o755)
        project = Project(tmp_path, tmp_path / "schema.prisma", tmp_path, None, ("DATABASE_URL", "MY_URL"))
        environ = {**os.environ, "PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK": "1", "FORCE_COLOR": "3"}
        return PrismaCli(project, Launcher((str(script),), None), environ)

    return make


def gone(pid: int) -> bool:
    """Whether a process has ended, within a few seconds; a zombie has."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (MarkApplied("1_a"), "migrate resolve --applied 1_a"),
        (MarkRolledBack("1_a"), "migrate resolve --rolled-back 1_a"),
        (Deploy(("1_a", "2_b")), "migrate deploy"),
        (Status(), "migrate status"),
    ],
)
def test_these_are_all_commands(effect: Command, expected: str) -> None:
    """Each effect is one command, with the schema if there is one."""
    assert command(effect) == tuple(expected.split())
    assert command(effect, Path("a b/schema.prisma")) == (*expected.split(), "--schema", "a b/schema.prisma")


@pytest.mark.parametrize("name", ["", "-x", "--schema=/x", "a/b", "..", "../x", "a\\b", "a\0b"])
def test_what_is_no_migrations_name_is_refused(name: str) -> None:
    """A name that the CLI could take for an option or a path is refused."""
    for effect in (MarkApplied(name), MarkRolledBack(name)):
        with pytest.raises(UsageError) as caught:
            command(effect)
        assert caught.value.code == "prisma.migration_name"


@given(st.text(), st.sampled_from([MarkApplied, MarkRolledBack]))
def test_a_name_is_one_argument_or_refused(name: str, kind: type[MarkApplied | MarkRolledBack]) -> None:
    """Whatever a name holds, it is one argument, and never an option."""
    try:
        arguments = command(kind(name))
    except UsageError:
        return
    assert len(arguments) == 4
    assert arguments[3] == name
    assert not name.startswith("-")


def test_the_url_goes_through_the_environment_alone(fake: Fake, tmp_path: Path) -> None:
    """Every variable is set to the URL, nothing else tells it; no prompt, no colour, no network, lock on."""
    cli = fake(
        f"json.dump({{'argv': sys.argv[1:], 'env': dict(os.environ), 'stdin': sys.stdin.read(), 'cwd': os.getcwd(),"
        f" 'leader': os.getsid(0) == os.getpid()}}, open({str(tmp_path / 'seen')!r}, 'w'))"
    )
    assert cli.run(Deploy(()), url=URL).exit_code == 0
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["argv"] == ["migrate", "deploy", "--schema", str(tmp_path / "schema.prisma")]
    assert {name for name, value in seen["env"].items() if value == URL} == {"DATABASE_URL", "MY_URL"}
    assert (seen["stdin"], seen["cwd"], seen["leader"]) == ("", str(tmp_path), True)
    assert (seen["env"]["CHECKPOINT_DISABLE"], seen["env"]["FORCE_COLOR"]) == ("1", "0")
    assert "PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK" not in seen["env"]
    assert seen["env"]["NODE_COMPILE_CACHE"] == os.environ.get("NODE_COMPILE_CACHE", str(cache_folder() / "node"))


def test_output_is_streamed_and_redacted(fake: Fake) -> None:
    """Both streams arrive line by line, in their order, without the password."""
    cli = fake(
        "print('out', os.environ['DATABASE_URL'])\nprint('err hunt@er2', file=sys.stderr)\n"
        "sys.stdout.buffer.write(b'\\xff\\n')\nsys.exit(3)"
    )
    lines: list[str] = []
    finished = cli.run(Status(), url=URL, on_output=lines.append)
    assert lines == ["out ***", "err ***", "\ufffd"]
    assert finished.output == "out ***\nerr ***\n\ufffd\n"
    assert finished.exit_code == 3
    assert finished.seconds > 0


def test_only_the_end_of_much_output_is_kept(fake: Fake) -> None:
    """A flood of output is read to its end, and its end is kept."""
    finished = fake("for n in range(60000): print('line', n)\nprint('the error')").run(Status(), url=URL)
    assert len(finished.output) <= KEPT
    assert finished.output.endswith("line 59999\nthe error\n")


def test_a_listener_that_fails_does_not_stop_the_command(fake: Fake) -> None:
    """A terminal that went away does not leave a deploy stuck on a full pipe."""

    def broken(line: str) -> None:
        raise BrokenPipeError(line)

    finished = fake("for n in range(60000): print('line', n)").run(Deploy(()), url=URL, on_output=broken)
    assert finished.exit_code == 0
    assert finished.output.endswith("line 59999\n")


def test_a_time_out_ends_the_whole_group(fake: Fake) -> None:
    """After a time-out neither the CLI nor the engine that it started is left."""
    cli = fake("child = subprocess.Popen(['sleep', '60'])\nprint(child.pid)\ntime.sleep(60)")
    finished = cli.run(Status(), url=URL, timeout=1.0)
    assert finished.exit_code is None
    assert finished.seconds < 10
    assert gone(int(finished.output))


def test_an_engine_that_outlives_the_cli_can_be_ended(fake: Fake) -> None:
    """The group can be ended also when the CLI itself is gone already; doing it again does nothing."""
    running = fake("child = subprocess.Popen(['sleep', '60'])\nprint(child.pid)\nos.kill(os.getpid(), 9)").start(
        Deploy(()), url=URL
    )
    while running.poll() is None:
        time.sleep(0.02)
    running.kill_group()
    finished = running.wait()
    assert finished.exit_code == -signal.SIGKILL
    assert gone(int(finished.output))
    running.kill_group()


def test_an_interrupt_waits_for_the_command(fake: Fake, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """^C neither reaches the command nor ends the wait; it is told at once."""
    # Run in the background a shell's child ignores ^C, and so would this process.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    told = tmp_path / "told"
    os.mkfifo(told)
    # The command ends only after it was told that somebody waits for it.
    cli = fake(f"os.kill(os.getppid(), signal.SIGINT)\nopen({str(told)!r}).read()\nprint('deployed')")

    def tell() -> None:
        told.write_text("waiting")

    finished = cli.run(Deploy(()), url=URL, on_interrupt=tell)
    assert (finished.exit_code, finished.output) == (0, "deployed\n")


@pytest.mark.parametrize("program", ["/missing/prisma", "/", "a\0b"])
def test_a_cli_that_cannot_be_started_is_an_error(fake: Fake, program: str) -> None:
    """A command that is not there is an error that names it, and nothing else."""
    cli = fake("")
    broken = PrismaCli(cli._project, replace(cli._launcher, argv=(program,)), {})  # noqa: SLF001 - our own fake
    with pytest.raises(UsageError) as caught:
        broken.run(Status(), url=URL)
    assert caught.value.code == "prisma.not_started"
    assert "hunt" not in str(caught.value)
