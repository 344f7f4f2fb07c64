"""Probes: conditions read from a statement's text under which production would make it fail."""

from dataclasses import dataclass

from recovery.sql.expressions import Expression
from recovery.sql.names import Name


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows with equal keys, which a unique index or constraint refuses.

    Attributes:
        statement: number of the statement in its script, from 1; the same in every probe.
        table: the table of the index.
        keys: the columns or expressions that must be unique together.
        where: the predicate of a partial index.
        nulls_distinct: nulls do not count as equal.
        unless: an index of this name makes the statement do nothing (IF NOT EXISTS).
    """

    statement: int
    table: Name
    keys: tuple[Expression, ...]
    where: Expression | None = None
    nulls_distinct: bool = True
    unless: Name | None = None


@dataclass(frozen=True, slots=True)
class Nulls:
    """Rows with NULL in a column that the statement sets NOT NULL."""

    statement: int
    table: Name
    column: str


@dataclass(frozen=True, slots=True)
class Unfilled:
    """Any rows in a table to which a column is added that is NOT NULL and has no default.

    Attributes:
        type: type of the column, as `to_regtype` reads it; a domain can have a default of its own.
        dropped: a column of that name is dropped before.
        conditional: the column is added only if it is missing (IF NOT EXISTS).
    """

    statement: int
    table: Name
    column: str
    type: str
    dropped: bool
    conditional: bool


@dataclass(frozen=True, slots=True)
class Orphans:
    """Rows whose foreign key would refer to missing rows.

    Attributes:
        columns: the referring columns.
        referenced: the table that they refer to.
        keys: the referenced columns, in the same order.
    """

    statement: int
    table: Name
    columns: tuple[str, ...]
    referenced: Name
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """Rows for which the condition of a CHECK constraint is false."""

    statement: int
    table: Name
    condition: Expression


@dataclass(frozen=True, slots=True)
class Unconvertible:
    """Values of a column that do not convert to its new type.

    Attributes:
        type: the new type, as `to_regtype` reads it.
        labels: labels of the new type if the script makes it as an enum; None if production must have the type.
        length: the most characters that the new type takes; None without a limit.
    """

    statement: int
    table: Name
    column: str
    type: str
    labels: tuple[str, ...] | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An extension that the server may lack.

    Attributes:
        version: the version that the statement names; empty if it names none.
    """

    statement: int
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Denied:
    """A privilege that the role may lack.

    Attributes:
        right: `owner` or `references` of a table, or `create` in a schema.
        name: the table or the schema; None for the privilege to make schemas in the database.
    """

    statement: int
    right: str
    name: Name | None


Probe = Duplicates | Nulls | Unfilled | Orphans | Broken | Unconvertible | Unavailable | Denied
