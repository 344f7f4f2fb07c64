"""Computes which decisions leave the effects of a migration in production exactly once (RULES E17)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import psycopg
from psycopg import sql

from recovery.postgres import catalog
from states.evidence import Decision

_RELATIONS = """
SELECT n.nspname, c.relname, c.relkind::text, c.relispopulated FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND c.relname <> '_prisma_migrations' AND c.relpersistence <> 't'
ORDER BY 1, 2
"""
Contents = dict[str, Counter[str]]


class Answer(StrEnum):
    """What a decision turns out to be."""

    #: It is right.
    DECIDED = "decided"
    #: A person is asked, and no decision would have been right.
    ASKED = "asked"
    #: A person is asked, and both marks would have been right.
    EITHER = "either"
    #: A person is asked, and one decision would have been right.
    UNDECIDED = "undecided"
    #: A person is asked, and a plan of repair leads to the migration's effects, once.
    REPAIRED = "repaired"
    #: The deploy after it fails loudly.
    FAILS = "would fail"
    #: It leaves production with other effects than the migration's, once.
    UNSAFE = "unsafe"
    #: Nothing was said of a pending migration, whose deploy would leave other effects.
    UNSEEN = "unseen"
    #: There was no decision at all.
    CRASHED = "crashed"


@dataclass(frozen=True)
class State:
    """A database's contents and schema."""

    contents: Contents
    schema: dict[tuple[str, str], str]


def contents(connection: psycopg.Connection[Any]) -> Contents:
    """The rows of each table and materialised view, with columns by name, and each sequence's value."""
    parts, found = [], Counter[str]
    state: Contents = {}
    for schema, name, kind, populated in connection.execute(_RELATIONS).fetchall():
        key, relation = f"{schema}.{name}", sql.Identifier(schema, name)
        if kind == "m" and not populated:
            state[key] = found(["not populated"])
            continue
        state[key] = found()
        row = {"S": "concat_ws(' ', a_row.last_value, a_row.is_called)"}.get(kind, "to_jsonb(a_row.*)::text")
        text = f"SELECT {{}}, {row} FROM {'ONLY ' if kind == 'r' else ''}{{}} a_row"
        parts.append(sql.SQL(text).format(sql.Literal(key), relation))
    if parts:
        for key, value in connection.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall():
            state[key][value] += 1
    return state


class Reading:
    """A database as it is now: each part of its state is read once, and only when it is needed."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Reads nothing yet."""
        self._connection = connection

    @cached_property
    def contents(self) -> Contents:
        """What it holds."""
        return contents(self._connection)

    @cached_property
    def schema(self) -> dict[tuple[str, str], str]:
        """Its whole schema, but for the ledger."""
        found = catalog.read(self._connection)
        return {key: value for key, value in found.items() if "_prisma_migrations" not in key[0]}

    def equals(self, state: State) -> bool:
        """Whether it is in this state. The schema is only read where the contents are equal."""
        return self.contents == state.contents and self.schema == state.schema


def read(connection: psycopg.Connection[Any]) -> State:
    """The whole state of a database, but for the ledger."""
    now = Reading(connection)
    return State(now.contents, now.schema)


@dataclass
class Truth:
    """What each mark would come to; the second is only found out when it is asked for.

    Attributes:
        applied: production is as if the script had run exactly once.
        rerun: runs the present script on production: whether the end is as if it had run once; None if it fails.
    """

    applied: bool
    rerun: Callable[[], bool | None]
    _again: list[bool | None] | None = None

    @property
    def again(self) -> bool | None:
        """What running the script on production comes to."""
        if self._again is None:
            self._again = [self.rerun()]
        return self._again[0]

    def answer(self, decision: Decision) -> Answer:
        """What a decision on a migration comes to."""
        if decision is Decision.MARK_APPLIED:
            return Answer.DECIDED if self.applied else Answer.UNSAFE
        if decision in (Decision.MARK_ROLLED_BACK, Decision.DEPLOY):
            return {True: Answer.DECIDED, False: Answer.UNSAFE, None: Answer.FAILS}[self.again]
        if self.applied and self.again is True:
            return Answer.EITHER
        return Answer.UNDECIDED if self.applied or self.again is True else Answer.ASKED

    def unseen(self) -> Answer:
        """What it comes to that nothing was said of a pending migration, which deploy then runs."""
        return {True: Answer.DECIDED, False: Answer.UNSEEN, None: Answer.FAILS}[self.again]
