"""The project's settings: `prisma-recovery.toml`, as frozen records. Every key is optional."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from recovery.errors import UsageError

#: Name of the settings file, looked for from the working directory up to the root of the git checkout.
FILE = "prisma-recovery.toml"
#: The environment variable that says where the journal is, for a URL whose password belongs in no file.
JOURNAL_VARIABLE = "PRISMA_RECOVERY_JOURNAL"
#: The environment variable that says where a fleet's control database is.
CONTROL_VARIABLE = "PRISMA_RECOVERY_CONTROL"
#: Value in the place of the journal's URL: the journal is kept in the production database itself.
TARGET = "target"

Automatic = Literal["applied", "not_applied", "baseline", "deploy", "pipeline", "repair"]
#: Statements about production that no evidence proves, and on which a decision may rest (RULES E21).
Assumption = Literal["no_handwork"]
RestorePointKind = Literal["neon", "pg_dump", "none"]
#: Where the migrations folder comes from: a checkout with git, or an image that holds no history of it.
Source = Literal["git", "image"]
Text = Annotated[str, msgspec.Meta(min_length=1)]
#: URL of an API to which a token is sent: HTTPS, or plain HTTP to this machine only.
Api = Annotated[str, msgspec.Meta(pattern=r"^(https://[^/@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^\s?#]*)?$")]
Command = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the settings file; an unknown key is an error."""


class Production(_Table, frozen=True):
    """`[production]`: host and database of the target, so that no other database is ever worked on."""

    host: str | None = None
    database: str | None = None


class Prisma(_Table, frozen=True):
    """`[prisma]`: how the Prisma CLI is started, how long that may take, and the path of the schema."""

    command: Command | None = None
    schema: Text | None = None
    start_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Scratch(_Table, frozen=True):
    """`[scratch]`: the scratch server, and what is there before a history.

    Attributes:
        url: URL of a PostgreSQL server on which scratch databases may be made and dropped.
        init: a file with SQL that is run in a scratch database before the history, relative to the settings' folder.
    """

    url: str | None = None
    init: Text | None = None

    def __repr__(self) -> str:
        return f"Scratch(url={None if self.url is None else '***'}, init={self.init!r})"


class JournalSettings(_Table, frozen=True):
    """`[journal]`: where the journal is kept: `target` or a PostgreSQL URL; None for a file in the project."""

    url: Text | None = None

    def __repr__(self) -> str:
        return f"Journal(url={self.url!r})" if self.url in (None, TARGET) else "Journal(url=***)"


class Git(_Table, frozen=True):
    """`[git]`: the commit, branch or tag that must be checked out."""

    expect_commit: str | None = None


class Neon(_Table, frozen=True):
    """`[neon]`: the Neon project that the target's host belongs to.

    Attributes:
        project: id of the project; None: Neon is not asked.
        branch: id or name of the production branch; None: the project's default branch.
        token_env: name of the environment variable that holds the API key.
        token_file: a file that holds the API key instead, relative to the folder of the settings.
        api_url: URL of Neon's API, or of a proxy before it.
    """

    project: Text | None = None
    branch: Text | None = None
    token_env: Text = "NEON_API_KEY"  # noqa: S105 - a name
    token_file: Text | None = None
    api_url: Api = "https://console.neon.tech/api/v2"


class Vercel(_Table, frozen=True):
    """`[vercel]`: the Vercel project whose production deployments use the target.

    Attributes:
        project: id or name of the project; None: Vercel is not asked.
        team: id of the project's team; None for a personal account.
        token_env: name of the environment variable that holds the token.
        token_file: a file that holds the token instead, relative to the folder of the settings.
        api_url: URL of Vercel's API, or of a proxy before it.
    """

    project: Text | None = None
    team: Text | None = None
    token_env: Text = "VERCEL_TOKEN"  # noqa: S105 - a name
    token_file: Text | None = None
    api_url: Api = "https://api.vercel.com"


class RestorePoint(_Table, frozen=True):
    """`[restore_point]`: the restore point that is made before the first change of a run.

    Attributes:
        kind: `neon` for a branch in Neon, `pg_dump` for a dump of schema and ledger, or `none`.
        pg_dump: the program and its first arguments; None for the pg_dump that comes with the embedded server.
    """

    kind: RestorePointKind = "none"
    pg_dump: Command | None = None


class Waiver(_Table, frozen=True):
    """`[[waive]]`: a check of preflight that may be unknown in every run; one that is refused still stops the run.

    Attributes:
        check: name of the check.
        reason: why it is waived; shown, and recorded in the journal.
    """

    check: Text
    reason: Annotated[str, msgspec.Meta(pattern=r"\S")]


class Step(_Table, frozen=True):
    """`[[pipeline.steps]]`: a command that runs once the gate is open.

    Attributes:
        name: unique among the steps.
        command: program and arguments; they are not passed through a shell.
        idempotent: running the command twice has the same result as running it once.
    """

    name: Text
    command: Command
    idempotent: bool = False


class Pipeline(_Table, frozen=True):
    """`[pipeline]`: the steps to run once the gate is open, in this order."""

    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Two steps are named {repeated[0]!r}")


class FleetTarget(_Table, frozen=True):
    """`[[fleet.targets]]`: one database of a fleet.

    Attributes:
        name: its name, unique in the fleet.
        url: its URL, or a template of it; None: the fleet's.
        schema: its schema; None: the fleet's, else the URL's.
        labels: what it is told apart by, and what templates are filled with.
    """

    name: Text
    url: Text | None = None
    schema: Text | None = None
    labels: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"FleetTarget(name={self.name!r})"


class Fleet(_Table, frozen=True):
    """`[fleet]`: many databases with one history: which they are, and how carefully they are worked on.

    Attributes:
        targets: the databases, each by its name alone or by a table.
        query: SQL that gives a row for each database, instead of `targets`.
        query_env: name of the environment variable that holds the URL of the database for `query`.
        command: a command that prints a line for each database, instead of `targets`.
        url: the template of a database's URL; `${name}`, `${schema}`, labels, `${password}`, variables.
        schema: the template of a database's schema; None: the URL's.
        variables: a file in the form of `.env` with further variables, relative to the settings' folder.
        canary: how many databases make the first wave.
        by: the label whose values make the waves after it.
        first: values of that label whose waves come first.
        at_once: how many databases are worked on at the same time.
        stop_after: how many databases that are not ready stop the run.
        stop_after_in_wave: the same within a wave.
    """

    targets: tuple[Text | FleetTarget, ...] = ()
    query: Text | None = None
    query_env: Text = "FLEET_QUERY_URL"
    command: Command | None = None
    url: Text | None = None
    schema: Text | None = None
    variables: Text | None = None
    canary: Annotated[int, msgspec.Meta(ge=0)] = 0
    by: Text | None = None
    first: tuple[Text, ...] = ()
    at_once: Annotated[int, msgspec.Meta(ge=1)] = 4
    stop_after: Annotated[int, msgspec.Meta(ge=1)] | None = None
    stop_after_in_wave: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __repr__(self) -> str:
        return f"Fleet(canary={self.canary}, at_once={self.at_once})"


class Config(_Table, frozen=True):
    """All settings.

    Attributes:
        auto: the changes that need no consent typed in a terminal.
        assume: statements about production that decisions may rest on although nothing proves them.
        scripts: folders with scripts of migrations that the migrations folder has lost, relative to the file's.
        source: where the migrations folder comes from; None: an image if it is in no checkout.
        path: the file that the settings were read from; None for the defaults.
    """

    production: Production = Production()
    prisma: Prisma = Prisma()
    auto: frozenset[Automatic] = frozenset()
    assume: frozenset[Assumption] = frozenset()
    scripts: tuple[Text, ...] = ()
    source: Source | None = None
    scratch: Scratch = Scratch()
    journal: JournalSettings = JournalSettings()
    git: Git = Git()
    neon: Neon = Neon()
    vercel: Vercel = Vercel()
    restore_point: RestorePoint = RestorePoint()
    waive: tuple[Waiver, ...] = ()
    pipeline: Pipeline = Pipeline()
    fleet: Fleet = Fleet()
    path: Path | None = None


#: The record of each table of the file, to report an unknown key together with the known ones.
_TABLES: dict[str, type[_Table]] = {
    "": Config,
    "production": Production,
    "prisma": Prisma,
    "scratch": Scratch,
    "journal": JournalSettings,
    "git": Git,
    "neon": Neon,
    "vercel": Vercel,
    "restore_point": RestorePoint,
    "waive": Waiver,
    "pipeline": Pipeline,
    "pipeline.steps": Step,
    "fleet": Fleet,
    "fleet.targets": FleetTarget,
}


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for the commands that we start: all variables but our own URLs, which they don't need."""
    return {key: value for key, value in environ.items() if key not in (JOURNAL_VARIABLE, CONTROL_VARIABLE)}


def load(path: Path | None, cwd: Path) -> Config:
    """Read the settings.

    Args:
        path: the settings file; None looks for one from `cwd` upwards, and takes the defaults if there is none.
        cwd: the working directory, absolute.

    Raises:
        UsageError: `config.unreadable`, `config.invalid_toml`, `config.unknown_key`, `config.invalid_value`.
    """
    path = find(cwd) if path is None else cwd / path
    if path is None:
        return Config()
    raw = _parse(path)
    _refuse_unknown(raw, "", path)
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise UsageError(
            "config.invalid_value",
            f"{path} holds an invalid value: {str(error).replace('`$.', '`')}. Nothing was done.",
            f"Correct it; `auto` takes {', '.join(get_args(Automatic))}, and `assume` takes {get_args(Assumption)[0]}.",
        ) from error
    return msgspec.structs.replace(config, path=path)


def find(cwd: Path) -> Path | None:
    """The nearest settings file from `cwd` upwards, no further than the root of the git checkout.

    Outside a checkout only `cwd` itself is searched: the file names commands to run, so a file that another user
    left in a folder above must not count.
    """
    for folder in upwards(cwd):
        if (folder / FILE).is_file():
            return folder / FILE
    return None


def upwards(start: Path) -> tuple[Path, ...]:
    """`start` and the folders above it, to the root of the git checkout; outside one, `start` alone."""
    folders = (start, *start.parents)
    for index, folder in enumerate(folders):
        if (folder / ".git").exists():
            return folders[: index + 1]
    return (start,)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise UsageError(
            "config.unreadable",
            f"{path} cannot be read ({error.strerror}). Nothing was done.",
            "Name a file that exists and that this user may read.",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            "config.invalid_toml", f"{path} is not UTF-8. Nothing was done.", "Save it as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            "config.invalid_toml",
            f"{path} is not valid TOML: {error}. Nothing was done.",
            "Correct that line.",
        ) from error


def _refuse_unknown(table: dict[str, Any], where: str, path: Path) -> None:
    """Refuses an unknown key: a misspelt key must not pass for one that was left out."""
    known = [field.name for field in msgspec.structs.fields(_TABLES[where]) if field.name != "path"]
    for key, value in table.items():
        if key not in known:
            place = f"[{where}]" if where else "the top level"
            raise UsageError(
                "config.unknown_key",
                f"{path} has the unknown key {key!r} in {place}. Nothing was done.",
                f"Known there: {', '.join(known)}.",
            )
        inner = f"{where}.{key}".removeprefix(".")
        if inner in _TABLES:
            for element in value if isinstance(value, list) else [value]:
                if isinstance(element, dict):
                    _refuse_unknown(element, inner, path)
