import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.staging import cache, warm

PROGRAM = Path(sys.executable).with_name("prisma-recovery")


def start(folder: Path, main: str, *arguments: str, env: Mapping[str, str] = os.environ) -> warm.Process:
    """A process that runs a function of this module."""
    with (folder / "out").open("wb") as out, Path(os.devnull).open("rb") as nothing:
        descriptors = (nothing.fileno(), out.fileno(), out.fileno())
        main = f"tests.staging.test_warm:{main}"
        return warm.nursery().start(arguments, cwd=folder, env=env, descriptors=descriptors, main=main)


def tell() -> None:
    """Says what it is, and exits."""
    descriptors = sorted(int(each.name) for each in Path("/proc/self/fd").iterdir())[:-1]
    told = [str(Path.cwd()), sys.argv[1:], os.environ["WORD"], os.environ.get("HOME"), os.isatty(0), descriptors]
    print(json.dumps(told))
    sys.exit(7)


def stay() -> None:
    """Waits for a signal."""
    signal.pause()


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("run", "--help"), ("status",), ("run", "--json"), ("no-such-command",)]
)
def test_it_says_what_the_console_script_says(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit code, standard output and standard error are those of a process that loads the program itself."""
    (tmp_path / "prisma-recovery.toml").write_text("x = 1\n")
    env = {**os.environ, "COLUMNS": "90", "DATABASE_URL": "mysql://h/d"}
    cold = subprocess.run([PROGRAM, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    found = warm.run(arguments, cwd=tmp_path, env=env, timeout=60)
    assert found == (cold.returncode, cold.stdout, cold.stderr)
    assert found[1] or found[2]


def test_it_is_what_it_was_asked_to_be(tmp_path: Path) -> None:
    """Its folder, arguments, environment and descriptors are those that it was given, and no others."""
    env = {key: value for key, value in os.environ.items() if key != "HOME"}
    process = start(tmp_path, "tell", "a b", "c", env=env | {"WORD": "là"})
    assert process.wait(60) == 7
    assert json.loads((tmp_path / "out").read_text()) == [str(tmp_path), ["a b", "c"], "là", None, False, [0, 1, 2]]


def test_a_signal_ends_it(tmp_path: Path) -> None:
    """It is at work until then, another one beside it, and its exit code names the signal."""
    first, second = start(tmp_path, "stay"), start(tmp_path, "stay")
    assert (first.poll(), second.poll()) == (None, None)
    with pytest.raises(TimeoutError):
        first.wait(0.01)
    first.kill()
    assert first.wait(60) == -signal.SIGKILL
    assert second.poll() is None
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == -signal.SIGTERM
    assert second.poll() == -signal.SIGTERM


def test_nothing_is_left_when_whoever_started_them_has_died() -> None:
    """What the processes are forked from ends with the process that it was made by, however that ends."""
    code = "import os, signal; from tests.staging.warm import nursery; nursery(); os.kill(os.getpid(), signal.SIGKILL)"
    died = subprocess.run(
        [sys.executable, "-c", code], cwd=cache.ROOT, stdout=subprocess.PIPE, check=False, timeout=60
    )  # the pipe's end: nobody has it open any more
    assert died.returncode == -signal.SIGKILL
