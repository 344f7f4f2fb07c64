"""Finds the roles that a history names. They are made on the embedded server, so that scripts can grant to them.

They can't log in, and may only own objects in the server's databases. The role that scripts run as is a member of each
of them. It has the name of the role that migrates production, so that its own grants look the same on both sides.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from recovery.replay.embedded import HOLDER, ROLE, SUPERUSER
from recovery.sql.parser import postgast
from recovery.sql.tree import of

#: Only scripts with one of these words are parsed, and searched for the names of production's roles.
_ABOUT_ROLES = re.compile(
    r"\b(grant|revoke|pg_roles|rolname|authorization)\b|\bowner\s+to\b|\b(create|alter)\s+policy\b"
    r"|\bset\s+(local\s+|session\s+)?role\b|\bfor\s+(role|user)\b",
    re.IGNORECASE,
)
_LONGEST = 63


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles to be made on the embedded server.

    Attributes:
        runner: the role that scripts run as.
        others: the other roles, sorted; the runner is a member of each.
    """

    runner: str = ROLE
    others: tuple[str, ...] = ()


def read(production: psycopg.Connection[Any], scripts: Iterable[str]) -> Roles:
    """The roles that scripts name, whether production has them or not, and the role that runs scripts in production.

    Args:
        production: a connection as that role. Where the parser does not reach, as in bodies of functions, the scripts
            are searched for the names of production's roles.
        scripts: texts of the history.
    """
    texts = [text for text in scripts if _ABOUT_ROLES.search(text)]
    row = production.execute("SELECT current_user::text").fetchone()
    runner = row[0] if row and _usable(row[0]) else ROLE
    named = {name for text in texts for name in _named(text)}
    if texts:
        known = {row[0] for row in production.execute("SELECT rolname FROM pg_catalog.pg_roles")}
        words = {word for text in texts for word in re.findall(r"[\w$-]+", text)}
        named |= known & (words | {word.lower() for word in words})
    return Roles(runner, tuple(sorted(name for name in named if _usable(name) and name != runner)))


def _named(text: str) -> Iterator[str]:
    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return
    for raw in tree.stmts:
        yield from (spec.rolename for spec in of(raw.stmt, "RoleSpec") if spec.rolename)
        if raw.stmt.WhichOneof("node") == "variable_set_stmt" and raw.stmt.variable_set_stmt.name == "role":
            yield from (constant.sval.sval for constant in of(raw.stmt, "A_Const"))


def _usable(name: str) -> bool:
    """Whether a role may be made: not PostgreSQL's own, some of which reach beyond a database, nor this program's."""
    taken = name in (SUPERUSER, HOLDER, ROLE, "public", "none") or name.startswith("pg_")
    return bool(name) and not taken and len(name.encode()) <= _LONGEST
