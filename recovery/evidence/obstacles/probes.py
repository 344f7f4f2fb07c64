"""What of a statement can be tried before it is run: what production may not allow, by the text alone."""

from dataclasses import dataclass

from recovery.sql.expressions import Expression
from recovery.sql.names import Name


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows that a unique index would find equal.

    Attributes:
        unless: the index that makes the statement do nothing if it is there.
    """

    statement: int
    table: Name
    keys: tuple[Expression, ...]
    where: Expression | None = None
    nulls_distinct: bool = True
    unless: Name | None = None


@dataclass(frozen=True, slots=True)
class Nulls:
    """Rows without a value in a column that is to have one."""

    statement: int
    table: Name
    column: str


@dataclass(frozen=True, slots=True)
class Unfilled:
    """Rows at all, where a column is added that must have a value and gets none.

    Attributes:
        type: as `to_regtype` reads it; a domain can have a default of its own.
        dropped: a column of that name is dropped before.
        conditional: nothing is added if the column is there.
    """

    statement: int
    table: Name
    column: str
    type: str
    dropped: bool
    conditional: bool


@dataclass(frozen=True, slots=True)
class Orphans:
    """Rows that refer to rows which are not there."""

    statement: int
    table: Name
    columns: tuple[str, ...]
    referenced: Name
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """Rows for which a condition is false."""

    statement: int
    table: Name
    condition: Expression


@dataclass(frozen=True, slots=True)
class Unconvertible:
    """Values that the column's new type does not have.

    Attributes:
        type: what it is cast to, as `to_regtype` reads it.
        labels: of an enum that the script makes; None: the type has to be there.
        length: the most characters that it takes; None if it has no such limit.
    """

    statement: int
    table: Name
    column: str
    type: str
    labels: tuple[str, ...] | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An extension that the server may lack."""

    statement: int
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Denied:
    """A right that the role may lack.

    Attributes:
        right: `owner` or `references`, of a table; `create`, in a schema.
        name: of the table or the schema; None: a schema is to be made in the database.
    """

    statement: int
    right: str
    name: Name | None


Probe = Duplicates | Nulls | Unfilled | Orphans | Broken | Unconvertible | Unavailable | Denied
