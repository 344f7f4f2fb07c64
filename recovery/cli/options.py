"""The options that several commands have, each in its group of the help."""

from pathlib import Path
from typing import Annotated

import typer

#: Where the options of a command stand in its help.
_TARGET, _EXPECTED, _OUTPUT = "What it works on", "What has to hold", "Output"

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The target; without it DIRECT_URL, DATABASE_URL… from the environment or .env.",
        rich_help_panel=_TARGET,
    ),
]
Migrations = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The migrations folder; without it the project's.", rich_help_panel=_TARGET),
]
Schema = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="schema.prisma or its folder; without it the project's.", rich_help_panel=_TARGET
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="prisma-recovery.toml; without it looked for upwards.",
        rich_help_panel=_TARGET,
    ),
]
Journal = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the journal is: a PostgreSQL URL, or `target` for the production database itself; "
        "without it PRISMA_RECOVERY_JOURNAL, else a file in the project.",
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
        help="The commit, branch or tag that must be checked out; `vercel`: the one that production runs there.",
        rich_help_panel=_EXPECTED,
    ),
]
Waive = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=REASON", help="Take on one check of preflight by name; repeatable.", rich_help_panel=_EXPECTED
    ),
]
RestorePoint = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="The restore point to make before the first change: neon, pg_dump or none, the default."
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document and nothing else, also where it fails.", rich_help_panel=_OUTPUT
    ),
]
AsEvents = Annotated[
    bool,
    typer.Option(
        "--events",
        help="Print each event as a line of JSON when it happens, and nothing else.",
        rich_help_panel=_OUTPUT,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Log to standard error, output and progress too.", rich_help_panel=_OUTPUT),
]
LogFormat = Annotated[
    str | None,
    typer.Option(
        metavar="json|text",
        help="Log to standard error in this format; with --verbose alone text in a terminal, else json.",
        rich_help_panel=_OUTPUT,
    ),
]
RunId = Annotated[
    str | None, typer.Option("--run", metavar="RUN", help="The run; without it the one that is not finished.")
]
