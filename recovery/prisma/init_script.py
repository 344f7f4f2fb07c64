"""Reads `migrations.initShadowDb` of prisma.config: SQL that Prisma runs in an empty database before the history.

A literal is read as text. For anything else Prisma's own package loads the configuration, as the CLI would.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from recovery.errors import UsageError
from recovery.prisma.project import Project
from recovery.prisma.sources import config_text
from recovery.sql.psql_lines import without_psql_lines
from recovery.sql.script import Script

_KEY = re.compile(r"\binitShadowDb\b")
#: A literal without escapes and placeholders, after which the next setting or the end of the object follows.
_LITERAL = re.compile(
    r"""\binitShadowDb\s*:\s*(?:`(?P<template>[^`\\$]*)`|"(?P<double>[^"\\\n]*)"|'(?P<single>[^'\\\n]*)')\s*[,}]"""
)
#: How long Node.js may take to load a configuration, in seconds; it usually takes less than one.
_LOAD_SECONDS = 60
_LOAD = """
const { createRequire } = require("node:module");
const [root, file] = process.argv.slice(1);
const prisma = createRequire(root + "/package.json").resolve("prisma/package.json");
createRequire(prisma)("@prisma/config").loadConfigFromFile({ configRoot: root, configFile: file }).then((loaded) => {
  if (!loaded.config) throw new Error(loaded.error && loaded.error._tag);
  process.stdout.write("\\n" + JSON.stringify((loaded.config.migrations || {}).initShadowDb || ""));
});
"""
_REMEDY = (
    'Correct it, or write the SQL into a file and name it as `init = "file.sql"` under [scratch] in '
    "prisma-recovery.toml, which comes before it."
)


def from_file(path: Path) -> Script:
    """The script in a file.

    Raises:
        UsageError: `config.init_unreadable`.
    """
    try:
        return _script(path.name, path.read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(
            "config.init_unreadable",
            f"{path}, which [scratch] init names, cannot be read ({reason}). Nothing was done.",
            "Name a file that exists and that this user may read; the path is relative to prisma-recovery.toml.",
        ) from error


def from_config(project: Project, environ: Mapping[str, str]) -> Script | None:
    """The script in a project's prisma.config; None if it has none.

    Args:
        project: the project.
        environ: the environment in which the configuration is loaded, where its text is not enough.

    Raises:
        UsageError: `config.init_unreadable`.
    """
    text = config_text(project.config)
    if project.config is None or not _KEY.search(text):
        return None
    literal = _LITERAL.search(text)
    found = literal[literal.lastgroup or 0] if literal else _loaded(project, project.config, environ)
    return _script(f"initShadowDb of {project.config.name}", found) if found.strip() else None


def _script(name: str, text: str) -> Script:
    return Script(name, hashlib.sha256(text.encode()).hexdigest(), without_psql_lines(text))


def _loaded(project: Project, config: Path, environ: Mapping[str, str]) -> str:
    # A configuration may demand a URL; none is needed here, and nothing is connected to.
    unused = dict.fromkeys(project.url_variables, "postgresql://unused@localhost/unused")
    command = ("node", "-e", _LOAD, str(project.root), str(config.relative_to(project.root)))
    try:
        done = subprocess.run(
            command,
            cwd=project.root,
            env={**unused, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_LOAD_SECONDS,
        )
        return str(json.loads(done.stdout.rpartition("\n")[2]))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise UsageError(
            "config.init_unreadable",
            f"migrations.initShadowDb of {config} is not a literal, and Prisma's own package, which could evaluate it, "
            "did not load the configuration. Nothing was done.",
            _REMEDY,
        ) from error
