"""Failures that people worked on by hand: they undid the script, or made its schema by themselves, more or less."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tests.staging.failures import REFUSED, Case, Scene, Stager, changed, piecewise, run
from tests.staging.handwork import bring
from tests.staging.histories import Attempt, Source, native_logs
from tests.staging.mistakes import differences, harmless
from tests.staging.truth import APPLIED, BOTH, NEITHER, NO_ROWS, PERSON, ROLLED_BACK, Known, Truth

#: One difference made by hand can bring at most so many objects back to their state before the script.
UNDONE_AT_ONCE = 3
#: Differences that can bring back more, since a table takes its indexes and constraints along.
WHOLE_TABLES = ("a table missing", "a table in another schema")


def undone(stager: Stager, scene: Scene) -> Iterator[Case]:
    """The script was run, then its schema changes were undone by hand, statement by statement, on the real server."""
    source, known = scene.source, scene.known
    if known.start == known.end:
        return
    refused = native_logs(source, stager.error(scene.start, source.text, REFUSED))
    with stager.copy(scene.end) as name:
        with stager.connect(name) as connection:
            done = bring(connection, known.scope, known.end, known.start)
        kind = "all in, undone by hand"
        if done is None:
            return
        truth = known.truth(known.start, known.everything)
        yield from stager.case(kind, name, truth, Attempt(source))
        forbidden = Truth(NEITHER, BOTH)  # RULES E3
        yield from stager.case(f"{kind}, steps 1", name, forbidden, Attempt(source, steps=1))
        if refused:
            then = Attempt(source, logs=refused)
            first = Attempt(source, rolled_back=True)
            yield from stager.case(f"{kind}, then refused", name, truth, first, then)
            counted = Attempt(source, rolled_back=True, steps=1)
            yield from stager.case(f"{kind}, steps 1, then refused", name, forbidden, counted, then)
        # If the script ran again, it would redo what a later migration has undone.
        undoing = Source("99991231235959_undo", ";\n".join(done) + ";\n")
        later = Attempt(undoing, finished=True, steps=1)
        undone = Truth(NEITHER, frozenset({ROLLED_BACK}))
        yield from stager.case("all in, undone by a later one", name, undone, Attempt(source), later, more=(undoing,))


def by_other_statements(stager: Stager, scene: Scene) -> Iterator[Case]:
    """The schema was made by hand with other statements than the script's, without the script's changes of rows."""
    source, known = scene.source, scene.known
    if known.start == known.end:
        return
    row = Attempt(source, logs=native_logs(source, scene.error_at_end))
    if row.logs:
        with stager.copy(scene.start) as name:
            with stager.connect(name) as connection:
                done = bring(connection, known.scope, known.start, known.end)
            if done is not None:
                truth = known.truth(known.end, known.added_with_default)
                yield from stager.case("made by hand, otherwise written", name, truth, row)
        if known.added_with_default:
            with stager.copy(scene.start) as name:
                with stager.connect(name) as connection:
                    done = bring(connection, known.scope, known.start, known.end, default_later=True)
                if done is not None:
                    truth = known.truth(known.end, NO_ROWS)
                    yield from stager.case("made by hand, defaults given later", name, truth, row)
    if not known.on_rows or known.controls:
        return
    with stager.copy(scene.start) as name:
        schema_only = [s for number, s in enumerate(known.statements, 1) if number not in known.on_rows]
        with stager.connect(name) as connection:
            piecewise(connection, schema_only)
        now = stager.read(name, known.scope)
        if now != known.start:
            ran = known.everything - known.on_rows
            truth = known.truth(now, ran)
            for row in (Attempt(source), Attempt(source, logs=native_logs(source, stager.error(name, source.text)))):
                yield from stager.case("made by hand, not its work on rows", name, truth, row)


def _taken(source: Source, what: str, share: int) -> bool:
    return zlib.crc32(f"{source.name} {what}".encode()) % share == 0


def one_difference(stager: Stager, scene: Scene, share: int) -> Iterator[Case]:
    """Somebody's own version of the script, made by hand, in which one property differs."""
    source, known = scene.source, scene.known
    logs = native_logs(source, scene.error_at_end)
    for what, change in differences(known.start, known.end):
        if not _taken(source, what, share):
            continue
        with stager.copy(scene.end) as name:
            with stager.connect(name) as connection:
                if run(connection, change) is not None:
                    continue
            truth = _with_a_difference(stager, name, known, what)
            yield from stager.case(f"one difference: {what}", name, truth, Attempt(source, logs=logs), note=change)


def _with_a_difference(stager: Stager, database: str, known: Known, what: str) -> Truth:
    """The truth with such a difference: only a person can tell, unless it has undone every effect of the script."""
    if what.endswith(" again") and len(known.statements) == 1:
        return Truth(NEITHER, frozenset({APPLIED}))  # run again, the script drops the object that was made again
    if what not in WHOLE_TABLES and len(changed(known.start, known.end)) > UNDONE_AT_ONCE:
        return PERSON
    now = stager.read(database, known.scope)
    if now == known.start:
        return known.truth(now, NO_ROWS)
    if known.start == {key: value for key, value in now.items() if key in known.start or key in known.end}:
        return Truth(NEITHER, frozenset({APPLIED}))  # the script's effect is not there; another object is
    return PERSON


def besides(stager: Stager, scene: Scene, share: int) -> Iterator[Case]:
    """Made by hand, together with an addition that concerns no migration."""
    source, known = scene.source, scene.known
    logs = native_logs(source, scene.error_at_end)
    for what, change in harmless(known.start, known.end):
        if not _taken(source, what, share):
            continue
        with stager.copy(scene.end) as name:
            with stager.connect(name) as connection:
                if run(connection, change) is not None:
                    continue
            truth = known.truth(known.end, known.everything)
            yield from stager.case(f"besides: {what}", name, truth, Attempt(source, logs=logs), note=change)
