"""Whose work a trace looks like: a failed attempt's, or somebody's by hand or by `prisma db push`.

It indicates, and never proves: on a quiet database somebody's hand right after a crash looks like Prisma's own work.
So no verdict rests on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from states.facts import Key, Row, Trace

#: A statement that fails can use up a number before the next write does.
NEXT = 2

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


@dataclass(frozen=True, slots=True)
class Written:
    """The last write of a row.

    Attributes:
        transaction: its number, counted without beginning anew: a higher one began to write later.
        certain: not so old that the number may stand for an older one, from before the numbers began anew.
        owner: of the object.
    """

    transaction: int
    certain: bool
    owner: str


@dataclass(frozen=True, slots=True)
class Marks:
    """Who wrote what.

    Attributes:
        objects: by object and part of it (`exists` for its making, "" for its last change, `column x`).
        rows: the ledger's, by their id.
        times: when a transaction was committed, ISO 8601 in UTC; empty where the server does not keep that.
    """

    objects: Mapping[Key, Written]
    rows: Mapping[str, Written]
    times: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class LedgerDates:
    """What the rows of the ledger tell of when something else was written.

    Attributes:
        attempt: the latest of the migration.
        written: its last write.
        numbers: by transaction, the migration whose row it wrote last; those that are dated for certain.
        earlier: the newest write of a migration that ended before the attempt began; None if there is none.
        restored: several rows were written at once, so they date nothing.
        whole: the attempt's script ran as one transaction.
        repeated: there were attempts before it.
    """

    attempt: Row
    written: Written
    numbers: Mapping[int, str]
    earlier: int | None
    restored: bool
    whole: bool
    repeated: bool

    @property
    def as_inserted(self) -> bool:
        """Prisma writes the row again when the script failed, and when it ended; until then it is as inserted."""
        return not self.attempt.logs and not self.attempt.applied_steps_count and self.attempt.failed

    def beside(self, written: Written) -> tuple[str, str]:
        """The migrations whose rows were written last before it, and first after it."""
        if self.restored or not written.certain:
            return "", ""
        before = max((number for number in self.numbers if number < written.transaction), default=None)
        after = min((number for number in self.numbers if number > written.transaction), default=None)
        return self.numbers.get(before or -1, ""), self.numbers.get(after or -1, "")


def ledger_dates(attempt: Row, rows: Sequence[Row], marks: Marks, *, whole: bool) -> LedgerDates:
    """The ledger beside which traces are dated."""
    written = marks.rows[attempt.id]
    ended = [row for row in rows if row.finished and max(row.started_at, row.finished_at or "") < attempt.started_at]
    known = [marks.rows[row.id] for row in ended if row.id in marks.rows]
    return LedgerDates(
        attempt,
        written,
        {marks.rows[r.id].transaction: r.migration for r in rows if r.id in marks.rows and marks.rows[r.id].certain},
        # Both times are clients' clocks, so this dates the attempt only as well as they agree.
        max((e.transaction for e in known if e.certain and e.transaction < written.transaction), default=None),
        sum(each.transaction == written.transaction for each in marks.rows.values()) > 1,
        whole,
        any(row.migration == attempt.migration and row.started_at < attempt.started_at for row in rows),
    )


@dataclass(frozen=True, slots=True)
class CameTo:
    """How far the attempts came, by what PostgreSQL found there already.

    Attributes:
        refused: the first statement that no attempt completed; None if unknown.
        ran: statements that the only attempt must have run before, since they fail where their effect is there.
    """

    refused: int | None = None
    ran: frozenset[int] = frozenset()


def traces_of(
    found: Sequence[tuple[Key, int | None, Written]], beside: LedgerDates, marks: Marks, came: CameTo
) -> tuple[Trace, ...]:
    """A trace of each thing found, with whose work it looks like.

    Args:
        found: the object with its part, the statement that makes it (None for what the script does not make), and its
            last write.
        beside: the ledger's rows, beside which it is dated.
        marks: when transactions were committed.
        came: how far the attempts came.
    """
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


def attributed(written: Written, index: int | None, beside: LedgerDates, came: CameTo) -> tuple[str, str, str]:
    """Whose work it looks like, how sure that is, and why.

    Args:
        written: the last write of an object, or a part of it.
        index: the statement of the script that makes it; None for what the script does not make so.
        beside: the ledger.
        came: how far the attempts came.
    """
    if index is not None and came.refused is not None and index >= came.refused:
        return "somebody", "strong", f"PostgreSQL refused statement {came.refused}, so no attempt came to make this"
    if beside.whole and beside.attempt.logs:
        return "somebody", "strong", "the attempt ran as one transaction and failed, so it left nothing"
    if written.owner != beside.written.owner:
        return "somebody", "strong", f"{written.owner} owns it, and Prisma's role ({beside.written.owner}) would"
    if beside.restored or not beside.written.certain or not written.certain:
        return "unknown", "none", "the ledger's rows don't date it"
    number, row = written.transaction, beside.written.transaction
    if number == row:
        return "unknown", "none", "the transaction that wrote the failed row wrote it, which Prisma does not do"
    if number < row:
        if beside.as_inserted or (beside.earlier is not None and number < beside.earlier):
            if beside.repeated:
                return "either", "weak", "it was written before this attempt began, by an earlier one or by somebody"
            return "somebody", "strong", "it was written before the failed attempt began"
        if index in came.ran and not beside.whole:
            return "attempt", "strong", f"the attempt ran it, then came to statement {came.refused} and was refused"
        return "either", "weak", "it was written before the failed row was, by the attempt or by somebody earlier"
    if not beside.as_inserted:
        return "somebody", "strong", "it was written after the failed attempt had ended"
    return "attempt", "weak", "it was written after the attempt began; somebody's hand since looks the same"


def _with(trace: Trace, sure: Trace) -> Trace:
    """What one transaction wrote is one's work."""
    if trace.certainty == "strong" or sure is trace:
        return trace
    return replace(trace, by=sure.by, certainty="strong", why=f"the transaction that wrote {sure.object} wrote it")


def _order(written: Written, row: Written) -> str:
    if not row.certain:
        return "unknown"
    if written.transaction == row.transaction:
        return "same"
    # What is too old to be dated for certain is older still than its number says.
    if written.transaction < row.transaction:
        return "before"
    return "after" if written.certain else "unknown"


def pace(numbers: Sequence[int]) -> str:
    """In how many sittings it was made; empty for a single trace."""
    different = sorted(set(numbers))
    if len(numbers) < 2:  # noqa: PLR2004 - one says nothing of a pace
        return ""
    if len(different) == 1:
        return "one_transaction"
    return "consecutive" if _adjacent(different) else "scattered"


def _adjacent(numbers: Sequence[int]) -> bool:
    return all(0 < later - earlier <= NEXT for earlier, later in pairwise(numbers))


def sentences_on(listed: Sequence[Trace], numbers: Sequence[int], beside: LedgerDates, marks: Marks) -> tuple[str, ...]:
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


def _when(order: str, numbers: Sequence[int], beside: LedgerDates) -> tuple[str, str]:
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
