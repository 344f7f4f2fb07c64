"""Draws statements as people write them: those that work on rows, sequences and materialised views."""

from tests.staging.fuzz.generated import Draw
from tests.staging.fuzz.model import BEYOND, Statement
from tests.staging.fuzz.shape import Shape


def update(shape: Shape) -> list[Statement]:
    """An UPDATE that gives other rows each time, or the same ones."""
    found = shape.typed("int", "text")
    if found is None:
        return []
    table, column = found
    if shape.tables[table][column] == "int":
        value = shape.draw.choice([f"{column} + 100", "7"])
    else:
        value = shape.draw.choice([f"{column} || '!'", "'x; y'", "NULL", f"upper({column})"])
    where = shape.draw.choice(["", "", " WHERE id < 3"])
    return [Statement("UPDATE", f"UPDATE {table} SET {column} = {value}{where}", rows=True)]


def commented(shape: Shape) -> list[Statement]:
    """An UPDATE with a semicolon in a comment, a string or a text after it."""
    if shape.tables.get(shape.main, {}).get("credits") != "int":
        return []
    add = f"UPDATE {shape.main} SET credits = credits + 100"
    place = shape.draw.choice(["line", "block", "tail", "string"])
    if place == "line":
        return [Statement("; in a comment", f"{add} -- welcome bonus; see #123\nWHERE id < 3", rows=True)]
    if place == "block":
        return [Statement("; in a comment", f"{add} /* welcome; bonus */ WHERE id < 3", rows=True)]
    if place == "tail":
        return [Statement("; in a comment", add, rows=True, tail="\n-- done; the next one drops the old column")]
    return [Statement("; in a string", f"{add} WHERE '--; ' <> ''", rows=True)]


def insert(shape: Shape) -> list[Statement]:
    """An INSERT, with or without ON CONFLICT."""
    if shape.main not in shape.tables:
        return []
    if "labels" in shape.tables and shape.chance(0.4):
        text = "INSERT INTO labels (name) VALUES ('admin'), ('us;er')"
    elif "parent" in shape.tables or shape.chance(0.3):
        text = f"INSERT INTO {shape.main} (id) SELECT coalesce(max(id), 0) + 1 FROM {shape.main}"
    else:
        text = f"INSERT INTO {shape.main} (id) VALUES (71), (72) ON CONFLICT DO NOTHING"
    return [Statement("INSERT", text, rows=True)]


def delete(shape: Shape) -> list[Statement]:
    """DELETE or TRUNCATE."""
    table = shape.draw.choice(list(shape.tables))
    texts = [f"DELETE FROM {table} WHERE id < 2", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]
    return [Statement("DELETE or TRUNCATE", shape.draw.choice(texts), rows=True)]


def copy_rows(shape: Shape) -> list[Statement]:
    """CREATE TABLE AS, or a table made and then filled."""
    table, name = shape.table(), shape.fresh("kept")
    shape.tables[name] = dict(shape.tables[table])
    undo = f"DROP TABLE {name}"
    empty = f"CREATE TABLE {name} AS TABLE {table} WITH NO DATA"
    if shape.chance(0.6):
        return [
            Statement(
                "CREATE TABLE AS", f"CREATE TABLE {name} AS TABLE {table}", rows=True, otherwise=(empty,), undo=undo
            )
        ]
    return [
        Statement("CREATE TABLE LIKE", f"CREATE TABLE {name} (LIKE {table})", undo=undo),
        Statement("INSERT SELECT", f"INSERT INTO {name} SELECT * FROM {table}", rows=True),
    ]


def refresh(shape: Shape) -> list[Statement]:
    """REFRESH MATERIALIZED VIEW."""
    if not shape.snapshots:
        return []
    return [Statement("REFRESH", f"REFRESH MATERIALIZED VIEW {shape.draw.choice(shape.snapshots)}", rows=True)]


def sequence_value(shape: Shape) -> list[Statement]:
    """Statements that move a sequence; a rollback undoes most of them not."""
    if not shape.sequences:
        return []
    name = shape.draw.choice(shape.sequences)
    texts = [
        f"SELECT setval('{name}', 1000)",
        f"SELECT nextval('{name}')",
        f"ALTER SEQUENCE {name} RESTART",
        f"ALTER SEQUENCE {name} RESTART WITH 500",
        f"SELECT setval('{name}', nextval('{name}') + 1000)",
    ]
    if "child" in shape.tables:
        texts.append(
            "WITH x AS (UPDATE child SET pid = pid + 1 RETURNING 1)"
            f" SELECT setval('{name}', nextval('{name}') + 1000) FROM (SELECT count(*) FROM x) y"
        )
    return [Statement("a sequence's value", shape.draw.choice(texts), rows=True)]


def call(shape: Shape) -> list[Statement]:
    """SELECT of a function of the project's own that writes rows."""
    if not shape.calls:
        return []
    return [Statement("SELECT of a function", f"SELECT {shape.draw.choice(shape.calls)}", rows=True)]


def do_branch(shape: Shape) -> list[Statement]:
    """A DO block whose branch depends on rows."""
    columns = shape.tables.get(shape.main, {})
    if "a" not in columns or "b" not in columns:
        return []
    main, column = shape.main, shape.fresh("fresh")
    swap = "; ".join(
        f"ALTER TABLE {main} RENAME COLUMN {old} TO {new}" for old, new in (("a", "tmp"), ("b", "a"), ("tmp", "b"))
    )
    then = shape.draw.choice([swap, f"UPDATE {main} SET a = b", f"ALTER TABLE {main} ADD COLUMN {column} int"])
    other = shape.draw.choice([f"ALTER TABLE {main} ADD COLUMN {column} boolean", "NULL"])
    return [
        Statement(
            "DO with a branch on rows",
            f"DO $$ BEGIN\n IF EXISTS (SELECT 1 FROM {main}) THEN\n  {then};\n ELSE\n  {other};\n END IF;\nEND $$",
            rows=True,
        )
    ]


def do_exception(shape: Shape) -> list[Statement]:
    """A DO block with a handler that does something else."""
    found = shape.typed("text")
    if found is None:
        return []
    table, column = found
    index, name = shape.fresh("u_idx"), shape.fresh("duplicates")
    handler = shape.draw.choice(
        [f"CREATE TABLE {name} (v text PRIMARY KEY)", f"UPDATE {table} SET {column} = {column} || id", "NULL"]
    )
    return [
        Statement(
            "DO with a handler",
            f"DO $$ BEGIN\n CREATE UNIQUE INDEX {index} ON {table} ({column});\n"
            f"EXCEPTION WHEN unique_violation THEN\n {handler};\nEND $$",
            rows=True,  # it depends on rows what the block does
            otherwise=(f"CREATE INDEX {index} ON {table} ({column})",),
            undo=f"DROP INDEX IF EXISTS {index}",
        )
    ]


def do_block(shape: Shape) -> list[Statement]:
    """A DO block of schema statements, some of which leave no trace where rows are few."""
    table, column = shape.table(), shape.fresh("c")
    add = f"ALTER TABLE {table} ADD COLUMN {column} int"
    undo = f"ALTER TABLE {table} DROP COLUMN {column}"
    kind = shape.draw.choice(["drop", "hash", "drop and create", "guarded", "execute", "copy", "anew"])
    shape.tables[table][column] = "int"
    if kind == "drop":
        text = f"DO $$ BEGIN\n {add};\n DROP TABLE IF EXISTS legacy;\nEND $$"
        return [Statement("DO with DROP IF EXISTS", text, otherwise=(add,), undo=undo)]
    if kind == "copy":
        name = shape.fresh("archive")
        empty = f"CREATE TABLE {name} AS TABLE {table} WITH NO DATA"
        text = f"DO $$ BEGIN\n CREATE TABLE {name} AS (TABLE {table});\nEND $$"
        return [Statement("DO with CREATE AS", text, rows=True, otherwise=(empty,), undo=f"DROP TABLE {name}")]
    if kind == "anew" and "audit" in shape.tables:
        text = f"DO $$ BEGIN\n {add}; DROP TABLE audit; CREATE TABLE audit (id int, said text);\nEND $$"
        return [Statement("DO with DROP and CREATE", text, rows=True, otherwise=(add,), undo=undo)]
    if kind == "hash" and "digest" in shape.tables.get("tok", {}):
        alter = "ALTER TABLE tok ALTER COLUMN digest TYPE text"
        shape.tables["tok"]["digest"] = "text"
        text = f"DO $$ BEGIN\n {alter} USING hash;\nEND $$"
        return [Statement("DO with USING", text, rows=True, otherwise=(alter,))]
    if kind == "drop and create" and "a" in shape.tables[table]:
        both = f"ALTER TABLE {table} DROP COLUMN a; ALTER TABLE {table} ADD COLUMN a text"
        return [
            Statement(
                "DO with DROP and ADD", f"DO $$ BEGIN\n {add}; {both};\nEND $$", rows=True, otherwise=(add,), undo=undo
            )
        ]
    if kind == "execute":
        text = f"DO $$ BEGIN\n EXECUTE 'ALTER TABLE {table} ADD COLUMN {column} int';\nEND $$"
        return [Statement("DO with EXECUTE", text, otherwise=(add + " DEFAULT 1",), undo=undo)]
    guard = f"SELECT FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname = '{column}'"
    text = f"DO $$ BEGIN\n IF NOT EXISTS ({guard}) THEN\n  {add};\n END IF;\nEND $$"
    return [Statement("DO with a guard", text, otherwise=(add + " DEFAULT 1",), undo=undo)]


def do_update(shape: Shape) -> list[Statement]:
    """A DO block that writes rows."""
    if shape.tables.get(shape.main, {}).get("credits") != "int":
        return []
    text = f"DO $$ BEGIN\n UPDATE {shape.main} SET credits = credits + 100;\nEND $$"
    return [Statement("DO with UPDATE", text, rows=True)]


def computed_type(shape: Shape) -> list[Statement]:
    """ALTER TYPE with a computed USING, or a cast that loses a part of the values."""
    found = shape.typed("text", "timestamp", "int")
    if found is None:
        return []
    table, column = found
    kind = shape.tables[table][column]
    alter = f"ALTER TABLE {table} ALTER COLUMN {column} TYPE "
    if kind == "timestamp":
        shape.tables[table][column] = "date"
        return [Statement("ALTER TYPE, lossy", alter + "date", rows=True, undo=alter + "timestamp")]
    target = "varchar(20)" if kind == "text" else "bigint"
    value = f"upper({column})" if kind == "text" else f"{column} * 100"
    shape.tables[table][column] = "varchar" if kind == "text" else "bigint"
    return [
        Statement(
            "ALTER TYPE USING",
            f"{alter}{target} USING {value}",
            rows=True,
            otherwise=(alter + target,),
            undo=alter + kind,
        )
    ]


def conditional(shape: Shape) -> list[Statement]:
    """IF NOT EXISTS and IF EXISTS, of what may be there."""
    table, name = shape.table(), shape.fresh("plans")
    kind = shape.draw.choice(["table", "column", "flag", "index", "drop table", "drop column"])
    if kind == "table":
        shape.tables[name] = {"id": "int", "name": "text"}
        text = f"CREATE TABLE IF NOT EXISTS {name} (id int PRIMARY KEY, name text)"
        return [
            Statement(
                "IF NOT EXISTS", text, otherwise=(text.replace("name text", "name int"),), undo=f"DROP TABLE {name}"
            )
        ]
    if kind in ("column", "flag"):
        column = shape.fresh("c") if kind == "column" else "legacy_flag"
        target = table if kind == "column" or shape.main not in shape.tables else shape.main
        shape.tables[target][column] = "int"
        text = f"ALTER TABLE {target} ADD COLUMN IF NOT EXISTS {column} int"
        undo = f"ALTER TABLE {target} DROP COLUMN {column}"
        return [Statement("IF NOT EXISTS", text, otherwise=(text.replace(" int", " bigint"),), undo=undo)]
    if kind == "index":
        text = f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({shape.column(table, 'text', 'int') or 'id'})"
        return [Statement("IF NOT EXISTS", text, otherwise=(text + " WHERE id > 1",), undo=f"DROP INDEX {name}")]
    if kind == "drop table":
        return [Statement("IF EXISTS", "DROP TABLE IF EXISTS legacy")]
    return [Statement("IF EXISTS", f"ALTER TABLE {table} DROP COLUMN IF EXISTS legacy_flag")]


def elsewhere(shape: Shape) -> list[Statement]:
    """What can't be replayed in a scratch database, because it reaches beyond the database."""
    table, column = shape.table(), shape.fresh("z")
    shape.tables[table][column] = "int"
    beyond = shape.draw.choice(["CREATE ROLE fuzz_reader", "ALTER ROLE CURRENT_USER SET work_mem = '4MB'"])
    undo = f"ALTER TABLE {table} DROP COLUMN {column}"
    return [
        Statement(BEYOND, beyond),
        Statement("ADD COLUMN", f"ALTER TABLE {table} ADD COLUMN {column} int", undo=undo),
    ]


def routine(shape: Shape) -> list[Statement]:
    """A function, a trigger, a comment or a privilege."""
    name, kind = shape.fresh("f"), shape.draw.choice(["function", "trigger", "comment", "grant"])
    table = shape.table()
    if kind == "function":
        text = f"CREATE OR REPLACE FUNCTION {name}(n int) RETURNS int LANGUAGE sql AS $$ SELECT n; $$"
        other = text.replace("SELECT n", "SELECT n + 1")
        return [Statement("CREATE FUNCTION", text, otherwise=(other,), undo=f"DROP FUNCTION {name}")]
    if kind == "trigger" and shape.triggers:
        text = f"CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION noted()"
        other = text.replace("AFTER INSERT", "AFTER DELETE")
        return [Statement("CREATE TRIGGER", text, otherwise=(other,), undo=f"DROP TRIGGER {name} ON {table}")]
    if kind == "comment":
        text = f"COMMENT ON TABLE {table} IS 'it''s; {name}'"
        return [
            Statement("COMMENT", text, otherwise=(text.replace("; ", " "),), undo=f"COMMENT ON TABLE {table} IS NULL")
        ]
    text = f"GRANT SELECT, INSERT ON {table} TO pg_monitor"
    return [
        Statement(
            "GRANT", text, otherwise=(text.replace(", INSERT", ""),), undo=f"REVOKE ALL ON {table} FROM pg_monitor"
        )
    ]


#: Each with how often it is drawn.
WRITTEN: tuple[tuple[Draw, int], ...] = (
    (update, 6),
    (commented, 2),
    (insert, 3),
    (delete, 2),
    (copy_rows, 2),
    (refresh, 2),
    (sequence_value, 3),
    (call, 2),
    (do_branch, 2),
    (do_exception, 2),
    (do_block, 4),
    (do_update, 1),
    (computed_type, 2),
    (conditional, 3),
    (elsewhere, 1),
    (routine, 2),
)
