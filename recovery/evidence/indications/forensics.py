"""When what is in production was written, and what that suggests to a person. It indicates, and never proves.

On a quiet database somebody's hand right after a crash looks like Prisma's own work. So no verdict rests on this.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import psycopg

from recovery.evidence.indications.attribution import NEXT, CameTo, Ledger, attributed, came_to, ledger
from recovery.evidence.indications.marks import Marks, Written, read
from recovery.postgres import catalog
from recovery.postgres.target import Target
from states.comparison import Difference, column_of
from states.facts import Key, Origin, Replay, Row, Snapshot, Subject, Trace
from states.verdict import latest_attempt


@dataclass(frozen=True, slots=True)
class Forensics:
    """What was found.

    Attributes:
        traces: of what is in production of the failed script, in the script's order.
        sentences: what they suggest.
        origin: how it came about, and traces of what differs.
    """

    traces: tuple[Trace, ...] = ()
    sentences: tuple[str, ...] = ()
    origin: Origin = Origin()  # noqa: RUF009 - frozen, and empty


def forensics(
    target: Target, subject: Subject, rows: Sequence[Row], differing: Sequence[Difference] = (), *, whole: bool = False
) -> Forensics:
    """When what production has of a failed migration was written, and what that suggests.

    Args:
        target: production.
        subject: the failed migration.
        rows: the whole ledger.
        differing: what production has otherwise than the script.
        whole: the attempt's script is known to have run as one transaction.
    """
    replay, attempt = replay_of(subject), latest_attempt(subject)
    if replay is None or attempt is None:
        return Forensics()
    made = dict[Key, int]()
    for index, key in _in_production(replay, {**subject.production, **subject.reread}):
        made.setdefault(key, index)
    other = dict.fromkeys((d.object, _part(d.property)) for d in differing if d.actual is not None)
    try:
        scope = catalog.scope_of(obj for obj, _ in (*made, *other))
        marks = read(target.reading(), target.url.schema, scope)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled, psycopg.errors.InsufficientPrivilege):
        return Forensics()
    row = marks.rows.get(attempt.id)
    if row is None:
        return Forensics()
    beside = ledger(attempt, rows, marks, whole=whole and len(subject.attempts) == 1)
    came = came_to(subject.attempts, replay)
    found = [(key, index, marks.objects[key]) for key, index in made.items() if key in marks.objects]
    more = [(key, None, marks.objects[key]) for key in other if key in marks.objects and key not in made]
    traces = _traces([*found, *more], beside, marks, came)
    listed, numbers = traces[: len(found)], [written.transaction for _, _, written in found]
    origin = Origin(row.owner, _pace(numbers), traces[len(found) :])
    if not listed:
        return Forensics(origin=origin)
    sentences = _sentences(listed, numbers, beside, marks)
    if beside.restored:
        sentences = (*sentences, "Several rows of the ledger were written at once, as by a restore: they date nothing.")
    return Forensics(listed, sentences, origin)


def _traces(
    found: Sequence[tuple[Key, int | None, Written]], beside: Ledger, marks: Marks, came: CameTo
) -> tuple[Trace, ...]:
    numbers = {number: n for n, number in enumerate(dict.fromkeys(each.transaction for _, _, each in found), 1)}
    traces = [
        Trace(
            obj if part == "exists" else f"{obj} {part}".rstrip(),
            "unknown" if beside.restored else _order(written, beside.written),
            numbers[written.transaction],
            written.owner,
            marks.times.get(written.transaction),
            *beside.beside(written),
            *attributed(written, index, beside, came),
        )
        for (obj, part), index, written in found
    ]
    sure = {trace.transaction: trace for trace in reversed(traces) if trace.certainty == "strong"}
    return tuple(_with(trace, sure.get(trace.transaction, trace)) for trace in traces)


def _with(trace: Trace, sure: Trace) -> Trace:
    """What one transaction wrote is one's work."""
    if trace.certainty == "strong" or sure is trace:
        return trace
    return replace(trace, by=sure.by, certainty="strong", why=f"the transaction that wrote {sure.object} wrote it")


def _pace(numbers: Sequence[int]) -> str:
    """In how many sittings it was made; empty for a single trace."""
    different = sorted(set(numbers))
    if len(numbers) < 2:  # noqa: PLR2004 - one says nothing of a pace
        return ""
    if len(different) == 1:
        return "one_transaction"
    return "consecutive" if _adjacent(different) else "scattered"


def replay_of(subject: Subject) -> Replay | None:
    """The steps of the script that the latest attempts ran; None if there are none."""
    ran = {row.checksum for row in subject.attempts}
    return next((replay for replay in reversed(subject.replays) if replay.checksum in ran), None)


def _in_production(replay: Replay, production: Snapshot) -> Iterator[tuple[int, Key]]:
    """What of each step is there, with its statement: the objects it makes, else the parts that it changes."""
    for index, (before, after) in enumerate(pairwise(replay.steps), 1):
        own = {key for key in replay.footprint if before.get(key) != after.get(key) and key in after}
        made = {obj for obj, prop in own if prop == "exists" and (obj, prop) not in before}
        with_table = any(obj.startswith("table ") for obj in made)
        for obj, prop in sorted(own, key=lambda key: (not key[0].startswith("table "), key)):
            if obj in made:
                # The indexes and sequences that come with a table are made with it.
                if prop == "exists" and (obj, prop) in production and not _comes_along(obj, with_table=with_table):
                    yield index, (obj, prop)
            elif not made and production.get((obj, prop)) == after[obj, prop]:
                yield index, (obj, _part(prop))


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
_OURS = "the failed attempt's own work"
#: `prisma db push` commits each statement by itself.
_BY_HAND_AT_ONCE = "work by hand"
_BY_HAND = "work by hand or by `prisma db push`"


def _sentences(listed: Sequence[Trace], numbers: Sequence[int], beside: Ledger, marks: Marks) -> tuple[str, ...]:
    """How they were written, when, whose they are, and what that looks like."""
    row = beside.written
    orders = tuple(order for order in _WHEN if any(trace.order == order for trace in listed))
    many = len(listed) > 1
    how = f" {_how(numbers)}," if many else ""
    what = f"{len(listed)} objects or parts of it are" if many else "1 object or part of it is"
    when, looks = "some at another time than the others", ""
    if len(orders) == 1:
        when, looks = _when(orders[0], numbers, beside)
    sentences = [f"{what} in production, made or last changed{how} {when}."]
    if len(orders) > 1:
        sentences += [f"{_WHEN[o]}: {', '.join(trace.object for trace in listed if trace.order == o)}." for o in orders]
    owners = sorted({trace.owner for trace in listed})
    if owners == [row.owner]:
        sentences.append(f"Owner: {row.owner}, as of the ledger.")
        looks = _agreed(listed, one=len(set(numbers)) == 1) or looks
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


def _agreed(listed: Sequence[Trace], *, one: bool) -> str:
    """What it looks like where every trace says the same for certain; it then says more than the order of writing."""
    if {trace.certainty for trace in listed} != {"strong"} or len({trace.by for trace in listed}) > 1:
        return ""
    whose = _OURS if listed[0].by == "attempt" else _BY_HAND_AT_ONCE if one and len(listed) > 1 else _BY_HAND
    whys = list(dict.fromkeys(trace.why for trace in listed))
    return f"{whose}: {whys[0]}" if len(whys) == 1 else whose


def _how(numbers: Sequence[int]) -> str:
    """By how many transactions, and in which order."""
    if len(set(numbers)) == 1:
        return "in one transaction"
    if sorted(set(numbers)) == list(numbers):
        return "one by one in the script's order"
    order = "in the script's order" if sorted(numbers) == list(numbers) else "not in the script's order"
    return f"by {len(set(numbers))} transactions, {order}"


def _adjacent(numbers: Sequence[int]) -> bool:
    return all(0 < later - earlier <= NEXT for earlier, later in pairwise(numbers))


def _when(order: str, numbers: Sequence[int], beside: Ledger) -> tuple[str, str]:
    """When they were written, as closely as the failed row tells, and what that looks like."""
    attempt, row, earlier, as_inserted = beside.attempt, beside.written.transaction, beside.earlier, beside.as_inserted
    one = len(set(numbers)) == 1
    in_a_row = one or _adjacent(numbers)
    if order == "after" and as_inserted:
        if in_a_row and 0 < numbers[0] - row <= NEXT:
            return "right after the failed attempt began", _WHOLE if one else _PIECES
        in_order = sorted(numbers) == list(numbers)
        return "after the failed attempt began", f"{_WHOLE}, or somebody's since" if in_order else _BY_HAND
    if order == "before" and (as_inserted or (earlier is not None and max(numbers) < earlier)):
        return "before the failed attempt began", f"{_BY_HAND}, or an earlier attempt's"
    if order == "before" and in_a_row and 0 < row - numbers[-1] <= NEXT:
        looks = _WHOLE if one and attempt.applied_steps_count else f"{_PIECES}, or somebody's just before"
        return "right before the failed row was last written", looks
    otherwise = {
        "before": "the attempt's work, or older work of somebody else",
        "same": "nothing that Prisma does",
        "after": f"{_BY_HAND}, since this attempt ended",
    }
    return _WHEN[order][0].lower() + _WHEN[order][1:], otherwise.get(order, "")
