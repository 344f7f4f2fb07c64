"""How far an attempt at a migration can have got, from its logs and from what a table's row in the catalog tells."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg

from recovery.postgres.traces import never_widened
from recovery.prisma import logs
from recovery.sql.parser import postgast
from recovery.sql.script import Script
from recovery.sql.statements import Parsed, ScriptError, parse
from states.comparison import qualified_name
from states.facts import Replay, Row, Snapshot, Stop, Visibility

#: Only a statement that makes something of that name says these. "Does not exist" may come from anywhere: from a
#: trigger that a later statement fires, above all.
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
#: Longer names are cut by PostgreSQL, in its messages too.
_NAME_BYTES = 63


def stops(
    connection: psycopg.Connection[Any],
    schema: str,
    attempts: Sequence[Row],
    scripts: Mapping[str, Script],
    replays: Sequence[Replay],
    production: Snapshot,
) -> tuple[Stop, ...]:
    """The proofs that there are, for the attempts whose scripts hold open statements (RULES E7).

    Args:
        connection: to the target.
        schema: the ledger's.
        attempts: the migration's rows.
        scripts: by the checksum that a row holds.
        replays: of these scripts.
        production: what production has of their footprints.
    """
    found: list[Stop] = []
    for row in attempts:
        replay = next((each for each in replays if each.checksum == row.checksum), None)
        if replay is None or row.applied_steps_count >= 1 or not _undecided(replay):
            continue
        found.extend(refused_at(row, scripts[row.checksum].text))
        if row.failed and not row.logs:
            found.extend(_by_trace(connection, schema, row, replay, production))
    return tuple(found)


def _undecided(replay: Replay) -> bool:
    return any(s.visibility not in (Visibility.SEEN, Visibility.INERT) for s in replay.statements)


def refused_at(row: Row, script: str) -> Iterator[Stop]:
    """How far an attempt can have got, by the error in its logs; nothing where they prove nothing."""
    sentence = logs.refused(row.logs)
    if sentence is None:
        return
    try:
        parsed = parse(script)
    except ScriptError:
        return
    last = last_to_raise(parsed, sentence)
    if last == len(parsed):
        yield Stop(row.id, last, f"PostgreSQL refused the script ({sentence}), so it never came to its end")
    else:
        yield Stop(row.id, last, f"PostgreSQL said “{sentence}”, which no statement after the {_ordinal(last)} can say")


def _by_trace(
    connection: psycopg.Connection[Any], schema: str, row: Row, replay: Replay, production: Snapshot
) -> Iterator[Stop]:
    """A column that an earlier statement adds, and that was never there: the attempt did not get that far."""
    absent = {key for key in replay.added if key not in production}
    tables = {name for obj, _ in absent if obj.startswith("table ") and (name := qualified_name(obj))}
    if not tables:
        return
    untouched = never_widened(connection, schema, row.id, tables)
    for index, (before, after) in enumerate(zip(replay.steps, replay.steps[1:], strict=False), start=1):
        for obj, column in sorted(absent):
            made = (obj, column) in after and (obj, column) not in before
            if made and qualified_name(obj) in untouched and (obj, "exists") in production:
                why = f"{column} was never in {obj}, which has not been altered since the attempt began"
                yield Stop(row.id, index, why)
                return


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def last_to_raise(parsed: Sequence[Parsed], sentence: str) -> int:
    """The last statement that can have raised an error of PostgreSQL's with this sentence.

    The statements after it did not run, whichever way the script was run: a failure ends a script. Where the sentence
    doesn't tell, that is the script's last statement.
    """
    name = next((match[1] for pattern in _NAMING if (match := pattern.fullmatch(sentence))), None)
    if name is None:
        return len(parsed)
    able = [s.index for s in parsed if not s.schema_only or _holds(s.sql, name)]
    named = any(s.schema_only and _holds(s.sql, name) for s in parsed)
    return max(able) if named else len(parsed)


def _holds(sql: str, name: str) -> bool:
    text = sql.encode()
    tokens = [text[token.start : token.end].decode(errors="replace") for token in postgast.scan(sql).tokens]
    # Escapes are not unescaped here: what is written with them may be any name.
    return any(token[:2].lower() in ("u&", "e'") or _word(token) == _cut(name) for token in tokens)


def _word(token: str) -> str:
    """A token as the name or the text that it stands for."""
    for quote in ('"', "'"):
        if token.startswith(quote):
            return _cut(token[1:-1].replace(quote * 2, quote))
    return _cut(token.lower())


def _cut(name: str) -> str:
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")
