"""Finds the databases of a fleet: a list, a query on a control database, a command's output, or a file.

A password comes from the environment or from a file of variables, and is shown nowhere.
"""

import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import psycopg
from psycopg.rows import dict_row

from recovery.config import Config, Fleet, FleetTarget
from recovery.errors import RecoveryError, UsageError
from recovery.postgres.connect import connect, said
from recovery.postgres.url import DatabaseUrl, parse
from recovery.prisma import dotenv
from recovery.secrets import Redactor
from states.fleet import repeated

#: How long a command or a query that lists the targets may take, in seconds.
LIST_SECONDS = 120
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][\w.-]*)\}")
_CORRECT = "Correct it; docs/how-to/fleet.md shows each form. Nothing was done."
#: Columns of a query, and keys of a line, that are not labels.
_OWN = ("name", "url", "schema", "labels")


@dataclass(frozen=True, slots=True)
class FleetMember:
    """One database of a fleet.

    Attributes:
        name: its name in the fleet.
        url: where it is.
        labels: what it is told apart by.
    """

    name: str
    url: DatabaseUrl
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """A fleet: how carefully it is worked on, and its databases in the order in which they are listed."""

    settings: Fleet
    members: tuple[FleetMember, ...]


def read(config: Config, file: Path | None, cwd: Path, environ: Mapping[str, str]) -> Listed:
    """The fleet that the settings, or a file, list.

    Args:
        config: the settings.
        file: `--targets`: a file of lines, or of settings as in `[fleet]`; None: as the settings say.
        cwd: the folder that relative paths count from; that of the settings comes first.
        environ: environment variables.

    Raises:
        UsageError: `fleet.no_targets`, `fleet.targets`, `fleet.query`, `fleet.command`, `fleet.variable`,
            `fleet.duplicate_name`, or an unusable URL.
    """
    home = cwd if config.path is None else config.path.parent
    settings, listed = config.fleet, None
    if file is not None:
        settings, listed = _of_file(settings, cwd / file)
        home = (cwd / file).parent if listed is None else home
    named = listed if listed is not None else _listed(settings, home, environ)
    if double := repeated(each.name for each in named):
        raise UsageError(
            "fleet.duplicate_name",
            f"Two targets of the fleet are named {double[0]}. Nothing was done.",
            "Give each database a name of its own: status, retry and the journal's words tell them apart by it.",
        )
    if not named:
        raise UsageError(
            "fleet.no_targets",
            "The fleet has no targets. Nothing was done.",
            "Set `targets`, `query` or `command` under [fleet] in prisma-recovery.toml, or give --targets FILE.",
        )
    variables = {**_variables(settings, home, environ), **environ}
    return Listed(settings, tuple(_member(each, settings, variables) for each in named))


def _of_file(settings: Fleet, path: Path) -> tuple[Fleet, list[FleetTarget] | None]:
    """The settings with those of a `.toml` file over them, or the targets of a file of lines."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            "fleet.targets", f"{path} cannot be read ({why}). Nothing was done.", "Correct --targets."
        ) from error
    if path.suffix != ".toml":
        return settings, _of_lines(text, str(path))
    try:
        own = {key: value for key, value in msgspec.structs.asdict(settings).items() if key in _HOW}
        return msgspec.convert({**msgspec.to_builtins(own), **tomllib.loads(text)}, Fleet), None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError("fleet.targets", f"{path} does not list a fleet: {error}.", _CORRECT) from None


#: What a file of targets leaves as the settings have it, unless it says otherwise.
_HOW = ("url", "schema", "variables", "canary", "by", "first", "at_once", "stop_after", "stop_after_in_wave")


def _listed(settings: Fleet, home: Path, environ: Mapping[str, str]) -> list[FleetTarget]:
    ways = [name for name in ("targets", "query", "command") if getattr(settings, name)]
    if len(ways) > 1:
        raise UsageError(
            "fleet.targets",
            f"The fleet is listed in more than one way: {' and '.join(ways)}. Nothing was done.",
            "Keep one of them.",
        )
    if settings.query is not None:
        return _queried(settings, environ)
    if settings.command is not None:
        return _of_lines(_printed(settings.command, home, environ), f"the output of {settings.command[0]}")
    return [FleetTarget(each) if isinstance(each, str) else each for each in settings.targets]


def _queried(settings: Fleet, environ: Mapping[str, str]) -> list[FleetTarget]:
    where = environ.get(settings.query_env)
    if not where:
        raise UsageError(
            "fleet.query",
            f"The fleet is listed by a query, and {settings.query_env}, the URL for it, is not set. Nothing was done.",
            f"Set {settings.query_env} in the environment; `query_env` under [fleet] gives it another name.",
        )
    url = parse(where)
    try:
        with connect(url, read_only=True, name="prisma-recovery fleet") as connection:
            connection.execute(f"SET statement_timeout = {LIST_SECONDS * 1000}")
            with connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute((settings.query or "").encode())
                rows = cursor.fetchall() if cursor.description is not None else []
    except psycopg.Error as error:
        raise UsageError(
            "fleet.query", f"The fleet's query fails: {said(url, error)}. Nothing was done.", "Correct `query`."
        ) from error
    except RecoveryError as error:
        raise UsageError("fleet.query", f"The fleet's query can't be asked. {error.fact}", error.remedy) from error
    return [_of_row(row) for row in rows]


def _of_row(row: Mapping[str, Any]) -> FleetTarget:
    if row.get("name") in (None, ""):
        raise UsageError("fleet.query", "A row of the fleet's query has no column `name`. Nothing was done.", _CORRECT)
    labels = row.get("labels") or {}
    if not isinstance(labels, Mapping):
        raise UsageError("fleet.query", "The column `labels` is no JSON object. Nothing was done.", _CORRECT)
    others = {key: value for key, value in row.items() if key not in _OWN and value is not None}
    return FleetTarget(
        str(row["name"]),
        None if row.get("url") is None else str(row["url"]),
        None if row.get("schema") is None else str(row["schema"]),
        {key: str(value) for key, value in {**labels, **others}.items()},
    )


def _printed(command: Sequence[str], home: Path, environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=home,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIST_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        fact = f"The command that lists the fleet, {command[0]}, could not be run ({why}). Nothing was done."
        raise UsageError("fleet.command", fact, "Correct `command` under [fleet].") from error
    if done.returncode != 0:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        told = f": {Redactor()(last.strip())}" if last else ""
        raise UsageError(
            "fleet.command",
            f"The command that lists the fleet, {command[0]}, ended with exit code {done.returncode}{told}. "
            "Nothing was done.",
            "Run it by itself, and correct it.",
        )
    return done.stdout


def _of_lines(text: str, source: str) -> list[FleetTarget]:
    """A target a line: a name, or a JSON object; empty lines, and those that begin with `#`, are left out."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()  # noqa: PLW2901 - the line without what surrounds it
        if not line or line.startswith("#"):
            continue
        try:
            found.append(msgspec.json.decode(line, type=FleetTarget) if line[0] == "{" else _of_word(line))
        except (msgspec.MsgspecError, ValueError):
            # The line itself is not shown: it can hold a password.
            raise UsageError(
                "fleet.targets",
                f"Line {number} of {source} is neither a name nor a JSON object with name, url, schema and labels. "
                "Nothing was done.",
                "Correct it; docs/how-to/fleet.md shows each form.",
            ) from None
    return found


def _of_word(line: str) -> FleetTarget:
    if re.search(r"\s|://", line):
        raise ValueError
    return FleetTarget(line)


def _variables(settings: Fleet, home: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    if settings.variables is None:
        return {}
    path = home / settings.variables
    try:
        return dotenv.parse(path.read_text("utf-8-sig"), environ)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "fleet.variable",
            f"{path}, the fleet's file of variables, cannot be read. Nothing was done.",
            "Correct `variables` under [fleet].",
        ) from error


def variable_of(name: str) -> str:
    """A target's name as the end of a variable's name: `FLEET_PASSWORD_ACME_EU` for `acme-eu`."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _member(target: FleetTarget, settings: Fleet, variables: Mapping[str, str]) -> FleetMember:
    own = {**target.labels, "name": target.name}
    schema = target.schema or (_filled(settings.schema, own, variables, target.name) if settings.schema else None)
    if schema is not None:
        own["schema"] = schema
    template = target.url or settings.url or f"${{FLEET_URL_{variable_of(target.name)}}}"
    try:
        url = parse(_with_schema(_filled_url(template, own, variables, target.name), schema))
    except UsageError as error:
        if error.code.startswith("fleet."):
            raise
        raise UsageError.of(replace(error.refusal(), fact=f"Target {target.name}: {error.fact}")) from error
    return FleetMember(target.name, url, dict(target.labels))


def _filled_url(template: str, own: Mapping[str, str], variables: Mapping[str, str], name: str) -> str:
    """A URL from its template. What stands for the whole URL stands as it is, and for a part is percent-encoded."""
    whole = _PLACEHOLDER.fullmatch(template)
    if whole is not None:
        return _value(whole[1], own, variables, name)
    return _PLACEHOLDER.sub(lambda match: quote(_value(match[1], own, variables, name), safe=""), template)


def _filled(template: str, own: Mapping[str, str], variables: Mapping[str, str], name: str) -> str:
    return _PLACEHOLDER.sub(lambda match: _value(match[1], own, variables, name), template)


def _value(key: str, own: Mapping[str, str], variables: Mapping[str, str], name: str) -> str:
    """The value of a placeholder: of the target itself, else of the environment or the file of variables."""
    keys = (f"FLEET_PASSWORD_{variable_of(name)}", "FLEET_PASSWORD") if key == "password" else (key,)
    if key != "password" and key in own:
        return own[key]
    for each in keys:
        if variables.get(each):
            return variables[each]
    raise UsageError(
        "fleet.variable",
        f"The URL of target {name} needs {' or '.join(keys)}, which is neither set in the environment, nor in the file "
        "of variables, nor a label of the target. Nothing was done.",
        "Set it; or give the target a url of its own.",
    )


def _with_schema(url: str, schema: str | None) -> str:
    if schema is None:
        return url
    base, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and part.partition("=")[0] != "schema"]
    return f"{base}?{'&'.join([*kept, 'schema=' + quote(schema, safe='')])}"
