"""The options that several commands share, each with its group in the help."""

from pathlib import Path
from typing import Annotated

import typer

#: The groups of options in a command's help.
_TARGET, _EXPECTED, _OUTPUT = "Target, project and journal", "Expectations", "Output"

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="URL of the target; by default DIRECT_URL, DATABASE_URL… from the environment or .env.",
        rich_help_panel=_TARGET,
    ),
]
Migrations = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The migrations folder; by default the project's.", rich_help_panel=_TARGET),
]
Schema = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="schema.prisma or its folder; by default the project's.", rich_help_panel=_TARGET
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings; by default prisma-recovery.toml here or in a folder above, within the git checkout.",
        rich_help_panel=_TARGET,
    ),
]
Journal = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the journal is: a PostgreSQL URL, or `target` for the production database itself; "
        "by default PRISMA_RECOVERY_JOURNAL, else a file in the project.",
        rich_help_panel=_TARGET,
    ),
]
ExpectHost = Annotated[
    str | None,
    typer.Option(metavar="HOST", help="The host that the target must have.", rich_help_panel=_EXPECTED),
]
ExpectDatabase = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The database that the target must be.", rich_help_panel=_EXPECTED),
]
ExpectCommit = Annotated[
    str | None,
    typer.Option(
        metavar="COMMIT",
        help="The commit, branch or tag that must be checked out; `vercel` for the commit of production on Vercel.",
        rich_help_panel=_EXPECTED,
    ),
]
Waive = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=REASON",
        help="Go on although this check of preflight does not hold, for this reason; repeatable.",
        rich_help_panel=_EXPECTED,
    ),
]
RestorePoint = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="The restore point to make before the first change: neon, pg_dump or none (the default)."
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document and nothing else, also for an error.", rich_help_panel=_OUTPUT
    ),
]
AsEvents = Annotated[
    bool,
    typer.Option(
        "--events",
        help="Print each event as one line of JSON as it happens, and nothing else.",
        rich_help_panel=_OUTPUT,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", help="Log to standard error, with the output of commands and progress.", rich_help_panel=_OUTPUT
    ),
]
LogFormat = Annotated[
    str | None,
    typer.Option(
        metavar="json|text",
        help="Log to standard error in this format; with --verbose alone, text in a terminal and json elsewhere.",
        rich_help_panel=_OUTPUT,
    ),
]
RunId = Annotated[str | None, typer.Option("--run", metavar="RUN", help="The run; by default the unfinished one.")]
