"""Draws statements as Prisma generates them.

Each function draws what belongs together, changes the shape as it would, and returns nothing where it can't be drawn.
"""

from collections.abc import Callable

from tests.staging.fuzz.model import Statement
from tests.staging.fuzz.shape import Shape

Draw = Callable[[Shape], list[Statement]]


def create_table(shape: Shape) -> list[Statement]:
    """A table, often with an index and a foreign key to the main table."""
    name, main = shape.fresh("Made"), shape.main
    head = f'CREATE TABLE "{name}" (\n    "id" INTEGER NOT NULL,\n    "ownerId" INTEGER,\n    "title" TEXT NOT NULL'
    foot = f',\n\n    CONSTRAINT "{name}_pkey" PRIMARY KEY ("id")\n)'
    otherwise = (
        f'{head},\n    "comment" TEXT NOT NULL{foot}',
        f'{head},\n    CHECK ("id" > 0){foot}',
        f"{head.removesuffix(' NOT NULL')}{foot}",
    )
    made = [Statement("CREATE TABLE", head + foot, otherwise=otherwise, undo=f'DROP TABLE "{name}" CASCADE')]
    shape.tables[f'"{name}"'] = {"id": "int", '"ownerId"': "int", "title": "text"}
    if shape.chance(0.5):
        index = f'"{name}_title_idx"'
        made.append(_index(index, f'"{name}"', '"title"', unique=shape.chance(0.5)))
        shape.indexes[index] = (f'"{name}"', '"title"')
    if shape.chance(0.5) and main in shape.tables:
        made.append(_key(f'"{name}_ownerId_fkey"', f'"{name}"', '"ownerId"', main))
        shape.keys[f'"{name}_ownerId_fkey"'] = f'"{name}"'
    return made


def _index(name: str, table: str, column: str, *, unique: bool) -> Statement:
    kind = "UNIQUE INDEX" if unique else "INDEX"
    return Statement(
        f"CREATE {kind}",
        f"CREATE {kind} {name} ON {table}({column})",
        otherwise=(
            f"CREATE {kind} {name} ON {table}({column} DESC)",
            f"CREATE {'INDEX' if unique else 'UNIQUE INDEX'} {name} ON {table}({column})",
        ),
        undo=f"DROP INDEX {name}",
    )


def _key(name: str, table: str, column: str, to: str) -> Statement:
    made = f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {to}(id)"
    return Statement(
        "ADD FOREIGN KEY",
        f"{made} ON DELETE SET NULL ON UPDATE CASCADE",
        otherwise=(f"{made} ON DELETE CASCADE ON UPDATE CASCADE", f"{made} NOT VALID"),
        undo=f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def add_column(shape: Shape) -> list[Statement]:
    """A column that may be NULL."""
    table, name = shape.table(), shape.fresh("c")
    kind, other = shape.draw.choice([("INTEGER", "BIGINT"), ("TEXT", "VARCHAR(77)"), ("TIMESTAMP(3)", "TIMESTAMP(6)")])
    shape.tables[table][name] = {"INTEGER": "int", "TEXT": "text"}.get(kind, "timestamp")
    add = f'ALTER TABLE {table} ADD COLUMN     "{name}" '
    undo = f'ALTER TABLE {table} DROP COLUMN "{name}"'
    return [Statement("ADD COLUMN", add + kind, otherwise=(add + other, add + kind + " NOT NULL"), undo=undo)]


def add_filled_column(shape: Shape) -> list[Statement]:
    """A column with a default, which fills the rows."""
    table, name = shape.table(), shape.fresh("c")
    kind, value, other = shape.draw.choice(
        [("INTEGER", "5", "0"), ("TEXT", "'x; y'", "''"), ("BOOLEAN", "true", "false")]
    )
    required = " NOT NULL" if shape.chance(0.6) else ""
    shape.tables[table][name] = {"INTEGER": "int", "TEXT": "text", "BOOLEAN": "bool"}[kind]
    add = f'ALTER TABLE {table} ADD COLUMN     "{name}" {kind}'
    then = f'ALTER TABLE {table} ALTER COLUMN "{name}" SET DEFAULT {value}'
    filled = f'{add}; UPDATE {table} SET "{name}" = {other}; {then}'
    if required:
        filled += f', ALTER COLUMN "{name}" SET NOT NULL'
    return [
        Statement(
            "ADD COLUMN with DEFAULT",
            f"{add}{required} DEFAULT {value}",
            rows=True,
            otherwise=(filled, f"{add}{required} DEFAULT {other}", f"{add}; {then}"),
            undo=f'ALTER TABLE {table} DROP COLUMN "{name}"',
        )
    ]


def add_required_column(shape: Shape) -> list[Statement]:
    """A column that must not be NULL, which fails on a table with rows."""
    table, name = shape.draw.choice(list(shape.tables)), shape.fresh("c")
    add = f'ALTER TABLE {table} ADD COLUMN     "{name}" INTEGER'
    return [
        Statement(
            "ADD COLUMN NOT NULL",
            f"{add} NOT NULL",
            otherwise=(add,),
            undo=f'ALTER TABLE {table} DROP COLUMN "{name}"',
        )
    ]


def alter_several(shape: Shape) -> list[Statement]:
    """Several sub-commands in one ALTER TABLE."""
    table = shape.table()
    first, second = shape.fresh("c"), shape.fresh("c")
    shape.tables[table] |= {first: "int", second: "text"}
    parts = [f'ADD COLUMN     "{first}" INTEGER', f"ADD COLUMN     \"{second}\" TEXT DEFAULT 'd'"]
    if "a" in shape.tables[table] and shape.chance(0.4):
        parts.insert(0, "ALTER COLUMN a SET DEFAULT 'n'")
    text = f"ALTER TABLE {table} "
    return [
        Statement(
            "ALTER TABLE of several",
            text + ",\n".join(parts),
            rows=True,
            otherwise=(
                text + ", ".join(parts[:-1]),
                text
                + ", ".join([*parts[:-1], f'ADD COLUMN "{second}" TEXT'])
                + f"; {text}ALTER COLUMN \"{second}\" SET DEFAULT 'd'",
            ),
            undo=f'{text}DROP COLUMN "{first}", DROP COLUMN "{second}"',
        )
    ]


def drop_and_add(shape: Shape) -> list[Statement]:
    """DROP COLUMN and ADD COLUMN of the same name in one ALTER TABLE, as Prisma changes a type; the values are lost."""
    found = shape.typed("text")
    if found is None:
        return []
    table, column = found
    more = shape.fresh("c")
    shape.tables[table][more] = "int"
    add = f',\nADD COLUMN     "{more}" INTEGER' if shape.chance(0.6) else ""
    kind = "TEXT"
    if shape.chance(0.3):
        kind = "INTEGER"
        shape.tables[table][column] = "int"
    otherwise = [f'ALTER TABLE {table} ADD COLUMN "{more}" INTEGER'] if add else []
    if kind == "INTEGER":
        cast = f"ALTER TABLE {table} ALTER COLUMN {column} TYPE INTEGER USING length({column})"
        otherwise = [f"{each}; {cast}" for each in otherwise] or [cast]
    return [
        Statement(
            "DROP and ADD COLUMN",
            f"ALTER TABLE {table} DROP COLUMN {column},\nADD COLUMN     {column} {kind}{add}",
            rows=True,
            otherwise=tuple(otherwise),
            undo=f'ALTER TABLE {table} DROP COLUMN "{more}"' if add else "",
        )
    ]


def drop_column(shape: Shape) -> list[Statement]:
    """A column and its values."""
    found = shape.typed("text", "int", "timestamp")
    if found is None:
        return []
    table, column = found
    kind = shape.tables[table].pop(column)
    return [
        Statement(
            "DROP COLUMN",
            f"ALTER TABLE {table} DROP COLUMN {column}",
            otherwise=(f"ALTER TABLE {table} RENAME COLUMN {column} TO {shape.fresh('old_')}",),
            undo=f"ALTER TABLE {table} ADD COLUMN {column} {kind}",
        )
    ]


def alter_type(shape: Shape) -> list[Statement]:
    """A type that keeps every value; Prisma says SET DATA TYPE."""
    found = shape.typed("int", "text")
    if found is None:
        return []
    table, column = found
    old = shape.tables[table][column]
    kind, other = ("BIGINT", "NUMERIC") if old == "int" else ("VARCHAR(200)", "VARCHAR(100)")
    shape.tables[table][column] = "bigint" if old == "int" else "varchar"
    alter = f"ALTER TABLE {table} ALTER COLUMN {column} SET DATA TYPE "
    return [Statement("ALTER TYPE", alter + kind, otherwise=(alter + other,), undo=alter + old)]


def set_default(shape: Shape) -> list[Statement]:
    """SET DEFAULT, or DROP DEFAULT of the main table's."""
    if shape.chance(0.4) and shape.tables.get(shape.main, {}).get("credits") == "int":
        alter = f"ALTER TABLE {shape.main} ALTER COLUMN credits "
        return [Statement("DROP DEFAULT", f"{alter}DROP DEFAULT", undo=f"{alter}SET DEFAULT 0")]
    found = shape.typed("text")
    if found is None:
        return []
    alter = f"ALTER TABLE {found[0]} ALTER COLUMN {found[1]} "
    return [
        Statement(
            "SET DEFAULT",
            f"{alter}SET DEFAULT 'new'",
            otherwise=(f"{alter}SET DEFAULT 'other'",),
            undo=f"{alter}DROP DEFAULT",
        )
    ]


def set_not_null(shape: Shape) -> list[Statement]:
    """SET NOT NULL."""
    found = shape.typed("text", "int")
    if found is None:
        return []
    alter = f"ALTER TABLE {found[0]} ALTER COLUMN {found[1]} "
    return [Statement("SET NOT NULL", f"{alter}SET NOT NULL", undo=f"{alter}DROP NOT NULL")]


def add_value(shape: Shape) -> list[Statement]:
    """A label more for an enum."""
    if not shape.enums:
        return []
    name = shape.draw.choice(list(shape.enums))
    label = shape.fresh("L")
    labels = shape.enums[name][0]
    add = f"ALTER TYPE {name} ADD VALUE '{label}'"
    labels.append(label)
    return [Statement("ADD VALUE", add, otherwise=(f"{add} BEFORE '{labels[0]}'",))]


def rewrite_enum(shape: Shape) -> list[Statement]:
    """An enum made anew, as Prisma removes a label."""
    if not shape.enums:
        return []
    name = shape.draw.choice(list(shape.enums))
    labels, table, column = shape.enums[name]
    new = [*labels, shape.fresh("L")]
    shape.enums[name] = (new, table, column)
    texts = [
        f'CREATE TYPE "{name}_new" AS ENUM ({", ".join(repr(label) for label in new)})',
        f"ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT",
        f'ALTER TABLE {table} ALTER COLUMN {column} TYPE "{name}_new" USING ({column}::text::"{name}_new")',
        f'ALTER TYPE {name} RENAME TO "{name}_old"',
        f'ALTER TYPE "{name}_new" RENAME TO {name}',
        f'DROP TYPE "{name}_old"',
        f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT '{labels[0]}'",
    ]
    return [Statement("enum rewrite", text) for text in texts]


def rename_column(shape: Shape) -> list[Statement]:
    """RENAME COLUMN; `prisma db push` would drop one and add another."""
    found = shape.typed("text", "int", "date")
    if found is None:
        return []
    table, column = found
    kind, name = shape.tables[table].pop(column), shape.fresh("named")
    shape.tables[table][name] = kind
    return [
        Statement(
            "RENAME COLUMN",
            f"ALTER TABLE {table} RENAME COLUMN {column} TO {name}",
            otherwise=(f"ALTER TABLE {table} DROP COLUMN {column}, ADD COLUMN {name} {kind}",),
            undo=f"ALTER TABLE {table} RENAME COLUMN {name} TO {column}",
        )
    ]


def rename_table(shape: Shape) -> list[Statement]:
    """RENAME TABLE; `prisma db push` would drop one and create another."""
    table, name = shape.table(), shape.fresh("people")
    shape.tables[name] = shape.tables.pop(table)
    if table == shape.main:
        shape.main = name
    return [
        Statement(
            "RENAME TABLE",
            f"ALTER TABLE {table} RENAME TO {name}",
            otherwise=(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS); DROP TABLE {table} CASCADE",),
            undo=f"ALTER TABLE {name} RENAME TO {table}",
        )
    ]


def rename_constraint(shape: Shape) -> list[Statement]:
    """RENAME CONSTRAINT of a foreign key."""
    if not shape.keys:
        return []
    key = shape.draw.choice(list(shape.keys))
    table, name = shape.keys.pop(key), shape.fresh("key")
    if table not in shape.tables:
        return []
    shape.keys[name] = table
    return [
        Statement(
            "RENAME CONSTRAINT",
            f"ALTER TABLE {table} RENAME CONSTRAINT {key} TO {name}",
            undo=f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {key}",
        )
    ]


def rename_index(shape: Shape) -> list[Statement]:
    """RENAME of an index."""
    if not shape.indexes:
        return []
    index = shape.draw.choice(list(shape.indexes))
    name = shape.fresh("renamed_idx")
    shape.indexes[name] = shape.indexes.pop(index)
    return [
        Statement(
            "RENAME INDEX",
            f"ALTER INDEX {index} RENAME TO {name}",
            undo=f"ALTER INDEX {name} RENAME TO {index}",
        )
    ]


def create_index(shape: Shape) -> list[Statement]:
    """An index, unique or not."""
    found = shape.typed("text", "int", "text C", "varchar")
    if found is None:
        return []
    table, column = found
    name = shape.fresh("made_idx")
    shape.indexes[name] = found
    if shape.tables[table][column] == "text C":
        collated = f'CREATE UNIQUE INDEX {name} ON {table} ({column} COLLATE "default")'
        plain = f"CREATE UNIQUE INDEX {name} ON {table} ({column})"
        return [Statement("CREATE INDEX COLLATE", collated, otherwise=(plain,), undo=f"DROP INDEX {name}")]
    return [_index(name, table, column, unique=shape.chance(0.4))]


def drop_index(shape: Shape) -> list[Statement]:
    """DROP INDEX, with or without CREATE INDEX of the same name."""
    if not shape.indexes:
        return []
    name = shape.draw.choice(list(shape.indexes))
    table, column = shape.indexes[name]
    again = f"CREATE INDEX {name} ON {table} ({column})"
    if shape.chance(0.5) and column in shape.tables.get(table, {}):
        other = _index(name, table, column, unique=shape.chance(0.5))
        return [Statement("DROP INDEX", f"DROP INDEX {name}"), other]
    del shape.indexes[name]
    return [Statement("DROP INDEX", f"DROP INDEX {name}", undo=again)]


def drop_key(shape: Shape) -> list[Statement]:
    """DROP CONSTRAINT of a foreign key, and often another one of that name."""
    if not shape.keys or shape.main not in shape.tables:
        return []
    name = shape.draw.choice(list(shape.keys))
    table = shape.keys[name]
    if "owner" not in shape.tables.get(table, {}):
        return []
    made = [Statement("DROP CONSTRAINT", f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')]
    if shape.chance(0.6):
        made.append(_key(f'"{name}"', table, "owner", shape.main))
    else:
        del shape.keys[name]
    return made


def create_enum(shape: Shape) -> list[Statement]:
    """An enum, and a column of it."""
    name, table, column = shape.fresh("Kind"), shape.table(), shape.fresh("k")
    made = f"CREATE TYPE \"{name}\" AS ENUM ('A', 'B')"
    add = f'ALTER TABLE {table} ADD COLUMN     "{column}" "{name}"'
    filled = f"{add} NOT NULL DEFAULT 'A'"
    shape.tables[table][column] = name
    then = f"ALTER TABLE {table} ALTER {column} SET DEFAULT 'A', ALTER {column} SET NOT NULL"
    other = f"{add}; UPDATE {table} SET {column} = 'B'; {then}"
    return [
        Statement(
            "CREATE ENUM",
            made,
            otherwise=(f"CREATE TYPE \"{name}\" AS ENUM ('B', 'A')",),
            undo=f'DROP TYPE "{name}"',
        ),
        Statement(
            "ADD COLUMN with DEFAULT",
            filled,
            rows=True,
            otherwise=(other,),
            undo=f'ALTER TABLE {table} DROP COLUMN "{column}"',
        ),
    ]


def drop_table(shape: Shape) -> list[Statement]:
    """DROP TABLE."""
    others = [name for name in shape.tables if name != shape.main]
    if not others:
        return []
    name = shape.draw.choice(others)
    del shape.tables[name]
    aside = f"ALTER TABLE {name} RENAME TO {shape.fresh('old_')}"
    return [Statement("DROP TABLE", f"DROP TABLE {name}", otherwise=(aside,), undo=f"CREATE TABLE {name} (id int)")]


#: Each with how often it is drawn.
GENERATED: tuple[tuple[Draw, int], ...] = (
    (create_table, 4),
    (add_column, 4),
    (add_filled_column, 4),
    (add_required_column, 1),
    (alter_several, 2),
    (drop_and_add, 3),
    (drop_column, 2),
    (alter_type, 2),
    (set_default, 2),
    (set_not_null, 1),
    (add_value, 1),
    (rewrite_enum, 1),
    (rename_column, 2),
    (rename_table, 1),
    (rename_constraint, 1),
    (rename_index, 1),
    (create_index, 3),
    (drop_index, 1),
    (drop_key, 1),
    (create_enum, 1),
    (drop_table, 1),
)
