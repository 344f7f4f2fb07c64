"""The project's settings: `prisma-recovery.toml`, as frozen records. Every key is optional."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from recovery.errors import UsageError

#: Name of the file; looked for from the working directory upwards, to the root of the git checkout.
FILE = "prisma-recovery.toml"
#: Names the journal where the command line does not; a URL with a password is better kept out of files.
JOURNAL_VARIABLE = "PRISMA_RECOVERY_JOURNAL"
#: Instead of a URL: the journal is in the production database itself.
TARGET = "target"

Automatic = Literal["applied", "not_applied", "deploy", "pipeline"]
RestorePointKind = Literal["neon", "pg_dump", "none"]
Text = Annotated[str, msgspec.Meta(min_length=1)]
#: A token goes there: in the clear to this machine only.
Api = Annotated[str, msgspec.Meta(pattern=r"^(https://[^/@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^\s?#]*)?$")]
Command = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


class Production(_Table, frozen=True):
    """`[production]`: what the target must be, so that no other database is ever worked on."""

    host: str | None = None
    database: str | None = None


class Prisma(_Table, frozen=True):
    """`[prisma]`: the command that starts the Prisma CLI, and the path of schema.prisma or its folder."""

    command: Command | None = None
    schema: Text | None = None


class Scratch(_Table, frozen=True):
    """`[scratch]`: URL of a PostgreSQL server on which throw-away databases may be made."""

    url: str | None = None

    def __repr__(self) -> str:
        return "Scratch(url=None)" if self.url is None else "Scratch(url=***)"


class JournalSettings(_Table, frozen=True):
    """`[journal]`: where the journal is kept: `target`, or a PostgreSQL URL; None for a file in the project."""

    url: Text | None = None

    def __repr__(self) -> str:
        return f"Journal(url={self.url!r})" if self.url in (None, TARGET) else "Journal(url=***)"


class Git(_Table, frozen=True):
    """`[git]`: the revision that must be checked out."""

    expect_commit: str | None = None


class Neon(_Table, frozen=True):
    """`[neon]`: the project that the target's host belongs to.

    Attributes:
        project: its id; None: Neon is not asked.
        branch: id or name of the branch that is production; None: the default one.
        token_env: the variable that holds the API key.
        token_file: a file that holds it instead, relative to the settings.
        api_url: of the API, for a proxy before it.
    """

    project: Text | None = None
    branch: Text | None = None
    token_env: Text = "NEON_API_KEY"  # noqa: S105 - a name
    token_file: Text | None = None
    api_url: Api = "https://console.neon.tech/api/v2"


class Vercel(_Table, frozen=True):
    """`[vercel]`: the project whose production deployments work on the target.

    Attributes:
        project: its id or name; None: Vercel is not asked.
        team: id of the team that it is in; None for a personal account.
        token_env: the variable that holds the token.
        token_file: a file that holds it instead, relative to the settings.
        api_url: of the API, for a proxy before it.
    """

    project: Text | None = None
    team: Text | None = None
    token_env: Text = "VERCEL_TOKEN"  # noqa: S105 - a name
    token_file: Text | None = None
    api_url: Api = "https://api.vercel.com"


class RestorePoint(_Table, frozen=True):
    """`[restore_point]`: the restore point that is made before the first change of a run.

    Attributes:
        kind: a branch in Neon, a dump of schema and ledger, or none.
        pg_dump: program and first arguments; None: the embedded server's.
    """

    kind: RestorePointKind = "none"
    pg_dump: Command | None = None


class Waiver(_Table, frozen=True):
    """`[[waive]]`: a check of preflight that may be unknown, in every run; a refusal is not covered.

    Attributes:
        check: its name.
        reason: why; shown, and in the journal.
    """

    check: Text
    reason: Annotated[str, msgspec.Meta(pattern=r"\S")]


class Step(_Table, frozen=True):
    """`[[pipeline.steps]]`: a command to run behind the gate.

    Attributes:
        name: unique among the steps.
        command: program and arguments; no shell reads them.
        idempotent: running it twice is as good as running it once.
    """

    name: Text
    command: Command
    idempotent: bool = False


class Pipeline(_Table, frozen=True):
    """`[pipeline]`: what runs once the gate is open, in this order."""

    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Two steps are named {repeated[0]!r}")


class Config(_Table, frozen=True):
    """All settings.

    Attributes:
        auto: what needs no consent typed in a terminal.
        path: the file that they were read from; None for the defaults.
    """

    production: Production = Production()
    prisma: Prisma = Prisma()
    auto: frozenset[Automatic] = frozenset()
    scratch: Scratch = Scratch()
    journal: JournalSettings = JournalSettings()
    git: Git = Git()
    neon: Neon = Neon()
    vercel: Vercel = Vercel()
    restore_point: RestorePoint = RestorePoint()
    waive: tuple[Waiver, ...] = ()
    pipeline: Pipeline = Pipeline()
    path: Path | None = None


#: Where in the file each record is; tells an unknown key, with the known ones, before anything is converted.
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
}


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What commands that we start inherit: all but the journal's URL, which is none of their business."""
    return {key: value for key, value in environ.items() if key != JOURNAL_VARIABLE}


def load(path: Path | None, cwd: Path) -> Config:
    """Read the settings.

    Args:
        path: the file; None looks for one from `cwd` upwards, and takes the defaults if there is none.
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
            f"{path} holds a value that does not fit: {str(error).replace('`$.', '`')}. Nothing was done.",
            f"Correct it; `auto` takes {', '.join(get_args(Automatic))}.",
        ) from error
    return msgspec.structs.replace(config, path=path)


def find(cwd: Path) -> Path | None:
    """The nearest settings from `cwd` upwards, no further than the root of the git checkout.

    Outside a checkout only `cwd` itself is looked at: the file names commands, and a file that some
    other user left in a folder above must not be able to have them run.
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
    """A misspelt key must not pass for one that was left out."""
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
