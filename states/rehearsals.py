"""What a deploy would do in production to each pending migration's tables, as a rehearsal shows; nothing is guessed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from states.comparison import steps_equal_to
from states.effects import Deploy, Effect, MarkRolledBack
from states.evidence import Verdict
from states.facts import Obstacle, Subject
from states.inspection import InspectFacts
from states.presence import in_view

#: PostgreSQL's locks on tables, the weakest first.
LOCKS = (
    *("AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock"),
    *("ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"),
)
#: What an application's own statements take, so that none of them waits for it.
_USUAL = LOCKS.index("RowExclusiveLock")


@dataclass(frozen=True, slots=True)
class LockedTable:
    """A table of production that a pending migration locks more strongly than an application's statements do.

    Attributes:
        table: as `public.x`, by the name that it has in production now.
        lock: the strongest lock that the script takes on it.
        statement: number of the first statement of the script that takes it.
        rewrites: numbers of the statements that write the table anew, which takes as long as it is large.
        bytes: its size in production with its indexes and partitions; None if it is not known.
    """

    table: str
    lock: str
    statement: int
    rewrites: tuple[int, ...] = ()
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a pending migration would do, as it was run on a copy of the schema that production has.

    Attributes:
        locks: the tables that it locks, the strongest lock first, and of these the largest table.
        obstacles: what production holds that would make it fail.
        fails: the statement that fails in the rehearsal, with PostgreSQL's words, as a clause; empty if none does.
        untold: what the rehearsal can't tell, and why, as sentences.
        server_version: of the server on which it was rehearsed; locks and rewrites differ between versions. Empty if it
            was not.
    """

    migration: str
    locks: tuple[LockedTable, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    fails: str = ""
    untold: tuple[str, ...] = ()
    server_version: str = ""


@dataclass(frozen=True, slots=True)
class Touched:
    """What one statement was seen to do to one table.

    Attributes:
        statement: its number in the script.
        table: the table.
        lock: the strongest lock that it takes on it; empty if it takes none.
        rewrites: it writes the table anew.
    """

    statement: int
    table: str
    lock: str
    rewrites: bool


def locked(seen: Sequence[Touched], sizes: dict[str, int]) -> tuple[LockedTable, ...]:
    """What a script does to the tables of production, of all that its statements were seen to do.

    Args:
        seen: in the order of the statements.
        sizes: of tables in production, in bytes.
    """
    found = []
    for table in dict.fromkeys(each.table for each in seen):
        mine = [each for each in seen if each.table == table]
        strongest = max(mine, key=lambda each: _strength(each.lock))
        rewrites = tuple(each.statement for each in mine if each.rewrites)
        if rewrites or _strength(strongest.lock) > _USUAL:
            found.append(LockedTable(table, strongest.lock, strongest.statement, rewrites, sizes.get(table)))
    return tuple(sorted(found, key=lambda each: (-_strength(each.lock), -(each.bytes or 0), each.table)))


def _strength(lock: str) -> int:
    return LOCKS.index(lock) if lock else -1


def as_production(
    coming: Sequence[str], effects: Collection[Effect], compared: Collection[Subject], as_before: Collection[str] = ()
) -> frozenset[str]:
    """Those of the coming migrations of which production is known to have nothing: it stands where they begin.

    Args:
        coming: names of the migrations that a deploy is to run.
        effects: what comes before the deploy: one that is marked rolled back is not in production.
        compared: pending migrations beside production.
        as_before: names of others, of which production was seen to be as before them.
    """
    again = {effect.migration for effect in effects if isinstance(effect, MarkRolledBack)}
    absent = {
        each.migration
        for each in compared
        if any(0 in steps_equal_to(replay, in_view(each)) for replay in each.replays)
    }
    return frozenset(coming) & (again | absent | {*as_before})


def deployed(effects: Sequence[Effect]) -> tuple[str, ...]:
    """The migrations that the last of these effects deploys; empty if it is no deploy."""
    return effects[-1].migrations if effects and isinstance(effects[-1], Deploy) else ()


def to_rehearse(effects: Sequence[Effect], facts: InspectFacts) -> tuple[Effect, ...]:
    """The effects of a plan with the deploy that is to be rehearsed; empty if there is none that could be.

    Where what is pending keeps a run from deploying, it is rehearsed all the same, to show what else would happen.
    """
    if deployed(effects):
        return tuple(effects)
    stopped = facts.unsettled or facts.baseline is not None or not facts.history.pending
    return () if stopped else (Deploy(facts.history.pending),)


def after_marks(deploy: Deploy, verdicts: Mapping[str, str], settled: Collection[str]) -> tuple[Effect, ...]:
    """A deploy that is to be rehearsed, behind the marks that say which of its migrations production has nothing of.

    Args:
        deploy: what comes next.
        verdicts: what the run's evidence says of failed migrations, by name.
        settled: those that the run has marked rolled back. Of one that only a person decided on, production may have
            something.
    """
    absent = (name for name in deploy.migrations if name in settled and verdicts.get(name) == Verdict.NOT_APPLIED)
    return (*(MarkRolledBack(name) for name in absent), deploy)


def unrehearsed(facts: InspectFacts) -> tuple[Rehearsal, ...]:
    """The pending migrations, where something has to be decided before it is known on what they would run."""
    first = f"{facts.unsettled[0]} failed, which" if facts.unsettled else "how far production has the history"
    why = f"It was not rehearsed, because {first} has to be decided first."
    return tuple(Rehearsal(name, untold=(why,)) for name in facts.history.pending)
