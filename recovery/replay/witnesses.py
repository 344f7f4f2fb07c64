"""Runs a script a second time, where there are rows, to see whether it changes any of them (RULES E18).

The allow-list of `recovery.sql.row_bearing` says of some statements that they leave rows as they are, whatever rows
there are. Here each of these is held to it: rows whose values tell columns and rows apart are put into the tables that
the script can reach, and the contents of tables, sequences and materialised views are compared before and after it.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from recovery.postgres import catalog
from recovery.replay.rows_only import Reach, RowsOnly
from recovery.replay.running import execute
from recovery.replay.walk import differ
from recovery.sql.names import quoted
from recovery.sql.statements import Parsed
from states.facts import Snapshot

#: The most tables that get rows.
_MOST = 64
#: Characters that a text with its column's number may take.
_LONG = 8
#: Rows for each table: two whose values differ in every column, and one with nulls wherever a column allows them.
_ROWS = (1, 2, 3)

#: The tables of these names, those that a view of these names reads or a foreign key ties to one of them, and their
#: partitions and children.
_REACHED = """
WITH RECURSIVE named AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND format('%%I.%%I', n.nspname, c.relname) = ANY(%(names)s)
), tied AS (
    SELECT oid FROM named
    UNION SELECT d.refobjid FROM pg_rewrite w JOIN named ON w.ev_class = named.oid
    JOIN pg_depend d ON d.objid = w.oid AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    UNION SELECT k.confrelid FROM pg_constraint k JOIN named ON k.conrelid = named.oid WHERE k.contype = 'f'
    UNION SELECT k.conrelid FROM pg_constraint k JOIN named ON k.confrelid = named.oid WHERE k.contype = 'f'
), every AS (
    SELECT oid FROM tied
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN every ON i.inhparent = every.oid
)
SELECT every.oid::bigint FROM every JOIN pg_class c ON c.oid = every.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.relname <> '_prisma_migrations' ORDER BY 1 LIMIT %(most)s
"""
#: Columns with the type that a domain stands for.
_COLUMNS = """
WITH RECURSIVE plain AS (
    SELECT oid AS of, oid, typbasetype, typtypmod FROM pg_type
    UNION ALL SELECT p.of, t.oid, t.typbasetype, greatest(p.typtypmod, t.typtypmod)
    FROM plain p JOIN pg_type t ON t.oid = p.typbasetype WHERE p.typbasetype <> 0
)
SELECT a.attrelid::bigint, n.nspname, c.relname, a.attname, a.attnum::int, a.attnotnull OR d.typnotnull,
       t.typcategory::text, t.typname, greatest(a.atttypmod, p.typtypmod),
       ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type d ON d.oid = a.atttypid
JOIN plain p ON p.of = a.atttypid AND p.typbasetype = 0
JOIN pg_type t ON t.oid = p.oid
WHERE a.attrelid = ANY(%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attrelid, a.attnum
"""
#: What may hold rows: the tables with witnesses, every materialised view, and every table that the script makes.
_HOLDERS = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind = 'm' AND NOT c.relispopulated,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum),
       ARRAY(SELECT a.attnum::int FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum),
       ARRAY(SELECT a.attnum::int FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND (c.oid = ANY(%(tables)s::oid[]) OR c.relkind = 'm' OR c.oid > %(newest)s::oid)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
_SEQUENCES = "SELECT seqrelid::bigint, pg_sequence_last_value(seqrelid) FROM pg_sequence ORDER BY 1"
_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
_NEWEST = "SELECT coalesce(max(oid), 0)::bigint FROM pg_class"


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The rows that were put into a database.

    Attributes:
        tables: oids of the tables that hold some.
        newest: the highest oid of a relation before the script.
    """

    tables: tuple[int, ...]
    newest: int


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that gets values.

    Attributes:
        category: PostgreSQL's one letter for the kind of its type (`pg_type.typcategory`).
        type: the name of its type; of a domain, of the type under it.
        modifier: the type's modifier, as the length of a varchar plus 4; -1 for none.
        labels: of an enum.
    """

    name: str
    number: int
    required: bool
    category: str
    type: str
    modifier: int
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Holder:
    """A table or materialised view at one moment: its columns by number, those that are generated, and its rows."""

    columns: frozenset[int]
    generated: frozenset[int]
    rows: tuple[Mapping[int, str | None], ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What tables, materialised views and sequences hold at one moment, by their oids."""

    holders: Mapping[int, _Holder]
    sequences: Mapping[int, int | None]


def reached(connection: psycopg.Connection[Any], parsed: Sequence[Parsed]) -> tuple[int, ...]:
    """The tables that a script can reach by the names in it, at most a few dozen, as oids.

    Args:
        connection: to a database that holds the history before the script.
        parsed: the script.
    """
    schemas = [name for (name,) in connection.execute(_SCHEMAS).fetchall()]
    names = {
        f"{quoted(schema)}.{quoted(name.name)}"
        for statement in parsed
        for name in statement.names
        for schema in ((name.schema,) if name.schema else schemas)
    }
    found = connection.execute(_REACHED, {"names": sorted(names), "most": _MOST}).fetchall()
    return tuple(oid for (oid,) in found)


def put(connection: psycopg.Connection[Any], tables: Sequence[int], *, within: bool = False) -> Witnesses:
    """Puts rows into tables. One that refuses them, as for a CHECK, stays empty.

    Args:
        connection: to a copy of the database, as a superuser, in autocommit; or in a transaction in which nothing is
            set off by them.
        tables: their oids.
        within: whether it is in such a transaction.

    Raises:
        psycopg.errors.InsufficientPrivilege: in a transaction, where the role may not put a row. The transaction has
            failed then.
    """
    if not within:
        connection.execute("SET session_replication_role = replica")  # no triggers, and no foreign keys
    columns: dict[tuple[int, str, str], list[_Column]] = {}
    for oid, schema, table, *column in connection.execute(_COLUMNS, (list(tables),)).fetchall():
        columns.setdefault((oid, schema, table), []).append(_Column(*column))
    filled = []
    for (oid, schema, table), those in columns.items():
        if _put_rows(connection, sql.Identifier(schema, table), those, within=within):
            filled.append(oid)
    newest = connection.execute(_NEWEST).fetchone()
    return Witnesses(tuple(filled), newest[0] if newest else 0)


def _put_rows(
    connection: psycopg.Connection[Any], table: sql.Composable, columns: Sequence[_Column], *, within: bool
) -> bool:
    """Puts the rows into a table at once, or each that it takes. Whether it took any."""
    if _put_row(connection, table, columns, _ROWS, within=within):
        return True
    taken = [_put_row(connection, table, columns, (row,), within=within) for row in _ROWS]
    return any(taken)


def _put_row(
    connection: psycopg.Connection[Any],
    table: sql.Composable,
    columns: Sequence[_Column],
    rows: Sequence[int],
    *,
    within: bool,
) -> bool:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    values = sql.SQL(", ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(_value(column, row)) for column in columns))
        for row in rows
    )
    text = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {}").format(table, names, values)
    try:
        with connection.transaction() if within else nullcontext():
            connection.execute(text)
    except psycopg.errors.InsufficientPrivilege:
        if within:
            raise
        return False
    except psycopg.Error:
        return False
    return True


def _value(column: _Column, row: int) -> str | None:
    """A value for a column, as a text that PostgreSQL reads; None for null."""
    if row == _ROWS[-1] and not column.required:
        return None
    number = column.number
    match column.category:
        case "N":
            return str(10 * number + row)
        case "S":
            room = column.modifier - 4 if column.modifier > 0 else _LONG
            return f"w{number}r{row}" if room >= _LONG else "xyz"[row - 1]
        case "B":
            return str(row == 1).lower()
        case "D":
            return f"200{row}-02-03 04:05:06"
        case "T":
            return f"{number} days {row} hours"
        case "E":
            return column.labels[(row - 1) % len(column.labels)]
        case "A":
            return "{}"
        case "I":
            return f"10.0.{number % 250}.{row}"
        case "R":
            return "empty"
    texts = {
        "uuid": f"00000000-0000-4000-8000-{number:06}{row:06}",
        "json": f'{{"w": {10 * number + row}}}',
        "jsonb": f'{{"w": {10 * number + row}}}',
        "bytea": f"\\x{row:02}",
        "tsvector": f"w{row}",
        "point": f"({number},{row})",
    }
    return texts.get(column.type)


def contents_of(connection: psycopg.Connection[Any], witnesses: Witnesses) -> Contents:
    """The contents of all that may hold rows: the tables with witnesses, and what was made since then."""
    asked = {"tables": list(witnesses.tables), "newest": witnesses.newest}
    relations = connection.execute(_HOLDERS, asked).fetchall()
    rows: dict[int, list[Mapping[int, str | None]]] = {oid: [] for oid, *_ in relations}
    texts = [
        sql.SQL("SELECT {}::bigint, to_jsonb(a_witness.*)::text FROM ONLY {} a_witness").format(
            sql.Literal(oid), sql.Identifier(s, name)
        )
        for oid, s, name, empty, *_ in relations
        if not empty
    ]
    names = {oid: dict(zip(columns, numbers, strict=True)) for oid, _, _, _, columns, numbers, _ in relations}
    if texts:
        for oid, text in connection.execute(sql.SQL(" UNION ALL ").join(texts)).fetchall():
            rows[oid].append({names[oid][key]: json.dumps(value) for key, value in json.loads(text).items()})
    holders = {
        oid: _Holder(frozenset(numbers), frozenset(generated), tuple(rows[oid]))
        for oid, _, _, _, _, numbers, generated in relations
    }
    return Contents(holders, dict(connection.execute(_SEQUENCES).fetchall()))


def without(contents: Contents, columns: Collection[tuple[int, int]]) -> Contents:
    """The contents without these columns, each given by the oid of its table and its number."""
    holders = {
        oid: replace(holder, columns=frozenset(each for each in holder.columns if (oid, each) not in columns))
        for oid, holder in contents.holders.items()
    }
    return replace(contents, holders=holders)


def changed(before: Contents, after: Contents) -> bool:
    """Whether rows, or values of sequences, are others than if the schema alone had changed."""
    for oid, now in after.holders.items():
        then = before.holders.get(oid)
        if then is None:
            if now.rows:
                return True
            continue
        stays = (then.columns & now.columns) - then.generated - now.generated
        if _by_column(then, stays) != _by_column(now, stays):
            return True
        new = now.columns - then.columns - now.generated
        if any(row[number] != "null" for row in now.rows for number in new):
            return True
    return any(after.sequences.get(oid, value) != value for oid, value in before.sequences.items())


def _by_column(holder: _Holder, columns: frozenset[int]) -> Counter[tuple[str | None, ...]]:
    return Counter(tuple(row[number] for number in sorted(columns)) for row in holder.rows)


#: Statements that give a value another text, and leave it what it is.
_RESPELL = ("alter_enum_stmt", "rename_stmt")


#: Why every statement of a script is open that leaves another schema where there are rows.
BRANCHES = "the script does other things to the schema where there are rows"


def unlike(
    connection: psycopg.Connection[Any],
    parsed: Sequence[Parsed],
    witnesses: Witnesses,
    last: Snapshot | None,
) -> dict[int, str]:
    """The statements that turn out to work on rows although their kind does not, each with the reason.

    Args:
        connection: to the database with the witnesses, as the role that scripts run as; in a transaction if the script
            is to run as one.
        parsed: the statements that ran where there were no rows.
        witnesses: the rows in the database.
        last: the schema after these where there were no rows; None if it is not known.
    """
    found: dict[int, str] = {}
    before: Contents | None = None
    whole = True
    rows, reach = RowsOnly(connection, parsed), Reach(connection, witnesses.newest)
    done = 0
    for place, statement in enumerate(parsed):
        if place < done or statement.forbidden:
            continue
        ahead = rows.ahead(place) if rows.at(place) else ()
        reach.before(ahead or (statement,))
        if len(ahead) > 1 and rows.run(ahead):
            found |= reach.after(ahead)
            done, before = place + len(ahead), None
            continue
        looked_at = not statement.inert and _leaves_rows(statement)
        if not looked_at:  # an inert one may set how values are written
            before = None
        elif before is None:
            before = contents_of(connection, witnesses)
        if not _ran(connection, statement):
            whole = False
            if not _ran_without_rows(connection, statement):
                return found
            before = None
        else:
            found |= reach.after((statement,))
        if looked_at and before is not None:
            after = contents_of(connection, witnesses)
            if changed(before, after):
                found[statement.index] = "it changes rows, as running it on rows shows"
            before = after
    if whole and last is not None and differ(last, catalog.read(connection)):
        others = (each.index for each in parsed if not (each.inert or each.forbidden))
        found |= dict.fromkeys(others, BRANCHES)
    return found


def _leaves_rows(statement: Parsed) -> bool:
    """Whether the allow-list says so. What a domain's default fills is looked at elsewhere."""
    return not (statement.work.why or statement.work.typed) and statement.node not in _RESPELL


def _ran(connection: psycopg.Connection[Any], statement: Parsed) -> bool:
    """Runs a statement; if it fails, nothing of it stays, and the transaction goes on.

    An inert one needs no savepoint, since rows can't make it fail, and SET TRANSACTION ISOLATION LEVEL allows none.
    """
    within = connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE and not statement.inert
    try:
        if within:
            connection.execute("SAVEPOINT before_it")
        execute(connection, statement)
        if within:
            connection.execute("RELEASE before_it")
    except psycopg.Error:
        if within:
            connection.execute("ROLLBACK TO before_it")
        return False
    return True


def _ran_without_rows(connection: psycopg.Connection[Any], statement: Parsed) -> bool:
    """Empties every table that the role may empty, for what rows stand in the way of, and runs the statement."""
    names = [
        sql.Identifier(schema, name)
        for schema, name in connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
            " AND pg_has_role(c.relowner, 'USAGE')"
        )
    ]
    try:
        with connection.transaction():
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))
    except psycopg.Error:
        return False
    return _ran(connection, statement)
