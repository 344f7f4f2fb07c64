"""How far an attempt at a migration can have got, proven from its logs or from columns that were never added."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from recovery.postgres.traces import never_widened
from recovery.prisma import logs
from recovery.sql.parser import postgast
from recovery.sql.pieces import whole_when_cut
from recovery.sql.script import Script
from recovery.sql.statements import Parsed, ScriptError, parse, tree
from recovery.sql.tree import enum_name
from states.comparison import column_of, qualified_name
from states.facts import Replay, Row, Snapshot, Stop, Visibility

#: Errors that only a statement which creates an object of that name can raise. "Does not exist" is not among them: any
#: statement can raise it, for example through a trigger that it fires.
_NAMING = tuple(
    re.compile(sentence)
    for sentence in (
        r'relation "(.+)" already exists',
        r'column "(.+)" of relation ".+" already exists',
        r'type "(.+)" already exists',
        r'schema "(.+)" already exists',
        r'enum label "(.+)" already exists',
    )
)
#: Errors that only a statement which names the object raises by itself: it is refused to whoever does not own it. A
#: function or a trigger may run such a statement; then the error has a context.
_OWNED = re.compile(
    r"must be owner of (?:table|foreign table|view|materialized view|index|sequence|relation|type) (.+)"
)
#: Statements on rows: by itself, none of them makes an object or asks who owns one.
_ON_ROWS = ("insert_stmt", "update_stmt", "delete_stmt", "select_stmt")
#: Functions of other schemas, and triggers, that are written in C could raise anything without a context.
_UNKNOWN_IN_C = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = ANY(%s)
               AND pronamespace <> 'pg_catalog'::pg_catalog.regnamespace)
    OR EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
               JOIN pg_catalog.pg_language l ON l.oid = f.prolang
               WHERE NOT t.tgisinternal AND l.lanname = 'c')
"""
#: What is done to a table is done to its partitions, children and typed tables, too, whose names are not in the text.
_FOLLOWS_ANOTHER = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relname = %s AND (c.reloftype <> 0 OR EXISTS (
    SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)))
"""
#: PostgreSQL truncates longer names, also in its messages.
_NAME_BYTES = 63


def stops(
    connection: psycopg.Connection[Any],
    schema: str,
    attempts: Sequence[Row],
    scripts: Mapping[str, Script],
    replays: Sequence[Replay],
    production: Snapshot,
) -> tuple[Stop, ...]:
    """Proofs that attempts did not get beyond a statement; only for scripts with open statements (RULES E7).

    Args:
        connection: to the target.
        schema: the schema of the ledger.
        attempts: the migration's rows in the ledger.
        scripts: the script of each attempt, by the checksum in its row.
        replays: the replays of these scripts.
        production: a snapshot of production, limited to the footprints of these scripts.
    """
    found: list[Stop] = []
    for row in attempts:
        replay = next((each for each in replays if each.checksum == row.checksum), None)
        if replay is None or row.applied_steps_count >= 1 or not _undecided(replay):
            continue
        script = scripts[row.checksum].text
        found.extend(refused_at(row, script, _by_themselves(connection, row, script)))
        if row.failed:
            found.extend(_by_trace(connection, schema, row, script, replay, production))
    return tuple(found)


def _undecided(replay: Replay) -> bool:
    return any(s.visibility not in (Visibility.SEEN, Visibility.INERT) for s in replay.statements)


@dataclass(frozen=True, slots=True)
class ByItself:
    """What is known where the statement that was sent raised an error by itself.

    Attributes:
        unable: numbers of the statements on rows, which can't have raised an error about an object.
        owned: the object that the error says somebody else owns; None if it says something else, or if a statement
            that does not name the object can say so.
    """

    unable: frozenset[int] = frozenset()
    owned: str | None = None


_NOTHING_KNOWN = ByItself()


def _by_themselves(connection: psycopg.Connection[Any], row: Row, script: str) -> ByItself:
    sentence = logs.refused(row.logs)
    if sentence is None or not logs.raised_by_itself(row.logs):
        return _NOTHING_KNOWN
    try:
        parsed = parse(script)
        nodes = tree(script)
    except ScriptError:
        return _NOTHING_KNOWN
    rows = [
        each
        for each, (node, body) in zip(parsed, nodes, strict=True)
        if node in _ON_ROWS and not (node == "select_stmt" and body.HasField("into_clause"))
    ]
    unable = frozenset(each.index for each in rows if not _says(connection, _UNKNOWN_IN_C, sorted(each.calls)))
    match = _OWNED.fullmatch(sentence)
    name = _last_part(match[1]) if match else None
    return ByItself(unable, None if name is None or _says(connection, _FOLLOWS_ANOTHER, name) else name)


def _says(connection: psycopg.Connection[Any], query: str, asked: object) -> bool:
    row = connection.execute(query.encode(), (asked,)).fetchone()
    return bool(row and row[0])


def _last_part(name: str) -> str:
    """The name of an object without its schema and its quotes, as PostgreSQL's message gives it."""
    quoted = re.search(r'"((?:[^"]|"")+)"\Z', name)
    return quoted[1].replace('""', '"') if quoted else name.rpartition(".")[2]


def refused_at(row: Row, script: str, known: ByItself = _NOTHING_KNOWN) -> Iterator[Stop]:
    """How far an attempt can have got, by the error in its logs. Yields nothing where the logs prove nothing.

    The JavaScript engine, or an unknown one, may have sent other pieces than the statements (RULES E24). Where the
    part of a statement before a semicolon in a comment may have run, and the part after it have failed, the logs prove
    nothing. A statement that is cut within a string or a body did not run in pieces, nor did any after it.
    """
    sentence = logs.refused(row.logs)
    if sentence is None:
        return
    try:
        parsed = parse(script)
        whole = len(parsed) if logs.engine(row.logs) == "native" else whole_when_cut(script)
    except ScriptError:
        return
    if whole is None:
        return
    last = last_to_raise(parsed, sentence, known)
    if whole < len(parsed):
        last = max(last, whole + 1)
    if last == len(parsed):
        yield Stop(row.id, last, f"PostgreSQL refused the script ({sentence}), so it did not run to its end")
    else:
        yield Stop(row.id, last, f"PostgreSQL said “{sentence}”, which no statement after the {_ordinal(last)} can say")


def _by_trace(
    connection: psycopg.Connection[Any], schema: str, row: Row, script: str, replay: Replay, production: Snapshot
) -> Iterator[Stop]:
    """Proof from a column: if the one that a statement adds was never in production, the attempt stopped before it."""
    adding = _adding(script)
    absent = {key for key in replay.added if key not in production}
    tables = {name for obj, _ in absent if obj.startswith("table ") and (name := qualified_name(obj))}
    if not tables:
        return
    untouched = never_widened(connection, schema, row.id, tables)
    for index, (before, after) in enumerate(zip(replay.steps, replay.steps[1:], strict=False), start=1):
        for obj, column in sorted(absent):
            # A column that is only renamed leaves the table's row as it is.
            renamed = any(o == obj and column_of(prop) == prop and (o, prop) not in after for o, prop in before)
            made = (obj, column) in after and (obj, column) not in before and not renamed
            # IF NOT EXISTS may have found it there, and gone on without a trace.
            unconditional = index in adding and not replay.statements[index - 1].conditional
            if made and unconditional and qualified_name(obj) in untouched and (obj, "exists") in production:
                why = f"{column} was never in {obj}, which has not been altered since the attempt began"
                yield Stop(row.id, index, why, undone=True)
                return


#: What a transaction statement may do that leaves in place what ran before it.
_KEEPING = ("TRANS_STMT_BEGIN", "TRANS_STMT_START", "TRANS_STMT_COMMIT")
#: Statements that may roll back what ran before them.
_MAY_ROLL_BACK = ("do_stmt", "call_stmt", "execute_stmt")


def _adding(script: str) -> frozenset[int]:
    """Numbers of the statements of which an attempt that came past them has left the columns that they add.

    What a block or a function adds may depend on a condition, or be undone by a handler of errors, and the script goes
    on. So it does after a rollback of its own, and then none of them tells anything.
    """
    try:
        nodes = tree(script)
    except ScriptError:
        return frozenset()
    for node, body in nodes:
        if node in _MAY_ROLL_BACK or (node == "transaction_stmt" and enum_name(body, "kind") not in _KEEPING):
            return frozenset()
    return frozenset(index for index, (node, _) in enumerate(nodes, 1) if node == "alter_table_stmt")


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def last_to_raise(parsed: Sequence[Parsed], sentence: str, known: ByItself = _NOTHING_KNOWN) -> int:
    """Index of the last statement that can have raised this error of PostgreSQL's.

    The statements after it did not run, because every engine stops a script at its first failure. If the error does not
    say which statement raised it, this is the script's last statement.

    Args:
        parsed: the statements of the script.
        sentence: PostgreSQL's primary error message, without its code.
        known: what is known of the error if a statement raised it by itself.
    """
    name = next((match[1] for pattern in _NAMING if (match := pattern.fullmatch(sentence))), known.owned)
    if name is None:
        return len(parsed)
    able = [s.index for s in parsed if s.index not in known.unable and (not s.schema_only or _holds(s.sql, name))]
    named = any(s.schema_only and _holds(s.sql, name) for s in parsed)
    return max(able) if named else len(parsed)


def _holds(sql: str, name: str) -> bool:
    text = sql.encode()
    tokens = [text[token.start : token.end].decode(errors="replace") for token in postgast.scan(sql).tokens]
    # Escapes are not decoded here, so a token with escapes may stand for any name.
    return any(token[:2].lower() in ("u&", "e'") or _word(token) == _cut(name) for token in tokens)


def _word(token: str) -> str:
    """The name or the text that a token stands for."""
    for quote in ('"', "'"):
        if token.startswith(quote):
            return _cut(token[1:-1].replace(quote * 2, quote))
    return _cut(token.lower())


def _cut(name: str) -> str:
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")
