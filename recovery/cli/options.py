"""The options that several commands share, each with its group in the help, and how a command takes them."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from recovery.cli.declared import Option

if TYPE_CHECKING:
    from recovery.app.session import Options
    from recovery.cli.output import Output

#: The groups of options in a command's help.
_TARGET, _EXPECTED, _OUTPUT = "Target, project and journal", "Expectations", "Output"

DatabaseUrl = Annotated[
    str | None,
    Option(
        metavar="URL",
        help="URL of the target; by default DIRECT_URL, DATABASE_URL… from the environment or .env.",
        group=_TARGET,
    ),
]
Migrations = Annotated[
    Path | None,
    Option(metavar="DIR", help="The migrations folder; by default the project's.", group=_TARGET),
]
Schema = Annotated[
    Path | None,
    Option(metavar="PATH", help="schema.prisma or its folder; by default the project's.", group=_TARGET),
]
ConfigFile = Annotated[
    Path | None,
    Option(
        "--config",
        metavar="FILE",
        help="The settings; by default prisma-recovery.toml here or in a folder above, within the git checkout.",
        group=_TARGET,
    ),
]
ScriptFolders = Annotated[
    list[Path] | None,
    Option(
        "--scripts",
        metavar="DIR",
        help="A folder that holds scripts of migrations which the migrations folder has lost, under any names; "
        "repeatable.",
        group=_TARGET,
    ),
]
Journal = Annotated[
    str | None,
    Option(
        metavar="URL",
        help="Where the journal is: a PostgreSQL URL, or `target` for the production database itself; "
        "by default PRISMA_RECOVERY_JOURNAL, else a file in the project.",
        group=_TARGET,
    ),
]
ExpectHost = Annotated[
    str | None,
    Option(metavar="HOST", help="The host that the target must have.", group=_EXPECTED),
]
ExpectDatabase = Annotated[
    str | None,
    Option(metavar="NAME", help="The database that the target must be.", group=_EXPECTED),
]
ExpectCommit = Annotated[
    str | None,
    Option(
        metavar="COMMIT",
        help="The commit, branch or tag that must be checked out; `vercel` for the commit of production on Vercel; "
        "sha256:… for an image's migrations folder.",
        group=_EXPECTED,
    ),
]
Waive = Annotated[
    list[str] | None,
    Option(
        metavar="NAME=REASON",
        help="Go on although this check of preflight does not hold, for this reason; repeatable.",
        group=_EXPECTED,
    ),
]
Assume = Annotated[
    list[str] | None,
    Option(
        metavar="NAME",
        help="Let a decision rest on this, although nothing proves it: no-handwork, nobody ran a statement of a failed "
        "migration by hand; repeatable.",
        group=_EXPECTED,
    ),
]
RestorePoint = Annotated[
    str | None,
    Option(
        metavar="KIND", help="The restore point to make before the first change: neon, pg_dump or none (the default)."
    ),
]
AsJson = Annotated[
    bool,
    Option("--json", help="Print one JSON document and nothing else, also for an error.", group=_OUTPUT),
]
AsEvents = Annotated[
    bool,
    Option(
        "--events",
        help="Print each event as one line of JSON as it happens, and nothing else.",
        group=_OUTPUT,
    ),
]
Verbose = Annotated[
    bool,
    Option(
        "--verbose",
        help="Show what holds too, and the output of Prisma's commands; log to standard error, with progress.",
        group=_OUTPUT,
    ),
]
LogFormat = Annotated[
    str | None,
    Option(
        metavar="FORMAT",
        help="Log to standard error, as json or text; with --verbose alone, text in a terminal and json elsewhere.",
        group=_OUTPUT,
    ),
]
RunId = Annotated[str | None, Option("--run", metavar="RUN", help="The run; by default the unfinished one.")]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The shared options of one call; one that the command does not take has its default."""

    database_url: DatabaseUrl = None
    migrations: Migrations = None
    schema: Schema = None
    scripts: ScriptFolders = None
    config: ConfigFile = None
    expect_host: ExpectHost = None
    expect_database: ExpectDatabase = None
    expect_commit: ExpectCommit = None
    waive: Waive = None
    assume: Assume = None
    journal: Journal = None
    restore_point: RestorePoint = None
    run: RunId = None
    json: AsJson = False
    events: AsEvents = False
    log_format: LogFormat = None
    verbose: Verbose = False

    def options(self) -> "Options":
        """The options as a program gives them to `Recovery`."""
        from recovery.app.session import Options

        return Options(
            database_url=self.database_url,
            migrations=self.migrations,
            schema=self.schema,
            scripts=tuple(self.scripts or ()),
            config=self.config,
            expect_host=self.expect_host,
            expect_database=self.expect_database,
            expect_commit=self.expect_commit,
            waive=tuple(self.waive or ()),
            journal=self.journal,
            restore_point=self.restore_point,
            assume=tuple(self.assume or ()),
        )

    def output(self, command: str) -> "Output":
        """Where this call's output goes, and in which form."""
        from recovery.cli.output import Output

        return Output(
            command, as_json=self.json, as_events=self.events, log_format=self.log_format, verbose=self.verbose
        )


#: Options of commands that look at the journal only.
JOURNAL = ("config", "schema", "journal", "database_url")
#: Options of commands that look at production.
TARGET = (
    "database_url",
    "migrations",
    "schema",
    "scripts",
    "config",
    "expect_host",
    "expect_database",
    "expect_commit",
    "waive",
    "assume",
)
#: How the output of a command can be had, besides in words.
OUTPUT = ("json", "log_format", "verbose")
EVENTS = ("json", "events", "log_format", "verbose")


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command these shared options, after its own; it finds their values in its first parameter, a `Chosen`.

    Args:
        names: fields of `Chosen`, in the order of the help.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(Chosen, include_extras=True)
        defaults = {each.name: each.default for each in fields(Chosen)}
        own = list(inspect.signature(command).parameters.values())[1:]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=hints[name])
            for name in names
        ]

        @functools.wraps(command)
        def taken(*args: Any, **values: Any) -> None:  # noqa: ANN401 - whatever the command's own options are
            chosen = Chosen(**{name: values.pop(name) for name in names})
            command(chosen, *args, **values)

        # The command line reads the options off the signature.
        taken.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        taken.__annotations__ = {each.name: each.annotation for each in (*own, *shared)}
        return taken

    return decorate
