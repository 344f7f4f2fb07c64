"""Whose work a trace looks like: a failed attempt's, or somebody's by hand or by `db push`. It indicates only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from recovery.evidence.indications.marks import Marks, Written
from recovery.prisma import logs
from states.comparison import column_of, qualified_name
from states.facts import Key, Replay, Row

_EXISTS = re.compile(r'(?:relation|type|schema) "(?P<name>.+)" already exists')
_COLUMN_EXISTS = re.compile(r'column "(?P<name>.+)" of relation "(?P<table>.+)" already exists')
#: A statement that fails can use up a number before the next write does.
NEXT = 2


@dataclass(frozen=True, slots=True)
class Ledger:
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


def ledger(attempt: Row, rows: Sequence[Row], marks: Marks, *, whole: bool) -> Ledger:
    """The ledger beside which traces are dated."""
    written = marks.rows[attempt.id]
    ended = [row for row in rows if row.finished and max(row.started_at, row.finished_at or "") < attempt.started_at]
    known = [marks.rows[row.id] for row in ended if row.id in marks.rows]
    return Ledger(
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


def came_to(attempts: Sequence[Row], replay: Replay) -> CameTo:
    """How far they came; nothing where the logs don't tell."""
    found = [_refused(row, replay) if row.checksum == replay.checksum else None for row in attempts]
    known = [index for index in found if index is not None]
    if not known or len(known) < len(found):
        return CameTo()
    before = (s.index for s in replay.statements if s.index < known[0] and not s.conditional)
    return CameTo(max(known), frozenset(before if len(known) == 1 else ()))


def _refused(row: Row, replay: Replay) -> int | None:
    said = logs.refused(row.logs) or ""
    column = _COLUMN_EXISTS.fullmatch(said)
    made = column or _EXISTS.fullmatch(said)
    if made is None:
        return None
    able = [
        index
        for index, (before, after) in enumerate(pairwise(replay.steps), 1)
        if any(key not in before and _is(key, made["name"], made["table"] if column else None) for key in after)
    ]
    return able[0] if len(able) == 1 else None


def _is(key: Key, name: str, table: str | None) -> bool:
    """An object of that name, or that column of that table."""
    obj, prop = key
    bare = _unquoted((qualified_name(obj) or obj).rpartition(".")[2].removeprefix("schema "))
    if table is None:
        return prop == "exists" and bare == name
    return bare == table and column_of(prop) == prop and _unquoted(prop.removeprefix("column ")) == name


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') and name.endswith('"') else name


def attributed(written: Written, index: int | None, beside: Ledger, came: CameTo) -> tuple[str, str, str]:
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
