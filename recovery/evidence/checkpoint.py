"""A stamped squash as the beginning of the history, in the place of migrations that are gone (RULES E27).

Prisma's way to squash: the old migrations are deleted, one script that makes the whole schema is put in their place,
and it is marked as applied in production, where it never runs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from recovery.replay.workshop import Workshop
from recovery.sql.script import Script
from recovery.sql.statements import ScriptError, parse
from states.comparison import column_of, is_next_value, is_remark, qualified_name
from states.facts import Key, Note, Replay, Row, Snapshot, Visibility
from states.ledger import in_order_of_finishing, order

#: Statements of which the schema shows all that they do, or that do nothing.
_SHOWN = (Visibility.SEEN, Visibility.INERT)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A stamped squash, and what it stands for.

    Attributes:
        script: the squash.
        before: scripts of the migrations whose place it takes, as far as they were found.
        lost: names of those that were not found.
        since: the scripts that belong after it, in their order.
    """

    script: Script
    before: tuple[Script, ...]
    lost: tuple[str, ...]
    since: tuple[Script, ...]

    @property
    def base(self) -> list[Script]:
        """The history from the squash on."""
        return [self.script, *self.since]


def stamped_squash(
    rows: Sequence[Row], base: Sequence[Script], folder: Mapping[str, str], lost: Collection[str]
) -> Checkpoint | None:
    """The stamped squash that stands for the migrations before it; None if there is none, or if that is not certain.

    It is the only row of its name, no script ever ran by it, and it sorts before every migration that the folder holds.
    All that finished before it is gone from the folder, or sorts after it and so was not squashed.

    Args:
        rows: the rows of the ledger.
        base: the scripts of the finished ones, in their order.
        folder: the checksum of each migration that the folder holds, by its name.
        lost: names of finished migrations whose script was not found.
    """
    finished = in_order_of_finishing(rows)
    scripts = {script.migration: script for script in base}
    for place, row in enumerate(finished):
        name = row.migration
        if not (row.applied_steps_count == 0 and name in scripts and folder.get(name) == row.checksum):
            continue
        earlier = list(dict.fromkeys(each.migration for each in finished[:place]))
        if not earlier or sum(each.migration == name for each in rows) > 1:
            continue
        if name in earlier or not set(lost) <= set(earlier) or any(order(each) < order(name) for each in folder):
            continue
        gone = [each for each in earlier if each not in folder]
        renamed = {each.checksum for each in finished[:place] if each.migration in gone} & set(folder.values())
        if not gone or renamed:
            continue
        since = tuple(script for script in base if script.migration not in (*gone, name))
        return Checkpoint(scripts[name], tuple(scripts[each] for each in gone if each in scripts), tuple(lost), since)
    return None


def made_by(workshop: Workshop, scripts: list[Script]) -> Snapshot | None:
    """The whole schema that scripts make from nothing; None if not all of them could be replayed."""

    def make() -> Snapshot | None:
        history = workshop.history(scripts)
        if any(note.statement is None or note.failed for note in history.skipped):
            return None
        return lasting(history.snapshot())

    return workshop.submit(make).result()


def stands_for_what_is_found(workshop: Workshop, point: Checkpoint) -> bool:
    """Whether a squash makes from nothing what the migrations before it make, all of which were found."""
    before, alone = (made_by(workshop, scripts) for scripts in (list(point.before), [point.script]))
    return before is not None and before == alone


def lasting(snapshot: Snapshot) -> dict[Key, str]:
    """What two histories must have made alike: all but remarks, and the numbers that sequences gave."""
    return {key: value for key, value in snapshot.items() if _counts(key)}


def shown_by(
    scripts: Sequence[Script], replays: Sequence[Replay], start: Snapshot, production: Snapshot, squash: str
) -> bool:
    """Whether production shows that a squash stands for lost migrations, as far as a failed one is concerned.

    Nothing can be compared with the lost ones. So the failed one must be of statements that the schema shows wholly.
    And each object that it names must be in production exactly as the squash makes it, but for what the failed one
    changes.

    Args:
        scripts: of the failed migration.
        replays: their replays on the squash.
        start: the whole schema before the failed one, as replayed.
        production: everything of the objects that the failed one names.
        squash: the name of the squash.
    """
    if not replays or any(not each.complete or _lacks(each.skipped, squash) for each in replays):
        return False
    if any(each.visibility not in _SHOWN for replay in replays for each in replay.statements):
        return False
    if any(_branches(script) for script in scripts):
        return False
    objects = {obj for replay in replays for obj, _ in replay.footprint}
    names = {name for obj in objects if (name := qualified_name(obj))}.union(*(replay.named for replay in replays))
    mine = {key for replay in replays for key in replay.footprint}
    made = {obj for replay in replays for obj in replay.created}
    added = {key for replay in replays for key in replay.added}
    # Of what the failed one takes away only the existence counts, and that is in its footprint.
    gone = {key for key in mine for replay in replays if key in replay.steps[0] and key not in replay.steps[-1]}

    def relevant(snapshot: Snapshot) -> dict[Key, str]:
        return {
            key: value
            for key, value in snapshot.items()
            if _counts(key)
            and key not in mine
            and key[0] not in made
            and (key[0], column_of(key[1])) not in added | gone
            and (key[0], "exists") not in gone
            and (key[0] in objects or qualified_name(key[0]) in names or snapshot.get((key[0], "table")) in names)
        }

    return relevant(start) == relevant(production)


def _counts(key: Key) -> bool:
    return not is_remark(key) and not is_next_value(key)


def _lacks(notes: Sequence[Note], migration: str) -> bool:
    return any(note.migration == migration and (note.statement is None or note.failed) for note in notes)


def _branches(script: Script) -> bool:
    """Whether a script asks what is there before it does something, in more than the names that it gives."""
    try:
        return any(statement.node == "do_stmt" for statement in parse(script.text))
    except ScriptError:
        return True
