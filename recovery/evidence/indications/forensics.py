"""When the script's objects in production were written, and what that suggests to a person.

These are indications, and no verdict rests on them: on a quiet database, a change made by hand right after a crash
looks like Prisma's own work.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import psycopg

from recovery.evidence.indications.marks import read
from recovery.evidence.indications.progress import came_to
from recovery.postgres import catalog
from recovery.postgres.target import Target
from states.attribution import ledger_dates, pace, sentences_on, traces_of
from states.comparison import Difference, column_of, taken_apart
from states.facts import Key, Origin, Replay, Row, Snapshot, Subject, Trace
from states.verdict import latest_attempt


@dataclass(frozen=True, slots=True)
class Forensics:
    """Traces of the failed script in production, and what they suggest.

    Attributes:
        traces: one for each object or part that the script makes and production has, in the script's order.
        sentences: what the traces suggest, for people.
        origin: how the objects came about, and the traces of those that differ from the script.
    """

    traces: tuple[Trace, ...] = ()
    sentences: tuple[str, ...] = ()
    origin: Origin = Origin()  # noqa: RUF009 - frozen, and empty


def forensics(
    target: Target, subject: Subject, rows: Sequence[Row], differing: Sequence[Difference] = (), *, whole: bool = False
) -> Forensics:
    """When production's objects of a failed migration were written, and what that suggests.

    Args:
        target: production.
        subject: the failed migration.
        rows: every row of the ledger.
        differing: properties in which production differs from the script.
        whole: the attempt's script is known to have run as one transaction.

    Returns:
        Empty if the catalog or the ledger can't be read, or if there is no attempt to compare with.
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
    beside = ledger_dates(attempt, rows, marks, whole=whole and len(subject.attempts) == 1)
    came = came_to(subject.attempts, replay)
    found = [(key, index, marks.objects[key]) for key, index in made.items() if key in marks.objects]
    more = [(key, None, marks.objects[key]) for key in other if key in marks.objects and key not in made]
    traces = traces_of([*found, *more], beside, marks, came)
    listed, numbers = traces[: len(found)], [written.transaction for _, _, written in found]
    origin = Origin(row.owner, pace(numbers), traces[len(found) :])
    if not listed:
        return Forensics(origin=origin)
    sentences = sentences_on(listed, numbers, beside, marks)
    if beside.restored:
        restored = "Several rows of the ledger were written at once, as by a restore, so they date nothing else."
        sentences = (*sentences, restored)
    return Forensics(listed, sentences, origin)


def replay_of(subject: Subject) -> Replay | None:
    """The replay of the script that the latest attempt ran; None if it was not replayed."""
    ran = {row.checksum for row in subject.attempts}
    return next((replay for replay in reversed(subject.replays) if replay.checksum in ran), None)


def _in_production(replay: Replay, production: Snapshot) -> Iterator[tuple[int, Key]]:
    """The effects of each statement that production has, with the statement's index.

    They are the objects that it makes, or, if it makes none, the parts of objects that it changes. What was so before
    the script tells nothing of it; nor does a comment, which stands in another row of the catalog than its object.
    """
    first = replay.steps[0]
    for index, (before, after) in enumerate(pairwise(replay.steps), 1):
        changed = {key for key in replay.footprint if before.get(key) != after.get(key) and key in after}
        own = {
            (obj, prop)
            for obj, prop in changed
            if (obj, prop) not in first or first[obj, prop] != production.get((obj, prop))
            if taken_apart(prop).detail != "comment"
        }
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
    """Whether an object is made by the same statement as its table."""
    return with_table and obj.startswith(("index ", "sequence "))


def _part(prop: str) -> str:
    """The part of an object whose row of the catalog holds a property, as `marks` names it."""
    if column := column_of(prop):
        return f"{column} default" if prop == f"{column} default" else column
    found = taken_apart(prop)
    if found.part and found.kind != "attribute":
        return found.part
    return prop if prop in ("labels", "exists") else ""
