"""What production proves of rows: that a statement's work on them is done wherever its work on the schema is."""

import re
from collections.abc import Mapping
from dataclasses import replace

from states.comparison import unquoted
from states.facts import Key, Replay, Statement, Subject, Visibility

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: The reason why the rows of a new column are known to be filled.
FILLED = "its rows have the default, as PostgreSQL recorded when the column was added"
#: The reason why what a column or a table held is known to be there still.
KEPT = "it stands in its old place, so it holds what it held"
#: The reason why rows are known to be right where there are none.
EMPTY = "the table has no rows"


def witnessed(replay: Replay, subject: Subject, at: tuple[int, ...]) -> Replay:
    """The replay, in which a statement counts as seen if production proves what it did to rows (RULES E5, E20).

    Until the table is rewritten, PostgreSQL keeps the default with which a column was added
    (`pg_attribute.attmissingval`). A column that got its default later has no such value, and its older rows are null.
    A column that was renamed or cast keeps its place, and leaves no dropped one behind. A table that was renamed is
    older than the attempt. Where a table has no rows, none of them can be wrong, and an UPDATE or DELETE does nothing.
    """
    return replace(replay, statements=tuple(_witnessed(replay, each, subject, at) for each in replay.statements))


def altered_since(replay: Replay, subject: Subject) -> str:
    """Why columns may have been renamed, or dropped and made again, although the schema is as before the script.

    Then a part of the script may have run and been taken back, and the values are others (RULES E19). Empty if every
    column stands where the history made it.
    """
    moved = any(statement.moves or statement.drops for statement in replay.statements)
    for obj, expected in replay.stood.items():
        found = subject.places.get(obj, ())
        if _leaves(replay, obj) and obj not in subject.remained:
            return f"nothing proves that {obj} is the table from before the attempt, with its rows"
        if moved and subject.stamped and obj not in subject.unaltered:
            return f"{obj} may have been made with its columns in another order, and they may have been altered since"
        if why := _out_of_order(obj, expected, found):
            return why
        drops = any(key[0] == obj and key[1] != "exists" for each in replay.statements for key in each.drops)
        if drops and found.count("") > expected.count(""):
            return f"more columns of {obj} were dropped than the history drops"
    return ""


def columns_made_again(replay: Replay, subject: Subject, done: int) -> str:
    """Why a column that the script has yet to work on may have been dropped and made again, with other values.

    Somebody may have taken back more than the schema shows. Empty if every such column stands where it stood.

    Args:
        replay: of the script.
        subject: the migration.
        done: how many of its statements are in production.
    """
    for obj, expected in replay.stood.items():
        touched = (key for each in replay.statements[:done] for key in (*each.drops, *each.moves))
        gone = {unquoted(prop.removeprefix("column ")) for name, prop in touched if name == obj}
        kept = tuple(column for column in expected if column not in gone)
        if why := _out_of_order(obj, kept, subject.places.get(obj, ())):
            return why
    return ""


def _out_of_order(obj: str, expected: tuple[str, ...], found: tuple[str, ...]) -> str:
    """Why the columns that a table has from the history may be others; empty if they stand in their order."""
    shared = [column for column in expected if column and column in found]
    if [column for column in found if column in shared] == shared:
        return ""
    return f"the columns of {obj} do not stand in the order in which the history made them"


def _leaves(replay: Replay, obj: str) -> bool:
    """Whether the script drops a table, or moves it as a whole: to another name, into or out of a partitioned one."""
    gone = replay.complete and (obj, "exists") in replay.steps[0] and (obj, "exists") not in replay.steps[-1]
    return gone or any((obj, "exists") in (*each.moves, *each.drops) for each in replay.statements)


def filled_otherwise(replay: Replay, subject: Subject) -> str:
    """Why rows of a column that the script adds hold something else than the script gives them; empty if none does.

    Whoever adds a column with another default, and then corrects the default, leaves the schema that the script leaves,
    and other values in the rows that were there already.
    """
    if not replay.complete:
        return ""
    fills = {key: value for statement in replay.statements for key, value in statement.fills}
    for key in sorted(replay.added & subject.filled.keys() & replay.steps[-1].keys()):
        if key[0] in subject.empty or (key in replay.filled and key not in fills):
            continue  # one of a statement that is open anyway
        found, expected = subject.filled[key], fills.get(key)
        if expected is None or not as_filled(found, expected, subject.began):
            gives = "no value" if expected is None else expected or "the time at which it runs"
            return f"{key[1]} of {key[0]} was added with {found} for the rows from before, and the script gives {gives}"
    return ""


def _witnessed(replay: Replay, statement: Statement, subject: Subject, at: tuple[int, ...]) -> Statement:
    if _nothing_to_work_on(statement, subject):
        return replace(statement, visibility=Visibility.INERT, why=EMPTY)
    if statement.visibility is Visibility.ROWS and (fired := sorted(statement.fires & subject.firing)):
        why = f"{fired[0]} has a trigger or a rule in production, which may have written other rows"
        return replace(statement, visibility=Visibility.OPEN, why=why)
    if why := _kept_instead(replay, statement, subject, at):
        return replace(statement, visibility=Visibility.OPEN, why=why)
    # Columns that change names between themselves look alike before and after. That they stand as they do after it says
    # that it ran, so it is not absent with the other statements where these are.
    if statement.visibility is Visibility.OPEN and not (at and min(at) >= statement.index):
        return statement
    if why := _proof(replay, statement, subject):
        return replace(statement, visibility=Visibility.SEEN, why=why)
    return statement


def _nothing_to_work_on(statement: Statement, subject: Subject) -> bool:
    """Whether the rows that a statement would change are none: done or not, production is the same.

    The table has to be the one from before the attempt: somebody may have made it anew, or given another one its name,
    and kept the rows elsewhere. A trigger would run for the statement itself, too, or may have written elsewhere for
    rows that are gone.
    """
    return statement.over in (subject.empty & subject.unmoved) - subject.firing


def _kept_instead(replay: Replay, statement: Statement, subject: Subject, at: tuple[int, ...]) -> str:
    """Where what a statement drops may be kept under another name, as people do to be safe; empty if it isn't.

    A column that was renamed leaves no dropped one behind, and a table that was renamed has the columns of the one
    that is gone.
    """
    for obj, prop in statement.drops:
        if (obj, prop) in subject.production:
            continue
        if prop == "exists":
            here = subject.alike.get(obj, ())
            if others := [other for other in here if other not in replay.alike or other in replay.created]:
                return f"{obj} may have been renamed to {others[0].removeprefix('table ')}, with its rows"
            continue
        expected, found = replay.places.get(obj, ()), subject.places.get(obj, ())
        strange = (name for name in found if name and name not in expected and not _known(replay, obj, name))
        # Where all of the script is in place, its own new column may be the old one, too.
        new = {unquoted(key[1].removeprefix("column ")) for key in replay.added if key[0] == obj and replay.total in at}
        others = [*strange, *(name for name in found if name in new and name in expected)]
        if others and found.count("") < expected.count(""):
            return f"{prop} of {obj} may have been renamed to {others[0]}, with its values"
    return ""


def _known(replay: Replay, obj: str, column: str) -> bool:
    """Whether the column is one of the footprint, as one is that a later statement drops."""
    return any(key[0] == obj and unquoted(key[1].removeprefix("column ")) == column for key in replay.footprint)


def _proof(replay: Replay, statement: Statement, subject: Subject) -> str:
    """How it is known that a statement's work on rows is done wherever its work on the schema is; empty if it isn't."""
    if not (statement.fills or statement.moves):
        return ""
    # Else it would be another column of that name, or of another table that has the name now.
    if not all(_added_once(replay, statement.index, key) for key, _ in statement.fills):
        return ""
    cells = (*(key for key, _ in statement.fills), *statement.moves)
    # A table made anew under the new name of another is empty, too, and lacks the other's rows.
    if all(obj in subject.empty and prop != "exists" for obj, prop in cells):
        return EMPTY
    filled = all(
        key in subject.filled and as_filled(subject.filled[key], value, subject.began) for key, value in statement.fills
    )
    kept = all(
        obj in subject.kept if prop == "exists" else _in_its_place(obj, prop, replay, subject)
        for obj, prop in statement.moves
    )
    if not (filled and kept):
        return ""
    return FILLED if statement.fills else KEPT


def as_filled(found: str, value: str, began: str) -> bool:
    """Whether rows were filled as a statement does it.

    Args:
        found: the value that production keeps.
        value: the value that the statement gives; empty for the time at which it runs.
        began: the day before which it can't have run, as `YYYY-MM-DD`; empty if it is not known.
    """
    if value:
        return found == value
    day = _DAY.search(found)
    return day is not None and day[0] >= began


def _in_its_place(obj: str, prop: str, replay: Replay, subject: Subject) -> bool:
    """Whether a column that the script renames or casts is the one that was there before the script.

    Had that one been dropped and another one made, it would have left a dropped column before the other. So none may be
    there, unless it is older than the attempt. And the columns before it have to be those of the replay, in their
    order, so that it is not one of these that has another name now. In a table that was made by something else than its
    history (`db push`, a restored dump), the order may be another, and then nothing is proven; nor is anything in a
    table that is younger than its history.
    """
    name = unquoted(prop.removeprefix("column "))
    expected, found = replay.places.get(obj, ()), subject.places.get(obj, ())
    if obj in subject.remade or name not in expected or name not in found:
        return False
    before, before_it = expected[: expected.index(name)], found[: found.index(name)]
    same = [each for each in before if each] == [each for each in before_it if each]
    return same and ("" not in before_it or obj in subject.undropped)


def in_its_place(
    obj: str, prop: str, replayed: Mapping[str, tuple[str, ...]], production: Mapping[str, tuple[str, ...]]
) -> bool:
    """Whether a column stands in production where it stands in the replay.

    It does if it has the same neighbours there, and between it and these as many dropped columns as in the replay: had
    it been dropped and made anew, it would stand at the end, or have left a dropped column before it.
    """
    expected, found = _neighbourhood(prop, replayed.get(obj, ())), _neighbourhood(prop, production.get(obj, ()))
    if expected is None or found is None:
        return False
    (before, after), (before_it, after_it) = expected, found
    last = after[0] == ""  # production may have got further columns behind it
    return before == before_it and (last or after == after_it)


def _neighbourhood(prop: str, columns: tuple[str, ...]) -> tuple[tuple[str, int], tuple[str, int]] | None:
    """The columns before and after a column, each with the number of dropped columns in between; empty at an end."""
    name = unquoted(prop.removeprefix("column "))
    if name not in columns:
        return None
    place = columns.index(name)

    def nearest_of(others: tuple[str, ...]) -> tuple[str, int]:
        gap = next((number for number, each in enumerate(others) if each), len(others))
        return (others[gap] if gap < len(others) else ""), gap

    return nearest_of(columns[:place][::-1]), nearest_of(columns[place + 1 :])


def _added_once(replay: Replay, index: int, key: Key) -> bool:
    """Whether the column is absent before this statement, and present after it and after every later one."""
    return all((key in step) == (place >= index) for place, step in enumerate(replay.steps))
