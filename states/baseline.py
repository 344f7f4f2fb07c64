"""A baseline: how far production has the history where the ledger does not tell, and what may be marked then.

There is no ledger (Prisma says P3005), it lost rows, or `prisma db push` made the schema. Production is compared with
the state after every migration of the history, by the rules that decide a failed one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from states.comparison import Difference, differences, is_next_value
from states.evidence import Decision, Evidence, Verdict
from states.facts import History, Key, Replay, Row, Snapshot, Statement, Visibility
from states.ledger import order
from states.presence import Delta

#: How many names a sentence lists at most.
_SOME = 3


@dataclass(frozen=True, slots=True)
class OpenWork:
    """A statement of which the schema does not show whether its work is in production.

    Attributes:
        migration: the migration that it belongs to.
        statement: its number; 0 for the migration as a whole.
        sql: its text; empty for the migration as a whole.
        why: why the schema does not show it, as a clause.
    """

    migration: str
    statement: int
    sql: str
    why: str


@dataclass(frozen=True, slots=True)
class Past:
    """The whole history beside production.

    Attributes:
        names: every migration, in the order of the history: the finished ones, and the folder's others among and after
            them.
        start: the schema before the first.
        changes: for each migration, what it changes of the schema.
        footprint: every property that the history changes.
        created: every object that it makes.
        named: for each migration, the qualified names that its script mentions.
        ran: names that Prisma ran to their end: finished, with a step.
        stamped: names that were marked as applied: finished, without a step.
        attempted: names with an unfinished or a rolled-back row only.
        still: names that change nothing, however often they run.
        production: the footprint's properties in production, as the scratch server writes them.
        opened: the open work of all migrations that did not run by the ledger.
        unknown: why a finished migration is not part of the comparison; empty if all are.
        running: what may still be at work on the history's tables, as sentences.
        ledger: whether there is a ledger table.
        others: tables and views of the schema that the history does not make.
    """

    names: tuple[str, ...]
    start: Snapshot
    changes: tuple[Delta, ...]
    footprint: frozenset[Key]
    created: frozenset[str]
    named: tuple[frozenset[str], ...] = ()
    ran: frozenset[str] = frozenset()
    stamped: frozenset[str] = frozenset()
    attempted: frozenset[str] = frozenset()
    still: frozenset[str] = frozenset()
    production: Snapshot = field(default_factory=dict)
    opened: tuple[OpenWork, ...] = ()
    unknown: str = ""
    running: tuple[str, ...] = ()
    ledger: bool = True
    others: tuple[str, ...] = ()

    def place(self, names: frozenset[str]) -> int:
        """How many migrations there are up to the last one of these."""
        return max((number for number, name in enumerate(self.names, start=1) if name in names), default=0)

    def lacking(self, places: range) -> tuple[str, ...]:
        """The names at these places, from 0, of which the ledger has no row."""
        known = self.ran | self.stamped | self.attempted
        return tuple(name for name in (self.names[place] for place in places) if name not in known)


@dataclass(frozen=True, slots=True)
class Baseline:
    """How far production has the history; the fields are those of `inspect --json`.

    Attributes:
        verdict: applied (production equals the history up to `up_to`), undecidable (it does, and the schema can't show
            the rest), drifted (it equals the history nowhere), not_applied (it has nothing of it), in_progress.
        decision: mark_applied, operator, or wait.
        up_to: the last migration that production certainly shows; empty if there is none.
        range: `up_to`, and the later migrations up to which production may have the history just as well.
        marked: the migrations up to `up_to` that the ledger lacks.
        lacking: the same up to the last one of `range`.
        open: statements of `lacking` whose work on rows no schema shows.
        nearest: where production equals the history nowhere, the migration after which it is most alike.
        differences: how production differs from that.
        others: tables and views of the schema that are not the history's.
        reasons: the reasons for the verdict, in sentences.
        evidence_digest: a name for exactly this evidence. It stays the same while migrations are being marked.
    """

    verdict: Verdict
    decision: Decision
    up_to: str = ""
    range: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    open: tuple[OpenWork, ...] = ()
    nearest: str = ""
    differences: tuple[Difference, ...] = ()
    others: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    evidence_digest: str = ""

    def marks(self, up_to: str) -> tuple[str, ...]:
        """The migrations to mark if production has the history up to this one of the range."""
        return self.lacking[: self.lacking.index(up_to) + 1] if up_to in self.lacking else self.marked


def looked_for(history: History, rows: Sequence[Row], *, begun: bool) -> bool:
    """Whether the ledger may have lost rows, so that production has to be compared with the whole history.

    It may have if it shows no finished migration, or lacks one from before all that finished.

    Args:
        history: the ledger beside the folder.
        rows: the rows of the ledger.
        begun: this run has begun a baseline.
    """
    tried = {row.migration for row in rows}
    lacking = [name for name in history.pending if name not in tried]
    if not lacking:
        return False
    return begun or not history.applied or order(lacking[0]) < min(map(order, history.applied))


def overwritten(found: Iterable[Evidence]) -> bool:
    """Whether a deploy would fail on pending migrations, which may be as they are because a later one changed them.

    Args:
        found: the evidence on the pending migrations that production has something of.
    """
    return any(each.decision is Decision.OPERATOR for each in found)


def tells_more(baseline: Baseline) -> bool:
    """Whether a baseline tells more than the comparison of pending migrations one by one."""
    return baseline.decision is Decision.MARK_APPLIED or len(baseline.lacking) > 1


def in_order(finished: Sequence[str], folder: Sequence[str]) -> tuple[str, ...]:
    """The whole history: the finished migrations in their order, and each other one before the first that sorts after.

    Args:
        finished: names of the finished ones, in order of `finished_at`.
        folder: names in the folder, in Prisma's order.
    """
    others = [name for name in folder if name not in set(finished)]
    found: list[str] = []
    for name in finished:
        while others and order(others[0]) < order(name):
            found.append(others.pop(0))
        found.append(name)
    return (*found, *others)


def steps(past: Past) -> Iterator[dict[Key, str]]:
    """The schema before the first migration, and after each one: S₀ … Sₙ. Each is valid until the next is taken."""
    now = dict(past.start)
    yield now
    for change in past.changes:
        for key, value in change.items():
            if value is None:
                now.pop(key, None)
            else:
                now[key] = value
        yield now


def _decides(key: Key) -> bool:
    """Whether a property that is not equal is a difference in any case. Of the others `differences` decides."""
    return not is_next_value(key) and key[1] != "body"


def _unequal(past: Past) -> list[int]:
    """For S₀ … Sₙ, the number of properties in which production certainly differs; each change is looked at once."""
    counted = [key for key in past.footprint if _decides(key)]
    wrong = {key for key in counted if past.start.get(key) != past.production.get(key)}
    found = [len(wrong)]
    for change in past.changes:
        for key, value in change.items():
            if key in past.footprint and _decides(key):
                (wrong.discard if value == past.production.get(key) else wrong.add)(key)
        found.append(len(wrong))
    return found


def _differing(past: Past, place: int, at: Snapshot) -> tuple[Difference, ...]:
    """How production differs from the schema after the first `place` migrations."""
    rows = Visibility.OPEN if past.opened else Visibility.SEEN
    replay = Replay(
        checksum="",
        statements=(Statement(1, "", Visibility.SEEN), Statement(2, "", rows)),
        steps=(past.start, at),
        footprint=past.footprint,
        created=past.created,
        named=frozenset[str]().union(*past.named[:place]),
    )
    return differences(replay, 1, past.production)


def equal_to(past: Past) -> tuple[tuple[int, ...], int, tuple[Difference, ...]]:
    """The places at which production equals the history; the nearest place, and how production differs from that.

    A place is a number of migrations. Only those count that hold all that Prisma ran by the ledger.
    """
    first, counts = past.place(past.ran), _unequal(past)
    near = min(range(first, len(counts)), key=lambda place: (counts[place], -place))
    equal: list[int] = []
    found: tuple[Difference, ...] = ()
    for place, at in enumerate(steps(past)):
        if place < first or (counts[place] and place != near):
            continue
        differing = _differing(past, place, at)
        if not differing:
            equal.append(place)
        if place == near:
            found = differing
    return tuple(equal), near, found


def judge(past: Past, digest: str) -> Baseline | None:
    """The baseline; None if there is nothing to tell that the comparison of pending migrations does not tell.

    Args:
        past: the history beside production.
        digest: the name of this evidence.
    """
    if past.unknown:
        return None
    equal, near, found = equal_to(past)
    recorded = past.place(past.ran | past.stamped)
    at = [place for place in equal if place >= recorded]
    first = Baseline(Verdict.DRIFTED, Decision.OPERATOR, others=past.others, evidence_digest=digest)
    if not at:
        return None if past.ran or past.stamped else _nowhere(past, first, near, found)
    shows = [any(key in past.footprint and not is_next_value(key) for key in change) for change in past.changes]
    not_run = [n for n in range(at[0]) if shows[n] and past.names[n] not in past.ran | past.attempted]
    certain = not_run[-1] + 1 if not_run else 0
    if not certain and len(at) == at[-1] - at[0] + 1:
        return None if past.ledger or at[0] else _nothing(first, past)
    further = tuple(
        name
        for name in past.lacking(range(certain, at[-1]))
        if (place := past.names.index(name) + 1) in equal or place < recorded
    )
    unsure = [name for name in further if name not in past.still]
    up_to = past.names[certain - 1] if certain else ""
    marked, lacking = past.lacking(range(certain)), past.lacking(range(at[-1]))
    if not marked and not unsure:
        return None
    whole, kept = ((up_to, *further), lacking) if unsure else ((up_to,), marked)
    opened = tuple(each for each in past.opened if each.migration in kept)
    base = replace(first, up_to=up_to, range=whole, marked=marked, lacking=kept, open=opened)
    if past.running:
        return replace(base, verdict=Verdict.IN_PROGRESS, decision=Decision.WAIT, reasons=past.running)
    last = past.names[at[0] - 1] if at[0] else ""
    said = f"Production equals the history up to {last}." if last else "Production shows nothing of the history."
    if not unsure and not opened:
        return replace(base, verdict=Verdict.APPLIED, decision=Decision.MARK_APPLIED, reasons=(said,))
    reasons = [said]
    if unsure:
        reasons.append(
            f"It would look the same with {listed(unsure)}: nothing in the schema shows whether "
            f"{'it' if len(unsure) == 1 else 'they'} ran."
        )
    if opened:
        names = tuple(dict.fromkeys(each.migration for each in opened))
        reasons.append(
            f"{'A statement' if len(opened) == 1 else f'{len(opened)} statements'} of {listed(names)} did work that "
            "the schema does not show. With `prisma db push` it was never done."
        )
    return replace(base, verdict=Verdict.UNDECIDABLE, decision=Decision.OPERATOR, reasons=tuple(reasons))


def _nowhere(past: Past, first: Baseline, near: int, found: tuple[Difference, ...]) -> Baseline:
    name = past.names[near - 1] if near else ""
    where = f"after {name}" if name else "before the first migration"
    return replace(
        first,
        nearest=name,
        differences=found,
        reasons=(f"Production equals the history after none of its migrations. Shown is how it differs {where}.",),
    )


def _nothing(first: Baseline, past: Past) -> Baseline:
    there = f": {listed(past.others)}" if past.others else ""
    return replace(
        first,
        verdict=Verdict.NOT_APPLIED,
        reasons=(f"The schema has no ledger and is not empty, and nothing in it is the history's{there}.",),
    )


def listed(names: Sequence[str]) -> str:
    """The first few names, for a sentence."""
    more = f" and {len(names) - _SOME} more" if len(names) > _SOME else ""
    return ", ".join(names[:_SOME]) + more
