"""When what is in production was written, and what that suggests to a person. It indicates, and never proves.

On a quiet database somebody's hand right after a crash looks like Prisma's own work. So no verdict rests on this.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import psycopg

from recovery.postgres import catalog
from recovery.postgres.marks import Marks, Written, read
from recovery.target import Target
from states.comparison import column_of
from states.facts import Key, Replay, Row, Snapshot, Subject, Trace
from states.verdict import latest_attempt

#: A statement that fails can use up a number before the next write does.
_NEXT = 2


def forensics(target: Target, subject: Subject, rows: Sequence[Row]) -> tuple[tuple[Trace, ...], tuple[str, ...]]:
    """The traces of what is in production of the failed script, in the script's order; and what they suggest.

    Args:
        target: production.
        subject: the failed migration.
        rows: the whole ledger.
    """
    replay, attempt = replay_of(subject), latest_attempt(subject)
    if replay is None or attempt is None:
        return (), ()
    keys = tuple(dict.fromkeys(_in_production(replay, {**subject.production, **subject.reread})))
    try:
        scope = catalog.scope_of(obj for obj, _ in keys)
        marks = read(target.reading(), target.url.schema, scope)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.InsufficientPrivilege):
        return (), ()
    found = [(key, marks.objects[key]) for key in keys if key in marks.objects]
    row = marks.rows.get(attempt.id)
    if not found or row is None:
        return (), ()
    together = sum(each.transaction == row.transaction for each in marks.rows.values()) > 1
    numbers = {number: n for n, number in enumerate(dict.fromkeys(each.transaction for _, each in found), 1)}
    listed = tuple(
        Trace(
            object=obj if part == "exists" else f"{obj} {part}".rstrip(),
            order="unknown" if together else _order(written, row),
            transaction=numbers[written.transaction],
            owner=written.owner,
            committed_at=marks.times.get(written.transaction),
        )
        for (obj, part), written in found
    )
    sentences = _sentences(listed, [written.transaction for _, written in found], attempt, marks, rows)
    if together:
        sentences = (*sentences, "Several rows of the ledger were written at once, as by a restore: they date nothing.")
    return listed, sentences


def replay_of(subject: Subject) -> Replay | None:
    """The steps of the script that the latest attempts ran; None if there are none."""
    ran = {row.checksum for row in subject.attempts}
    return next((replay for replay in reversed(subject.replays) if replay.checksum in ran), None)


def _in_production(replay: Replay, production: Snapshot) -> Iterator[Key]:
    """What of each step is there: the objects it makes, else the parts that it changes."""
    for before, after in pairwise(replay.steps):
        own = {key for key in replay.footprint if before.get(key) != after.get(key) and key in after}
        made = {obj for obj, prop in own if prop == "exists" and (obj, prop) not in before}
        with_table = any(obj.startswith("table ") for obj in made)
        for obj, prop in sorted(own, key=lambda key: (not key[0].startswith("table "), key)):
            if obj in made:
                # The indexes and sequences that come with a table are made with it.
                if prop == "exists" and (obj, prop) in production and not _comes_along(obj, with_table=with_table):
                    yield obj, prop
            elif not made and production.get((obj, prop)) == after[obj, prop]:
                yield obj, _part(prop)


def _comes_along(obj: str, *, with_table: bool) -> bool:
    return with_table and obj.startswith(("index ", "sequence "))


def _part(prop: str) -> str:
    """The row of the catalog that holds a property."""
    if column := column_of(prop):
        return f"{column} default" if prop == f"{column} default" else column
    if prop.startswith(("constraint ", "trigger ", "rule ", "policy ")):
        return prop.removesuffix(" comment").removesuffix(" enabled")
    return prop if prop in ("labels", "exists") else ""


def _order(written: Written, row: Written) -> str:
    if not row.certain:
        return "unknown"
    if written.transaction == row.transaction:
        return "same"
    # What is too old to be dated for certain is older still than its number says.
    if written.transaction < row.transaction:
        return "before"
    return "after" if written.certain else "unknown"


_WHEN = {
    "before": "Before the failed row was last written",
    "same": "By the transaction that last wrote the failed row",
    "after": "After the failed row was last written",
    "unknown": "At a time that can't be told",
}
_WHOLE = "Prisma's own work"
_PIECES = "the work of an engine that runs a script statement by statement"
_BY_HAND = "work by hand or by `prisma db push`"


def _sentences(
    listed: Sequence[Trace], numbers: Sequence[int], attempt: Row, marks: Marks, rows: Sequence[Row]
) -> tuple[str, ...]:
    """How they were written, when, whose they are, and what that looks like."""
    row = marks.rows[attempt.id]
    orders = tuple(order for order in _WHEN if any(trace.order == order for trace in listed))
    many = len(listed) > 1
    how = f" {_how(numbers)}," if many else ""
    what = f"{len(listed)} objects or parts of it are" if many else "1 object or part of it is"
    when, looks = "some at another time than the others", ""
    if len(orders) == 1:
        when, looks = _when(orders[0], numbers, attempt, row.transaction, _earlier(attempt, rows, marks))
    sentences = [f"{what} in production, made or last changed{how} {when}."]
    if len(orders) > 1:
        sentences += [f"{_WHEN[o]}: {', '.join(trace.object for trace in listed if trace.order == o)}." for o in orders]
    owners = sorted({trace.owner for trace in listed})
    if owners == [row.owner]:
        sentences.append(f"Owner: {row.owner}, as of the ledger.")
    else:
        sentences.append(f"Owner: {', '.join(owners)}; of the ledger: {row.owner}. Prisma would own what it made.")
        looks = ""
    if looks:
        sentences.append(f"It looks like {looks}.")
    times = sorted(trace.committed_at for trace in listed if trace.committed_at)
    if times and (last := marks.times.get(row.transaction)):
        span = times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
        sentences.append(f"Committed {span}, the failed row {last} (the server's clock).")
    return tuple(sentences)


def _how(numbers: Sequence[int]) -> str:
    """By how many transactions, and in which order."""
    if len(set(numbers)) == 1:
        return "in one transaction"
    if sorted(set(numbers)) == list(numbers):
        return "one by one in the script's order"
    order = "in the script's order" if sorted(numbers) == list(numbers) else "not in the script's order"
    return f"by {len(set(numbers))} transactions, {order}"


def _adjacent(numbers: Sequence[int]) -> bool:
    return all(0 < later - earlier <= _NEXT for earlier, later in pairwise(numbers))


def _earlier(attempt: Row, rows: Sequence[Row], marks: Marks) -> int | None:
    """The newest write to the ledger that was made before the attempt began: by a migration that ended before.

    Both times are clients' clocks, so this dates the attempt only as well as they agree.
    """
    ended = [row for row in rows if row.finished and max(row.started_at, row.finished_at or "") < attempt.started_at]
    known = [marks.rows[row.id] for row in ended if row.id in marks.rows]
    last = marks.rows[attempt.id].transaction
    return max((each.transaction for each in known if each.certain and each.transaction < last), default=None)


def _when(order: str, numbers: Sequence[int], attempt: Row, row: int, earlier: int | None) -> tuple[str, str]:
    """When they were written, as closely as the failed row tells, and what that looks like."""
    # Prisma writes the row again when the script failed, and when it ended; until then it is as inserted.
    as_inserted = not attempt.logs and not attempt.applied_steps_count and attempt.failed
    one = len(set(numbers)) == 1
    in_a_row = one or _adjacent(numbers)
    if order == "after" and as_inserted:
        if in_a_row and 0 < numbers[0] - row <= _NEXT:
            return "right after the failed attempt began", _WHOLE if one else _PIECES
        in_order = sorted(numbers) == list(numbers)
        return "after the failed attempt began", f"{_WHOLE}, or somebody's since" if in_order else _BY_HAND
    if order == "before" and (as_inserted or (earlier is not None and max(numbers) < earlier)):
        return "before the failed attempt began", f"{_BY_HAND}, or an earlier attempt's"
    if order == "before" and in_a_row and 0 < row - numbers[-1] <= _NEXT:
        looks = _WHOLE if one and attempt.applied_steps_count else f"{_PIECES}, or somebody's just before"
        return "right before the failed row was last written", looks
    otherwise = {
        "before": "the attempt's work, or older work of somebody else",
        "same": "nothing that Prisma does",
        "after": f"{_BY_HAND}, since this attempt ended",
    }
    return _WHEN[order][0].lower() + _WHEN[order][1:], otherwise.get(order, "")
