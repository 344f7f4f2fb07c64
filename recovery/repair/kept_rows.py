"""Shows on rows that a plan takes away and changes none that it does not name."""

from collections.abc import Sequence
from contextlib import suppress

import psycopg

from recovery.repair.alterations import Draft
from recovery.repair.rehearsal import NoPlanError
from recovery.replay import witnesses
from recovery.replay.copies import Copy
from recovery.sql.statements import Parsed
from states.comparison import unquoted
from states.facts import Key


def keeps_rows(copy: Copy, parsed: Sequence[Parsed], drafts: Sequence[Draft]) -> None:
    """Makes sure, on a copy with rows, that the statements take away and change nothing that they do not name.

    Args:
        copy: the database, which is changed.
        parsed: the migration's script, by whose names the tables are found that get rows.
        drafts: the statements.

    Raises:
        NoPlanError: other rows are changed or lost.
    """
    with copy.connected() as connection:
        tables = witnesses.reached(connection, parsed)
    with copy.connected(superuser=True) as connection:
        rows = witnesses.put(connection, tables)
        names = dict(connection.execute("SELECT oid::bigint, oid::regclass::text FROM pg_class").fetchall())
        named = [
            connection.execute(_PLACE, {"table": t, "column": c}).fetchone() for t, c in map(_named, _lost(drafts))
        ]
        before = witnesses.contents_of(connection, rows)
    with copy.connected() as connection:
        for draft in drafts:
            with suppress(psycopg.Error):  # where rows keep a statement from running, it changes none
                connection.execute(draft.sql.encode())
    with copy.connected(superuser=True) as connection:
        after = witnesses.contents_of(connection, rows)
    places = {(oid, number) for oid, number in filter(None, named)}
    gone = [names.get(oid, "") for oid in before.holders if oid not in after.holders and (oid, 0) not in places]
    if gone:
        raise NoPlanError(why=f"it takes away more rows than it names: {', '.join(gone)}")
    # What a new column holds is told by its default; here it is about what was there.
    new = {(oid, each) for oid, held in before.holders.items() for each in _columns(after, oid) - held.columns}
    places |= new
    if witnesses.changed(witnesses.without(before, places), witnesses.without(after, places)):
        raise NoPlanError(why="it changes rows that stay, as running it on rows shows")


#: A table, and the number of a column of it, 0 for the table as a whole.
_PLACE = """
SELECT c.oid::bigint, coalesce((SELECT a.attnum FROM pg_catalog.pg_attribute a
                                WHERE a.attrelid = c.oid AND a.attname = %(column)s AND NOT a.attisdropped), 0)::int
FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass(%(table)s)
"""


def _columns(contents: witnesses.Contents, oid: int) -> frozenset[int]:
    return contents.holders[oid].columns if oid in contents.holders else frozenset()


def _lost(drafts: Sequence[Draft]) -> list[Key]:
    return [key for draft in drafts for key in draft.loses]


def _named(key: Key) -> tuple[str, str]:
    """The table and the column of a loss; an empty column for the whole table."""
    obj, prop = key
    return obj.removeprefix("table "), "" if prop == "exists" else unquoted(prop.removeprefix("column "))
