"""What of a history's work on rows the schema does not show, where no row of the ledger tells that it ran.

A failed migration is compared with the state right after it. In a baseline, later migrations have changed that state.
So the proofs of RULES E20 are read where the history ends: at the migration up to which production has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from states.baseline import OpenWork
from states.comparison import column_of, taken_apart
from states.facts import Key, Snapshot, Statement, Visibility
from states.presence import Delta
from states.row_proofs import as_filled, in_its_place

_SURE = (Visibility.SEEN, Visibility.INERT)


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration that did not run by the ledger, as its replay showed it.

    Attributes:
        place: how many migrations come before it.
        statements: its statements.
        left_out: parts that could not be replayed, by the number of the statement (0 for all), each with the reason.
    """

    name: str
    place: int
    statements: tuple[Statement, ...]
    left_out: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """What production proves of rows, beside the replay up to the same migration.

    Attributes:
        places: of the replay's tables there, the columns in their order; an empty name stands for a dropped one.
        found: the same of production's tables.
        filled: the defaults that production keeps for rows that are older than a column.
        empty: production's tables without any row.
        alike: for tables that the history drops, tables of production with the same columns.
        began: the day before which nothing of the history can have run, as `YYYY-MM-DD`; empty if it is not known.
    """

    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filled: Snapshot = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    alike: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    began: str = ""


@dataclass(slots=True)
class _Courses:
    """What becomes of tables, columns and types, over the whole history.

    Attributes:
        gone: for each table and column that is not there at the end, the place at which it went last.
        renamed: those of them that may only have got another name.
        again: tables and columns that went and came again, with the places of both.
        turned: types of columns that became what they were before, with the places.
    """

    gone: dict[Key, int] = field(default_factory=dict)
    renamed: set[Key] = field(default_factory=set)
    again: dict[Key, tuple[int, int]] = field(default_factory=dict)
    turned: dict[Key, int] = field(default_factory=dict)


def open_work(
    migrations: Sequence[Migration], names: Sequence[str], start: Snapshot, changes: Sequence[Delta], rows: Rows
) -> tuple[OpenWork, ...]:
    """The statements whose work on rows nothing proves, in the order of the history.

    Args:
        migrations: those that did not run by the ledger, in their order.
        names: every migration up to the one that production equals.
        start: the schema before the first.
        changes: for each of `names`, what it changes.
        rows: what production proves.
    """
    courses = _courses(start, changes)
    found: dict[int, list[OpenWork]] = {}
    for each in migrations:
        found[each.place] = [OpenWork(each.name, number, "", why) for number, why in each.left_out]
        told = {number for number, _ in each.left_out}
        for statement in each.statements:
            if statement.visibility in _SURE or statement.index in told or 0 in told:
                continue
            if statement.visibility is Visibility.ROWS and _proven(statement, courses, rows):
                continue
            why = statement.why or "its effect can't be seen in the schema"
            found[each.place].append(OpenWork(each.name, statement.index, statement.sql, why))
    for places, why in _over_time(courses, names, rows):
        of = next((place for place in places if place in found), None)
        if of is not None:
            found[of].append(OpenWork(names[of], 0, "", why))
    return tuple(each for place in sorted(found) for each in found[place])


def tables_in_question(migrations: Sequence[Migration], start: Snapshot, changes: Sequence[Delta]) -> frozenset[str]:
    """The tables of which it matters whether they have rows."""
    courses = _courses(start, changes)
    keys = {key for each in migrations for s in each.statements for key in (*(key for key, _ in s.fills), *s.moves)}
    return frozenset(obj for obj, _ in (*keys, *courses.again, *courses.turned))


def dropped_tables(start: Snapshot, changes: Sequence[Delta]) -> dict[str, frozenset[str]]:
    """The tables that the history drops, each with the columns that it had then, as `column x`."""
    now, columns = dict(start), dict[str, frozenset[str]]()
    for change in changes:
        for obj, prop in change:
            if prop == "exists" and change[obj, prop] is None and obj.startswith("table "):
                columns[obj] = frozenset(p for o, p in now if o == obj and column_of(p) == p)
            elif prop == "exists":
                columns.pop(obj, None)
        for key, value in change.items():
            if value is None:
                now.pop(key, None)
            else:
                now[key] = value
    return columns


def _courses(start: Snapshot, changes: Sequence[Delta]) -> _Courses:
    found = _Courses()
    there = {key for key in start if _holds_rows(key)}
    types: dict[Key, list[str]] = {key: [value] for key, value in start.items() if _is_type(key)}
    for place, change in enumerate(changes):
        came = {key for key, value in change.items() if value is not None and _holds_rows(key) and key not in there}
        went = {key for key, value in change.items() if value is None and _holds_rows(key)}
        for key in went:
            found.gone[key] = place
            # A column goes with its table. What goes while another comes may have got its name.
            if any(_may_be(key, other) for other in came):
                found.renamed.add(key)
        for key in came & found.gone.keys():
            found.again[key] = (found.gone.pop(key), place)
        there = (there - went) | came
        for key, value in change.items():
            if not _is_type(key):
                continue
            known = types.setdefault(key, [])
            if value is None:
                known.clear()
            elif value in known[:-1]:
                found.turned[key] = place
                known.append(value)
            elif value not in known[-1:]:
                known.append(value)
    return found


def _holds_rows(key: Key) -> bool:
    obj, prop = key
    return obj.startswith("table ") and (prop == "exists" or column_of(prop) == prop)


def _is_type(key: Key) -> bool:
    found = taken_apart(key[1])
    return key[0].startswith("table ") and found.kind == "column" and found.detail == "type"


def _may_be(gone: Key, came: Key) -> bool:
    """Whether what came may be what went, under another name: of two columns, in one table; of a table, any."""
    return came[1] == "exists" if gone[1] == "exists" else came[1] != "exists" and came[0] == gone[0]


def _proven(statement: Statement, courses: _Courses, rows: Rows) -> bool:
    """Whether production shows that rows were filled or kept as the statement does it, or it no longer matters."""
    if not (statement.fills or statement.moves):
        return False
    return all(_filled(key, value, courses, rows) for key, value in statement.fills) and all(
        _kept(key, courses, rows) for key in statement.moves
    )


def _dropped(key: Key, courses: _Courses) -> bool:
    """Whether a column, or the table that it was in, was dropped since, and certainly not given another name."""
    table = (key[0], "exists")
    what = table if table in courses.gone else key  # the columns of a table that got another name are there still
    return what in courses.gone and what not in courses.renamed


def _filled(key: Key, value: str, courses: _Courses, rows: Rows) -> bool:
    if key in courses.again:
        return False
    if _dropped(key, courses) or key[0] in rows.empty:
        return True
    return key in rows.filled and as_filled(rows.filled[key], value, rows.began)


def _kept(key: Key, courses: _Courses, rows: Rows) -> bool:
    obj, prop = key
    if key in courses.again or (obj, f"{prop} type") in courses.turned:
        return False
    if _dropped(key, courses):
        return True
    if prop == "exists":
        return False  # a table made anew under the new name would look the same
    return obj in rows.empty or in_its_place(obj, prop, rows.places, rows.found)


def _over_time(courses: _Courses, names: Sequence[str], rows: Rows) -> Iterator[tuple[tuple[int, ...], str]]:
    """What several migrations together do to rows, where production does not show it: their places, and the reason."""
    for (obj, prop), (went, came) in sorted(courses.again.items()):
        if (obj, prop) in courses.gone or obj in rows.empty:
            continue
        if prop != "exists" and ((obj, "exists") in courses.again or in_its_place(obj, prop, rows.places, rows.found)):
            continue
        what = obj if prop == "exists" else f"{prop} of {obj}"
        yield (came, went), f"it makes {what} again, which {names[went]} drops with what it held"
    for (obj, prop), place in sorted(courses.turned.items()):
        if obj not in rows.empty and not _dropped((obj, prop.removesuffix(" type")), courses):
            yield (place,), f"it changes {prop.removesuffix(' type')} of {obj} back to a type that it had before"
    for obj, others in sorted(rows.alike.items()):
        kept = [other for other in others if other not in rows.places]
        if kept and (obj, "exists") in courses.gone:
            other = kept[0].removeprefix("table ")
            yield (courses.gone[obj, "exists"],), f"{obj} may have been renamed to {other} instead"
    for (obj, prop), place in sorted(courses.gone.items()):
        if prop == "exists" or obj not in rows.found:
            continue
        expected, there = rows.places.get(obj, ()), rows.found[obj]
        new = [name for name in there if name and name not in expected]
        if new and there.count("") < expected.count(""):
            yield (place,), f"{prop} of {obj} may have been renamed to {new[0]} instead"
