"""Finds what only production has on the objects that a plan drops: it goes with them, and no copy shows it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import psycopg

from recovery.postgres import catalog
from recovery.repair.alterations import Draft
from states.comparison import is_next_value, is_remark, taken_apart
from states.facts import Key, Snapshot

_PRIVILEGES = "privileges of "
#: To whom privileges are given that the role of this session would not give on a new object by default; not the owner.
_GRANTED = """
SELECT DISTINCT o.object,
       CASE WHEN x.grantee = 0 THEN 'public' ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END
FROM (
    SELECT format('%%s %%I.%%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                  WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'table' END, n.nspname, c.relname),
           n.oid, c.relowner, c.relacl, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END::"char"
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    UNION ALL
    SELECT format('%%s %%I.%%I(%%s)', CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
                  ELSE 'function' END, n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)),
           n.oid, f.proowner, f.proacl, 'f'
    FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE f.proacl IS NOT NULL
    UNION ALL
    SELECT format('type %%I.%%I', n.nspname, t.typname), n.oid, t.typowner, t.typacl, 'T'
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
) o(object, schema, owner, acl, kind)
CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x
WHERE o.object = ANY(%s) AND x.grantee <> o.owner AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_default_acl d CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) y
    WHERE d.defaclrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
      AND d.defaclnamespace IN (0, o.schema) AND d.defaclobjtype = o.kind
      AND (y.grantee, y.privilege_type, y.is_grantable) = (x.grantee, x.privilege_type, x.is_grantable))
"""
#: The loss of what everybody may do with a new function or type.
_NOBODY = "none"


def dropped(drafts: Sequence[Draft], snapshots: Sequence[Snapshot]) -> tuple[frozenset[Key], ...]:
    """What each statement drops that was there before the plan: objects, as (object, "exists"), and parts of others.

    What the script's own statements drop is the script's, and left out.

    Args:
        drafts: the statements.
        snapshots: the schema before the first of them, and after each.
    """
    was: dict[Key, Key] = {}
    found = []
    for draft, (before, after) in zip(drafts, pairwise(snapshots), strict=True):
        gone, new = _wholes(before.keys() - after.keys()), _wholes(after.keys() - before.keys())
        lost = set()
        for key in sorted(gone):
            first = was.pop(key, key)
            others = [each for each in new if _renamed(key, before, each, after)]
            if len(others) == 1:
                was[others[0]] = first
            elif first in snapshots[0] and draft.number is None:
                lost.add(first)
        found.append(frozenset((obj, prop) for obj, prop in lost if prop == "exists" or (obj, "exists") not in lost))
    return tuple(found)


def _wholes(keys: Iterable[Key]) -> set[Key]:
    """Of these properties, those that stand for an object, or for a part of one."""
    return {(obj, prop) for obj, prop in keys if prop == "exists" or taken_apart(prop).part == prop}


def _renamed(key: Key, before: Snapshot, other: Key, after: Snapshot) -> bool:
    """Whether one thing is another under another name: it has the same properties."""
    (obj, prop), (other_obj, other_prop) = key, other
    alike = obj.partition(" ")[0] == other_obj.partition(" ")[0] if prop == "exists" else obj == other_obj
    kinds = (taken_apart(each).kind for each in (prop, other_prop))
    return alike and len(set(kinds)) == 1 and _details(before, key) == _details(after, other)


def _details(snapshot: Snapshot, key: Key) -> dict[str, str]:
    obj, prop = key
    mine = {each: value for (owner, each), value in snapshot.items() if owner == obj}
    if prop == "exists":
        return mine
    return {each.removeprefix(prop): value for each, value in mine.items() if taken_apart(each).part == prop}


def with_them(connection: psycopg.Connection[Any], lost: Collection[Key], known: Snapshot) -> dict[Key, dict[Key, str]]:
    """What only production has of what is dropped, for each of these things.

    Privileges are left out that a new object gets from default privileges.

    Args:
        connection: to production.
        lost: what is dropped.
        known: the schema of the copy on which the plan was rehearsed, before it.
    """
    if not lost:
        return {}
    there = catalog.read(connection, catalog.scope_of({obj for obj, _ in lost}))
    only = {key: value for key, value in there.items() if _only(key, value, known)}
    granted = {(obj, role) for obj, role in connection.execute(_GRANTED, (sorted({obj for obj, _ in lost}),))}
    found = {key: dict(_of(key, only, there, granted)) for key in lost}
    return {key: those for key, those in found.items() if those}


def _only(key: Key, value: str, known: Snapshot) -> bool:
    return not is_next_value(key) and (key not in known or (is_remark(key) and known[key] != value))


def _of(lost: Key, only: Snapshot, there: Snapshot, granted: Collection[tuple[str, str]]) -> Iterator[tuple[Key, str]]:
    obj, part = lost
    for (other, prop), value in only.items():
        if other == obj and (part == "exists" or taken_apart(prop).part == part):
            given = prop.startswith(_PRIVILEGES) and value != _NOBODY
            if not given or (obj, prop.removeprefix(_PRIVILEGES)) in granted:
                yield (other, prop), value
        elif part == prop == "exists" and other.startswith("index ") and _on(other, there) == obj:
            yield (other, prop), value


def _on(index: str, there: Snapshot) -> str:
    return f"table {there.get((index, 'table'), '')}"


def told(found: Snapshot) -> tuple[str, ...]:
    """These properties, for people; of what is there as a whole only that."""
    wholes = _wholes(found)
    said = []
    for (obj, prop), value in sorted(found.items()):
        if (obj, prop) in wholes:
            said.append(obj if prop == "exists" else f"{prop} of {obj}")
        elif not {(obj, "exists"), (obj, taken_apart(prop).part)} & wholes:
            said.append(f"{prop} of {obj}: {value}")
    return tuple(said)
