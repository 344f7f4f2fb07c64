"""Replays a history once, and keeps the schema after every migration, with which a baseline compares production."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from recovery.postgres import catalog, traces
from recovery.replay.history import HistoryReplay
from recovery.replay.steps import changed_keys
from recovery.replay.workshop import Workshop
from recovery.sql.names import quoted
from recovery.sql.plain import plain
from recovery.sql.script import Script
from recovery.sql.statements import Parsed, ScriptError, parse
from states.baseline_rows import Migration
from states.comparison import name_of, qualified_name, taken_apart
from states.facts import Key, Replay, Statement, Visibility
from states.presence import Delta


@dataclass(slots=True)
class Prefixes:
    """The schema after every migration of a history.

    Attributes:
        scripts: the history.
        start: the schema before the first.
        changes: for each migration, what it changes.
        footprint: every property that the history changes, or that a conditional statement of it names.
        created: every object that it makes.
        named: for each migration, the qualified names that its script mentions.
        migrations: what those do, statement by statement, that were asked for.
        still: names that change nothing, however often they run.
        places: for each migration, the columns of tables that have other ones after it.
    """

    scripts: tuple[Script, ...]
    start: dict[Key, str] = field(default_factory=dict)
    changes: list[Delta] = field(default_factory=list)
    footprint: set[Key] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    named: list[frozenset[str]] = field(default_factory=list)
    migrations: list[Migration] = field(default_factory=list)
    still: set[str] = field(default_factory=set)
    places: list[Mapping[str, tuple[str, ...]]] = field(default_factory=list)

    def placed(self, count: int) -> dict[str, tuple[str, ...]]:
        """The columns of each table after that many migrations, in their order."""
        found: dict[str, tuple[str, ...]] = {}
        for each in self.places[:count]:
            found |= each
        return {obj: columns for obj, columns in found.items() if columns}


#: Gives the replay of the script at a place of the history, which the function that it takes makes if it is not kept.
Keep = Callable[[int, Callable[[], Replay]], Replay]


def prefixes(
    workshop: Workshop, scripts: Sequence[Script], asked: Collection[str], schema: str, keep: Keep
) -> Prefixes:
    """Replays the history, on the workshop's thread.

    Args:
        workshop: makes the replay.
        scripts: the history, in its order.
        asked: names of the migrations of which it has to be known what each statement does.
        schema: the schema of unqualified names.
        keep: keeps the replays of single scripts.
    """
    found = Prefixes(tuple(scripts))
    replay = workshop.history([], len(scripts))
    now = found.start = replay.snapshot()
    conditional: set[tuple[str, str]] = set()
    for place, script in enumerate(scripts):
        pieces: tuple[Parsed, ...] | None = None
        statements: tuple[Statement, ...] = ()
        wanted = script.migration in asked
        left_out: list[tuple[int, str]] = []
        try:
            every = parse(script.text)
            if wanted:
                if not any(obj.startswith("event trigger ") for obj, _ in now):  # it would run with any statement
                    pieces = plain(script.text, _functions(now), defaults=_has_defaults(now))
                if pieces is None:
                    statements = keep(place, partial(replay.steps, script)).statements
        except ScriptError as error:
            every = ()
            left_out.append((0, error.fact))
        noted = len(replay.skipped)
        replay = workshop.history(list(scripts[: place + 1]), len(scripts))
        if len(replay.skipped) < noted:  # it was replayed anew
            noted = len([note for note in replay.skipped if note.migration != script.migration])
        missed = [note for note in replay.skipped[noted:] if note.failed or note.statement is None]
        left_out += [(note.statement or 0, note.reason) for note in missed]
        then = replay.snapshot()
        _add(found, now, then, every, schema, conditional)
        found.places.append(_places(replay, found.changes[-1], then))
        if pieces is not None:
            statements = _as_replayed(replay, pieces, now, then, schema)
        if wanted:
            found.migrations.append(Migration(script.migration, place, statements, tuple(left_out)))
            sure = all(each.visibility is Visibility.INERT for each in statements)
            if sure and not left_out and not found.changes[-1]:
                found.still.add(script.migration)
        now = then
    for name, prop in conditional:
        found.footprint.update((obj, prop) for obj in found.created if qualified_name(obj) == name)
    return found


def _add(
    found: Prefixes,
    now: dict[Key, str],
    then: dict[Key, str],
    statements: Sequence[Parsed],
    schema: str,
    conditional: set[tuple[str, str]],
) -> None:
    """Adds what a migration changes, and what its script mentions."""
    differing = {key for key, _ in now.items() ^ then.items()}
    objects = {obj for obj, _ in differing}
    parts = [{key: value for key, value in each.items() if key[0] in objects} for each in (now, then)]
    found.changes.append({key: then.get(key) for key in differing})
    found.footprint |= changed_keys(parts)
    found.created |= {obj for obj, prop in differing if prop == "exists" and (obj, prop) in then}
    names = [name for statement in statements for name in statement.names]
    found.named.append(frozenset(f"{quoted(n.schema or schema)}.{quoted(n.name)}" for n in names))
    conditional |= {(f"{quoted(n.schema or schema)}.{quoted(n.name)}", n.properties) for n in names if n.properties}


def _functions(snapshot: Mapping[Key, str]) -> set[str]:
    """Bare names of the functions of a schema."""
    return {
        name_of(obj).rpartition(".")[2].strip('"')
        for obj, prop in snapshot
        if prop == "exists" and obj.startswith(("function ", "procedure "))
    }


def _has_defaults(snapshot: Mapping[Key, str]) -> bool:
    return any(prop == "kind" and value == "domain" for (_, prop), value in snapshot.items())


def _places(replay: HistoryReplay, change: Delta, then: Mapping[Key, str]) -> dict[str, tuple[str, ...]]:
    """The columns of the tables that a migration changed, in their order; none for one that it dropped."""
    tables = {obj for obj, prop in change if obj.startswith("table ") and (prop == "exists" or taken_apart(prop).kind)}
    there = {obj for obj in tables if (obj, "exists") in then}
    return {**dict.fromkeys(tables, ()), **traces.places(replay.connection, there)}


def _as_replayed(
    replay: HistoryReplay, pieces: Sequence[Parsed], now: Mapping[Key, str], then: Mapping[Key, str], schema: str
) -> tuple[Statement, ...]:
    """The statements of a script that shows wholly in the schema: of each, what it does to rows beside that."""
    new = then.keys() - now.keys()
    added = {obj for obj, _ in new}
    wanted = any(piece.work.fills for piece in pieces)
    filled = catalog.read_filled(replay.connection, {o for o in added if o.startswith("table ")}) if wanted else {}
    found = []
    for piece in pieces:
        skipped = piece.conditional and now == then  # IF NOT EXISTS found all of it there
        seen = Visibility.INERT if piece.inert or skipped else Visibility.SEEN
        fills: tuple[tuple[Key, str], ...] = ()
        moves: tuple[Key, ...] = ()
        if piece.work.why:
            seen = Visibility.ROWS if piece.work.fills or piece.work.moves or piece.work.own else Visibility.OPEN
            fills, known = _fills(piece, new, now, then, filled, schema)
            moves = tuple(
                (f"table {quoted(name.schema or schema)}.{quoted(name.name)}", f"column {quoted(c)}" if c else "exists")
                for name, c in piece.work.moves
            )
            if known:  # the columns were there before: IF NOT EXISTS adds none
                seen = Visibility.INERT
        found.append(Statement(piece.index, piece.sql, seen, piece.work.why, fills=fills, moves=moves))
    return tuple(found)


def _fills(
    piece: Parsed,
    new: Collection[Key],
    now: Mapping[Key, str],
    then: Mapping[Key, str],
    filled: Mapping[Key, str],
    schema: str,
) -> tuple[tuple[tuple[Key, str], ...], bool]:
    """The columns that a statement adds and fills, each with its value; and whether all were there before."""
    if not piece.work.fills:
        return (), False
    tables = {f"table {quoted(n.schema or schema)}.{quoted(n.name)}" for n in piece.names}
    columns = {f"column {quoted(column)}" for column in piece.work.fills}
    there = {obj for obj, _ in now} & tables
    if piece.conditional and there and not piece.work.moves and all((o, c) in now for o in there for c in columns):
        return (), True
    keys = sorted(key for key in new if key[0] in tables and key[1] in columns)
    if {prop for _, prop in keys} != columns or any(key not in filled for key in keys):
        return (), False
    return tuple(
        (key, "" if _computed(then.get((key[0], f"{key[1]} default"))) else filled[key]) for key in keys
    ), False


def _computed(default: str | None) -> bool:
    """Whether a default may give another value at another time."""
    return default is not None and ("(" in default or "CURRENT" in default)
