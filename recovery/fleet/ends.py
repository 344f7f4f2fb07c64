"""The schema at the end of a history, replayed once for all databases that have this history.

Databases whose schemas have different names share a replay, too, as with one schema a tenant: it is made in a schema of
a name that no script can hold, and what is read of production is written with that name before it is compared.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from recovery.evidence.proof import Whole, end_of
from recovery.postgres import catalog
from recovery.postgres.catalog import Scope
from recovery.postgres.target import Target
from recovery.replay.workshop import Workshop
from recovery.sql.names import quoted
from recovery.sql.script import Script
from states.comparison import Difference, differences, is_remark
from states.facts import Replay, Snapshot

#: The schema in which a history is replayed for databases whose schemas have different names.
ANY_SCHEMA = "prisma_recovery_any_schema"
#: With one of these words a script can make something else in a schema of another name.
_TELLS_SCHEMAS_APART = re.compile(r"current_schema|search_path|nspname|table_schema|" + ANY_SCHEMA, re.IGNORECASE)
#: How many ends of histories are kept.
KEPT = 64
#: How many schemas are remembered that were found equal to an end, or not.
REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class End:
    """The schema that a history makes.

    Attributes:
        replay: the history as one step.
        scope: what to read of production; its schema is the one in which the history was replayed.
    """

    replay: Replay
    scope: Scope


@dataclass(frozen=True, slots=True)
class Asked:
    """A database that is to be compared with the end of its history.

    Attributes:
        target: the database.
        history: the scripts that its finished migrations ran, in order.
        marks: name and checksum of each script that is not in the history, and may have left something: a withdrawn
            attempt's, or one that was not found.
        texts: gives the texts of all scripts, of which stand-ins are made.
        closer: compares it by itself, on a replay of its own.
    """

    target: Target
    history: Sequence[Script]
    marks: tuple[str, ...]
    texts: Callable[[], Iterator[str]]
    closer: Callable[[], Whole]


class Ends:
    """The ends of histories. Can be used from any thread; replays are made one at a time."""

    def __init__(self, workshop: Workshop, schema: str) -> None:
        """Replays nothing yet.

        Args:
            workshop: makes the replays; its stand-ins are made from the first database that is looked at.
            schema: the schema in which it replays: that of all databases, or `ANY_SCHEMA`.
        """
        self._workshop = workshop
        self._schema = schema
        self._lock = Lock()
        self._ends: dict[tuple[str, ...], End | None] = {}
        self._seen: dict[tuple[tuple[str, ...], bytes], Whole] = {}
        #: How many histories were replayed for all, and how often a database was compared by itself.
        self.replayed = self.closer = 0

    def compare(self, asked: Asked) -> Whole:
        """How a database compares with all that its history makes.

        What is read of it is compared with the common replay. Where they differ, or where other scripts may have left
        something behind, it is compared by itself; other databases of which the same is read have the same answer.
        """
        key = tuple(f"{script.migration}:{script.checksum}" for script in asked.history)
        end, target = self._end(key, asked), asked.target
        if end is None:
            return self._closer(asked)
        mine = target.url.schema
        scope = _renamed_scope(end.scope, self._schema, mine)
        read = catalog.read(target.reading(), scope)
        production = written_as({key: value for key, value in read.items() if not is_remark(key)}, mine, self._schema)
        seen = (*key, "", *asked.marks), _digest(production)
        with self._lock:
            known = self._seen.get(seen)
        if known is None:
            plain = not asked.marks and not differences(end.replay, 0, production)
            known = Whole() if plain else _about(self._closer(asked), mine, self._schema)
            with self._lock:
                self._seen[seen] = known
                while len(self._seen) > REMEMBERED:
                    del self._seen[next(iter(self._seen))]
        return _about(known, self._schema, mine)

    def _closer(self, asked: Asked) -> Whole:
        with self._lock:
            self.closer += 1
        return asked.closer()

    def _end(self, key: tuple[str, ...], asked: Asked) -> End | None:
        with self._lock:
            if key not in self._ends:
                self._workshop.stand_in(asked.target.reading(), asked.texts())
                self._ends[key] = self._workshop.submit(lambda: self._made(asked.history)).result()
                self.replayed += 1
                while len(self._ends) > KEPT:
                    del self._ends[next(iter(self._ends))]
            return self._ends[key]

    def _made(self, history: Sequence[Script]) -> End | None:
        """Runs on the workshop's thread; None if the end can stand for no database: a closer look has to tell."""
        if self._schema == ANY_SCHEMA and any(_TELLS_SCHEMAS_APART.search(script.text) for script in history):
            return None
        replay = self._workshop.history(list(history))
        if any(note.statement is None or note.failed for note in replay.skipped):
            return None
        end = end_of(replay.snapshot(), replay.given)
        scope = catalog.scope_of({obj for obj, _ in end.footprint})
        return End(end, scope)


def _renamed_scope(scope: Scope, schema: str, mine: str) -> Scope:
    if schema == mine:
        return scope
    qualified = frozenset((mine if home == schema else home, name) for home, name in scope.qualified)
    return Scope(qualified, frozenset(mine if name == schema else name for name in scope.plain))


def _writer(mine: str, other: str) -> Callable[[str], str]:
    """Writes another name for a schema where it qualifies one."""
    # Not the end of a longer identifier, and not what follows another dot.
    qualified = re.compile(rf'(?<![\w$".]){re.escape(quoted(mine))}(?=\.)')
    new, whole = quoted(other), f"schema {quoted(mine)}"

    def write(text: str) -> str:
        return f"schema {new}" if text == whole else qualified.sub(new, text)

    return write


def written_as(snapshot: Snapshot, mine: str, other: str) -> Snapshot:
    """A snapshot in which another name stands for a schema, in names of objects and in definitions.

    The other name stands in no script. So where the result equals a replay in a schema of that name, the schema itself
    was meant at each place.
    """
    if mine == other:
        return snapshot
    write = _writer(mine, other)
    return {(write(obj), write(prop)): write(value) for (obj, prop), value in snapshot.items()}


def _about(whole: Whole, mine: str, other: str) -> Whole:
    """The same comparison, told of a schema of another name."""
    if mine == other or not (whole.differences or whole.left_out):
        return whole
    write = _writer(mine, other)

    def told(each: Difference) -> Difference:
        expected, actual = (None if side is None else write(side) for side in (each.expected, each.actual))
        return Difference(write(each.object), write(each.property), expected, actual)

    return Whole(tuple(told(each) for each in whole.differences), whole.left_out)


def _digest(snapshot: Snapshot) -> bytes:
    digest = hashlib.sha256()
    for (obj, prop), value in sorted(snapshot.items()):
        digest.update(f"{obj}\0{prop}\0{value}\0".encode())
    return digest.digest()


def schema_for(schemas: Collection[str]) -> str:
    """The schema in which to replay for databases with these schemas."""
    return next(iter(schemas)) if len(set(schemas)) == 1 else ANY_SCHEMA
