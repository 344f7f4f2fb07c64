"""Conclusions from the ledger's rows alone: the order of migrations, and whether the effects of a run still show."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from states.effects import MarkApplied, Resolution, of_id
from states.facts import History, Row

#: ASCII's punctuation in the order of the Unicode collation; digits come after it, then letters.
_PUNCTUATION = """ _-,;:!?.'"()[]{}@*&#%`^+<=>|~$"""


#: A time after every time in a ledger.
_LATER_THAN_ALL = "9999-12-31T23:59:59"
#: After so many transactions the server begins to count anew.
_TRANSACTIONS = 2**32
#: By how many days two clocks are taken to differ at most. Within this time no server comes by half of its numbers,
#: after which these would not tell which of two is the later one.
_WRONG_BY_DAYS = 7


@lru_cache(maxsize=4096)
def order(name: str) -> tuple[list[int], list[bool], str]:
    """The sort key that puts names in the order in which Prisma 6.19 deploys them.

    Prisma sorts by JavaScript's `localeCompare`, not by bytes. The two orders differ if a timestamp is not of full
    length: `20260101_b` comes before `20260101000000_a`.
    """
    places = [_PUNCTUATION.find(c) if c in _PUNCTUATION else len(_PUNCTUATION) + ord(c.lower()[0]) for c in name]
    return places, [c.isupper() for c in name], name


def side_by_side(rows: Sequence[Row], folder: Sequence[str], differing: Collection[str]) -> History:
    """Compares the ledger with the migrations folder as Prisma does.

    Args:
        rows: the rows of the ledger, oldest attempt first.
        folder: names of the migrations on disk, in Prisma's order.
        differing: applied names whose file on disk has another checksum than their finished row.
    """
    applied = tuple(dict.fromkeys(row.migration for row in in_order_of_finishing(rows)))
    unfinished = tuple(dict.fromkeys(row.migration for row in rows if row.failed))
    known = {row.migration for row in rows if row.rolled_back_at is None}
    pending = tuple(name for name in folder if name not in known)
    tried = {row.migration for row in rows}
    present = set(folder)
    return History(
        applied=applied,
        failed=unfinished + tuple(name for name in pending if name in tried),
        pending=pending,
        modified=tuple(name for name in applied if name in differing),
        missing_locally=tuple(name for name in dict.fromkeys((*applied, *unfinished)) if name not in present),
    )


def in_order_of_finishing(rows: Sequence[Row]) -> list[Row]:
    """The finished rows in the order in which they finished, which may differ from the order of names (RULES E1).

    That is the order of `finished_at`, except where a clock that was set back shows: see `clock_was_set_back`.
    """
    found = sorted((row for row in rows if row.finished), key=lambda row: (row.finished_at or "", row.migration))
    moved = True
    while moved:  # it ends, since each exchange brings two names into Prisma's order
        moved = False
        for at in range(len(found) - 1):
            if clock_was_set_back(found[at + 1], found[at]):
                found[at], found[at + 1] = found[at + 1], found[at]
                moved = True
    return found


def clock_was_set_back(first: Row, then: Row) -> bool:
    """Whether `first` was written before `then`, although their times say the opposite.

    The times are the clients', and a client's clock can be wrong. PostgreSQL numbers its transactions itself, and
    Prisma runs migrations one after another, so the numbers tell the order too; but a row that somebody edited has a
    later one. So times are overruled only where two witnesses agree against them: the server's numbers, and the order
    in which Prisma deploys. A late merge has the numbers on its side. After a restore all rows have the same number,
    and the times stand.

    Args:
        first: the row that sorts first by its name.
        then: the other one.
    """
    if first.transaction is None or then.transaction is None or not order(first.migration) < order(then.migration):
        return False
    between = (then.transaction - first.transaction) % _TRANSACTIONS
    if not 0 < between < _TRANSACTIONS // 2:
        return False
    return abs(_day(first) - _day(then)) < _WRONG_BY_DAYS


def _day(row: Row) -> int:
    """The day on which the row was finished, or begun, as a number that grows by one each day."""
    time = row.finished_at or row.started_at
    year, month, day = int(time[:4]), int(time[5:7]), int(time[8:10])
    if month <= 2:  # noqa: PLR2004 - a year is counted from March, so that a leap day is its last
        year, month = year - 1, month + 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day


def in_order_of_history(rows: Sequence[Row], folder: Collection[str]) -> list[Row]:
    """The finished rows in the order in which their scripts came to be in production.

    That is the order of `finished_at`. But where a ledger began too late, its first migrations were marked after the
    others ran: when a migration was marked does not tell when it ran. Marks that sort before everything that ran come
    first, by name, if the folder still holds all that ran, so that none of them can be a squash of the others.
    """
    finished = in_order_of_finishing(rows)
    ran = [row for row in finished if row.applied_steps_count >= 1]
    if not ran or any(row.migration not in folder for row in ran):
        return finished
    first = min(order(row.migration) for row in ran)
    names = [row.migration for row in rows]
    early = [
        row
        for row in finished
        if row.applied_steps_count == 0 and order(row.migration) < first and names.count(row.migration) == 1
    ]
    return [*sorted(early, key=lambda row: order(row.migration)), *(row for row in finished if row not in early)]


def later_than(name: str, attempts: Sequence[Row], rows: Sequence[Row]) -> frozenset[str]:
    """Finished migrations that may have changed the footprint of a failed one (RULES E10).

    These are the migrations that sort after it, and those that finished after its first attempt began. One that sorts
    before it, was attempted before it, and was only marked as finished since, is not among them: what it did comes
    before the failed one, whenever somebody recorded it (RULES E30). The times are believed here: a clock that was set
    back can add one to these, which a person then looks at, and leaves none out.

    Args:
        name: the failed migration.
        attempts: its rows; at least one.
        rows: all rows of the ledger.
    """
    began = min(row.started_at for row in attempts)
    return frozenset(
        row.migration
        for row in rows
        if row.finished
        and row.migration != name
        and (
            order(row.migration) > order(name)
            or ((row.finished_at or "") > began and not _marked_since(row, rows, began))
        )
    )


def _marked_since(finished: Row, rows: Sequence[Row], began: str) -> bool:
    """Whether a finished row is a mark (`resolve --applied`) on a migration that was attempted before this time."""
    return finished.applied_steps_count == 0 and any(
        row.migration == finished.migration and row.rolled_back_at is not None and row.started_at < began
        for row in rows
    )


def earlier_failed(name: str, history: History) -> tuple[str, ...]:
    """The failed migrations that a run resolves before this one, in their order (RULES E30)."""
    failed = history.failed
    return failed[: failed.index(name)] if name in failed else ()


def foreseen(effect: Resolution, checksum: str, rows: Sequence[Row]) -> tuple[Row, ...]:
    """The ledger as Prisma leaves it after such a mark, which comes after everything that the ledger holds.

    Args:
        effect: the mark.
        checksum: SHA-256 of the migration's present file, which `resolve --applied` records.
        rows: the ledger before it.
    """
    now = f"{_LATER_THAN_ALL} {len(rows):06}"
    marked = [
        replace(row, rolled_back_at=now) if row.migration == effect.migration and row.failed else row for row in rows
    ]
    if isinstance(effect, MarkApplied):
        marked.append(Row(f"mark of {effect.migration}", effect.migration, checksum, now, now, None, 0, None))
    return tuple(marked)


def under_present_names(
    rows: Sequence[Row], folder: Sequence[str], repeats: Callable[[Row, str], bool]
) -> tuple[Row, ...]:
    """The rows, in which rolled-back attempts at a migration that was renamed since bear its present name (RULES E2).

    To Prisma the renamed folder is a migration that was never attempted, and a deploy would repeat what they did.

    Args:
        rows: the rows of the ledger.
        folder: names of the migrations on disk.
        repeats: whether the script of this name would do again what an attempt may have done.
    """
    kept = {row.migration for row in rows if row.rolled_back_at is None} | set(folder)
    if all(row.migration in kept for row in rows):
        return tuple(rows)
    open_names = [name for name in folder if not any(row.migration == name and row.finished for row in rows)]
    found: list[Row] = []
    for row in rows:
        names = [] if row.migration in kept else [name for name in open_names if repeats(row, name)]
        found += [replace(row, migration=name) for name in names] or [row]
    return tuple(found)


def finished_as(rows: Sequence[Row], folder: Collection[str], same: Callable[[Row], bool]) -> Row | None:
    """The finished row of a name that the folder has lost, with the same script; None if there is none (RULES E27).

    One that Prisma saw run to its end comes before one that was only marked.

    Args:
        rows: the rows of the ledger.
        folder: names of the migrations on disk.
        same: whether a row is of the script in question.
    """
    found = [row for row in rows if row.finished and row.migration not in folder and same(row)]
    return max(found, key=lambda row: row.applied_steps_count, default=None)


def lost_effect(resolved: Mapping[str, str], rows: Sequence[Row]) -> str | None:
    """The first migration whose mark by a run the ledger no longer shows; None if it shows all marks (RULES F10).

    If a mark is lost, the database was restored or replaced since, so the run's journal does not apply to it any more.

    Args:
        resolved: the id of the effect by which the run resolved each migration, by the migration's name.
        rows: the ledger now.
    """
    for name, effect in resolved.items():
        mine = [row for row in rows if row.migration == name]
        if not mine or (isinstance(of_id(effect, ()), MarkApplied) and not any(row.finished for row in mine)):
            return name
    return None


def still_settled(settled: Mapping[str, frozenset[str]], rows: Sequence[Row]) -> frozenset[str]:
    """Migrations that a run has marked rolled back and that were not attempted again since.

    Args:
        settled: for each migration, the ids of all its rows when it was marked.
        rows: the ledger now.
    """
    ids = {name: {row.id for row in rows if row.migration == name} for name in settled}
    return frozenset(name for name, then in settled.items() if ids[name] == then)
