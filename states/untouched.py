"""What nobody ran since an attempt began: what a statement would have altered or dropped is as it was before."""

from itertools import pairwise

from states.comparison import taken_apart
from states.facts import Key, Replay, Subject


def run_by_nobody(replay: Replay, subject: Subject) -> frozenset[int]:
    """Statements that nobody ran since the first attempt began, neither an attempt nor a person.

    Each would have dropped a table or given it another name, or altered its columns, and the catalog's rows of that are
    older. A table is called here as it is when the statement runs: where an earlier one has given that name to another
    table, that one would have renamed the table that production has under it, and did not run either.
    """
    if not subject.attempts or replay.branches:
        return frozenset()
    found = set()
    for each, (before, after) in zip(replay.statements, pairwise(replay.steps), strict=False):
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        gone = {obj for obj, prop in changed - after.keys() if prop == "exists"}
        altered = {key[0] for key in changed if _is_column(key)}
        if each.unvarying and each.atomic and (gone | (altered & subject.unaltered)) & subject.unmoved:
            found.add(each.index)
    return frozenset(found)


def _is_column(key: Key) -> bool:
    found = taken_apart(key[1])
    return found.kind == "column" and found.detail in ("", "type")
