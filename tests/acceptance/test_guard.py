"""`guard` with the real Prisma CLI, real processes and real signals; `completions` in a real bash."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recovery.guard.scripts import GUARD
from tests.acceptance.conftest import Make
from tests.acceptance.scene import PROGRAM, SECONDS, Scene, Terminal


@pytest.fixture
def scene(make: Make) -> Scene:
    """The incident, whose settings name production."""
    return make("absent")


def npx(scene: Scene, *arguments: str) -> tuple[str, ...]:
    """The project's own Prisma."""
    return ("node", str(scene.folder / "node_modules/prisma/build/index.js"), *arguments)


def run(scene: Scene, *command: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """`prisma-recovery guard -- command` in the project's folder."""
    return subprocess.run(
        [PROGRAM, "guard", "--", *command],
        cwd=scene.folder,
        env=scene.environment() | variables,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS * 2,
    )


def test_a_dangerous_command_never_meets_production(scene: Scene) -> None:
    """It is refused with exit 4, the reason and what to do, and nothing is changed; elsewhere it runs."""
    before = scene.everything()
    for command in (npx(scene, "db", "push", "--accept-data-loss"), ("npx", "prisma", "migrate", "reset", "--force")):
        done = run(scene, *command)
        assert done.returncode == 4, done.stderr
        assert "must never meet production" in done.stderr
        assert "What to do:" in done.stderr
        assert done.stdout == ""
    assert scene.everything() == before
    other = f"{scene.database}_dev"
    scene.server.create_database(other)
    url = scene.incident.database_url.replace(scene.database, other)
    done = run(scene, *npx(scene, "migrate", "reset", "--force", "--skip-generate"), DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    with scene.server.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('places') IS NOT NULL").fetchone() == (True,)


def test_sql_on_standard_input_still_reaches_prisma(scene: Scene) -> None:
    """What only reads the ledger runs; what writes to it does not, and the ledger stays."""
    before = scene.everything()
    command = npx(scene, "db", "execute", "--stdin", "--schema", "prisma/schema.prisma")
    done = run(scene, *command, stdin="DELETE FROM _prisma_migrations;")
    assert done.returncode == 4, done.stderr
    assert scene.everything() == before
    done = run(scene, *command, stdin="SELECT nothing FROM _prisma_migrations;")
    assert "column" in done.stderr, done.stderr  # PostgreSQL has read the query
    assert done.returncode == 1


def test_a_harmless_command_is_prismas_own(scene: Scene) -> None:
    """Output, errors and exit code are those of the command alone."""
    command = npx(scene, "migrate", "status")
    alone = subprocess.run(
        command, cwd=scene.folder, env=scene.environment(), capture_output=True, text=True, check=False, timeout=SECONDS
    )
    done = run(scene, *command)
    assert (done.returncode, done.stdout, done.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    assert alone.returncode == 1


def test_the_command_takes_the_place_of_guard(scene: Scene) -> None:
    """Same process, same environment, default signals: what is sent to guard comes to the command."""
    child = (
        "import json, os, signal, sys\n"
        "print(json.dumps([os.getpid(), os.environ['MINE'], sys.argv[1:], sys.stdin.readline()]), flush=True)\n"
        "signal.pause()"
    )
    process = subprocess.Popen(
        [PROGRAM, "guard", "--", sys.executable, "-c", child, "a b", "--", "$x"],
        cwd=scene.folder,
        env=scene.environment() | {"MINE": "é"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    scene.processes.append(process)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write("typed\n")
    process.stdin.flush()
    said = process.stdout.readline()
    assert said.startswith(f'[{process.pid}, "\\u00e9", ["a b", "--", "$x"], "typed\\n"')
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == -signal.SIGTERM
    assert "No Prisma command" in process.stderr.read()
    process.stdin.close()
    process.stderr.close()


def test_the_exit_code_is_the_commands(scene: Scene) -> None:
    """Whatever it is; one that can't be started is an error of guard's."""
    assert run(scene, "sh", "-c", "exit 97").returncode == 97
    missing = run(scene, "./missing")
    assert missing.returncode == 2
    assert "guard.not_started" in missing.stderr
    broken = subprocess.run(
        ["bash", "-c", f"{PROGRAM} guard -- yes 2>/dev/null | head -1; echo ${{PIPESTATUS[0]}}"],
        cwd=scene.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    assert broken.stdout == f"y\n{128 + signal.SIGPIPE}\n"


def test_strict_refuses_where_nothing_is_pinned(scene: Scene) -> None:
    """With the option, on either way through the command line; without it, it warns and runs."""
    scene.configuration.write_text("")
    for arguments in (("--strict", "--", "true"), ("--strict", "--", "npx", "prisma", "db", "push")):
        done = scene.cli("guard", *arguments)
        assert done.code == (0 if arguments[-1] == "true" else 4)
    assert "guard.not_pinned" in done.err
    done = scene.cli("guard", "--strict", "npx", "prisma", "db", "push")
    assert (done.code, "guard.not_pinned" in done.err) == (4, True)


def test_a_journal_names_production_where_settings_do_not(scene: Scene) -> None:
    """A target that a recovery was confirmed on is production from then on."""
    assert scene.cli("run").code == 3  # nobody agreed; preflight held
    scene.configuration.write_text("")
    done = run(scene, *npx(scene, "db", "push"))
    assert done.returncode == 4, done.stderr
    assert "journal" in done.stderr
    assert scene.database in done.stderr


def test_install_asks_in_a_terminal(scene: Scene) -> None:
    """The difference first; `yes` writes it, and the script is guarded."""
    package = scene.folder / "package.json"
    package.write_text('{\n  "scripts": {\n    "push": "prisma db push"\n  }\n}\n')
    terminal = Terminal(scene, "guard", "install")
    terminal.until("anything else to stop:")
    assert '-    "push": "prisma db push"' in terminal.said
    terminal.type("yes")
    assert terminal.end() == 0
    assert package.read_text() == f'{{\n  "scripts": {{\n    "push": "{GUARD}prisma db push"\n  }}\n}}\n'
    refused = scene.cli("guard", "install", "--yes")
    assert (refused.code, "Nothing to change" in refused.out) == (0, True)


def test_bash_completes(tmp_path: Path) -> None:
    """The script, read by a real bash, gives commands, options and values."""
    script = subprocess.run([PROGRAM, "completions", "bash"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "completions").write_text(script)
    for line, expected in (
        ("prisma-recovery gu", ["guard"]),
        ("prisma-recovery guard ", ["install"]),
        ("prisma-recovery run --pla", ["--plan"]),
        ("prisma-recovery completions z", ["zsh"]),
    ):
        # What bash does when Tab is pressed: words, the index of the last one, the function that `complete` named.
        words = line.split(" ")
        typed = " ".join(word or "''" for word in words)
        press = (
            f"source {tmp_path}/completions; COMP_WORDS=({typed}); "
            f"COMP_CWORD={len(words) - 1}; "
            "function=$(complete -p prisma-recovery | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
            '$function prisma-recovery; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", press],
            env=os.environ | {"PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
        )
        assert done.stdout.split() == expected, done.stderr


@pytest.mark.parametrize(
    ("shell", "says"), [("zsh", "#compdef prisma-recovery"), ("fish", "complete --no-files --command")]
)
def test_other_shells_have_their_scripts(shell: str, says: str) -> None:
    """Each asks the program in that shell's way, and the program answers."""
    script = subprocess.run([PROGRAM, "completions", shell], capture_output=True, text=True, check=True).stdout
    assert says in script
    assert f"_PRISMA_RECOVERY_COMPLETE={shell}_complete" in script
    asked = {
        "_PRISMA_RECOVERY_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "prisma-recovery gua",
        "COMP_CWORD": "gua" if shell == "fish" else "1",
    }
    answer = subprocess.run([PROGRAM], env=os.environ | asked, capture_output=True, text=True, check=True).stdout
    assert "guard" in answer
