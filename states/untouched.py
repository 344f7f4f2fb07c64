"""What nobody ran since an attempt began: what a statement would have altered or dropped is as it was before."""

from states.comparison import taken_apart
from states.facts import Key, Replay, Subject


def run_by_nobody(replay: Replay, subject: Subject) -> frozenset[int]:
    """Statements that nobody ran since the first attempt began, neither an attempt nor a person.

    Each would have written the catalog's rows of a table, or of its columns, and these are older than that.
    """
    if not subject.attempts or replay.branches or _renames_tables(replay):
        return frozenset()
    found = set()
    for each in replay.statements[: len(replay.steps) - 1]:
        before, after = replay.steps[each.index - 1], replay.steps[each.index]
        columns = {key for key in before.keys() | after.keys() if _is_column(key) and before.get(key) != after.get(key)}
        altered = {obj for obj, _ in columns} | {obj for obj, prop in each.drops if prop != "exists"}
        dropped = {obj for obj, prop in each.drops if prop == "exists"}
        as_it_was = ((altered & subject.unaltered) | dropped) & subject.unmoved
        if as_it_was and each.unvarying and each.atomic:
            found.add(each.index)
    return frozenset(found)


def _is_column(key: Key) -> bool:
    found = taken_apart(key[1])
    return found.kind == "column" and found.detail in ("", "type")


def _renames_tables(replay: Replay) -> bool:
    return any(prop == "exists" for statement in replay.statements for _, prop in statement.moves)
