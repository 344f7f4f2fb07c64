"""Adds the options of this call to the commands that we suggest, so that they can be copied as they stand."""

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recovery.app.session import Options

_RUN, _PIPELINE = "prisma-recovery run", "prisma-recovery pipeline"
#: Placeholder for a URL, as in the commands' help: a URL may hold a password, so it is never shown.
_URL = "URL"


def completion(options: "Options", flags: Sequence[str] = ()) -> Callable[[str], str]:
    """A function that adds the options to a command line that make it work on the same project, journal and target.

    Args:
        options: the options of this call.
        flags: those of `run` that were given, as `--yes`.
    """
    journal = options.journal
    everywhere = {
        "--config": options.config,
        "--schema": options.schema,
        "--journal": _URL if journal is not None and "://" in journal else journal,
        "--database-url": None if options.database_url is None else _URL,
    }
    # These options concern production. Commands other than `run` and `pipeline` look at the journal only.
    working = {
        "--migrations": options.migrations,
        "--expect-host": options.expect_host,
        "--expect-database": options.expect_database,
        "--expect-commit": options.expect_commit,
    }
    running = working | {"--restore-point": options.restore_point}
    repeatable = [("--scripts", str(each)) for each in options.scripts]
    repeatable += [("--waive", each) for each in options.waive]
    repeatable += [("--assume", each) for each in options.assume]

    def complete(line: str) -> str:
        further = running if line.startswith(_RUN) else working if line.startswith(_PIPELINE) else {}
        given = everywhere | further
        words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        if further:
            words += [word for pair in repeatable if " ".join(pair) not in line for word in pair]
        if further is running:
            words += [flag for flag in flags if flag not in line.split()]
        return " ".join([line, *map(shlex.quote, words)])

    return complete
