"""How far an attempt at a migration can have got, from its logs and from what a table's row in the catalog tells."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg

from recovery.postgres.traces import never_widened
from recovery.prisma import logs
from recovery.replay.failing import last_to_raise
from recovery.replay.history import Script
from recovery.sql.statements import ScriptError, parse
from states.comparison import qualified_name
from states.facts import Replay, Row, Snapshot, Stop, Visibility


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
