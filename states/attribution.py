"""Whose work a trace looks like: that of a failed attempt, or somebody's work by hand or by `prisma db push`.

These are indications, and no verdict rests on them: on a quiet database, a change made by hand right after a crash
looks like Prisma's own work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from states.facts import Key, Row, Trace

#: Transaction numbers this far apart count as consecutive: a failed statement can use up the number between them.
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
#: Not `prisma db push`, which commits each statement by itself.
_BY_HAND_AT_ONCE = "work by hand"
_BY_HAND = "work by hand or by `prisma db push`"


@dataclass(frozen=True, slots=True)
class Written:
    """The last write of a row, in the catalog or in the ledger.

    Attributes:
        transaction: number of the transaction, counted without wrapping around: a higher one began to write later.
        certain: whether the number is certain; a very old write may be from before a wraparound.
        owner: owner of the object.
    """

    transaction: int
    certain: bool
    owner: str


@dataclass(frozen=True, slots=True)
class Marks:
    """The last writes of objects and of the ledger's rows.

    Attributes:
        objects: by object and part of it (`exists` for its creation, "" for its last change, `column x`).
        rows: the ledger's rows, by their id.
        times: when each transaction was committed, ISO 8601 in UTC; empty if the server does not keep these times
            (`track_commit_timestamp`).
    """

    objects: Mapping[Key, Written]
    rows: Mapping[str, Written]
    times: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class LedgerDates:
    """The ledger's rows as dates: they tell whether a trace was written before or after the failed attempt.

    Attributes:
        attempt: the row of the migration's latest attempt.
        written: the last write of that row.
        numbers: the migration whose row a transaction wrote last, by the transaction's number; certain numbers only.
        earlier: the newest transaction that wrote the row of a migration which ended before the attempt began; None
            if there is none.
        restored: several rows were written by one transaction, as by a restore, so they tell no times.
        whole: the attempt's script ran as one transaction.
        repeated: the migration was attempted before.
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
        """Whether the row is as Prisma inserted it: Prisma writes it again when the script fails or ends."""
        return not self.attempt.logs and not self.attempt.applied_steps_count and self.attempt.failed

    def beside(self, written: Written) -> tuple[str, str]:
        """The migrations whose rows were written last before `written`, and first after it; empty if not known."""
        if self.restored or not written.certain:
            return "", ""
        before = max((number for number in self.numbers if number < written.transaction), default=None)
        after = min((number for number in self.numbers if number > written.transaction), default=None)
        return self.numbers.get(before or -1, ""), self.numbers.get(after or -1, "")


def ledger_dates(attempt: Row, rows: Sequence[Row], marks: Marks, *, whole: bool) -> LedgerDates:
    """Reads from the ledger's rows what is needed to date traces.

    Args:
        attempt: the row of the migration's latest attempt.
        rows: every row of the ledger.
        marks: the transactions that wrote them.
        whole: the attempt's script ran as one transaction.
    """
    written = marks.rows[attempt.id]
    ended = [row for row in rows if row.finished and max(row.started_at, row.finished_at or "") < attempt.started_at]
    known = [marks.rows[row.id] for row in ended if row.id in marks.rows]
    return LedgerDates(
        attempt,
        written,
        {marks.rows[r.id].transaction: r.migration for r in rows if r.id in marks.rows and marks.rows[r.id].certain},
        # Both times come from clients' clocks, so this is only as exact as the clocks agree.
        max((e.transaction for e in known if e.certain and e.transaction < written.transaction), default=None),
        sum(each.transaction == written.transaction for each in marks.rows.values()) > 1,
        whole,
        any(row.migration == attempt.migration and row.started_at < attempt.started_at for row in rows),
    )


@dataclass(frozen=True, slots=True)
class CameTo:
    """How far the attempts came, judged by the object that PostgreSQL said already exists.

    Attributes:
        refused: index of the first statement that no attempt completed; None if unknown.
        ran: indexes of statements that the attempt must have run before it was refused, if there was only one: they are
            not conditional, so they would have failed had their effect been there before.
    """

    refused: int | None = None
    ran: frozenset[int] = frozenset()


def traces_of(
    found: Sequence[tuple[Key, int | None, Written]], beside: LedgerDates, marks: Marks, came: CameTo
) -> tuple[Trace, ...]:
    """A trace of each object or part found, with whose work it looks like.

    Args:
        found: the object with its part, the index of the statement that makes it (None if the script does not make
            it), and its last write.
        beside: the dates that the ledger's rows give.
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
    """Whose work an object looks like.

    Args:
        written: the last write of the object, or of a part of it.
        index: index of the statement that makes it; None if it is not as the script makes it.
        beside: the dates that the ledger's rows give.
        came: how far the attempts came.

    Returns:
        Whose work it looks like (attempt, somebody, either, unknown), the certainty of that (strong, weak, none), and
        the reason.
    """
    if index is not None and came.refused is not None and index >= came.refused:
        return "somebody", "strong", f"PostgreSQL refused statement {came.refused}, so no attempt got as far as this"
    if beside.whole and beside.attempt.logs:
        return "somebody", "strong", "the attempt ran as one transaction and failed, so it left nothing"
    if written.owner != beside.written.owner:
        return "somebody", "strong", f"{written.owner} owns it, not Prisma's role {beside.written.owner}"
    if beside.restored or not beside.written.certain or not written.certain:
        return "unknown", "none", "the ledger's rows don't tell when it was written"
    number, row = written.transaction, beside.written.transaction
    if number == row:
        return "unknown", "none", "the transaction that wrote the failed row wrote it too, which Prisma never does"
    if number < row:
        if beside.as_inserted or (beside.earlier is not None and number < beside.earlier):
            if beside.repeated:
                return "either", "weak", "it was written before this attempt began, by an earlier one or by somebody"
            return "somebody", "strong", "it was written before the failed attempt began"
        if index in came.ran and not beside.whole:
            return "attempt", "strong", f"the attempt ran it, and was then refused at statement {came.refused}"
        return "either", "weak", "it was written before the failed row was, by the attempt or by somebody earlier"
    if not beside.as_inserted:
        return "somebody", "strong", "it was written after the failed attempt had ended"
    return "attempt", "weak", "it was written after the attempt began; a later change by hand would look the same"


def _with(trace: Trace, sure: Trace) -> Trace:
    """Gives a trace the certainty of another one that the same transaction wrote: both are the same one's work."""
    if trace.certainty == "strong" or sure is trace:
        return trace
    return replace(trace, by=sure.by, certainty="strong", why=f"the transaction that wrote {sure.object} wrote it")


def _order(written: Written, row: Written) -> str:
    """Whether a write came before or after that of the failed row, in the same transaction, or is unknown."""
    if not row.certain:
        return "unknown"
    if written.transaction == row.transaction:
        return "same"
    # An uncertain number only means that the write can be older still.
    if written.transaction < row.transaction:
        return "before"
    return "after" if written.certain else "unknown"


def pace(numbers: Sequence[int]) -> str:
    """Whether the traces were written by one transaction, by consecutive ones, or scattered; empty for one trace."""
    different = sorted(set(numbers))
    if len(numbers) < 2:  # noqa: PLR2004 - a single trace has no pace
        return ""
    if len(different) == 1:
        return "one_transaction"
    return "consecutive" if _adjacent(different) else "scattered"


def _adjacent(numbers: Sequence[int]) -> bool:
    return all(0 < later - earlier <= NEXT for earlier, later in pairwise(numbers))


def sentences_on(listed: Sequence[Trace], numbers: Sequence[int], beside: LedgerDates, marks: Marks) -> tuple[str, ...]:
    """Sentences on how and when the traces were written, on their owners, and on whose work that looks like."""
    row = beside.written
    orders = tuple(order for order in _WHEN if any(trace.order == order for trace in listed))
    many = len(listed) > 1
    how = f" {_how(numbers)}," if many else ""
    what = f"{len(listed)} of the script's objects or parts are" if many else "1 of the script's objects or parts is"
    when, looks = "at different times", ""
    if len(orders) == 1:
        when, looks = _when(orders[0], numbers, beside)
    sentences = [f"{what} in production, made or last changed{how} {when}."]
    if len(orders) > 1:
        sentences += [f"{_WHEN[o]}: {', '.join(trace.object for trace in listed if trace.order == o)}." for o in orders]
    owners = sorted({trace.owner for trace in listed})
    if owners == [row.owner]:
        sentences.append(f"Owner: {row.owner}, who owns the ledger too.")
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
    """Whose work it is where every trace says the same with certainty; that outweighs the order of writing."""
    if {trace.certainty for trace in listed} != {"strong"} or len({trace.by for trace in listed}) > 1:
        return ""
    whose = _OURS if listed[0].by == "attempt" else _BY_HAND_AT_ONCE if one and len(listed) > 1 else _BY_HAND
    whys = list(dict.fromkeys(trace.why for trace in listed))
    return f"{whose}: {whys[0]}" if len(whys) == 1 else whose


def _how(numbers: Sequence[int]) -> str:
    """By how many transactions the traces were written, and in which order."""
    if len(set(numbers)) == 1:
        return "in one transaction"
    if sorted(set(numbers)) == list(numbers):
        return "one by one in the script's order"
    order = "in the script's order" if sorted(numbers) == list(numbers) else "not in the script's order"
    return f"by {len(set(numbers))} transactions, {order}"


def _when(order: str, numbers: Sequence[int], beside: LedgerDates) -> tuple[str, str]:
    """When the traces were written, relative to the failed row, and whose work that looks like."""
    attempt, row, earlier, as_inserted = beside.attempt, beside.written.transaction, beside.earlier, beside.as_inserted
    one = len(set(numbers)) == 1
    in_a_row = one or _adjacent(numbers)
    if order == "after" and as_inserted:
        if in_a_row and 0 < numbers[0] - row <= NEXT:
            return "right after the failed attempt began", _WHOLE if one else _PIECES
        in_order = sorted(numbers) == list(numbers)
        return "after the failed attempt began", f"{_WHOLE}, or a later change by hand" if in_order else _BY_HAND
    if order == "before" and (as_inserted or (earlier is not None and max(numbers) < earlier)):
        return "before the failed attempt began", f"{_BY_HAND}, or an earlier attempt's"
    if order == "before" and in_a_row and 0 < row - numbers[-1] <= NEXT:
        looks = _WHOLE if one and attempt.applied_steps_count else f"{_PIECES}, or a change by hand just before"
        return "right before the failed row was last written", looks
    otherwise = {
        "before": "the attempt's work, or older work of somebody else",
        "same": "nothing that Prisma does",
    }
    return _WHEN[order][0].lower() + _WHEN[order][1:], otherwise.get(order, "")
