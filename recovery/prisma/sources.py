"""Reads paths and environment variables from schema.prisma, prisma.config and package.json, by pattern.

No code of the project is run. If a pattern misses something, a later check refuses; no command goes astray.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_EXTENSIONS = ("ts", "js", "mts", "mjs", "cts", "cjs")
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?s:.*?)\*/)", re.MULTILINE)
_LINE_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
_STRING = re.compile(r"""(["'`])((?:(?!\1)[^\\\n]|\\.)*)\1""")

_DATASOURCE = re.compile(r"^\s*datasource\s+\w+\s*\{", re.MULTILINE)
# Not `shadowDatabaseUrl`: Prisma refuses a shadow database that is the target itself.
_SCHEMA_URL = re.compile(r"""^\s*(url|directUrl)\s*=\s*env\(\s*["']([^"']+)["']\s*\)""", re.MULTILINE)
_CONFIG_VARIABLE = re.compile(
    r"""\benv(?:<[^>]*>)?\(\s*["'`](?P<call>\w+)["'`]\s*\)"""
    r"""|\bprocess\.env(?:\?)?\.(?P<dot>\w+)"""
    r"""|\bprocess\.env(?:\?\.)?\[\s*["'`](?P<index>\w+)["'`]\s*\]"""
)
_CONFIG_KEY = re.compile(r"""\b(url|directUrl)\s*:\s*(?=\S)""")
_BLOCK = re.compile(r"\bdatasource\b[^{]*\{[^}]*")
# A URL written out in the place of a variable.
_WRITTEN = re.compile(r"""\b(url|directUrl)\s*[=:]\s*(["'`])(postgres(?:ql)?://(?:(?!\2)\S)+)\2""")
#: Names of variables that can hold a URL. Others (NODE_ENV, a program's path) would break the CLI if set to one.
_URL_NAME = re.compile(r"URL|URI|DSN|CONN|(?:DATABASE|POSTGRES|DB)$", re.IGNORECASE)


def config_path(root: Path) -> Path | None:
    """Prisma's configuration file in `root`, under any of its names."""
    for stem in ("prisma.config", ".config/prisma"):
        for extension in _EXTENSIONS:
            if (path := root / f"{stem}.{extension}").is_file():
                return path
    return None


def config_setting(text: str, *keys: str) -> str | None:
    """The path that a configuration file gives for a setting, as `schema` or (`migrations`, `path`); None if none.

    It is read from a string, or from the strings of a `path.join(…)`.
    """
    pattern = r"\s*:\s*\{[^}]*?\b".join(keys)
    match = re.search(rf"\b{pattern}\s*:\s*(?:path\.(?:join|resolve)\((?P<join>[^)]*)\)|(?=[\"'`]))", text)
    if match is None:
        return None
    if match["join"] is not None:
        return "/".join(string for _, string in _STRING.findall(match["join"])) or None
    string = _STRING.match(text, match.end())
    return string[2] if string and "${" not in string[2] else None


def config_sets(text: str, *keys: str) -> bool:
    """Whether a configuration file gives a value for a setting, be it one that can't be read without running it."""
    pattern = r"\s*:\s*\{[^}]*?\b".join(keys)
    return re.search(rf"\b{pattern}\b\s*(?=[:,}}])", text) is not None


def config_text(path: Path | None) -> str:
    """The configuration without whole-line comments; empty if there is none."""
    return "" if path is None else _COMMENT.sub("", path.read_text(errors="replace"))


def config_variables(text: str) -> tuple[str, ...]:
    """Environment variables that a configuration file reads and that can hold the URL."""
    found = {match[match.lastgroup or 0]: match.lastgroup for match in _CONFIG_VARIABLE.finditer(text)}
    return tuple(
        # `env()` is Prisma's own helper for URLs, so any name in it counts.
        name
        for name, how in found.items()
        if (how == "call" or _URL_NAME.search(name)) and "SHADOW" not in name.upper()
    )


@dataclass(frozen=True, slots=True)
class NamedVariable:
    """A variable from which a file of the project reads its URL.

    Attributes:
        key: the setting that reads it: `url`, or `directUrl` for migrations.
    """

    variable: str
    key: str
    file: Path


def named_variables(text: str, file: Path) -> Iterator[NamedVariable]:
    """The variables from which the datasource of a schema file, or of prisma.config, reads its URLs."""
    text = _datasource(text)
    for key, variable in _SCHEMA_URL.findall(text):
        yield NamedVariable(variable, key, file)
    for match in _CONFIG_KEY.finditer(text):
        if variable := _CONFIG_VARIABLE.match(text, match.end()):
            yield NamedVariable(variable[variable.lastgroup or 0], match[1], file)


def written_url(text: str) -> str | None:
    """The URL that a file holds instead of a variable, the direct URL first; None if none. Secret."""
    found = {key: url for key, _, url in _WRITTEN.findall(_datasource(text))}
    return found.get("directUrl") or found.get("url")


def _datasource(text: str) -> str:
    """The lines of the datasource in a schema file or in prisma.config."""
    return "\n".join(_BLOCK.findall(_LINE_COMMENT.sub("", text)))


def every_variable(text: str) -> tuple[str, ...]:
    """Every environment variable that a configuration file names, for any purpose."""
    return tuple(dict.fromkeys(match[match.lastgroup or 0] for match in _CONFIG_VARIABLE.finditer(text)))


def has_datasource(text: str) -> bool:
    """Whether a schema file holds the datasource; Prisma looks for the migrations folder beside that file."""
    return _DATASOURCE.search(text) is not None


def package_schema(package: Path) -> str | None:
    """`prisma.schema` of a package.json; None if it has none, or is not readable JSON."""
    return _nested(package, "prisma", "schema")


def package_version(package: Path) -> str | None:
    """`version` of a package.json; None if it has none, or is not readable JSON."""
    return _nested(package, "version")


def _nested(path: Path, *keys: str) -> str | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
