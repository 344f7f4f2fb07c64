"""Finds obstacles: would the script of a failed migration fail again? Only reads production.

An obstacle is reported only if the deploy would certainly fail. A question without a certain answer is not asked. A
question that production did not answer in time is reported as untested.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.obstacles.probes import Probe
from recovery.evidence.obstacles.queries import ask
from recovery.evidence.obstacles.reader import probes
from recovery.evidence.pending import Compared
from recovery.postgres.target import Target
from recovery.prisma.scripts import Scripts
from states.classification import may_run_again
from states.evidence import Decision
from states.facts import Obstacle

#: The longest that one query may take. It scans a table once or twice, and must not burden production for long.
QUESTION_SECONDS = 20.0
#: The longest that all queries about one script may take together.
ALL_SECONDS = 60.0

#: Settings that make names and values read as in Prisma's session; our own session reads the catalog under others.
#: With row_security off, a query whose rows a policy would hide fails instead of giving a wrong answer.
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
    """The obstacles to a script.

    Attributes:
        obstacles: each one with the statement that it makes fail.
        untested: sentences on statements that could not be tested, with the reason.
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
    """Finds what would make the last of these scripts fail, if a deploy ran them now, in this order.

    Args:
        connection: to production, in autocommit, read only.
        schema: the schema in the search path of Prisma's session.
        scripts: texts of the migrations. Only the last is tested; the others may change what it finds.
        seconds: the longest that one query may take.
        clock: a monotonic clock, in seconds.
    """
    until = clock() + ALL_SECONDS
    obstacles: dict[str, Obstacle] = {}
    untested: dict[str, None] = {}
    asked: set[Probe] = set()
    for probe in probes(scripts, schema):
        if (same := replace(probe, statement=0)) in asked:
            continue  # many statements need the same privilege: the answer for the first holds for all
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
    """The obstacle that a probe finds; None if no failure is certain; or, as a text, why it could not be tested."""
    try:
        with connection.transaction():
            milliseconds = max(1, int(seconds * 1000))
            connection.execute(SQL(_AS_PRISMA).format(schema=Identifier(schema), milliseconds=Literal(milliseconds)))
            return ask(connection, probe)
    except psycopg.errors.QueryCanceled:
        return f"the query was ended after {seconds:.0f} s"
    except psycopg.errors.LockNotAvailable:
        return "another session holds a lock on the table"
    except psycopg.errors.InsufficientPrivilege:
        return "the role may not read the rows concerned"
    except psycopg.Error as error:
        if connection.broken or connection.closed:
            raise
        if isinstance(error, (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError)):
            return None  # production's objects are not those that the statement expects; it may fail for that instead
        return "the server could not answer"


def tested(classified: Classified, scripts: Scripts, target: Target) -> Classified:
    """Adds obstacles to the evidence, where a decision may let Prisma run the script again.

    A migration that also has a finished row is not tested: its failed attempt is only withdrawn (RULES F7), so its
    script is not run again.
    """
    evidence, attempts = classified.evidence, classified.subject.attempts
    present = scripts.present(evidence.migration)
    if present is None or not may_run_again(evidence, attempts):
        return classified
    finished = {row.migration for row in classified.rows if row.finished} | {name for name, _ in classified.base}
    names = scripts.names[: scripts.names.index(evidence.migration)]
    before = [script.text for name in names if name not in finished and (script := scripts.present(name))]
    found = find(target.reading(), target.url.schema, (*before, present.text))
    reasons = (*evidence.reasons, *found.untested)
    return replace(classified, evidence=replace(evidence, obstacles=found.obstacles, reasons=reasons))


def hindered(compared: Compared, inspection: Inspection, scripts: Scripts, target: Target) -> Compared:
    """Adds the pending migrations that would fail although production has nothing of them, with their obstacles.

    Args:
        compared: the pending migrations beside production.
        inspection: the ledger beside the folder.
        scripts: the checkout.
        target: production.
    """
    kept = {each.evidence.migration for each in compared.found if each.evidence.decision is not Decision.DEPLOY}
    absent = {each.evidence.migration: each for each in compared.absent}
    found = {each.evidence.migration: each for each in compared.found}
    left = [name for name in inspection.history.pending if name not in kept]
    for name, obstacles in _in_turn(left, absent.keys(), scripts, target):
        found[name] = replace(absent[name], evidence=replace(absent[name].evidence, obstacles=obstacles))
    in_order = (found[name] for name in inspection.history.pending if name in found)
    return replace(compared, found=tuple(in_order))


def may_hinder(inspection: Inspection, scripts: Scripts, target: Target) -> bool:
    """Whether anything in production stands in the way of a pending migration that was never attempted.

    It may be that the migration is in production already; only its replay tells, which this look spares.
    """
    tried = {row.migration for row in inspection.rows}
    asked = {name for name in inspection.history.pending if name not in tried}
    return any(True for _ in _in_turn(inspection.history.pending, asked, scripts, target))


def _in_turn(
    names: Sequence[str], asked: Collection[str], scripts: Scripts, target: Target
) -> Iterator[tuple[str, tuple[Obstacle, ...]]]:
    """Each of the asked migrations that obstacles stand in the way of, if a deploy ran these migrations in this order.

    Args:
        names: the migrations that a deploy would run.
        asked: those of them to look at.
        scripts: the checkout.
        target: production.
    """
    before: list[str] = []
    for name in names:
        script = scripts.present(name)
        if script is None:
            continue
        if name in asked:
            obstacles = find(target.reading(), target.url.schema, (*before, script.text)).obstacles
            if obstacles:
                yield name, obstacles
        before.append(script.text)
