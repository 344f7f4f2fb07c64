"""Finds what production has under another name: renamed back, it keeps its rows, and nothing is built anew."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from states.comparison import Difference, column_of, taken_apart, unquoted
from states.facts import Key, Snapshot
from states.row_proofs import in_its_place


@dataclass(frozen=True, slots=True)
class Rename:
    """One thing under two names.

    Attributes:
        there: the statements that give it production's name, to be run on a copy.
        back: the statements that give it the script's name.
    """

    there: tuple[str, ...]
    back: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared to find renames.

    Attributes:
        wanted: the schema at the script's end.
        whole: production's schema.
        places: the columns of tables at the script's end, in their order; an empty name stands for a dropped one.
        standing: the same in production.
        certain: columns of which one that stands in their place can only be they, or holds nothing: they were there
            before the script, the script only gives them another name or type, or their table has no rows.
    """

    wanted: Snapshot
    whole: Snapshot
    places: Mapping[str, tuple[str, ...]]
    standing: Mapping[str, tuple[str, ...]]
    certain: Collection[Key]


def renamed(found: Sequence[Difference], sides: Sides) -> tuple[Rename, ...]:
    """What is missing and is there under exactly one other name, with all of its properties.

    Args:
        found: how production differs from the script's end.
        sides: both schemas.
    """
    missing = {(each.object, each.property) for each in found if each.actual is None}
    return (
        *_indexes(missing, sides),
        *_columns(missing, sides),
        *_constraints(missing, sides),
    )


def _of(snapshot: Snapshot, obj: str) -> dict[str, str]:
    return {prop: value for (each, prop), value in snapshot.items() if each == obj}


def _indexes(missing: Collection[Key], sides: Sides) -> Iterator[Rename]:
    """Indexes that are no constraint's. A table or a type of other names may be somebody else's, with what it holds."""
    for obj, prop in sorted(missing):
        if prop != "exists" or not obj.startswith("index "):
            continue
        properties = _of(sides.wanted, obj)
        if not properties or ", of a constraint" in properties.get("unique", ""):
            continue
        others = sorted({each for each, prop in sides.whole if prop == "exists" and each.startswith("index ")})
        same = [o for o in others if (o, "exists") not in sides.wanted and _of(sides.whole, o) == properties]
        if len(same) == 1:
            (schema, name), (other_schema, other_name) = (
                _parted(each.removeprefix("index ")) for each in (obj, same[0])
            )
            if schema == other_schema:
                yield Rename(
                    (f"ALTER INDEX {schema}.{name} RENAME TO {other_name}",),
                    (f"ALTER INDEX {schema}.{other_name} RENAME TO {name}",),
                )


def _parted(qualified: str) -> tuple[str, str]:
    """Schema and name, where either may be quoted."""
    quoted = False
    for place, character in enumerate(qualified):
        quoted ^= character == '"'
        if character == "." and not quoted:
            return qualified[:place], qualified[place + 1 :]
    return "public", qualified


def _columns(missing: Collection[Key], sides: Sides) -> Iterator[Rename]:
    """Columns with the same properties, that stand where the script's column stands."""
    for obj, prop in sorted(missing):
        if column_of(prop) != prop or not obj.startswith("table ") or (obj, prop) not in sides.certain:
            continue
        expected = _details(sides.wanted, obj, prop)
        for other in sorted(p for o, p in sides.whole if o == obj and column_of(p) == p):
            if (obj, other) in sides.wanted or _details(sides.whole, obj, other) != expected:
                continue
            name = unquoted(other.removeprefix("column "))
            ours = unquoted(prop.removeprefix("column "))
            standing = tuple(ours if each == name else each for each in sides.standing.get(obj, ()))
            if in_its_place(obj, prop, sides.places, {obj: standing}):
                table = obj.removeprefix("table ")
                names = prop.removeprefix("column "), other.removeprefix("column ")
                yield Rename(
                    (f"ALTER TABLE {table} RENAME COLUMN {names[0]} TO {names[1]}",),
                    (f"ALTER TABLE {table} RENAME COLUMN {names[1]} TO {names[0]}",),
                )
                break


def _details(snapshot: Snapshot, obj: str, part: str) -> dict[str, str]:
    found = {prop: value for (each, prop), value in snapshot.items() if each == obj and taken_apart(prop).part == part}
    return {
        taken_apart(p).detail: v for p, v in found.items() if taken_apart(p).detail not in ("comment", "statistics")
    }


def _constraints(missing: Collection[Key], sides: Sides) -> Iterator[Rename]:
    """Constraints with the same definition on the same table."""
    for obj, prop in sorted(missing):
        found = taken_apart(prop)
        if found.kind != "constraint" or found.detail or not obj.startswith("table "):
            continue
        same = [
            other
            for (each, other), value in sides.whole.items()
            if each == obj and (each, other) not in sides.wanted
            if taken_apart(other).kind == "constraint" and value == sides.wanted.get((obj, prop))
        ]
        if len(same) == 1:
            table, name, other = obj.removeprefix("table "), prop.partition(" ")[2], same[0].partition(" ")[2]
            yield Rename(
                (f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {other}",),
                (f"ALTER TABLE {table} RENAME CONSTRAINT {other} TO {name}",),
            )
