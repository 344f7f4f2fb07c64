"""Tells which statements of a script work on rows alone, so that the catalog need not be read after each of them.

A data migration of a thousand INSERTs leaves the schema as it is, but for sequences that give their first number. The
allow-list is narrow, since whatever is wrongly on it would hide a change of the schema: INSERT, UPDATE and DELETE that
call PostgreSQL's own functions only, in a database where no code of anybody's runs with them.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import psycopg

from recovery.replay.running import run
from recovery.sql.statements import Parsed
from states.comparison import is_next_value
from states.facts import Key

_NODES = ("insert_stmt", "update_stmt", "delete_stmt")
#: Statements that evaluate whatever a query, a default or a trigger has.
_WRITING = (*_NODES, "create_table_as_stmt", "select_stmt")
#: Schemas whose tables hold the schema of others.
_SYSTEM = ("pg_catalog", "information_schema")
#: PostgreSQL's own functions that change what a snapshot reads, or the session in which the next statement runs.
_CHANGING = {"setval", "set_config", "pg_import_system_collations"}
#: Extensions of which each function only gives a value.
_GIVING = [
    *("btree_gin", "btree_gist", "citext", "cube", "hstore", "intarray", "ltree", "pg_trgm", "pgcrypto", "unaccent"),
    *("uuid-ossp", "vector"),
]

#: Whether a function `p` is a member of one of these extensions.
_OF_GIVING = """EXISTS (
    SELECT FROM pg_catalog.pg_depend m JOIN pg_catalog.pg_extension e ON e.oid = m.refobjid
    WHERE m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = p.oid AND m.deptype = 'e'
      AND m.refclassid = 'pg_catalog.pg_extension'::regclass AND e.extname = ANY({}))"""
#: Functions that are neither PostgreSQL's own nor of an extension whose functions give values, and that can be called
#: without being named: by defaults, constraints, indexes, policies, views, operators, casts and types, or written as a
#: column of a table.
_UNNAMED = f"""EXISTS (
    SELECT FROM pg_catalog.pg_proc p
    WHERE p.oid >= 16384
      AND NOT {_OF_GIVING.format("%s")}
      AND (p.pronargs = 1 AND EXISTS (
              SELECT FROM pg_catalog.pg_type c WHERE c.oid = p.proargtypes[0] AND c.typtype = 'c')
          OR EXISTS (
              SELECT FROM pg_catalog.pg_depend d
              WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = p.oid
                AND d.classid IN ('pg_catalog.pg_attrdef'::regclass, 'pg_catalog.pg_constraint'::regclass,
                                  'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_policy'::regclass,
                                  'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_operator'::regclass,
                                  'pg_catalog.pg_cast'::regclass, 'pg_catalog.pg_type'::regclass,
                                  'pg_catalog.pg_opclass'::regclass))))"""  # noqa: S608 - of this module
#: Code that may run with a statement on rows.
_CODE = f"""
SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal)
    OR EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.oid >= 16384 AND w.rulename <> '_RETURN')
    OR {_UNNAMED}
"""  # noqa: S608 - of this module
#: Code that may run with a statement on what the script itself makes: a partition or a child has its parent's triggers,
#: and a parent's rows have those of their partition.
_REACHING = f"""
SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t
               JOIN pg_catalog.pg_inherits i ON t.tgrelid IN (i.inhrelid, i.inhparent) WHERE NOT t.tgisinternal)
    OR {_UNNAMED}
"""  # noqa: S608 - of this module
_NUMBERS = "SELECT seqrelid::bigint, pg_catalog.pg_sequence_last_value(seqrelid) FROM pg_catalog.pg_sequence"
#: Of these names, those that only functions have which are PostgreSQL's own, or an extension's that give values.
_OWN = f"""
SELECT p.proname FROM pg_catalog.pg_proc p WHERE p.proname = ANY(%(names)s)
GROUP BY p.proname
HAVING bool_and(p.oid < 16384 AND p.pronamespace = 'pg_catalog'::regnamespace OR {_OF_GIVING.format("%(giving)s")})
"""  # noqa: S608 - of this module
#: Sequences that have given a number.
_USED = """
SELECT format('sequence %I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE pg_catalog.pg_sequence_last_value(s.seqrelid) IS NOT NULL
"""


#: The most statements that are sent at once.
_AT_ONCE = 200
#: The beginning of a statement, up to its values: statements that begin alike use the same sequences.
_BEGINNING = re.compile(r"\A[^']*?(?=\bVALUES\b|'|\Z)", re.IGNORECASE)
_DEFAULT = re.compile(r"\bdefault\b", re.IGNORECASE)


class RowsOnly:
    """Runs stretches of statements on rows alone: many at once, where it is known that they leave the schema alone."""

    def __init__(self, connection: psycopg.Connection[Any], parsed: Sequence[Parsed]) -> None:
        """Asks nothing yet.

        Args:
            connection: to the database in which the statements run.
            parsed: the script's statements.
        """
        self._connection = connection
        self._parsed = parsed
        self._end = self._judged = 0
        self._seen: set[str] = set()

    def at(self, place: int) -> bool:
        """Whether the statement at a place, from 0, works on rows alone. It must be the next one to run.

        A row of INSERTs, UPDATEs and DELETEs is judged once, at its first. What comes after one that calls anybody's
        function is not known to work on rows alone, since the function may make a trigger.
        """
        if place >= self._judged:
            candidates = list(_candidates(self._parsed, place))
            self._end, self._judged = place + self._stretch(candidates), place + max(len(candidates), 1)
        return place < self._end

    def ahead(self, place: int) -> Sequence[Parsed]:
        """The statements from a place on that may be sent at once; that one alone if it is to run alone.

        The first of those that begin alike runs alone, so that it is known which one took a sequence's first number.
        """
        found: list[Parsed] = []
        for statement in self._parsed[place : min(self._end, place + _AT_ONCE)]:
            beginning = _beginning(statement.sql)
            if beginning not in self._seen:
                if not found:
                    self._seen.add(beginning)
                    found.append(statement)
                break
            found.append(statement)
        return found

    def run(self, statements: Sequence[Parsed]) -> bool:
        """Runs statements as one query.

        Returns:
            False if one of them fails; nothing of them stays then, so that they can run one by one.

        Raises:
            ScratchError: as `walk.run`.
        """
        within = self._connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        if within:
            self._connection.execute("SAVEPOINT before_them")
        try:
            run(self._connection, "\n;\n".join(statement.sql for statement in statements))
        except psycopg.Error:
            if within:
                self._connection.execute("ROLLBACK TO before_them")
            return False
        if within:
            self._connection.execute("RELEASE before_them")
        return True

    def _stretch(self, candidates: Sequence[Parsed]) -> int:
        """How many of these statements, from the first one on, work on rows alone."""
        if not candidates:
            return 0
        code = self._connection.execute(_CODE, (_GIVING,)).fetchone()
        if code is None or code[0]:
            return 0
        called = frozenset[str]().union(*(statement.calls for statement in candidates))
        asked = {"names": sorted(called), "giving": _GIVING}
        own = {name for (name,) in self._connection.execute(_OWN, asked)} if called else set[str]()
        foreign = (number for number, statement in enumerate(candidates) if statement.calls - own)
        return next(foreign, len(candidates))


def _candidates(parsed: Sequence[Parsed], first: int) -> Iterator[Parsed]:
    for statement in islice(parsed, first, None):
        catalogs = any(name.schema in _SYSTEM or name.name.startswith("pg_") for name in statement.names)
        if statement.node not in _NODES or statement.forbidden or statement.calls & _CHANGING or catalogs:
            return
        yield statement


def _beginning(sql: str) -> str:
    found = _BEGINNING.match(sql)
    return sql if found is None or _DEFAULT.search(sql) else found[0]


def read_again(connection: psycopg.Connection[Any], before: dict[Key, str]) -> dict[Key, str]:
    """The schema after statements that work on rows alone: the same, without the first numbers that were given.

    Args:
        connection: to the database.
        before: the schema before them; it is returned if nothing changed.
    """
    unused = {key for key in before if is_next_value(key)}
    if not unused:
        return before
    used = {obj for (obj,) in connection.execute(_USED.encode())}
    gone = {key for key in unused if key[0] in used}
    return {key: value for key, value in before.items() if key not in gone} if gone else before


class Reach:
    """Tells whether statements that write only into what the script makes reach further after all."""

    def __init__(self, connection: psycopg.Connection[Any], newest: int) -> None:
        """Asks nothing yet.

        Args:
            connection: to the database in which the statements run.
            newest: the highest oid of a relation before the script.
        """
        self._connection = connection
        self._newest = newest
        self._numbers: dict[int, int | None] | None = None

    def before(self, statements: Sequence[Parsed]) -> None:
        """Looks at the sequences before these statements run."""
        if any(statement.work.own for statement in statements):
            self._numbers = dict(self._connection.execute(_NUMBERS).fetchall())

    def after(self, statements: Sequence[Parsed]) -> dict[int, str]:
        """Of these statements, which ran just now, those that may have done something elsewhere, with the reason."""
        known, self._numbers = self._numbers, None
        own = [statement.index for statement in statements if statement.work.own]
        if not own or known is None:
            return {}
        writing = [each.index for each in statements if each.work.own and each.node in _WRITING]
        now = dict(self._connection.execute(_NUMBERS).fetchall())
        if any(now.get(oid, value) != value for oid, value in known.items() if oid <= self._newest):
            return dict.fromkeys(own, "it takes numbers of a sequence that was there before")
        code = self._connection.execute(_REACHING, (_GIVING,)).fetchone()
        if code is None or code[0]:
            return dict.fromkeys(writing, "functions or triggers of somebody's may run with it, and write elsewhere")
        return {}
