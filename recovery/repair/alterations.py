"""Proposes statements that lead from one schema to another. It may be wrong: the rehearsal judges.

Only what can be told from properties is proposed: to drop what is too much, to alter a column's type, nullability
and default, and to make an index, a constraint or a trigger. For anything else nothing is proposed, so that the
rehearsal does not end where it should, and names what is left.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from states.comparison import Difference, taken_apart, unquoted
from states.facts import Key, Snapshot


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed statement.

    Attributes:
        sql: its text, without a semicolon.
        number: its number in the migration's script; None if it is not of the script.
        loses: tables, as (object, "exists"), and columns whose rows or values it takes away.
    """

    sql: str
    number: int | None = None
    loses: tuple[Key, ...] = ()


#: Changes of type that keep every value as it is, so that nothing is lost by them.
_KEEPING = {
    *(("smallint", "integer"), ("smallint", "bigint"), ("integer", "bigint"), ("real", "double precision")),
    ("character varying", "text"),
}
#: The properties of a column that are altered.
_ALTERED = ("type", "nullability", "default", "collation", "generated", "identity")
#: The nullability of a column whose older rows nobody has looked at.
_UNPROVEN = "not null, not valid"
_DEFAULT_COLLATION = '"default"'
#: Objects whose drop is one word and their name, in the order in which they are dropped.
_DROPPED = ("function ", "procedure ", "aggregate ", "sequence ", "type ", "collation ", "statistics ", "schema ")


def _full(_: Key) -> bool:
    return True


def towards(
    now: Snapshot,
    goal: Snapshot,
    holds: Callable[[Key], bool] = _full,
    whole: Snapshot | None = None,
    *,
    finish: bool = True,
    bodies: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Draft, ...]:
    """Statements that lead from `now` to `goal`, as far as they can be told, in an order in which they can run.

    Args:
        now: the schema.
        goal: the schema to be reached.
        holds: whether a column has values; if not, it can get any type.
        whole: the whole schema of the database, of which the two may be parts; None if they are no parts.
        finish: whether indexes, constraints and triggers are made, too.
        bodies: of functions and procedures, the statement that makes it as it is in `goal`, by the object.
    """
    extra = {obj for obj, prop in now if prop == "exists" and (obj, "exists") not in goal}
    parts = _parts(now, goal, extra)
    return (
        *_loose_parts(parts),
        *_views(extra),
        *_constraints_gone(parts),
        *_tables(extra),
        *_indexes_gone(now, goal, extra),
        *_columns_gone(parts),
        *_enums_altered(now, goal, now if whole is None else whole),
        *(_tables_made(now, goal) if finish else ()),
        *_columns_made(_without(now, parts), goal, made=finish),
        *_columns_altered(_without(now, parts), goal, holds),
        *_tables_altered(now, goal),
        *_sequences_altered(now, goal),
        *_views_altered(now, goal, made=finish),
        *(Draft(bodies[obj]) for obj in sorted(bodies) if _index(now, obj) != _index(goal, obj) and _index(now, obj)),
        *_others(now, extra),
        *(_indexes_made(now, goal) if finish else ()),
        *(_parts_made(now, goal) if finish else ()),
    )


def about(snapshot: Snapshot, found: Sequence[Difference]) -> dict[Key, str]:
    """Of a snapshot only what these differences are about: whole objects, and whole columns and other parts.

    Of a table that both sides have only what differs: what else production has of its own stays.
    """
    parts = {(each.object, taken_apart(each.property).part) for each in found}
    objects = {
        each.object for each in found if each.property == "exists" or not each.object.startswith(("table ", "view "))
    }
    whole = {(each.object, each.property) for each in found}
    hosts = {obj for obj, _ in parts}
    return {
        (obj, prop): value
        for (obj, prop), value in snapshot.items()
        if obj in objects
        or (obj, prop) in whole
        or (taken_apart(prop).part and (obj, taken_apart(prop).part) in parts)
        or (prop == "exists" and obj in hosts)
    }


def _parts(now: Snapshot, goal: Snapshot, extra: set[str]) -> list[Key]:
    """Columns, constraints, triggers and policies that are too much or differ, of objects that stay."""
    return sorted(
        (obj, prop)
        for (obj, prop), value in now.items()
        if (found := taken_apart(prop)).part == prop
        and obj not in extra
        and (
            goal.get((obj, prop)) is None or _computed_anew(now, goal, obj, prop)
            if found.kind == "column"
            else goal.get((obj, prop)) != value
        )
    )


def _computed_anew(now: Snapshot, goal: Snapshot, obj: str, prop: str) -> bool:
    """Whether a column has to become generated, which only a new column can be."""
    wanted = goal.get((obj, f"{prop} generated"))
    return wanted is not None and wanted != now.get((obj, f"{prop} generated"))


def _without(now: Snapshot, parts: list[Key]) -> Snapshot:
    """A schema without the columns that go."""
    gone = {key for key in parts if taken_apart(key[1]).kind == "column"}
    return {(obj, prop): value for (obj, prop), value in now.items() if (obj, taken_apart(prop).part) not in gone}


def _named(parts: list[Key], kind: str) -> Iterator[tuple[str, str]]:
    """The tables and the names of the parts of one kind."""
    for obj, prop in parts:
        if taken_apart(prop).kind == kind:
            yield obj.partition(" ")[2], prop.partition(" ")[2]


def _loose_parts(parts: list[Key]) -> Iterator[Draft]:
    for kind in ("trigger", "policy", "rule"):
        for table, name in _named(parts, kind):
            yield Draft(f"DROP {kind.upper()} {name} ON {table}")


def _views(extra: set[str]) -> Iterator[Draft]:
    for kind in ("view ", "materialized view "):
        if names := sorted(obj.removeprefix(kind) for obj in extra if obj.startswith(kind)):
            yield Draft(f"DROP {kind.upper()}{', '.join(names)}")


def _constraints_gone(parts: list[Key]) -> Iterator[Draft]:
    for table, name in _named(parts, "constraint"):
        yield Draft(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def _tables(extra: set[str]) -> Iterator[Draft]:
    """In one statement, so that foreign keys between them need no order."""
    if tables := sorted(obj for obj in extra if obj.startswith("table ")):
        names = ", ".join(obj.removeprefix("table ") for obj in tables)
        yield Draft(f"DROP TABLE {names}", loses=tuple((obj, "exists") for obj in tables))


def _standalone(snapshot: Snapshot, obj: str) -> bool:
    return obj.startswith("index ") and ", of a constraint" not in snapshot.get((obj, "unique"), "")


def _index(snapshot: Snapshot, obj: str) -> dict[str, str]:
    return {prop: value for (each, prop), value in snapshot.items() if each == obj}


def _indexes_gone(now: Snapshot, goal: Snapshot, extra: set[str]) -> Iterator[Draft]:
    for obj in sorted({obj for obj, prop in now if prop == "exists" and _standalone(now, obj)}):
        gone = f"table {now.get((obj, 'table'), '')}" in extra
        if not gone and _index(now, obj) != _index(goal, obj):
            yield Draft(f"DROP INDEX {obj.removeprefix('index ')}")


def _columns_gone(parts: list[Key]) -> Iterator[Draft]:
    for obj, prop in parts:
        if taken_apart(prop).kind == "column" and obj.startswith("table "):
            name = prop.partition(" ")[2]
            yield Draft(f"ALTER TABLE {obj.removeprefix('table ')} DROP COLUMN {name}", loses=((obj, prop),))


def _columns_altered(now: Snapshot, goal: Snapshot, holds: Callable[[Key], bool]) -> Iterator[Draft]:
    """The default goes before the type changes, and comes after it: it may not be of the new type."""
    for obj, prop in sorted(key for key in goal if key in now and taken_apart(key[1]).kind == "column"):
        if taken_apart(prop).detail or not obj.startswith("table "):
            continue
        here, there = ({each: side.get((obj, f"{prop} {each}")) for each in _ALTERED} for side in (now, goal))
        alter = f"ALTER TABLE {obj.removeprefix('table ')} ALTER COLUMN {prop.partition(' ')[2]}"
        if here["generated"] and not there["generated"]:
            yield Draft(f"{alter} DROP EXPRESSION")
        if here["identity"] and not there["identity"]:
            yield Draft(f"{alter} DROP IDENTITY")
        retyped = here["type"] != there["type"]
        if here["default"] is not None and (retyped or here["default"] != there["default"]):
            yield Draft(f"{alter} DROP DEFAULT")
        if not retyped and here["collation"] != there["collation"]:
            yield Draft(f"{alter} TYPE {there['type']} COLLATE {there['collation'] or _DEFAULT_COLLATION}")
        if retyped and here["type"] and there["type"]:
            loses = () if (_bare(here["type"]), there["type"]) in _KEEPING else ((obj, prop),)
            column = prop.partition(" ")[2]
            value = column if not loses or holds((obj, prop)) else "NULL"
            yield Draft(f"{alter} TYPE {there['type']} USING {value}::{there['type']}", loses=loses)
        if there["default"] is not None and (retyped or here["default"] != there["default"]):
            yield Draft(f"{alter} SET DEFAULT {there['default']}")
        if here["nullability"] != there["nullability"]:
            if there["nullability"] == "not null":
                yield Draft(f"{alter} SET NOT NULL")
            else:
                yield Draft(f"{alter} DROP NOT NULL")
            column = prop.partition(" ")[2]
            named = f"NOT NULL {column} NOT VALID" in (value for (each, _), value in goal.items() if each == obj)
            if there["nullability"] == _UNPROVEN and not named:
                yield Draft(f"ALTER TABLE {obj.removeprefix('table ')} ADD NOT NULL {column} NOT VALID")
        yield from _identity(obj, prop, alter, here["identity"], there["identity"])


def _identity(obj: str, prop: str, alter: str, here: str | None, there: str | None) -> Iterator[Draft]:
    """A new identity goes on after the numbers that the rows have."""
    if there is None or here == there:
        return
    if here is not None:
        yield Draft(f"{alter} SET GENERATED {there.upper()}")
        return
    yield Draft(f"{alter} ADD GENERATED {there.upper()} AS IDENTITY")
    table, column = obj.removeprefix("table "), prop.partition(" ")[2]
    names = table.replace("'", "''"), unquoted(column).replace("'", "''")
    serial = f"pg_catalog.pg_get_serial_sequence('{names[0]}', '{names[1]}')"
    last = f"coalesce(max({column}), 1), max({column}) IS NOT NULL"
    yield Draft(" ".join(("SELECT", f"pg_catalog.setval({serial}, {last})", "FROM", table)))


def _tables_made(now: Snapshot, goal: Snapshot) -> Iterator[Draft]:
    """Tables that are missing still, without their columns."""
    for obj in sorted(obj for obj, prop in goal if prop == "exists" and obj.startswith("table ")):
        if (obj, "exists") not in now:
            yield Draft(f"CREATE TABLE {obj.removeprefix('table ')} ()")


def _columns_made(now: Snapshot, goal: Snapshot, *, made: bool) -> Iterator[Draft]:
    for obj, prop in sorted(key for key in goal if key not in now and taken_apart(key[1]).kind == "column"):
        if taken_apart(prop).detail or not obj.startswith("table ") or not (made or (obj, "exists") in now):
            continue
        kind, default = goal[obj, f"{prop} type"], goal.get((obj, f"{prop} default"))
        text = f"ALTER TABLE {obj.removeprefix('table ')} ADD COLUMN {prop.partition(' ')[2]} {kind}"
        if (collation := goal.get((obj, f"{prop} collation"))) is not None:
            text += f" COLLATE {collation}"
        text += f" DEFAULT {default}" if default is not None else ""
        if (computed := goal.get((obj, f"{prop} generated"))) is not None:
            how, _, expression = computed.partition(" ")
            text += f" GENERATED ALWAYS AS ({expression}) {how.upper()}"
        if (identity := goal.get((obj, f"{prop} identity"))) is not None:
            text += f" GENERATED {identity.upper()} AS IDENTITY"
        yield Draft(text + (" NOT NULL" if goal.get((obj, f"{prop} nullability")) == "not null" else ""))


def _bare(kind: str) -> str:
    return kind.partition("(")[0]


def _tables_altered(now: Snapshot, goal: Snapshot) -> Iterator[Draft]:
    for key in sorted(key for key in goal if key in now and now[key] != goal[key] and key[0].startswith("table ")):
        alter, value = f"ALTER TABLE {key[0].removeprefix('table ')}", goal[key]
        match key[1]:
            case "row security":
                enabled, _, forced = value.partition(", ")
                yield Draft(f"{alter} {'ENABLE' if enabled == 'enabled' else 'DISABLE'} ROW LEVEL SECURITY")
                yield Draft(f"{alter} {'FORCE' if forced else 'NO FORCE'} ROW LEVEL SECURITY")
            case "replica identity":
                using = f"USING INDEX {value.removeprefix('index ')}" if value.startswith("index ") else value.upper()
                yield Draft(f"{alter} REPLICA IDENTITY {using}")
            case "persistence":
                yield Draft(f"{alter} SET {value.upper()}")
            case "inherits":
                yield from (Draft(f"{alter} NO INHERIT {each}") for each in now[key].split(", "))
                yield from (Draft(f"{alter} INHERIT {each}") for each in value.split(", "))
    for key in sorted(key for key in (*now, *goal) if key[1] == "inherits" and (key in now) != (key in goal)):
        word = "INHERIT" if key in goal else "NO INHERIT"
        for each in (
            {**now, **goal}[key].split(", ") if (key[0], "exists") in now and (key[0], "exists") in goal else ()
        ):
            yield Draft(f"ALTER TABLE {key[0].removeprefix('table ')} {word} {each}")


def _views_altered(now: Snapshot, goal: Snapshot, *, made: bool) -> Iterator[Draft]:
    """One with other columns is made anew, which fails where something depends on it."""
    for obj, prop in sorted(key for key in goal if key[1] == "definition" and now.get(key) != goal[key]):
        there_is = (obj, "exists") in now
        if not (there_is or made):
            continue
        kind = "MATERIALIZED VIEW" if obj.startswith("materialized") else "VIEW"
        name, query = obj.removeprefix(kind.lower()).strip(), goal[obj, prop].rstrip().rstrip(";")
        here, there = (
            {each: value for each, value in _index(side, obj).items() if taken_apart(each).kind == "column"}
            for side in (now, goal)
        )
        if there_is and (here != there or kind != "VIEW"):
            yield Draft(f"DROP {kind} {name}")
        yield Draft(f"CREATE {'OR REPLACE ' if kind == 'VIEW' else ''}{kind} {name} AS {query}")


_LABEL = re.compile(r"'(?:[^']|'')*'")
_SEQUENCE = {
    "type": "AS",
    "start": "START WITH",
    "increment": "INCREMENT BY",
    "minimum": "MINVALUE",
    "maximum": "MAXVALUE",
    "cache": "CACHE",
}


def _sequences_altered(now: Snapshot, goal: Snapshot) -> Iterator[Draft]:
    changes: dict[str, list[str]] = {}
    for (obj, prop), value in sorted(goal.items()):
        if obj.startswith("sequence ") and (obj, "exists") in now and now.get((obj, prop)) != value:
            if prop == "cycle":
                changes.setdefault(obj, []).append("CYCLE" if value == "true" else "NO CYCLE")
            elif prop in _SEQUENCE:
                changes.setdefault(obj, []).append(f"{_SEQUENCE[prop]} {value}")
    for obj, changed in changes.items():
        yield Draft(f"ALTER SEQUENCE {obj.removeprefix('sequence ')} {' '.join(changed)}")


def _enums_altered(now: Snapshot, goal: Snapshot, whole: Snapshot) -> Iterator[Draft]:
    for obj, prop in sorted(key for key in goal if key[0].startswith("type ") and key[1] == "labels"):
        here, there = (_LABEL.findall(side.get((obj, prop), "")) for side in (now, goal))
        if not here or here == there:
            continue
        name = obj.removeprefix("type ")
        if [label for label in there if label in here] == here:
            yield from _labels_added(name, here, there)
        elif [label for label in here if label in there] == there:
            yield from _enum_anew(name, there, whole)
        # A label is not renamed: rows may have it because it means something else.


def _labels_added(name: str, here: list[str], there: list[str]) -> Iterator[Draft]:
    for place, label in enumerate(there):
        if label not in here:
            where = f"AFTER {there[place - 1]}" if place else f"BEFORE {here[0]}"
            yield Draft(f"ALTER TYPE {name} ADD VALUE {label} {where}")


def _enum_anew(name: str, labels: list[str], whole: Snapshot) -> Iterator[Draft]:
    """Makes an enum without a label, and casts all columns to it; a row with that label makes the cast fail."""
    last = _last(name)
    other = f'{last[:-1]}_replaced"' if last.endswith('"') else f"{last}_replaced"
    yield Draft(f"ALTER TYPE {name} RENAME TO {other}")
    yield Draft(f"CREATE TYPE {name} AS ENUM ({', '.join(labels)})")
    for (obj, prop), kind in sorted(whole.items()):
        if not obj.startswith("table ") or taken_apart(prop).detail != "type" or kind not in (name, f"{name}[]"):
            continue
        part = taken_apart(prop).part
        column, array = part.partition(" ")[2], "[]" if kind.endswith("[]") else ""
        alter = f"ALTER TABLE {obj.removeprefix('table ')} ALTER COLUMN {column}"
        default = whole.get((obj, f"{part} default"))
        if default is not None:
            yield Draft(f"{alter} DROP DEFAULT")
        yield Draft(f"{alter} TYPE {name}{array} USING {column}::text{array}::{name}{array}")
        if default is not None:
            yield Draft(f"{alter} SET DEFAULT {default}")
    yield Draft(f"DROP TYPE {name[: len(name) - len(last)]}{other}")


def _others(now: Snapshot, extra: set[str]) -> Iterator[Draft]:
    for kind in _DROPPED:
        for obj in sorted(each for each in extra if each.startswith(kind)):
            if (obj, "owned by") not in now:  # such a sequence goes with its column
                yield Draft(f"DROP {kind.upper()}{obj.removeprefix(kind)}")
    for obj in sorted(each for each in extra if each.startswith("extension ")):
        yield Draft(f"DROP EXTENSION {obj.removeprefix('extension ')}")


def _indexes_made(now: Snapshot, goal: Snapshot) -> Iterator[Draft]:
    for obj in sorted({obj for obj, prop in goal if prop == "exists" and _standalone(goal, obj)}):
        wanted = _index(goal, obj)
        if _index(now, obj) == wanted or wanted.get("valid") != "yes" or "table" not in wanted:
            continue
        name = obj.removeprefix("index ").rpartition(".")[2] if '"' not in obj else _last(obj.removeprefix("index "))
        yield Draft(index_of(name, wanted))


def _last(qualified: str) -> str:
    """The name without its schema, where either may be quoted."""
    at, quoted = 0, False
    for place, character in enumerate(qualified):
        quoted ^= character == '"'
        if character == "." and not quoted:
            at = place + 1
    return qualified[at:]


def index_of(name: str, properties: Mapping[str, str]) -> str:
    """The statement that makes an index with these properties of a snapshot."""
    unique = "UNIQUE " if properties.get("unique", "").startswith("yes") else ""
    text = (
        f"CREATE {unique}INDEX {name} ON {properties['table']} USING {properties['method']} ({properties['columns']})"
    )
    if "include" in properties:
        text += f" INCLUDE ({properties['include']})"
    if "nulls not distinct" in properties.get("unique", ""):
        text += " NULLS NOT DISTINCT"
    if "options" in properties:
        text += f" WITH ({properties['options']})"
    if "predicate" in properties:
        text += f" WHERE {properties['predicate']}"
    return text


def _parts_made(now: Snapshot, goal: Snapshot) -> Iterator[Draft]:
    """Constraints, foreign keys last, triggers, policies and rules, in PostgreSQL's own words for them."""
    missing = sorted(key for key, value in goal.items() if taken_apart(key[1]).part == key[1] and now.get(key) != value)
    constraints = [key for key in missing if taken_apart(key[1]).kind == "constraint" and key[0].startswith("table ")]
    for obj, prop in sorted(constraints, key=lambda key: goal[key].startswith("FOREIGN KEY")):
        table, name = obj.removeprefix("table "), prop.partition(" ")[2]
        yield Draft(f"ALTER TABLE {table} ADD CONSTRAINT {name} {goal[obj, prop]}")
    for key in missing:
        table, kind, name = key[0].partition(" ")[2], taken_apart(key[1]).kind, key[1].partition(" ")[2]
        if kind == "trigger":
            yield Draft(goal[key])
        elif kind == "policy":
            yield Draft(f"CREATE POLICY {name} ON {table} {goal[key]}")
        elif kind == "rule":  # behind its definition is the letter that tells when it works
            yield Draft(goal[key].rpartition(" ")[0].rstrip(";"))
