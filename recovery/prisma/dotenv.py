"""Finds the target's URL: from an option, the environment, a `.env` file as Prisma reads it, or the datasource."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from recovery.errors import UsageError
from recovery.prisma.project import Project

#: Conventional names for a direct URL. Migrations need a session, which a pooler does not give.
_DIRECT = ("DIRECT_URL", "DATABASE_URL_UNPOOLED")

# The grammar of npm's `dotenv`, which Prisma uses: an unquoted value ends at a `#`.
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[\w.-]+)(?:[ \t]*=[ \t]*|:[ \t]+)
        (?P<value>'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`|[^#\r\n]*)
        [ \t]*(?:\#.*)?$""",
    re.MULTILINE | re.VERBOSE,
)
_REFERENCE = re.compile(r"\\\$\{|\$\{(\w+)\}")


def find_url(explicit: str | None, environ: Mapping[str, str], project: Project | None) -> tuple[str, str]:
    """The URL of the target, and where it was found.

    An explicit URL comes first, then the environment, then the `.env` files beside the schema and at the root of
    the project. In each of these, the order is: the variable that the datasource names for its direct URL, the
    conventional names of a direct URL, other variables that the datasource names, DATABASE_URL. A URL that is written
    into the datasource itself comes last.

    Args:
        explicit: the value of `--database-url`.
        environ: environment variables.
        project: the project whose `.env` files are read; None if there is no project.

    Returns:
        The URL, and its source for people, as "DIRECT_URL in the environment (directUrl of prisma/schema.prisma)".

    Raises:
        UsageError: `url.missing`; `url.ambiguous` if two `.env` files disagree; `url.unreadable`.
    """
    if explicit:
        return explicit, "--database-url"
    names = _names(project)
    for name in names:
        if environ.get(name):
            return environ[name], f"{name} in the environment{_named_by(name, project)}"
    files = {path: _values(path, environ) for path in _files(project) if path.is_file()}
    for name in names:
        found = {path: values[name] for path, values in files.items() if values.get(name)}
        if len(set(found.values())) > 1:
            raise UsageError(
                "url.ambiguous",
                f"{name} differs between {' and '.join(map(str, found))}, and Prisma refuses that. Nothing was done.",
                "Keep one of them, or name the target with --database-url.",
            )
        for path, url in found.items():
            return url, f"{name} in {path}{_named_by(name, project)}"
    if project is not None and project.written is not None:
        return project.written[0], f"the datasource in {project.written[1]}"
    places = "".join(f", {path}{'' if path in files else ' (missing)'}" for path in _files(project))
    raise UsageError(
        "url.missing",
        f"No database URL was found. Looked for {', '.join(names)} in the environment{places}. Nothing was done.",
        "Set DIRECT_URL to the direct (not pooled) URL of the database.",
    )


def parse(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of a `.env` file, with `${NAME}` replaced by the environment's value or the file's own."""
    raw: dict[str, str] = {}
    for match in _LINE.finditer(text.replace("\r\n", "\n").replace("\r", "\n")):
        value = match["value"].strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"`":
            quote, value = value[0], value[1:-1]
            if quote == '"':
                value = value.replace("\\n", "\n").replace("\\r", "\r")
        raw[match["name"]] = value
    return {name: _expand(value, raw, environ, {name}) for name, value in raw.items()}


def _expand(value: str, raw: Mapping[str, str], environ: Mapping[str, str], inside: set[str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "${"
        if name in environ:
            return environ[name]
        # A variable that refers to itself, directly or through others, expands to nothing.
        return "" if name in inside else _expand(raw.get(name, ""), raw, environ, inside | {name})

    return _REFERENCE.sub(replacement, value)


def _names(project: Project | None) -> tuple[str, ...]:
    """Variables that can hold the URL, in the order in which they are looked up."""
    named = project.named if project else ()
    direct = [each.variable for each in named if each.key == "directUrl"]
    others = [*(each.variable for each in named), "DATABASE_URL", *(project.url_variables if project else ())]
    return tuple(dict.fromkeys((*direct, *_DIRECT, *others)))


def _named_by(name: str, project: Project | None) -> str:
    """The place in the project that names this variable, as " (url of prisma/schema.prisma)"; empty if none does."""
    found = next((each for each in project.named if each.variable == name), None) if project else None
    return f" ({found.key} of {os.path.relpath(found.file, project.root)})" if found and project else ""


def _files(project: Project | None) -> tuple[Path, ...]:
    if project is None:
        return ()
    beside = project.schema if project.schema.is_dir() else project.schema.parent
    return tuple(dict.fromkeys((beside / ".env", project.root / ".env")))


def _values(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        return parse(path.read_text("utf-8-sig"), environ)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "url.unreadable",
            f"{path} cannot be read as UTF-8 text, so the database's URL is not known. Nothing was done.",
            "Correct the file, or name the target with --database-url.",
        ) from error
