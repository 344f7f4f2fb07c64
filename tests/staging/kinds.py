"""The kinds of failures that are staged of a migration, each with its true answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tests.staging.failures import REFUSED, Case, Scene, Stager, changed, piecewise, run
from tests.staging.handwork import kind_of, words_of
from tests.staging.histories import Attempt, Source, native_logs, prose_logs
from tests.staging.kinds_by_hand import besides, by_other_statements, one_difference, undone
from tests.staging.truth import APPLIED, BOTH, NEITHER, NO_ROWS, PERSON, ROLLED_BACK, Truth

_EDIT = '\nCREATE TABLE "public"."edited_since" ("id" INTEGER NOT NULL);\n'


def failures(stager: Stager, source: Source, after: Source | None, share: int = 1) -> Iterator[Case]:
    """Every failure that can be staged of a migration; empty if this server can't run it.

    Args:
        stager: the stager, with the history before the migration deployed.
        source: the migration.
        after: the next migration, to be stamped over it; None for the last.
        share: one in this many of the possible differences made by hand is staged, others for each migration.
    """
    scene = stager.scene(source, after)
    if scene is None:
        return
    for kinds in KINDS:
        yield from kinds(stager, scene)
    for otherwise in BY_HAND:
        yield from otherwise(stager, scene, share)


def _nothing_in(stager: Stager, scene: Scene) -> Iterator[Case]:
    """The database is as before; only rows are written."""
    source, known = scene.source, scene.known
    truth = known.truth(known.start, NO_ROWS)
    yield from stager.case("nothing in, no logs", scene.start, truth, Attempt(source))
    refused = native_logs(source, stager.error(scene.start, source.text, REFUSED))
    if refused:
        yield from stager.case("nothing in, refused", scene.start, truth, Attempt(source, logs=refused))
        twice = Attempt(source, logs=refused, rolled_back=True), Attempt(source, logs=refused)
        yield from stager.case("nothing in, two attempts", scene.start, truth, *twice)
    yield from stager.case("nothing in, rolled back only", scene.start, truth, Attempt(source, rolled_back=True))
    edited = replace(source, text=source.text + _EDIT)
    yield from stager.case("edited, the old one lost, nothing in", scene.start, PERSON, Attempt(source), folder=edited)
    lenient = truth if ROLLED_BACK in truth.right else PERSON
    found = Truth(lenient.right - {APPLIED}, lenient.wrong | {APPLIED})
    yield from stager.case(
        "edited, the old one in git, nothing in", scene.start, found, Attempt(source), folder=edited, in_git=True
    )


def _all_in(stager: Stager, scene: Scene) -> Iterator[Case]:
    """The script was run; only rows are written."""
    source, known, end = scene.source, scene.known, scene.end
    truth = known.truth(known.end, known.everything)
    yield from stager.case("all in, steps 0", end, truth, Attempt(source))
    counted = Truth(frozenset({APPLIED}), frozenset({ROLLED_BACK}))
    yield from stager.case("all in, steps 1", end, counted, Attempt(source, steps=1))
    misled = Attempt(source, logs="Error: External error id#0")
    yield from stager.case("all in, logs of a false alarm", end, truth, misled)
    again = native_logs(source, scene.error_at_end)
    if again:
        by_hand = known.truth(known.end, known.everything)
        yield from stager.case("made by hand, exactly", end, by_hand, Attempt(source, logs=again))
        twice = Attempt(source, rolled_back=True), Attempt(source, logs=again)
        yield from stager.case("all in by the first of two attempts", end, truth, *twice)
    yield from stager.case("all in, rolled back only", end, truth, Attempt(source, rolled_back=True))
    dead = Truth(frozenset({ROLLED_BACK}), frozenset({APPLIED}))
    yield from stager.case(
        "all in, finished beside a dead attempt", end, dead, Attempt(source, finished=True, steps=1), Attempt(source)
    )
    yield from _edited(stager, scene, truth)


def _edited(stager: Stager, scene: Scene, truth: Truth) -> Iterator[Case]:
    source, known, end = scene.source, scene.known, scene.end
    row = Attempt(source)
    longer = replace(source, text=source.text + _EDIT)
    yield from stager.case("edited, the old one lost, all in", end, PERSON, row, folder=longer)
    inert = ROLLED_BACK in truth.right
    half = Truth(NEITHER, frozenset({APPLIED}) if inert else BOTH)
    yield from stager.case("edited, the old one in git, all in", end, half, row, folder=longer, in_git=True)
    if len(known.statements) > 1 and not known.controls:
        shorter = replace(source, text=";\n".join(known.statements[:-1]) + ";\n")
        lenient = Truth(NEITHER, BOTH - {APPLIED} - truth.right)
        yield from stager.case("edited shorter, in git, all in", end, lenient, row, folder=shorter, in_git=True)
    with stager.copy(end) as name:
        with stager.connect(name) as connection:
            run(connection, _EDIT)
        both = Truth(truth.right & {APPLIED}, truth.wrong)
        yield from stager.case("edited, in git, both in", name, both, row, folder=longer, in_git=True)


def _halves(stager: Stager, scene: Scene) -> Iterator[Case]:
    """The first statements were run, then the script as a whole; the row's logs hold PostgreSQL's error."""
    source, known = scene.source, scene.known
    found = [
        j
        for j in range(1, len(known.statements))
        if known.steps[j] not in (known.start, known.end) or known.data & set(range(1, j + 1))
    ]
    for j in sorted({found[0], found[len(found) // 2], found[-1]}) if found else ():
        with stager.copy(scene.start) as name:
            with stager.connect(name) as connection:
                done, _ = piecewise(connection, known.statements[:j])
                if connection.info.transaction_status.name != "IDLE":
                    connection.execute("COMMIT")
            if done < j:
                continue
            truth = known.truth(stager.read(name, known.scope), frozenset(range(1, j + 1)))
            note = f"{j} of {len(known.statements)}"
            error = stager.error(name, source.text)
            yield from stager.case("first statements, no logs", name, truth, Attempt(source), note=note)
            if error is not None:
                row = Attempt(source, logs=native_logs(source, error))
                yield from stager.case("first statements, run again", name, truth, row, note=note)
                first = Attempt(source, rolled_back=True)
                yield from stager.case("first statements of a rolled-back attempt", name, truth, first, row, note=note)


def _in_the_way(stager: Stager, scene: Scene) -> Iterator[Case]:
    """An object of that name was already there, so that the script really fails, whole or statement by statement."""
    source, known = scene.source, scene.known
    if known.controls:
        return
    found = [(j, *way) for j, statement in enumerate(known.statements) if (way := _obstacle(statement))]
    after_data = [one for one in found if known.data & set(range(1, one[0] + 1))]
    later = [one for one in found if one[0] > 0]
    chosen = {one[0]: one for one in (*found[:1], *later[:1], *later[-1:], *after_data[:1])}
    for j, put, remove in chosen.values():
        with stager.copy(scene.start) as name:
            with stager.connect(name) as connection:
                if run(connection, put) is not None:
                    continue
                whole = run(connection, source.text)
            if whole is None:
                continue
            row = Attempt(source, logs=native_logs(source, whole))
            note = f"at {j + 1} of {len(known.statements)}"
            there = Truth(NEITHER, frozenset({APPLIED}))
            yield from stager.case("in the way, run as one", name, there, row, note=note)
            with stager.connect(name) as connection:
                run(connection, remove)
            truth = known.truth(stager.read(name, known.scope), NO_ROWS)
            yield from stager.case("in the way and removed, run as one", name, truth, row, note=note)
            if j == 0:
                continue
            with stager.connect(name) as connection:
                run(connection, put)
                done, error = piecewise(connection, known.statements)
            if done != j:
                continue
            for said, logs in (("native", native_logs(source, error)), ("prose", prose_logs(error))):
                rest = f"{note}, {said}"
                yield from stager.case(
                    "in the way, run one by one", name, PERSON, Attempt(source, logs=logs), note=rest
                )
            with stager.connect(name) as connection:
                run(connection, remove)
            truth = known.truth(stager.read(name, known.scope), frozenset(range(1, j + 1)))
            for said, logs in (("native", native_logs(source, error)), ("prose", prose_logs(error))):
                row = Attempt(source, logs=logs)
                rest = f"{note}, {said}"
                yield from stager.case("in the way and removed, one by one", name, truth, row, note=rest)


def _obstacle(statement: str) -> tuple[str, str] | None:
    """The SQL that makes an object on which the statement fails, and the SQL that removes it again."""
    name = r'("[^"]+"|\w+)'
    qualified = rf"({name}(?:\.{name})?)"
    if found := re.search(rf"\bCREATE\s+TABLE\s+{qualified}\s*\(", statement, re.IGNORECASE):
        return f"CREATE TABLE {found[1]} (in_the_way int)", f"DROP TABLE {found[1]}"
    if found := re.search(rf"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+{name}\s+ON\b", statement, re.IGNORECASE):
        return f"CREATE INDEX {found[1]} ON public.zz_report_cache (key)", f"DROP INDEX {found[1]}"
    if found := re.search(rf"\bCREATE\s+TYPE\s+{qualified}\s+AS\s+ENUM", statement, re.IGNORECASE):
        return f"CREATE TYPE {found[1]} AS ENUM ('in the way')", f"DROP TYPE {found[1]}"
    alter = rf"\bALTER\s+TABLE\s+(?:ONLY\s+)?{qualified}\s+ADD\s+"
    if found := re.search(rf"{alter}COLUMN\s+{name}\s", statement, re.IGNORECASE):
        table, column = found[1], found[4]
        return f"ALTER TABLE {table} ADD COLUMN {column} xml", f"ALTER TABLE {table} DROP COLUMN {column}"
    if found := re.search(rf"{alter}CONSTRAINT\s+{name}\s", statement, re.IGNORECASE):
        table, constraint = found[1], found[4]
        return (
            f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK (true)",
            f"ALTER TABLE {table} DROP CONSTRAINT {constraint}",
        )
    return None


def _stamped_over(stager: Stager, scene: Scene) -> Iterator[Case]:
    """The next migration has a finished row, whether or not its script ran."""
    source, known, after = scene.source, scene.known, scene.after
    if after is None:
        return
    touching = _touches(after.text, set[str]().union(*(changed(known.start, step) for step in known.steps)))
    states = (("nothing in", scene.start, known.start, NO_ROWS), ("all in", scene.end, known.end, known.everything))
    for state, database, schema, done in states:
        truth = known.truth(schema, done)
        truth = Truth(NEITHER if touching else truth.right, truth.wrong)
        stamp = Attempt(after, finished=True)
        yield from stager.case(f"{state}, a later one stamped over it", database, truth, Attempt(source), stamp)
        with stager.copy(database) as name:
            with stager.connect(name) as connection:
                if run(connection, after.text) is not None:
                    continue
            if touching and known.start != known.end:
                wrong = frozenset({APPLIED} if database == scene.start else {ROLLED_BACK})
                truth = Truth(NEITHER, wrong)
            ran = Attempt(after, finished=True, steps=1)
            yield from stager.case(f"{state}, a later one run over it", name, truth, Attempt(source), ran)


def _touches(text: str, objects: Iterable[str]) -> bool:
    """Whether a script names one of the objects."""
    names = (words_of(kind_of(obj)[1].split("(")[0].replace(".", " ", 1))[-1].strip('"') for obj in objects)
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names)


Kinds = Callable[[Stager, Scene], Iterator[Case]]
KINDS: tuple[Kinds, ...] = (
    _nothing_in,
    _all_in,
    _halves,
    _in_the_way,
    undone,
    by_other_statements,
    _stamped_over,
)
BY_HAND: tuple[Callable[[Stager, Scene, int], Iterator[Case]], ...] = (one_difference, besides)
