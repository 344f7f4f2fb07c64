"""The values with which columns that a script adds fill the rows that are there, and functions that give others."""

from dataclasses import dataclass
from typing import Any

import psycopg

from recovery.postgres import catalog
from recovery.sql.names import quoted
from recovery.sql.parser import postgast
from recovery.sql.tree import enum_name, functions, of
from states.facts import Key, Snapshot


@dataclass(frozen=True, slots=True)
class Foreign:
    """Functions that are not PostgreSQL's own, or may give another value the next time.

    Attributes:
        computes: of those that statements call for every row.
        checked: of those that are called where PostgreSQL itself takes an immutable one only.
    """

    computes: frozenset[str] = frozenset()
    checked: frozenset[str] = frozenset()


_IMMUTABLE = """
SELECT proname, bool_and(provolatile = 'i' OR prokind = 'a') FROM pg_catalog.pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY(%s)
GROUP BY proname HAVING bool_or(provolatile = 'i' OR prokind = 'a')
"""


def not_immutable(connection: psycopg.Connection[Any], computes: frozenset[str], checked: frozenset[str]) -> Foreign:
    """Of these functions, those that are not PostgreSQL's own, or may give another value the next time."""
    names = computes | checked
    if not names:
        return Foreign()
    found = dict(connection.execute(_IMMUTABLE, (sorted(names),)).fetchall())
    return Foreign(computes - {name for name, every in found.items() if every}, checked - found.keys())


def filled(
    connection: psycopg.Connection[Any], columns: frozenset[str], before: Snapshot, after: Snapshot
) -> tuple[tuple[Key, str], ...]:
    """The values with which a step's new columns were filled; empty if the server does not know all of them.

    A column that was there before does not count: another statement may have filled it.
    """
    wanted = {f"column {quoted(column)}" for column in columns}
    new = sorted(key for key in after.keys() - before.keys() if key[1] in wanted)
    known = catalog.read_filled(connection, {obj for obj, _ in new})
    complete = {prop for _, prop in new} == wanted and all(key in known for key in new)
    if not complete:
        return ()
    values = [(key, _value(connection, after.get((key[0], f"{key[1]} default"), ""), known[key])) for key in new]
    told = tuple((key, value) for key, value in values if value is not None)
    return told if len(told) == len(values) else ()


#: What gives the time at which a statement runs.
_TIMES = {"now", "transaction_timestamp", "statement_timestamp", "timezone", "date_trunc"}
_TIME_WORDS = ("SVFOP_CURRENT_TIMESTAMP", "SVFOP_LOCALTIMESTAMP", "SVFOP_CURRENT_DATE")


def _value(connection: psycopg.Connection[Any], default: str, known: str) -> str | None:
    """The value with which a default fills rows, wherever it runs; empty for the time, None if it is not known."""
    if not default:
        return known  # the default of its type
    try:
        tree = postgast.parse(f"SELECT {default}")
    except postgast.PgQueryError:
        return None
    calls, words = functions(tree), [enum_name(each, "op") for each in of(tree, "SQLValueFunction")]
    if not words and not not_immutable(connection, frozenset(calls), frozenset()).computes:
        return known
    computed = any(True for _ in of(tree, "A_Expr"))
    times = calls <= _TIMES and all(word.startswith(_TIME_WORDS) for word in words)
    return "" if times and not computed else None
