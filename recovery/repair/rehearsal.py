"""Rehearses a plan on a scratch database whose schema was first shown to equal production's (RULES F14)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from recovery.postgres import catalog
from recovery.repair import locking, taken
from recovery.repair.alterations import Draft, about, towards
from recovery.repair.locking import ALONE
from recovery.repair.renames import Rename
from recovery.replay.copies import Copy
from recovery.replay.running import execute
from recovery.sql.statements import Parsed
from states.comparison import Difference, differences, is_remark, some
from states.facts import Key, Replay, Snapshot
from states.plans import PlannedStatement
from states.rehearsals import LOCKS

#: What PostgreSQL says of a table, a column or a schema that is not there.
_UNKNOWN_NAMES = ("42P01", "42703", "3F000")
_BODIES = """
SELECT x.object, pg_catalog.pg_get_functiondef(f.oid)
FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
CROSS JOIN LATERAL (SELECT format('%%s %%I.%%I(%%s)', CASE f.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
    n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)) AS object) x
WHERE f.prokind <> 'a' AND x.object = ANY(%s)
"""


class NoPlanError(Exception):
    """A rehearsal that did not end where it should.

    Args:
        why: the reason, as a clause.
    """

    def __init__(self, *, why: str) -> None:
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal that ended where it should.

    Attributes:
        statements: with what was seen of each.
        together: they ran as one transaction.
        before: the schema before the first of them.
        after: the schema after the last.
        dropped: what each statement that is not the script's drops, under the name that it had before.
    """

    statements: tuple[PlannedStatement, ...]
    together: bool
    before: Snapshot
    after: Snapshot
    dropped: tuple[frozenset[Key], ...]


def run_first(copy: Copy, parsed: Sequence[Parsed]) -> None:
    """Brings a copy to the state after these statements of the script, by any way in which they can have run.

    Raises:
        NoPlanError: they can't have run so far and no further.
    """
    with copy.connected() as connection:
        try:
            for statement in parsed:
                execute(connection, statement)
        except psycopg.Error as error:
            raise NoPlanError(why=f"the statements before do not run one by one: {_said(error)}") from error
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            connection.execute("COMMIT")  # of the script's own transaction; somebody ran its statements otherwise


def bodies_of(connection: psycopg.Connection[Any], objects: Collection[str]) -> dict[str, str]:
    """The statements that make functions and procedures as they are in a database, by the object."""
    names = sorted(obj for obj in objects if obj.startswith(("function ", "procedure ")))
    if not names:
        return {}
    with connection.transaction():
        connection.execute("SET LOCAL search_path = ''")
        return dict(connection.execute(_BODIES, (names,)).fetchall())


def schema_of(copy: Copy) -> dict[Key, str]:
    """The whole schema of a copy."""
    with copy.connected() as connection:
        return catalog.read(connection)


def stands_at(copy: Copy, replay: Replay, step: int) -> None:
    """Makes sure that a copy equals a step by the comparison that production is held to.

    Raises:
        NoPlanError: it does not.
    """
    if left := differences(replay, step, schema_of(copy)):
        raise NoPlanError(why=f"the copy to try it on does not equal production: {some(left)}")


def fails_here(copy: Copy, statement: Parsed) -> None:
    """Makes sure that nobody can have run a statement where a copy stands: PostgreSQL does not know what it names.

    Raises:
        NoPlanError: it can run there, or fails because of something else.
    """
    with copy.connected() as connection:
        connection.execute("BEGIN")
        try:
            execute(connection, statement)
        except psycopg.Error as error:
            if error.sqlstate in _UNKNOWN_NAMES:
                return
        finally:
            connection.execute("ROLLBACK")
    raise NoPlanError(
        why=f"statement {statement.index} works on rows, and may have been run by hand. Find out whether it ran, and "
        "say so (approve --statement)"
    )


def drift(
    copy: Copy,
    now: Snapshot,
    production: Snapshot,
    whole: Snapshot,
    bodies: Mapping[str, str],
    *,
    keeping: bool = False,
) -> None:
    """Brings differences of production to a copy.

    Args:
        copy: the database, at a step of the script.
        now: what of it differs.
        production: the same in production.
        whole: the copy's whole schema.
        bodies: the statements that make production's functions.
        keeping: the copy has rows, whose values are cast where a column gets another type.
    """
    broken = [obj for (obj, prop), value in production.items() if prop == "valid" and value == "no"]
    goal = {**production, **{(obj, "valid"): "yes" for obj in broken}}
    with copy.connected() as connection, copy.connected(superuser=True) as free:
        for parent in _parents(production, whole):
            with suppress(psycopg.Error):
                _open_schema(free, parent.partition(".")[0])
                free.execute(sql.SQL("CREATE TABLE {} (); GRANT ALL ON {} TO PUBLIC").format(*[sql.SQL(parent)] * 2))
        for draft in towards(now, goal, lambda _: keeping, whole, bodies=bodies):
            with suppress(psycopg.Error):  # what could not be brought there is told by the comparison
                try:
                    connection.execute(draft.sql.encode())
                except psycopg.errors.InsufficientPrivilege:  # as for LEAKPROOF; production's own may do that
                    free.execute(draft.sql.encode())
    with copy.connected(superuser=True) as connection:
        for obj in broken:
            query = "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)"
            connection.execute(query, (obj.removeprefix("index "),))


def _open_schema(connection: psycopg.Connection[Any], name: str) -> None:
    """Makes a schema that the history does not know, in which everybody may work."""
    text = "CREATE SCHEMA IF NOT EXISTS {}; GRANT ALL ON SCHEMA {} TO PUBLIC"
    connection.execute(sql.SQL(text).format(*[sql.SQL(name)] * 2))


def rename(copy: Copy, renames: Sequence[Rename]) -> None:
    """Gives what a copy has the names that production has for it.

    Raises:
        NoPlanError: a name is taken.
    """
    with copy.connected(superuser=True) as connection:
        try:
            for each in renames:
                for text in each.there:
                    connection.execute(text.encode())
        except psycopg.Error as error:
            raise NoPlanError(
                why=f"the names that production has can't be given to the copy: {_said(error)}"
            ) from error


def _parents(production: Snapshot, whole: Snapshot) -> list[str]:
    """Tables from which production's inherit and that the history does not know."""
    named = {each for (_, prop), value in production.items() if prop == "inherits" for each in value.split(", ")}
    return sorted(each for each in named if "." in each and (f"table {each}", "exists") not in whole)


def stands_as(copy: Copy, replay: Replay, production: Snapshot, found: Sequence[Difference]) -> None:
    """Makes sure that a copy equals production in the script's footprint, and in all that differs from its end.

    Raises:
        NoPlanError: it does not.
    """
    footprint = replay.footprint | {key for key in about(production, found) if not is_remark(key)}
    there = {key: production[key] for key in footprint if key in production}
    like = replace(replay, footprint=frozenset(footprint), steps=(*replay.steps[:-1], there))
    if left := differences(like, len(like.steps) - 1, schema_of(copy)):
        raise NoPlanError(why=f"the copy to try it on could not be made equal to production: {some(left)}")


def run_apart(copy: Copy, drafts: Sequence[Draft]) -> None:
    """Runs statements one by one.

    Raises:
        NoPlanError: one fails.
    """
    _one_by_one(copy, drafts)


def rehearse(
    copy: Copy,
    drafts: Sequence[Draft],
    ended: Callable[[Snapshot], Sequence[Difference]],
    kept: Snapshot,
) -> Rehearsed:
    """Runs the statements on a copy, as one transaction if PostgreSQL allows that, else one by one.

    Args:
        copy: the database; it is not changed if they run as one transaction.
        drafts: the statements.
        ended: the differences of a schema from the one in which the rehearsal has to end.
        kept: what has to be there in the end, whether or not the script is about it.

    Raises:
        NoPlanError: a statement fails, the end is another one, or something else would be lost.
    """
    try:
        with copy.connected() as connection:
            connection.execute("BEGIN")
            snapshots, seen, together = [catalog.read(connection)], list[PlannedStatement](), True
            for draft in drafts:
                planned, after = _watched(connection, draft, snapshots[-1])
                snapshots.append(after)
                seen.append(planned)
    except psycopg.Error as error:
        if error.sqlstate not in ALONE:
            raise NoPlanError(why=f"it fails in the rehearsal: {_said(error)}") from error
        (seen, snapshots), together = _one_by_one(copy, drafts), False
    after = snapshots[-1]
    if left := ended(after):
        raise NoPlanError(why=f"its rehearsal ends elsewhere: {some(left)}")
    if lost := [Difference(*key, kept[key], after.get(key)) for key in sorted(kept) if kept[key] != after.get(key)]:
        raise NoPlanError(why=f"it would take along what it is not about: {some(lost)}")
    return Rehearsed(tuple(seen), together, snapshots[0], after, taken.dropped(drafts, snapshots))


def _one_by_one(copy: Copy, drafts: Sequence[Draft]) -> tuple[list[PlannedStatement], list[dict[Key, str]]]:
    """The statements with what was seen of each; and the schema before the first, and after each."""
    seen = []
    with copy.connected() as connection:
        snapshots = [catalog.read(connection)]
        for draft in drafts:
            try:
                connection.execute("BEGIN")
                planned, now = _watched(connection, draft, snapshots[-1])
                connection.execute("COMMIT")
            except psycopg.Error as error:
                connection.execute("ROLLBACK")
                if error.sqlstate not in ALONE:
                    raise NoPlanError(why=f"it fails in the rehearsal: {_said(error)}") from error
                planned, now = _alone(connection, draft, snapshots[-1])
            snapshots.append(now)
            seen.append(planned)
    return seen, snapshots


def _alone(
    connection: psycopg.Connection[Any], draft: Draft, before: Snapshot
) -> tuple[PlannedStatement, dict[Key, str]]:
    """Runs a statement that no transaction may hold, as CREATE INDEX CONCURRENTLY, which lets rows be written."""
    try:
        connection.execute(draft.sql.encode())
    except psycopg.Error as error:
        raise NoPlanError(why=f"it fails in the rehearsal: {_said(error)}") from error
    table = locking.named_after_on(draft.sql)
    after = catalog.read(connection)
    lock = locking.CONCURRENT if table else ""
    told = PlannedStatement(draft.sql, draft.number, _changes(before, after), lock, table)
    return told, after


def _watched(
    connection: psycopg.Connection[Any], draft: Draft, before: Snapshot
) -> tuple[PlannedStatement, dict[Key, str]]:
    """Runs a statement in a transaction, and sees what it changes, locks and rewrites; and the schema after it.

    A snapshot takes locks of its own, on catalogs only.
    """
    tables, held = locking.tables(connection), locking.held(connection)
    connection.execute(draft.sql.encode())
    now, then = locking.held(connection), locking.tables(connection)
    after = catalog.read(connection)
    planned = PlannedStatement(draft.sql, draft.number, _changes(before, after))
    rewritten = locking.rewritten(tables, then)
    stronger = {oid for oid, rank in now.items() if oid in tables and rank > held.get(oid, -1)}
    if not rewritten | stronger:
        return planned, after
    oid = max(rewritten or stronger, key=lambda each: (now.get(each, 0), each))
    return replace(planned, lock=LOCKS[now.get(oid, 0)], table=tables[oid][0], rewrites=bool(rewritten)), after


def _changes(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """What a statement changes, as clauses; of what is made or dropped as a whole only that."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    whole = {(obj, "exists") for obj, prop in keys if prop == "exists"}
    told = []
    for obj, prop in keys:
        column = prop.split(" ", 2)[:2] if prop.startswith("column ") else []
        part = " ".join(column)
        if prop != "exists" and ((obj, "exists") in whole or (part not in ("", prop) and (obj, part) in keys)):
            continue
        if (obj, prop) not in after:
            how = "dropped"
        elif (obj, prop) not in before:
            how = "made"
        else:
            how = f"{before[obj, prop]} → {after[obj, prop]}"
        told.append(f"{obj}{'' if prop == 'exists' else f', {prop}'}: {how}")
    return tuple(told)


def _said(error: psycopg.Error) -> str:
    return f"{error.sqlstate} {error.diag.message_primary or str(error).splitlines()[0]}"
