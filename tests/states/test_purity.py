"""The rules read facts and nothing else."""

import ast
import sys
from pathlib import Path

import pytest

import states

MODULES = sorted(Path(states.__file__).parent.rglob("*.py"))
#: What reaches the world outside: files, clock, chance, environment, network, threads.
IMPURE = set(
    """asyncio builtins ctypes datetime ftplib getpass glob http importlib io locale logging multiprocessing os
    pathlib platform random secrets select shutil signal smtplib socket sqlite3 ssl subprocess sys tempfile threading
    time urllib uuid warnings""".split()  # noqa: SIM905 - one name a line would hide the rest of the file
)
CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}


def imported(tree: ast.AST) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add((node.module or "").split(".")[0])
    return found


def test_there_are_modules() -> None:
    """The walk below finds the rules."""
    assert {"table.py", "verdict.py", "machine.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_are_pure(path: Path) -> None:
    """A module of `states` imports the standard library's pure part, transitions and its siblings; never `recovery`."""
    found = imported(ast.parse(path.read_text("utf-8")))
    assert found <= (sys.stdlib_module_names - IMPURE) | {"transitions", "states"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_is_read_or_printed(path: Path) -> None:
    """A module of `states` opens no file, prints nothing and asks nobody."""
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & CALLS


def test_no_module_shadows_the_standard_library() -> None:
    """A module named like one of the standard library's would be imported in its place when a sibling is run."""
    assert not {path.stem for path in MODULES} & sys.stdlib_module_names
