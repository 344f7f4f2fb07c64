"""How far a script got, from the order in which its statements run.

Every engine runs a script in its order, and no further than to its first failure. So what stands in production of a
later statement shows that the earlier ones ran, if the attempt made it: a person may have, so it counts only where
nobody did (RULES E21). What is missing of an earlier statement shows nothing: it may have been taken back (E7).
"""

from states.comparison import taken_apart
from states.facts import Key, Replay, Subject, Visibility


def ran_on_the_way(replay: Replay, subject: Subject, at: tuple[int, ...]) -> frozenset[int]:
    """Statements that the attempt ran before what production has of the script, though the schema does not show it.

    Only of a single attempt that left no error: one that failed may have found there what somebody had made.

    Args:
        replay: of the script that the attempt ran.
        subject: the migration.
        at: the steps that production equals.
    """
    reached = min(at, default=0)
    if len(subject.attempts) != 1 or not _in_order(replay, subject):
        return frozenset()
    if subject.attempts[0].logs or not subject.attempts[0].failed:
        return frozenset()
    if any(stop.statement <= reached for stop in subject.stops):
        return frozenset()
    # One that can commit in between may have come as far as its work on the schema only.
    wholly = (each for each in replay.statements[:reached] if each.index < reached or each.atomic)
    return frozenset(each.index for each in wholly if each.visibility not in (Visibility.SEEN, Visibility.INERT))


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


def _in_order(replay: Replay, subject: Subject) -> bool:
    """Whether every attempt ran this script, whole statement by whole statement, and as it runs without rows."""
    ran = {row.checksum for row in subject.attempts}
    return ran == {replay.checksum} <= subject.in_order and not replay.branches
