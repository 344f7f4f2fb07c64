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


@dataclass(frozen=True, slots=True)
class Needed:
    """An object that must be there, and may not be.

    Attributes:
        kind: `relation`, `column`, `constraint`, `type`, `function`, or `schema`.
        name: the object, or the table that it is a part of; a schema as the name without one.
        part: the column or the constraint.
        anywhere: the name was written without a schema, so PostgreSQL's own objects answer to it, too.
    """

    statement: int
    kind: str
    name: Name
    part: str = ""
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """An object that must not be there yet, and may be; the kinds are those of `Needed`, and `label` of an enum.

    Attributes:
        changed: tables that earlier statements may have dropped or changed: their indexes and sequences may be gone.
    """

    statement: int
    kind: str
    name: Name
    part: str = ""
    changed: frozenset[Name] = frozenset()


@dataclass(frozen=True, slots=True)
class Depending:
    """Other objects that may use a column or a table, so that PostgreSQL refuses to change or drop it.

    Attributes:
        table: the table or view.
        column: its column; empty for the whole.
        dropped: it is dropped; else its type is changed.
        gone: objects that are gone by then, or are not what they were.
        parts: columns and constraints that are.
    """

    statement: int
    table: Name
    column: str
    dropped: bool
    gone: frozenset[Name] = frozenset()
    parts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Newer:
    """Syntax that the server may be too old for.

    Attributes:
        what: the words.
        since: the first major version that knows them.
    """

    statement: int
    what: str
    since: int


@dataclass(frozen=True, slots=True)
class Concurrently:
    """An index that is made or dropped concurrently where PostgreSQL does not do that.

    Attributes:
        table: a table that may be partitioned; None for a statement inside a transaction block of the script.
    """

    statement: int
    table: Name | None


Probe = (
    Duplicates
    | Nulls
    | Unfilled
    | Orphans
    | Broken
    | Unconvertible
    | Unavailable
    | Denied
    | Needed
    | Made
    | Depending
    | Newer
    | Concurrently
)
