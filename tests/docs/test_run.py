"""The commands in README and docs, run for real.

A block of ```console is run if the line before it is a comment:

    <!-- run: exists -->            a staged project of that case (exists, absent, drifted, partial), made anew
    <!-- run: same -->              the project as the block before left it
    <!-- run: checkout -->          this checkout
    <!-- run: exists, exit 3 -->    the block's last command exits with 3; all others exit with 0
    <!-- run: exists, lock held --> in a project of its own, while another session holds Prisma's migration lock
    <!-- run: exists, in an image --> in an empty folder; the database is `langfuse`, on the host that the documents
                                    call db.example.com; `docker` copies out of the staged project, the image's
    <!-- file: NAME -->             instead: the block is written there, in the project of the next block that is run;
                                    without a block behind it, the last one of that name is

Lines that start with `$ ` are the commands. The others are what the command above them prints: each stands in the
output, in this order, whatever the number of spaces. `…` stands for anything: alone for any lines, within a line
for any part of it. Output lines that a block leaves out need a `…` for the reader; the test doesn't insist on it.
In a command `sha256:…` stands for the digest that was printed last.

A command that is `prisma-recovery` and its arguments is started warm (`tests.staging.warm`); a shell runs any other.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import pytest

from recovery.postgres.locks import PRISMA_LOCK
from tests.staging import Case, Incident, Server, stage, start_prepared, warm

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^<!-- (?:run: (\w+)(, lock held)?(, in an image)?(?:, exit (\d+))?|file: ([\w.]+)) -->\n(?:```\w+\n(.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: A command that means the same without a shell.
PLAIN = re.compile(r"""prisma-recovery (?:[\w ./:=,…-]|"[\w …]*")+""")
SECONDS = 120

#: `psql URL -c SQL`, for machines that have no psql.
PSQL = """#!{python}
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute(sys.argv[3])
"""


#: In the place of Docker, with a folder for the image, and of npm, with the toolchain for the registry.
DOCKER = """#!/bin/sh
case $1 in
    create) echo container ;;
    cp) cp -R "$STAGED_IMAGE/${2##*/}" "$3" ;;
esac
"""
NPM = """#!/bin/sh
[ "$1" = install ] && ln -s "$STAGED_IMAGE/node_modules" node_modules
"""


@dataclass(frozen=True)
class Block:
    """A block that is run: where, its exit code, its text, files to write before.

    Also whether Prisma's lock is held meanwhile, and whether the project is an image's.
    """

    where: str
    exit_code: int
    text: str
    files: tuple[tuple[str, str], ...] = ()
    held: bool = False
    image: bool = False

    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command, with the lines that it prints."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
        return found


def blocks(document: Path) -> list[Block]:
    """The blocks of a document that are run."""
    found: list[Block] = []
    shown: dict[str, str] = {}
    files: dict[str, str] = {}
    for where, held, image, exit_code, name, text in BLOCK.findall(document.read_text()):
        if name:
            shown[name] = files[name] = text or shown[name]
            continue
        assert text, f"{document}: no block behind `run: {where}`"
        assert not held or (where in get_args(Case) and not files), (
            f"{document}: a lock is held in a project of its own"
        )
        found.append(Block(where, int(exit_code or 0), text, tuple(files.items()), bool(held), bool(image)))
        files = {}
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all documents."""
    with start_prepared() as running:
        yield running


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands use besides this checkout's own."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "psql").write_text(PSQL.format(python=sys.executable))
    (folder / "psql").chmod(0o755)
    return folder


def squeezed(text: str) -> str:
    """`text` with each run of blanks as one, and without those at the ends."""
    return " ".join(text.split())


def missing_line(said: str, expected: list[str]) -> str | None:
    """The first expected line that is not in `said` behind the one before it; None if all are."""
    text = squeezed(said)
    position = 0
    for line in expected:
        pattern = ".*?".join(re.escape(squeezed(part)) for part in line.split("…"))
        if line.strip("… "):
            found = re.compile(pattern).search(text, position)
            if found is None:
                return line
            position = found.end()
    return None


def owners_folder(folder: Path, incident: Incident) -> Path:
    """An empty folder of somebody who has no checkout, and what stands for Docker and npm there."""
    programs = folder / ".programs"
    programs.mkdir(parents=True)
    for name, text in (("docker", DOCKER), ("npm", NPM)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    # Where Prisma finds its engine here. A user's project downloads one.
    shutil.copy(incident.project / "prisma.config.ts", folder)
    return folder


def in_image(block: Block, folder: Path, incident: Incident) -> tuple[Block, Path, dict[str, str]]:
    """The block as it is run in such a folder, the folder, and the environment."""
    environment = dict(os.environ) | incident.environment() | {"STAGED_IMAGE": str(incident.project)}
    environment["PATH"] = f"{folder / '.programs'}{os.pathsep}{environment['PATH']}"
    return replace(block, text=block.text.replace("db.example.com", "127.0.0.1")), folder, environment


@contextmanager
def prisma_lock(server: Server, database: str) -> Iterator[None]:
    """Holds Prisma's migration lock, from a session that is idle."""
    with server.connect(database) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [PRISMA_LOCK])
        yield


def run(block: Block, folder: Path, environment: dict[str, str], tools: Path, digest: str) -> str:
    """Runs the commands of a block there, and compares what each prints, and its exit code.

    In a command `sha256:…` is the digest that was printed last: before by `digest`, afterwards by what is returned.
    """
    commands = block.commands()
    path = (str(Path(sys.executable).parent), str(tools), environment["PATH"])
    for position, (command, expected) in enumerate(commands):
        variables = {**environment, "PATH": os.pathsep.join(path), "COLUMNS": "160"}
        code, said = typed(command.replace("sha256:…", digest), folder, variables)
        last = position == len(commands) - 1
        assert code == (block.exit_code if last else 0), f"$ {command}\n{said}"
        absent = missing_line(said, expected)
        assert absent is None, f"$ {command}\nprints no line\n{absent}\nin its place, but\n{said}"
        digest = [digest, *DIGEST.findall(said)][-1]
    return digest


def typed(command: str, folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    """Runs a command there; its exit code, and all that it printed."""
    with Path(os.devnull).open("rb") as nothing, os.fdopen(os.memfd_create("said"), "rb") as said:
        if PLAIN.fullmatch(command):
            descriptors = nothing.fileno(), said.fileno(), said.fileno()
            process = warm.nursery().start(shlex.split(command)[1:], cwd=folder, env=variables, descriptors=descriptors)
            try:
                code = process.wait(SECONDS)
            finally:
                process.kill()
        else:
            ended = subprocess.run(
                ["bash", "-c", command],
                cwd=folder,
                env=variables,
                stdin=nothing,
                stdout=said,
                stderr=said,
                check=False,
                timeout=SECONDS,
            )
            code = ended.returncode
        return code, os.pread(said.fileno(), os.fstat(said.fileno()).st_size, 0).decode()


@pytest.fixture(scope="module")
def held(server: Server, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Block, Future[str]]]:
    """The block that waits for a lock, run beside all others from the beginning: it takes half a minute."""

    def waiting(block: Block, incident: Incident) -> str:
        with prisma_lock(server, "held"):
            return run(block, incident.project, dict(os.environ) | incident.environment(), tools, "")

    (block,) = [block for document in DOCUMENTS for block in blocks(document) if block.held]
    incident = stage(block.where, tmp_path_factory.mktemp("held"), server, database="held")  # type: ignore[arg-type]
    with ThreadPoolExecutor() as threads:
        yield block, threads.submit(waiting, block, incident)


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if blocks(d)], ids=lambda document: str(document.relative_to(ROOT))
)
def test_commands_of_the_documents_do_what_they_say(
    document: Path, server: Server, tools: Path, held: tuple[Block, Future[str]], tmp_path: Path
) -> None:
    """Every marked block runs as it is written, prints what it shows, and exits as it says."""
    incident, digest, image = None, "", None
    for number, block in enumerate(blocks(document)):
        if block.held:
            assert block == held[0]
            incident, digest = None, held[1].result()
            continue
        folder, environment = ROOT, dict(os.environ)
        if block.where in get_args(Case):
            database = "langfuse" if block.image else "production"
            server.drop_database(database)
            incident = stage(block.where, tmp_path / f"project-{number}", server, database=database)  # type: ignore[arg-type]
            image = owners_folder(tmp_path / f"own-{number}", incident) if block.image else None
        if block.where != "checkout":
            assert incident is not None, f"{document}: nothing was staged before `run: {block.where}`"
            folder, environment = incident.project, environment | incident.environment()
        made = block
        if image is not None and block.where != "checkout":
            made, folder, environment = in_image(block, image, incident)
        for name, text in block.files:
            (folder / name).write_text(text)
        digest = run(made, folder, environment, tools, digest)


def test_programs_of_the_documents_are_typed(tmp_path: Path) -> None:
    """A type checker follows them into the library, finds nothing, and would find mistakes."""
    programs = {text for d in DOCUMENTS for b in blocks(d) for name, text in b.files if name.endswith(".py")}
    for number, text in enumerate(sorted(programs)):
        (tmp_path / f"program{number}.py").write_text(text)
    (tmp_path / "mistaken.py").write_text('from recovery import Recover, auto\n\nauto("aplied")\n')
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={ROOT / '.cache' / 'mypy'}", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    found = re.findall(r"^([\w.]+):(\d+): error: .*\[([\w-]+)\]$", checked.stdout, re.MULTILINE)
    assert len(programs) > 2
    assert found == [("mistaken.py", "1", "attr-defined"), ("mistaken.py", "3", "arg-type")], checked.stdout


def test_readme_leads_to_an_open_gate() -> None:
    """The README's way through ends with exit code 0 at PIPELINE_READY."""
    found = [block for block in blocks(ROOT / "README.md") if "PIPELINE_READY" in block.text]
    assert found
    assert {block.exit_code for block in found} == {0}


def test_scripts_that_are_named_are_there() -> None:
    """README and docs name no script that does not exist."""
    for document in DOCUMENTS:
        for name in re.findall(r"scripts/[a-z]+\b", document.read_text()):
            assert shutil.which(str(ROOT / name)) or (ROOT / name).exists(), f"{document.name}: {name}"
