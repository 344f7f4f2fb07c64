"""Mistakes to stage: one change by hand for each way in which a version made by hand could differ from the script."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.staging.handwork import kind_of, words_of
from tests.staging.truth import Snapshot

_CASTABLE = ("text", "integer", "boolean", "bigint", "jsonb", "timestamp(3) without time zone", "double precision")


def differences(start: Snapshot, end: Snapshot) -> Iterator[tuple[str, str]]:
    """Differences, each with the statements that make it on a database where the script was run.

    There is one of each kind, on the first object or property of the script that allows it.
    """
    seen: set[str] = set()
    made = {key for key, value in end.items() if start.get(key) != value}
    gone = {key for key in start if key not in end}
    for changes in (_of_made(made, start, end), _of_gone(gone, start, end)):
        for what, change in changes:
            if change and what not in seen:
                seen.add(what)
                yield what, change


def _of_made(made: set[tuple[str, str]], start: Snapshot, end: Snapshot) -> Iterator[tuple[str, str]]:
    for obj, prop in sorted(made):
        kind, name = kind_of(obj)
        new = (obj, "exists") not in start
        if kind != "table":
            yield from _of_other(kind, name, prop, {p: value for (o, p), value in end.items() if o == obj}.get, new=new)
            continue
        match words_of(prop):
            case ["exists"]:
                yield from _table(name, unlogged=end.get((obj, "persistence")) == "unlogged")
            case ["column", column]:
                start_of = f"column {column} "
                words = {p.removeprefix(start_of): value for (o, p), value in end.items() if o == obj}
                yield from _column(name, column, words.get)
            case ["column", column, word] if not new and (obj, f"column {column}") in start:
                yield from _altered(name, column, word, start.get((obj, prop)))
            case ["constraint", constraint]:
                yield from _constraint(name, constraint, end[(obj, prop)])
            case ["trigger", trigger]:
                yield "a trigger missing", f"DROP TRIGGER {trigger} ON {name}"
                yield "a trigger disabled", f"ALTER TABLE {name} DISABLE TRIGGER {trigger}"
            case ["policy", policy]:
                yield "a policy missing", f"DROP POLICY {policy} ON {name}"
                yield "another policy", f"ALTER POLICY {policy} ON {name} USING (1 = 2)"
            case ["row", "security"]:
                yield "row security off", f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY" if not new else ""


def _of_other(
    kind: str, name: str, prop: str, property_of: Callable[[str], str | None], *, new: bool
) -> Iterator[tuple[str, str]]:
    match (kind, prop):
        case ("index", "exists"):
            yield from _index(name, property_of)
        case ("type", "exists") if property_of("kind") == "enum":
            yield from _enum(name, property_of("labels") or "")
        case ("type", "labels") if not new:
            yield "a label more", f"ALTER TYPE {name} ADD VALUE 'by hand'"
        case ("view", "exists"):
            yield "a view missing", f"DROP VIEW {name} CASCADE"
            yield "another view", f"DROP VIEW {name} CASCADE; CREATE VIEW {name} AS SELECT 1 AS by_hand"
            yield "a table in a view's place", f"DROP VIEW {name} CASCADE; CREATE TABLE {name} (by_hand int)"
        case ("materialized view", "exists"):
            yield (
                "a view, not materialized",
                f"DROP MATERIALIZED VIEW {name} CASCADE; CREATE VIEW {name} AS SELECT 1 AS x",
            )
        case ("function", "exists"):
            yield "a function missing", f"DROP FUNCTION {name} CASCADE"
            yield "another volatility", f"ALTER FUNCTION {name} LEAKPROOF"
            yield "another function's setting", f"ALTER FUNCTION {name} SET work_mem = '77kB'"
            yield "a function as its definer", f"ALTER FUNCTION {name} SECURITY DEFINER"
        case ("sequence", "exists"):
            yield "another increment", f"ALTER SEQUENCE {name} INCREMENT BY 77"


def _of_gone(gone: set[tuple[str, str]], start: Snapshot, end: Snapshot) -> Iterator[tuple[str, str]]:
    """Objects that the script drops, made again."""
    for obj, prop in sorted(gone):
        kind, name = kind_of(obj)
        match (kind, *words_of(prop)):
            case ("table", "column", column) if (obj, "exists") in end:
                yield "a dropped column again", f"ALTER TABLE {name} ADD COLUMN {column} varchar(77)"
            case ("table", "exists"):
                yield "a dropped table again", f"CREATE TABLE {name} (by_hand int)"
            case ("table", "constraint", constraint) if (obj, "exists") in end:
                yield "a dropped constraint again", f"ALTER TABLE {name} ADD CONSTRAINT {constraint} CHECK (true)"
            case ("index", "exists") if (
                start.get((obj, "table"), "") and "table " + start[(obj, "table")],
                "exists",
            ) in end:
                bare = words_of(name.replace(".", " ", 1))[-1]
                yield (
                    "a dropped index again",
                    f"CREATE INDEX {bare} ON {start[(obj, 'table')]} ({start[(obj, 'columns')]}) WHERE false",
                )
            case ("type", "exists"):
                yield "a dropped type again", f"CREATE TYPE {name} AS ENUM ('by hand')"


def _table(name: str, *, unlogged: bool) -> Iterator[tuple[str, str]]:
    bare = words_of(name.replace(".", " ", 1))[-1]
    yield "a table missing", f"DROP TABLE {name} CASCADE"
    yield "a table in another schema", f"ALTER TABLE {name} SET SCHEMA foreign_team"
    yield "a view in a table's place", f"DROP TABLE {name} CASCADE; CREATE VIEW {name} AS SELECT 1 AS id"
    yield (
        ("a logged table" if unlogged else "an unlogged table"),
        f"ALTER TABLE {name} SET {'' if unlogged else 'UN'}LOGGED",
    )
    yield "a constraint more", f"ALTER TABLE {name} ADD CONSTRAINT by_hand CHECK (true)"
    yield "a demanding column more", f"ALTER TABLE {name} ADD COLUMN by_hand integer NOT NULL"
    yield (
        "a unique index more",
        f"ALTER TABLE {name} ADD COLUMN by_hand int; CREATE UNIQUE INDEX by_hand ON {name} (by_hand)",
    )
    each_row = "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    yield "a trigger more", f"CREATE TRIGGER by_hand BEFORE UPDATE ON {name} {each_row}"
    yield "a rule more", f"CREATE RULE by_hand AS ON DELETE TO {name} DO INSTEAD NOTHING"
    yield "row security", f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield "a policy more", f"CREATE POLICY by_hand ON {name} USING (false)"
    yield "another replica identity", f"ALTER TABLE {name} REPLICA IDENTITY FULL"
    yield "an inheriting table", f"CREATE TABLE foreign_team.mother (); ALTER TABLE {name} INHERIT foreign_team.mother"
    yield "a table renamed", f"ALTER TABLE {name} RENAME TO {_longer(bare)}"


def _longer(name: str) -> str:
    return name[:-1] + '_old"' if name.endswith('"') else name + "_old"


def _column(table: str, column: str, property_of: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
    alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
    kind, default = property_of("type") or "", property_of("default")
    plain = not (property_of("identity") or property_of("generated"))
    yield "a column missing", f"ALTER TABLE {table} DROP COLUMN {column} CASCADE"
    yield "a column renamed", f"ALTER TABLE {table} RENAME COLUMN {column} TO {_longer(column)}"
    if plain:
        yield from _retyped(alter, column, kind)
    if property_of("nullability") == "not null":
        invalid = f"ALTER TABLE {table} ADD CONSTRAINT by_hand NOT NULL {column} NOT VALID"
        yield "not null, not valid", f"{alter} DROP NOT NULL; {invalid}"
    yield "another nullability", f"{alter} {'DROP' if property_of('nullability') == 'not null' else 'SET'} NOT NULL"
    if default is not None:
        yield "a default missing", f"{alter} DROP DEFAULT"
        if default == "CURRENT_TIMESTAMP":
            yield "another default", f"{alter} SET DEFAULT clock_timestamp()"
        elif "nextval" not in default:
            yield "another default", f"{alter} SET DEFAULT NULL::{kind}" if "NULL" not in default else ""
    elif plain:
        yield "a default more", f"{alter} SET DEFAULT 'by hand'" if kind == "text" else ""
    if property_of("identity"):
        yield "no identity", f"{alter} DROP IDENTITY"
    elif plain and default is None and kind == "integer" and property_of("nullability") == "not null":
        yield "an identity", f"{alter} ADD GENERATED ALWAYS AS IDENTITY"
    if property_of("generated"):
        yield "not generated", f"{alter} DROP EXPRESSION"
    elif plain and kind in ("text", "integer") and default is None:
        again = f"ALTER TABLE {table} DROP COLUMN {column} CASCADE; ALTER TABLE {table} ADD COLUMN {column} {kind}"
        yield "generated", f"{again} GENERATED ALWAYS AS (NULL::{kind}) STORED"


def _retyped(alter: str, column: str, kind: str) -> Iterator[tuple[str, str]]:
    if kind in _CASTABLE:
        yield "another type", f"{alter} DROP DEFAULT; {alter} TYPE varchar(77) USING {column}::text"
        yield "an array", f"{alter} DROP DEFAULT; {alter} TYPE {kind}[] USING NULL"
    if kind == "text":
        yield "another collation", f'{alter} TYPE text COLLATE "POSIX"'
        yield "a shorter text", f"{alter} TYPE varchar(77)"
    if kind.startswith("timestamp(3)"):
        local = kind.endswith("without time zone")
        yield "another precision", f"{alter} TYPE timestamp{'' if local else 'tz'}(6)"
        yield "another time zone", f"{alter} TYPE timestamp{'tz' if local else ''}(3)"
    if kind.startswith("character varying("):
        yield "another length", f"{alter} TYPE varchar(77)"
    if kind.startswith("numeric("):
        yield "another scale", f"{alter} TYPE numeric"


def _altered(table: str, column: str, word: str, before: str | None) -> Iterator[tuple[str, str]]:
    """A property of an existing column that the script changes, changed to another value."""
    alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
    if word == "type":
        yield "retyped otherwise", f"{alter} DROP DEFAULT; {alter} TYPE varchar(78) USING NULL"
    elif word == "nullability":
        yield "nullability as before", f"{alter} {'SET' if before == 'not null' else 'DROP'} NOT NULL"
    elif word == "default":
        yield "default as before", f"{alter} DROP DEFAULT" if before is None else f"{alter} SET DEFAULT {before}"


def _constraint(table: str, constraint: str, definition: str) -> Iterator[tuple[str, str]]:
    again = f"ALTER TABLE {table} DROP CONSTRAINT {constraint} CASCADE; ALTER TABLE {table} ADD CONSTRAINT {constraint}"
    yield "a constraint missing", f"ALTER TABLE {table} DROP CONSTRAINT {constraint} CASCADE"
    yield "a constraint renamed", f"ALTER TABLE {table} RENAME CONSTRAINT {constraint} TO {_longer(constraint)}"
    if definition.startswith("FOREIGN KEY"):
        bare = definition.replace(" ON DELETE CASCADE", "").replace(" ON DELETE SET NULL", "")
        bare = bare.replace(" ON DELETE RESTRICT", "")
        other = " ON DELETE CASCADE" if bare == definition else ""
        tail = bare.find(" ON UPDATE")
        yield "another ON DELETE", f"{again} {bare}{other}"
        yield "another ON UPDATE", f"{again} {bare[:tail] if tail > 0 else bare + ' ON UPDATE SET NULL'}"
        yield "a constraint NOT VALID", f"{again} {definition} NOT VALID"
        yield "a deferrable constraint", f"{again} {definition} DEFERRABLE INITIALLY DEFERRED"
        yield "a check of that name", f"{again} CHECK (true)"
    elif definition.startswith("PRIMARY KEY"):
        yield "unique, no primary key", f"{again} UNIQUE{definition.removeprefix('PRIMARY KEY')}"
        yield "a deferrable primary key", f"{again} {definition} DEFERRABLE"
    elif definition.startswith("CHECK"):
        yield "another check", f"{again} CHECK (true)"


def _index(name: str, property_of: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
    keys, table, method = property_of("columns") or "", property_of("table"), property_of("method")
    bare = words_of(name.replace(".", " ", 1))[-1]
    unique = "UNIQUE " if (property_of("unique") or "").startswith("yes") else ""
    where = f" WHERE {property_of('predicate')}" if property_of("predicate") else ""
    yield "an index missing", f"DROP INDEX {name}"
    yield "an index renamed", f"ALTER INDEX {name} RENAME TO {_longer(bare)}"
    yield "an INVALID index", f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass"
    drop = f"DROP INDEX {name}; CREATE"
    yield "an index on another table", f"{drop} INDEX {bare} ON public.zz_report_cache (key)"
    if "(" in keys:
        return
    if unique:
        constraint = f"ALTER TABLE {table} ADD CONSTRAINT {bare} UNIQUE USING INDEX {bare}"
        yield "a constraint in an index's place", constraint
        yield "an index not unique", f"{drop} INDEX {bare} ON {table} USING {method} ({keys}){where}"
        yield (
            "an index with nulls not distinct",
            f"{drop} UNIQUE INDEX {bare} ON {table} ({keys}) NULLS NOT DISTINCT{where}",
        )
    elif method == "btree":
        yield "a unique index", f"{drop} UNIQUE INDEX {bare} ON {table} ({keys}){where}"
    yield "a partial index", f"{drop} {unique}INDEX {bare} ON {table} USING {method} ({keys}) WHERE 1 = 2"
    if method == "btree":
        yield (
            "an index with more in it",
            f"{drop} {unique}INDEX {bare} ON {table} ({keys}, ({keys.split(',')[0].split()[0]} IS NULL)){where}",
        )
    if method == "btree" and "," not in keys:
        first = keys.split()[0]
        order = "" if "desc" in keys else " DESC"
        yield "an index in another order", f"{drop} {unique}INDEX {bare} ON {table} ({first}{order}){where}"
        yield "another method", f"{drop} INDEX {bare} ON {table} USING hash ({first}){where}" if not unique else ""
    elif method == "btree":
        columns = ", ".join(reversed(keys.split(", ")))
        yield (
            "an index with its columns the other way round",
            f"{drop} {unique}INDEX {bare} ON {table} ({columns}){where}",
        )


def _enum(name: str, labels: str) -> Iterator[tuple[str, str]]:
    bare = words_of(name.replace(".", " ", 1))[-1]
    each = labels.split(", ")
    yield "a label more", f"ALTER TYPE {name} ADD VALUE 'by hand'"
    yield "a label before the others", f"ALTER TYPE {name} ADD VALUE 'by hand' BEFORE {each[0]}"
    yield "a label renamed", f"ALTER TYPE {name} RENAME VALUE {each[0]} TO 'by hand'"
    yield "a type renamed", f"ALTER TYPE {name} RENAME TO {_longer(bare)}"
    if len(each) > 1:
        swap = f"ALTER TYPE {name} RENAME VALUE"
        yield (
            "labels in another order",
            f"{swap} {each[0]} TO 'by hand'; {swap} {each[1]} TO {each[0]}; {swap} 'by hand' TO {each[1]}",
        )
        yield "a label missing", _with_labels(name, each[:-1])


def _with_labels(name: str, labels: list[str]) -> str:
    """The enum made anew with other labels, unless a default prevents it."""
    columns = (
        "SELECT attrelid::regclass AS t, attname AS c, d.oid AS has FROM pg_attribute a"
        " JOIN pg_class r ON r.oid = a.attrelid AND r.relkind = 'r'"
        " LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum"
        " WHERE atttypid = 'by_hand'::regtype AND NOT attisdropped"
    )
    quoted = name.replace("'", "''")
    return (
        f"ALTER TYPE {name} RENAME TO by_hand; CREATE TYPE {name} AS ENUM ({', '.join(labels)});"
        f" DO $$ DECLARE x record; BEGIN FOR x IN {columns} LOOP"
        " IF x.has IS NOT NULL THEN RAISE 'has a default'; END IF;"
        f" EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE {quoted} USING NULL', x.t, x.c);"
        " END LOOP; END $$; DROP TYPE by_hand"
    )


def harmless(start: Snapshot, end: Snapshot) -> Iterator[tuple[str, str]]:
    """Additions and differences that do not affect code that was written for the script."""
    for obj in sorted(obj for obj, prop in end if prop == "exists" and (obj, prop) not in start):
        kind, name = kind_of(obj)
        if kind == "table":
            yield "an optional column more", f"ALTER TABLE {name} ADD COLUMN by_hand text"
            yield (
                "an index more",
                f"ALTER TABLE {name} ADD COLUMN by_hand text; CREATE INDEX by_hand ON {name} (by_hand)",
            )
            yield "another owner", f"ALTER TABLE {name} OWNER TO may_do_nothing"
            yield "a privilege more", f"GRANT SELECT ON {name} TO may_do_nothing"
            yield "a comment", f"COMMENT ON TABLE {name} IS 'by hand'"
            return
