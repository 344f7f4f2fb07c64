"""The role's privileges: may it do what a recovery needs, write the ledger and change the schema's tables?"""

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

_LEDGER = """
SELECT current_user::text, pg_catalog.pg_get_userbyid(c.relowner)::text,
       has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'INSERT'), has_table_privilege(c.oid, 'UPDATE'),
       row_security_active(c.oid), has_schema_privilege(c.relnamespace, 'CREATE')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = '_prisma_migrations'
"""
# Left out are tables of extensions (as PostGIS's spatial_ref_sys): the role that installed them owns them, and no
# migration changes them.
_OWNERS = """
SELECT pg_catalog.pg_get_userbyid(c.relowner)::text, count(*), pg_has_role(c.relowner, 'USAGE')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname <> '_prisma_migrations' AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY c.relowner ORDER BY count(*) DESC, 1
"""


@dataclass(frozen=True, slots=True)
class Owner:
    """A role that owns tables of the schema other than the ledger.

    Attributes:
        tables: how many it owns.
        ours: it is the connected role, or a role whose privileges the connected role has as a member.
    """

    name: str
    tables: int
    ours: bool


@dataclass(frozen=True, slots=True)
class Privileges:
    """The privileges of the connected role.

    Attributes:
        role: the connected role.
        owner: the role that owns the ledger.
        lacking: the privileges on the ledger that the role lacks, of SELECT, INSERT and UPDATE.
        hidden: row level security is active on the ledger, and may hide rows from the role.
        creates: the role may create tables in the schema.
        owners: the owners of the schema's tables, the one with the most tables first.
    """

    role: str
    owner: str
    lacking: tuple[LiteralString, ...]
    hidden: bool
    creates: bool
    owners: tuple[Owner, ...]

    def __str__(self) -> str:
        """For people."""
        owned = ", ".join(f"{each.tables} of {each.name}" for each in self.owners) or "none"
        return f"role {self.role}; the ledger is {self.owner}'s; tables: {owned}"


def read(connection: psycopg.Connection[Any], schema: str) -> Privileges | None:
    """The role's privileges; None if there is no ledger."""
    row = connection.execute(_LEDGER, (schema,)).fetchone()
    if row is None:
        return None
    role, owner, selects, inserts, updates, hidden, creates = row
    may: dict[LiteralString, bool] = {"SELECT": selects, "INSERT": inserts, "UPDATE": updates}
    lacking = tuple(word for word, granted in may.items() if not granted)
    return Privileges(role, owner, lacking, hidden, creates, owners(connection, schema))


def owners(connection: psycopg.Connection[Any], schema: str) -> tuple[Owner, ...]:
    """The owners of the schema's tables, the one with the most tables first."""
    return tuple(Owner(*each) for each in connection.execute(_OWNERS, (schema,)))


def to_own(connection: psycopg.Connection[Any], owner: Owner, role: str) -> str:
    """The GRANT statement that lets a role change the tables of an owner."""
    text = sql.SQL("GRANT {} TO {};").format(sql.Identifier(owner.name), sql.Identifier(role))
    return text.as_string(connection)


def may_create(connection: psycopg.Connection[Any], schema: str) -> tuple[str, bool]:
    """The connected role, and whether it may create objects in a schema that is there."""
    query = "SELECT current_user::text, has_schema_privilege(%s, 'CREATE')"
    role, creates = connection.execute(query, (schema,)).fetchone() or ("", False)
    return str(role), bool(creates)


def to_create(connection: psycopg.Connection[Any], schema: str, role: str) -> str:
    """The GRANT statement that lets a role create objects in a schema."""
    text = sql.SQL("GRANT CREATE ON SCHEMA {} TO {};").format(sql.Identifier(schema), sql.Identifier(role))
    return text.as_string(connection)


def grants(connection: psycopg.Connection[Any], schema: str, found: Privileges) -> tuple[str, ...]:
    """The GRANT statements that give the role what it lacks; empty if it lacks nothing."""
    role, where = sql.Identifier(found.role), sql.Identifier(schema)
    wanted: list[sql.Composed] = []
    if found.lacking:
        words = sql.SQL(", ").join([sql.SQL(word) for word in found.lacking])
        wanted.append(sql.SQL("GRANT {} ON {}._prisma_migrations TO {};").format(words, where, role))
    if not found.creates:
        wanted.append(sql.SQL("GRANT CREATE ON SCHEMA {} TO {};").format(where, role))
    if found.owners and not found.owners[0].ours:
        wanted.append(sql.SQL("GRANT {} TO {};").format(sql.Identifier(found.owners[0].name), role))
    return tuple(each.as_string(connection) for each in wanted)
