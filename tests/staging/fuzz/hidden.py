"""Draws statements that hide each other's effects: the schema ends as it began, or as if there had been fewer."""

from tests.staging.fuzz.generated import Draw
from tests.staging.fuzz.model import Statement
from tests.staging.fuzz.shape import Shape


def passing_default(shape: Shape) -> list[Statement]:
    """A default that fills the rows and is then taken back, or its NOT NULL is, often with a rename in between."""
    table, column = shape.table(), shape.fresh("c")
    add = f"ALTER TABLE {table} ADD COLUMN {column} int"
    undo = f"ALTER TABLE {table} DROP COLUMN {column}"
    filled = (f"{add}; UPDATE {table} SET {column} = 0; ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",)
    shape.tables[table][column] = "int"
    if shape.chance(0.4):
        return [
            Statement(
                "ADD DEFAULT",
                f"{add} NOT NULL DEFAULT 5",
                rows=True,
                otherwise=(f"{add}; ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT 5", *filled),
                undo=undo,
            ),
            Statement("DROP NOT NULL", f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"),
        ]
    made = [Statement("ADD DEFAULT", f"{add} NOT NULL DEFAULT 5", rows=True, otherwise=filled, undo=undo)]
    if shape.chance(0.3):
        name = shape.fresh("people")
        shape.tables[name] = shape.tables.pop(table)
        if shape.main == table:
            shape.main = name
        made.append(Statement("RENAME TABLE", f"ALTER TABLE {table} RENAME TO {name}"))
        table = name
    return [*made, Statement("DROP DEFAULT", f"ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT")]


def swap_columns(shape: Shape) -> list[Statement]:
    """Two columns whose names are swapped."""
    columns = shape.tables.get(shape.main, {})
    if "a" not in columns or "b" not in columns:
        return []
    return [
        Statement(
            "swap of columns", f"ALTER TABLE {shape.main} RENAME COLUMN {old} TO {new}", rows=True, otherwise=("",)
        )
        for old, new in (("a", "tmp"), ("b", "a"), ("tmp", "b"))
    ]


def type_there_and_back(shape: Shape) -> list[Statement]:
    """A type that is changed and changed back, which loses a part of each value."""
    found = shape.typed("timestamp", "text")
    if found is None:
        return []
    table, column = found
    alter = f"ALTER TABLE {table} ALTER COLUMN {column} TYPE "
    if shape.tables[table][column] == "timestamp":
        kinds = ["date", "timestamp"]
    else:
        kinds = [f"varchar(1) USING left({column}, 1)", "text"]
    return [Statement("type there and back", alter + kind, rows=True, otherwise=("",)) for kind in kinds]


def generated_then_plain(shape: Shape) -> list[Statement]:
    """A generated column that becomes a plain one, and keeps its values."""
    columns = shape.tables.get(shape.main, {})
    if columns.get("a") != "text" or columns.get("b") != "text":
        return []
    name = shape.fresh("full")
    columns[name] = "text"
    add = f"ALTER TABLE {shape.main} ADD COLUMN {name} text"
    return [
        Statement(
            "GENERATED",
            f"{add} GENERATED ALWAYS AS (a || b) STORED",
            rows=True,
            otherwise=(add,),
            undo=f"ALTER TABLE {shape.main} DROP COLUMN {name}",
        ),
        Statement("DROP EXPRESSION", f"ALTER TABLE {shape.main} ALTER COLUMN {name} DROP EXPRESSION", otherwise=("",)),
    ]


def drop_and_create(shape: Shape) -> list[Statement]:
    """An object that is dropped and made again as it was, but for what it held."""
    kinds = [name for name, held in (("sequence", shape.sequences), ("snapshot", shape.snapshots)) if held]
    if "audit" in shape.tables:
        kinds.append("table")
    if not kinds:
        return []
    kind = shape.draw.choice(kinds)
    if kind == "sequence":
        name = shape.draw.choice(shape.sequences)
        texts = [f"DROP SEQUENCE {name}", f"CREATE SEQUENCE {name}"]
    elif kind == "snapshot":
        made = f"CREATE MATERIALIZED VIEW stats AS SELECT count(*) AS n, sum(credits) AS s FROM {shape.main}"
        texts = ["DROP MATERIALIZED VIEW stats", made]
    else:
        texts = ["DROP TABLE audit", "CREATE TABLE audit (id int, said text)"]
    return [Statement(f"DROP and CREATE {kind}", text, rows=True, otherwise=("",)) for text in texts]


def drop_then_add(shape: Shape) -> list[Statement]:
    """A column that is dropped and added again, in two statements."""
    found = shape.typed("text", "int")
    if found is None:
        return []
    table, column = found
    kind = shape.tables[table][column]
    return [
        Statement("DROP, then ADD", f"ALTER TABLE {table} DROP COLUMN {column}", rows=True, otherwise=("",)),
        Statement("DROP, then ADD", f"ALTER TABLE {table} ADD COLUMN {column} {kind}", rows=True, otherwise=("",)),
    ]


def sequence(shape: Shape) -> list[Statement]:
    """A sequence whose first value can be set without a trace in its definition."""
    name = shape.fresh("invoice")
    shape.sequences.append(name)
    other = f"CREATE SEQUENCE {name}; ALTER SEQUENCE {name} START WITH 1000"
    text, undo = f"CREATE SEQUENCE {name} START WITH 1000", f"DROP SEQUENCE {name}"
    return [Statement("CREATE SEQUENCE", text, rows=True, otherwise=(other,), undo=undo)]


def range_type(shape: Shape) -> list[Statement]:
    """A range type with a named multirange (PostgreSQL 14)."""
    name = shape.fresh("fr")
    text = f"CREATE TYPE {name} AS RANGE (subtype = float8, multirange_type_name = {name}s)"
    other = f"CREATE TYPE {name} AS RANGE (subtype = float8)"
    return [Statement("CREATE RANGE", text, otherwise=(other,), undo=f"DROP TYPE {name}")]


def domain_column(shape: Shape) -> list[Statement]:
    """A column of a domain that has a default, which fills the rows."""
    made = []
    if shape.domains:
        name = shape.draw.choice(shape.domains)
    else:
        name = shape.fresh("dom")
        made = [Statement("CREATE DOMAIN", f"CREATE DOMAIN {name} AS int DEFAULT 7", undo=f"DROP DOMAIN {name}")]
    table, column = shape.table(), shape.fresh("n")
    shape.tables[table][column] = "domain"
    add = f"ALTER TABLE {table} ADD COLUMN {column} "
    other = f"{add}int; ALTER TABLE {table} ALTER COLUMN {column} TYPE {name}"
    undo = f"ALTER TABLE {table} DROP COLUMN {column}"
    return [*made, Statement("ADD COLUMN of a domain", add + name, rows=True, otherwise=(other,), undo=undo)]


def attach(shape: Shape) -> list[Statement]:
    """A parent for a table with rows, or a partition more; then a column that fills the rows."""
    bounds = "FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')"
    if shape.dated:
        table, parent = shape.dated.pop(), shape.fresh("ev_all")
        made = [
            Statement(
                "CREATE parent",
                f"CREATE TABLE {parent} (id int NOT NULL, d date NOT NULL, ts timestamp) PARTITION BY RANGE (d)",
            ),
            Statement("ATTACH PARTITION", f"ALTER TABLE {parent} ATTACH PARTITION {table} {bounds}"),
        ]
    elif shape.parents:
        parent, name = shape.parents[0], shape.fresh("logs_more")
        made = [
            Statement(
                "CREATE PARTITION", f"CREATE TABLE {name} PARTITION OF {parent} DEFAULT", undo=f"DROP TABLE {name}"
            )
        ]
    else:
        return []
    if shape.chance(0.3):
        return made
    column = shape.fresh("kind")
    add = f"ALTER TABLE {parent} ADD COLUMN {column} text"
    other = f"{add}; ALTER TABLE {parent} ALTER COLUMN {column} SET DEFAULT 'old'"
    undo = f"ALTER TABLE {parent} DROP COLUMN {column}"
    return [
        *made,
        Statement("ADD COLUMN to a parent", f"{add} DEFAULT 'old'", rows=True, otherwise=(other,), undo=undo),
    ]


def concurrently(shape: Shape) -> list[Statement]:
    """An index made concurrently, which must be alone in its script."""
    found = shape.typed("text", "int")
    if found is None:
        return []
    name = shape.fresh("cc_idx")
    text = f"CREATE INDEX CONCURRENTLY {name} ON {found[0]} ({found[1]})"
    return [Statement("CONCURRENTLY", text, otherwise=(text + " WHERE id > 1",), undo=f"DROP INDEX {name}")]


#: Each with how often it is drawn.
HIDDEN: tuple[tuple[Draw, int], ...] = (
    (passing_default, 4),
    (swap_columns, 2),
    (type_there_and_back, 2),
    (generated_then_plain, 2),
    (drop_and_create, 3),
    (drop_then_add, 2),
    (sequence, 2),
    (range_type, 1),
    (domain_column, 2),
    (attach, 2),
    (concurrently, 1),
)
