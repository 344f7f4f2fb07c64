"""The true answer on a staged failure, known from how it was staged and measured on the server, without any verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from recovery.postgres import catalog
from recovery.sql.statements import Parsed

Snapshot = Mapping[tuple[str, str], str]
#: Sets of the decisions `mark_applied` and `mark_rolled_back`.
Decisions = frozenset[str]
APPLIED = "mark_applied"
ROLLED_BACK = "mark_rolled_back"
BOTH: Decisions = frozenset((APPLIED, ROLLED_BACK))
NEITHER: Decisions = frozenset()


@dataclass(frozen=True)
class Truth:
    """The true and the false decisions on a failure.

    Attributes:
        right: decisions that are true; empty if only a person can decide.
        wrong: decisions that are false.
    """

    right: Decisions
    wrong: Decisions


#: No statement that works on rows has run.
NO_ROWS: frozenset[int] = frozenset()
#: Only a question to a person is right.
PERSON = Truth(NEITHER, BOTH)

#: Kinds of statements that change only the schema. All others count as work on rows.
_SCHEMA = {
    "create_stmt",
    "index_stmt",
    "alter_table_stmt",
    "drop_stmt",
    "rename_stmt",
    "create_enum_stmt",
    "alter_enum_stmt",
    "create_schema_stmt",
    "create_extension_stmt",
    "alter_extension_stmt",
    "view_stmt",
    "create_function_stmt",
    "alter_function_stmt",
    "create_trig_stmt",
    "comment_stmt",
    "create_seq_stmt",
    "create_policy_stmt",
    "alter_policy_stmt",
    "grant_stmt",
    "alter_default_privileges_stmt",
    "alter_object_schema_stmt",
    "alter_owner_stmt",
    "create_domain_stmt",
    "alter_domain_stmt",
    "composite_type_stmt",
    "create_range_stmt",
    "create_stats_stmt",
    "rule_stmt",
    "create_table_as_stmt",  # dropping the table undoes its rows, too
}
_NOTHING = {"transaction_stmt", "variable_set_stmt", "variable_show_stmt", "lock_stmt"}
_BLOCK_WRITES = re.compile(
    r"\b(insert\s+into|update\s+(?!cascade|set\b|restrict|no\b|on\b)|delete\s+from|truncate|merge\s+into|perform"
    r"|execute|call|setval|nextval|refresh)\b",
    re.IGNORECASE,
)
_CONDITIONAL = re.compile(r"\bif\s+(not\s+)?exists\b", re.IGNORECASE)
_ADDS = re.compile(r"\badd\s+(column\b|\"?\w+\"?\s+\w).*\bdefault\b", re.IGNORECASE | re.DOTALL)
_WRITES_OTHERWISE = re.compile(r"\btype\b|\busing\b|\bgenerated\b|serial\b|\w\s*\(\s*\)", re.IGNORECASE)
_CONSTANT = re.compile(r"(--[^\n]*\n|\s)*select\s+[^(]*\Z|.*\bset_config\s*\(", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Known:
    """The effects of a script.

    Attributes:
        statements: the texts of its statements.
        steps: the schema before it and after each statement, as far as they run one by one, and after the whole.
        data: numbers of the statements with effects that no schema shows, and that a second run may repeat.
        on_rows: numbers of the statements that work on rows and on nothing else.
        rows: numbers of the statements that write rows which the schema doesn't show, but which go if it is undone.
        added_with_default: numbers of those of `rows` that only add columns with their default.
        idle: numbers of the UPDATEs and DELETEs whose tables have no rows: production is the same whether they ran.
        controls: the script begins or ends transactions itself.
        scope: the objects that it changes.
    """

    statements: tuple[str, ...]
    steps: tuple[Snapshot, ...]
    data: frozenset[int]
    on_rows: frozenset[int]
    rows: frozenset[int]
    added_with_default: frozenset[int]
    idle: frozenset[int]
    controls: bool
    scope: catalog.Scope

    @property
    def start(self) -> Snapshot:
        """The schema before the script."""
        return self.steps[0]

    @property
    def end(self) -> Snapshot:
        """The schema after the script."""
        return self.steps[-1]

    def truth(self, now: Snapshot, done: frozenset[int]) -> Truth:
        """The truth if the schema is `now` and, of the statements that work on rows, those in `done` have run."""
        idle = self.idle
        return Truth(self._true(now, done), BOTH - self._true(now, done - idle) - self._true(now, done | idle))

    def _true(self, now: Snapshot, done: frozenset[int]) -> Decisions:
        right = set()
        if now == self.end and done >= self.data | self.rows:
            right.add(APPLIED)
        if now == self.start and not done & self.data:
            right.add(ROLLED_BACK)
        return frozenset(right)

    @property
    def everything(self) -> frozenset[int]:
        """The numbers of all statements, as `done` if all of them have run."""
        return frozenset(range(1, len(self.statements) + 1))


def measure(
    connection: psycopg.Connection[Any],
    end: psycopg.Connection[Any],
    parsed: Sequence[Parsed],
    changed: set[str],
) -> Known:
    """Runs a script statement by statement.

    Args:
        connection: a session on a copy of the database before the script.
        end: a session on the database after the script ran as a whole.
        parsed: the script.
        changed: the objects that it changes.
    """
    names = {name for statement in parsed for name in statement.names}
    scope = catalog.scope_of(changed) | catalog.Scope(
        frozenset((name.schema or "public", name.name) for name in names), frozenset(name.name for name in names)
    )
    steps: list[Snapshot] = [catalog.read(connection, scope)]
    for statement in parsed:
        try:
            connection.execute(statement.sql.encode())
        except psycopg.Error:
            connection.execute("ROLLBACK")
            break
        steps.append(catalog.read(connection, scope))
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.execute("ROLLBACK")
    steps += [steps[-1]] * (len(parsed) + 1 - len(steps))
    steps[-1] = catalog.read(end, scope)
    data, rows = set(), set()
    no_rows = {statement.index: _is_empty(end, statement) for statement in parsed}
    for statement in parsed:
        seen = steps[statement.index] != steps[statement.index - 1]
        if _works_on_rows(statement) and not statement.work.own:
            data.add(statement.index)
        elif (statement.work.fills or statement.work.moves) and no_rows[statement.index]:
            continue  # none can be wrong
        elif statement.work.why or not (seen or statement.node in _NOTHING or _harmless(statement)):
            rows.add(statement.index)
    for i, earlier in enumerate(steps):
        for j in range(i + 2, len(steps)):
            if earlier == steps[j] and any(step != earlier for step in steps[i:j]):
                data.update(range(i + 1, j + 1))
    return Known(
        tuple(statement.sql for statement in parsed),
        tuple(steps),
        frozenset(data),
        frozenset(statement.index for statement in parsed if _works_on_rows(statement)),
        frozenset(rows),
        frozenset(number for number in rows if _adds_with_default(parsed[number - 1].sql)),
        frozenset(s.index for s in parsed if s.node in ("update_stmt", "delete_stmt") and no_rows[s.index]),
        any(statement.control for statement in parsed),
        scope,
    )


def _is_empty(connection: psycopg.Connection[Any], statement: Parsed) -> bool:
    """Whether the tables that a statement names have no rows."""
    tables = [f'"{name.schema or "public"}"."{name.name}"' for name in statement.names]
    there = [each for each in tables if connection.execute("SELECT to_regclass(%s)", (each,)).fetchone() != (None,)]
    kinds = "SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = %s::regclass"
    return not any(
        connection.execute(f"SELECT EXISTS (TABLE {each})".encode()).fetchone() == (True,)
        for each in there
        if connection.execute(kinds, (each,)).fetchone() == (True,)
    )


def _adds_with_default(sql: str) -> bool:
    return _ADDS.search(sql) is not None and _WRITES_OTHERWISE.search(sql) is None


def _works_on_rows(statement: Parsed) -> bool:
    if statement.node in _SCHEMA or statement.node in _NOTHING:
        return False
    if statement.node == "do_stmt":
        return _BLOCK_WRITES.search(statement.sql) is not None
    return not (statement.node == "select_stmt" and _CONSTANT.match(statement.sql))


def _harmless(statement: Parsed) -> bool:
    return _CONDITIONAL.search(statement.sql) is not None or statement.node in ("select_stmt", "do_stmt")
