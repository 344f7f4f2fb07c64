"""The scripts to replay for a migration, and whether others may work on the same objects."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from recovery.evidence.gaps import may_matter
from recovery.prisma.scripts import Scripts
from recovery.sql.names import quoted
from recovery.sql.script import Script
from recovery.sql.statements import ScriptError, parse
from states.comparison import qualified_name
from states.facts import Note, Replay, Row, Subject
from states.ledger import later_than


@dataclass(frozen=True, slots=True)
class Material:
    """The scripts to replay for a failed or pending migration.

    Attributes:
        name: the migration.
        attempts: its rows in the ledger.
        base: the scripts to replay before it.
        notes: parts of the base that can't be replayed, with the reason.
        scripts: the scripts to judge: each one that an attempt ran, and the present one.
        present: checksum of the script now in the migrations folder; empty if there is none.
        missing: why the script of an attempt is not known; empty if all are.
        later: finished migrations that ended after this one began, or sort after it.
        unknown: finished migrations before it whose script was not found.
        unknown_later: later migrations whose script was not found.
        counted: finished migrations that Prisma saw run to their end.
        squash: the migration that the history begins with in the place of `squashed`; empty if there is none.
        squashed: finished migrations whose script was not found, and whose place a squash takes if production shows it.
    """

    name: str
    attempts: tuple[Row, ...]
    base: list[Script]
    notes: tuple[Note, ...]
    scripts: tuple[Script, ...]
    present: str
    missing: str
    later: tuple[Script, ...]
    unknown: tuple[str, ...]
    unknown_later: tuple[str, ...]
    counted: frozenset[str] = frozenset()
    squash: str = ""
    squashed: tuple[str, ...] = ()


def material(scripts: Scripts, name: str, rows: Sequence[Row]) -> Material:
    """What there is to replay for a migration, by the ledger and the migrations folder."""
    attempts = tuple(row for row in rows if row.migration == name)
    base, notes = scripts.finished(rows, but=name)
    found = {row.checksum: scripts.ran(name, row.checksum) for row in attempts}
    missing = ""
    if any(script is None for script in found.values()):
        missing = (
            "The script that an attempt ran (by the checksum in its row) is neither in the migrations folder "
            "nor in git's history, so what it did is not known."
        )
    ran = [script for script in found.values() if script is not None]
    present = scripts.present(name)
    if present is not None and not any(script.same_as(present) for script in ran):
        ran.append(present)
    checksum = present.checksum if present else ""
    if present is not None:
        # The same file with other line endings is the same script, for Prisma as for this tool.
        checksum = next((script.checksum for script in ran if script.same_as(present)), checksum)
    later = later_than(name, attempts, rows)
    finished = {row.migration for row in rows if row.finished and row.migration != name}
    return Material(
        name=name,
        attempts=attempts,
        base=base,
        notes=tuple(notes),
        scripts=tuple(ran),
        present=checksum,
        missing=missing,
        later=tuple(script for script in base if script.migration in later),
        unknown=tuple(sorted(finished - later - {script.migration for script in base})),
        unknown_later=tuple(sorted(later - {script.migration for script in base})),
        counted=frozenset(row.migration for row in rows if row.finished and row.applied_steps_count >= 1),
    )


def changed_names(replays: Sequence[Replay]) -> set[str | None]:
    """Qualified names of the objects that a step of the script changes."""
    return {
        qualified_name(obj)
        for replay in replays
        for obj, prop in replay.footprint
        if any(step.get((obj, prop)) != replay.steps[0].get((obj, prop)) for step in replay.steps)
    }


def touching(scripts: Iterable[Script], objects: Collection[str | None], schema: str) -> tuple[str, ...]:
    """Names of the migrations that may work on one of the objects: their text names it, or does not tell.

    Args:
        scripts: the migrations to look at.
        objects: qualified names, as in a snapshot.
        schema: the schema of unqualified names.
    """
    touching = []
    for script in scripts:
        try:
            parsed = parse(script.text)
        except ScriptError:
            touching.append(script.migration)
            continue
        names = {f"{quoted(n.schema or schema)}.{quoted(n.name)}" for statement in parsed for n in statement.names}
        if any(statement.opaque for statement in parsed) or not names.isdisjoint(objects):
            touching.append(script.migration)
    return tuple(touching)


def meets(other: Subject, its: Sequence[Script], subject: Subject, plan: Material, schema: str) -> bool:
    """Whether two failed migrations may work on the same objects; so it is where a script of one is not known."""
    if other.unreadable or not (its and other.replays and subject.replays):
        return True
    mine = changed_names(subject.replays).union(*(replay.named for replay in subject.replays))
    others = changed_names(other.replays).union(*(replay.named for replay in other.replays))
    return bool(touching(its, mine, schema) or touching(plan.scripts, others, schema))


def unreplayed(plan: Material, subject: Subject) -> tuple[str, ...]:
    """What of the base was not replayed and may work on the same objects: migrations, and statements (RULES E26).

    While there are any, the steps of the replay decide nothing.
    """
    replays = subject.replays
    notes = dict.fromkeys(note for replay in replays for note in replay.skipped)
    there = {qualified_name(obj) for obj, _ in subject.production}
    named = frozenset[str]().union(*(replay.named for replay in replays))
    objects = changed_names(replays) | (there & named)
    return (*sorted(name for name in plan.unknown), *may_matter(plan.base, notes, objects))
