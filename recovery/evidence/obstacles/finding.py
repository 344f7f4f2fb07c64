"""Would the script of a failed migration fail again? Asked of production, read only, before Prisma runs it again.

An obstacle is reported only if the deploy would surely fail. What can't be asked that surely isn't asked, and
what could not be answered in time is said.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from recovery.evidence.investigator import Classified
from recovery.evidence.obstacles.probes import Probe
from recovery.evidence.obstacles.queries import ask
from recovery.evidence.obstacles.reader import probes
from recovery.postgres.target import Target
from recovery.prisma.scripts import Scripts
from states.classification import may_run_again
from states.facts import Obstacle

#: A question scans a table at most once or twice; it must not weigh on production for long.
QUESTION_SECONDS = 20.0
#: All questions about one script together.
ALL_SECONDS = 60.0

#: How Prisma's session will read names and values: ours has settings of its own, for reading the catalog. A query that
#: row security would shorten fails rather than being believed.
_AS_PRISMA = """
SET LOCAL search_path TO {schema};
SET LOCAL statement_timeout TO {milliseconds};
SET LOCAL row_security TO off;
SET LOCAL timezone TO DEFAULT;
SET LOCAL datestyle TO DEFAULT;
SET LOCAL intervalstyle TO DEFAULT;
SET LOCAL standard_conforming_strings TO DEFAULT;
"""


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What stands in the way of a script.

    Attributes:
        untested: what could not be answered, as sentences.
    """

    obstacles: tuple[Obstacle, ...] = ()
    untested: tuple[str, ...] = ()


def find(
    connection: psycopg.Connection[Any],
    schema: str,
    scripts: Sequence[str],
    *,
    seconds: float = QUESTION_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Obstacles:
    """What would make the last of these scripts fail, if a deploy ran them now, in this order.

    Args:
        connection: to production, in autocommit, read only.
        schema: where the search path of Prisma's session leads.
        scripts: texts of the migrations; only the last is tested, the others may change what it meets.
        seconds: the longest that one question may take.
        clock: seconds that pass.
    """
    until = clock() + ALL_SECONDS
    obstacles: dict[str, Obstacle] = {}
    untested: dict[str, None] = {}
    asked: set[Probe] = set()
    for probe in probes(scripts, schema):
        if (same := replace(probe, statement=0)) in asked:
            continue  # a right that many statements need: what is said of the first holds for all
        asked.add(same)
        left = min(seconds, until - clock())
        said: Obstacle | str | None = "there was no time left for it"
        if left > 0:
            said = _asked(connection, schema, probe, left)
        if isinstance(said, str):
            untested[f"Whether statement {probe.statement} would fail again was not tested: {said}."] = None
        elif said is not None:
            obstacles.setdefault(said.query, said)
    return Obstacles(tuple(obstacles.values()), tuple(untested))


def _asked(connection: psycopg.Connection[Any], schema: str, probe: Probe, seconds: float) -> Obstacle | str | None:
    """What stands in the way; None if nothing does, or nothing surely; or why it could not be told."""
    try:
        with connection.transaction():
            milliseconds = max(1, int(seconds * 1000))
            connection.execute(SQL(_AS_PRISMA).format(schema=Identifier(schema), milliseconds=Literal(milliseconds)))
            return ask(connection, probe)
    except psycopg.errors.QueryCanceled:
        return f"the query was ended after {seconds:.0f} s"
    except psycopg.errors.LockNotAvailable:
        return "another session holds a lock that is in the way"
    except psycopg.errors.InsufficientPrivilege:
        return "the role may not read what has to be looked at"
    except psycopg.Error as error:
        if connection.broken or connection.closed:
            raise
        if isinstance(error, (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError)):
            return None  # the statement is not about what is there: it may well fail, but for another cause
        return "the server could not answer"


def tested(classified: Classified, scripts: Scripts, target: Target) -> Classified:
    """The same, with what would make its script fail again, where the script may be run again.

    A dead attempt beside a finished one is only withdrawn (RULES F7), so nothing of it is run again.
    """
    evidence, attempts = classified.evidence, classified.subject.attempts
    present = scripts.present(evidence.migration)
    if present is None or not may_run_again(evidence, attempts):
        return classified
    finished = {row.migration for row in classified.rows if row.finished}
    names = scripts.names[: scripts.names.index(evidence.migration)]
    before = [script.text for name in names if name not in finished and (script := scripts.present(name))]
    found = find(target.reading(), target.url.schema, (*before, present.text))
    reasons = (*evidence.reasons, *found.untested)
    return replace(classified, evidence=replace(evidence, obstacles=found.obstacles, reasons=reasons))
