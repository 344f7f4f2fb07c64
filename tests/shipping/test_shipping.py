"""What is published works where nothing else is: the wheel, the npm package, and the action's own steps."""

import json
import os
import re
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from recovery.version import __version__
from tests.shipping.conftest import ROOT, needed
from tests.staging.node import find_node
from tests.staging.postgres import start

ACTION = ROOT / "scripts" / "action" / "action.yml"
#: Stands in for a program that downloads what it runs: says what it was asked for.
ASKED = '#!/bin/sh\necho "${0##*/}" "$@"\n'


def run(*command: str | Path, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command with an empty home and nothing of this environment."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), **variables}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_a_plain_install_gives_a_verdict(programs: Path, published: Path, tmp_path: Path) -> None:
    """Only what the wheel says that it needs is there, and `inspect` tells what became of a migration; so do pages."""
    (sdist,) = published.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        top = {Path(name).parts[1] for name in archive.getnames()}
    assert {"recovery", "states", "pyproject.toml", "README.md", "LICENSE"} <= top
    assert not top & {"tests", "docs", "scripts", ".cache"}
    program = programs / "prisma-recovery"
    assert run(program, "--version", cwd=tmp_path).stdout == f"prisma-recovery {__version__}\n"
    assert run(programs / "python", "-m", "recovery.cli", "--version", cwd=tmp_path).stdout.endswith(f"{__version__}\n")
    assert run(program, "graph", "--format", "svg", cwd=tmp_path).stdout.startswith("<svg")
    assert "prisma-recovery" in run(program, "completions", "bash", cwd=tmp_path).stdout
    folder = tmp_path / "migrations" / "1_a"
    folder.mkdir(parents=True)
    (folder / "migration.sql").write_text("CREATE TABLE a ()")
    (tmp_path / "migrations" / "migration_lock.toml").write_text('provider = "postgresql"')
    with start() as server:
        looked = run(
            program,
            "inspect",
            "--json",
            "--migrations",
            "migrations",
            cwd=tmp_path,
            DATABASE_URL=server.url("postgres"),
        )
    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout)["history"]["pending"] == ["1_a"]


def test_a_plain_install_is_small() -> None:
    """What only some people need is an extra, and no framework comes along for a command line."""
    names = needed("prisma-recovery")
    assert not names & {"httpx", "anyio", "pydantic", "typer"}, names
    assert len(names) <= 23, names


@pytest.fixture(scope="module")
def npx(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of the npm package, installed from its packed file by the real npm."""
    folder = tmp_path_factory.mktemp("npm")
    (packed,) = published.glob("*.tgz")
    (folder / "package.json").write_text("{}")
    find_node().run_npm("install", "--offline", "--no-audit", "--no-fund", str(packed), cwd=folder)
    return folder / "node_modules" / ".bin" / "prisma-recovery"


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (("prisma-recovery", "python3", "uvx", "pipx"), "prisma-recovery inspect --json"),
        (("python3", "uvx", "pipx"), "python3 -m recovery.cli inspect --json"),
        (("uvx", "pipx"), f"uvx --from prisma-recovery=={__version__} prisma-recovery inspect --json"),
        (("pipx",), f"pipx run --spec prisma-recovery=={__version__} prisma-recovery inspect --json"),
        ((), ""),
    ],
)
def test_npx_takes_what_is_there(npx: Path, tmp_path: Path, there: tuple[str, ...], said: str) -> None:
    """The first that is there, never itself; what downloads is told; without any, nothing is installed."""
    for name in (*there, "node"):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec "{find_node().program}" "$@"\n' if name == "node" else ASKED)
        (tmp_path / name).chmod(0o755)
    done = run(npx, "inspect", "--json", cwd=tmp_path, PATH=f"{npx.parent}:{tmp_path}:/nowhere")
    assert done.returncode == (0 if there else 2)
    assert done.stdout.strip() == said
    assert ("downloads the Python package" in done.stderr) is ("uvx" in said or "pipx" in said)
    assert ("Nothing was installed, and nothing was done." in done.stderr) is not there


def test_npx_passes_on_how_it_ends(npx: Path, programs: Path, tmp_path: Path) -> None:
    """Exit codes and signals are those of the program."""
    path = f"{programs}:{find_node().program.parent}:/usr/bin:/bin"
    assert run(npx, "--version", cwd=tmp_path, PATH=path).stdout == f"prisma-recovery {__version__}\n"
    assert run(npx, "inspect", cwd=tmp_path, PATH=path).returncode == 2
    (tmp_path / "prisma-recovery").write_text("#!/bin/sh\nkill -TERM $$\n")
    (tmp_path / "prisma-recovery").chmod(0o755)
    assert run(npx, cwd=tmp_path, PATH=f"{tmp_path}:{path}").returncode == -15


def step(number: int, inputs: Mapping[str, str], folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Runs the shell of a step as the runner does, with these inputs."""
    action: Any = yaml.safe_load(ACTION.read_text())
    given = {name: str(each["default"]) for name, each in action["inputs"].items()} | dict(inputs)
    each = action["runs"]["steps"][number]
    assert each["shell"] == "bash"
    assert "${{" not in each["run"], "an input in the shell's text could be a command"

    def value(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], text)

    wanted = {name: value(text) for name, text in each.get("env", {}).items()}
    files = {"RUNNER_TEMP": str(folder / "temp"), "GITHUB_OUTPUT": str(folder / "output")}
    place = folder / value(each.get("working-directory", "."))
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", each["run"]]
    return run(*shell, cwd=place, **files, **wanted, **variables)


def test_the_actions_steps_install_and_run(programs: Path, published: Path, tmp_path: Path) -> None:
    """The first step installs the package that is named, the second runs the command and tells its exit code."""
    (wheel,) = published.glob("*.whl")
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PATH": f"{Path(os.sys.executable).parent}:/usr/bin:/bin"}
    (tmp_path / "temp").mkdir()
    (tmp_path / "shop").mkdir()
    done = step(0, {"package": str(wheel)}, tmp_path, **offline)
    assert done.returncode == 0, done.stderr
    (packages,) = programs.parent.glob("lib/python*/site-packages")
    asked = {
        "command": "inspect --exit-code",
        "working-directory": "shop",
        "database-url": "postgresql://me@127.0.0.1:1/x",
    }
    done = step(1, asked, tmp_path, PYTHONPATH=str(packages))
    assert done.returncode == 2, done.stderr
    assert "No Prisma schema was found" in done.stderr
    assert (tmp_path / "output").read_text() == "exit-code=2\n"


def test_every_package_has_the_same_version(published: Path) -> None:
    """A release is one number, and each package has the licence."""
    for archive in (*published.glob("*.tgz"), *published.glob("*.tar.gz")):
        with tarfile.open(archive) as opened:
            assert [name for name in opened.getnames() if name.endswith("/LICENSE")], archive
    npm = json.loads((ROOT / "scripts" / "npm" / "package.json").read_text())
    assert npm["version"] == __version__
    assert not npm.keys() & {"scripts", "dependencies"}, "it runs nothing when it is installed"
