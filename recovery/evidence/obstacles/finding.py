"""Finds obstacles: would the script of a failed migration fail again? Only reads production.

An obstacle is reported only if the deploy would certainly fail. A question without a certain answer is not asked. A
question that production did not answer in time is reported as untested.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import LOCKED, Classified
from recovery.evidence.obstacles.object_queries import related
from recovery.evidence.obstacles.probes import Made, Probe
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
    every = list(probes(scripts, schema))
    last = every[-1] if len(every) == len(scripts) else ()
    return _Finder(connection, schema, seconds, clock).find(last)


class _Finder:
    """Finds obstacles. A probe that scripts have in common is asked once."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        schema: str,
        seconds: float = QUESTION_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._seconds = seconds
        self._clock = clock
        self._said: dict[Probe, Obstacle | str | None] = {}

    def expect(self, every: Iterable[Probe]) -> None:
        """Finds out in one query which of the relations that probes are about are not there: none stands in the way."""
        relations = {each for each in every if isinstance(each, Made) and each.kind == "relation"}
        there = related(self._connection, [each.name for each in relations])
        self._said |= {replace(each, statement=0): None for each in relations if each.name not in there}

    def find(self, asked: Sequence[Probe]) -> Obstacles:
        """The obstacles that a script's probes find."""
        until = self._clock() + ALL_SECONDS
        obstacles: dict[str, Obstacle] = {}
        untested: dict[str, None] = {}
        put: set[Probe] = set()
        for probe in asked:
            if (same := replace(probe, statement=0)) in put:
                continue  # many statements need the same privilege: the answer for the first holds for all
            put.add(same)
            said: Obstacle | str | None = "there was no time left for it"
            if same in self._said:
                said = self._said[same]
            elif (left := min(self._seconds, until - self._clock())) > 0:
                said = self._said[same] = _asked(self._connection, self._schema, probe, left)
            if isinstance(said, str):
                untested[f"Whether statement {probe.statement} would fail again was not tested: {said}."] = None
            elif said is not None:
                obstacles.setdefault(said.query, replace(said, statement=probe.statement))
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
    absent = {each.migration: each for each in compared.absent}
    found = {each.evidence.migration: each for each in compared.found}
    left = [name for name in inspection.history.pending if name not in kept]
    for name, obstacles in _in_turn(left, absent.keys(), scripts, target):
        try:
            classified = absent[name].look()
        except psycopg.errors.LockNotAvailable:
            compared = replace(compared, missing=LOCKED)
            break
        found[name] = replace(classified, evidence=replace(classified.evidence, obstacles=obstacles))
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
    present = [script for name in names if (script := scripts.present(name)) is not None]
    every = probes([script.text for script in present], target.url.schema)
    mine = {s.migration: each for s, each in zip(present, every, strict=False) if s.migration in asked}
    finder = _Finder(target.reading(), target.url.schema)
    finder.expect(probe for each in mine.values() for probe in each)
    for name, each in mine.items():
        obstacles = finder.find(each).obstacles
        if obstacles:
            yield name, obstacles
