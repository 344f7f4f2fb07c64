"""Whether anything tells a case from another course of the same events that wants another decision.

An attempt may have ended after any of its statements. Where two ends leave the same ledger, schema, columns and ages of
catalog rows, no reading of the catalog tells them apart, and the application writes rows and draws from sequences, too.
A mark that is right for the one and wrong for the other is a person's then: no evidence could have decided.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Protocol

from recovery.postgres import catalog
from tests.staging.fuzz.events import NAME, SECOND, courses
from tests.staging.fuzz.oracle import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    import psycopg

    from tests.staging.fuzz.events import Act, Course, Play
    from tests.staging.fuzz.model import Case
    from tests.staging.fuzz.oracle import State

#: Of each migration, whether its script runs again.
Marks = tuple[bool, ...]
#: Columns, dropped ones too, with what PostgreSQL keeps for older rows, and whether they are as young as the attempts.
_COLUMNS = """
WITH began AS (SELECT max(age(xmin)) AS age FROM public._prisma_migrations WHERE migration_name = ANY(%s))
SELECT c.relname::text, a.attnum, a.attname::text, a.attisdropped, a.attmissingval::text, age(a.xmin) <= began.age
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid CROSS JOIN began
WHERE c.relkind IN ('r', 'p', 'm', 'v') AND a.attnum > 0 AND c.relnamespace = 'public'::regnamespace
  AND c.relname <> '_prisma_migrations'
UNION ALL
SELECT c.relname::text, 0, c.relkind::text, false, NULL, age(c.xmin) <= began.age FROM pg_class c CROSS JOIN began
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'S', 'i') AND c.relnamespace = 'public'::regnamespace
  AND c.relname <> '_prisma_migrations'
"""
_EACH_TABLE = """
DO $$ DECLARE one record; col name; BEGIN
SET LOCAL session_replication_role = replica;
FOR one IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relkind = 'r'
        AND c.relnamespace = 'public'::regnamespace AND c.relname <> '_prisma_migrations' LOOP
{} END LOOP; END $$
"""
#: Other rows with which an attempt may have begun: none at all, and texts that are all the same.
_NO_ROWS = _EACH_TABLE.format("EXECUTE format('DELETE FROM %s', one.name);")
_SAME_TEXTS = _EACH_TABLE.format("""
    FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = one.name AND attnum > 0
            AND atttypid = 'text'::regtype AND NOT attisdropped AND attgenerated = '' LOOP
        BEGIN EXECUTE format('UPDATE %s SET %I = %L', one.name, col, 'same'); EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
""")


class Recorder(Protocol):
    """Does a case's acts on a production."""

    def act(self, act: Act) -> None:
        """Does one of them."""


class Copies(Protocol):
    """Makes productions, and copies of them."""

    def start(self, case: Case) -> tuple[str, list[str]]:
        """The production that a case begins with, and what was run on it."""

    def copied_from(self, template: str) -> AbstractContextManager[psycopg.Connection[Any]]:
        """A session on a copy of a database."""

    def recorder(self, case: Case, connection: psycopg.Connection[Any]) -> Recorder:
        """What does a case's acts on a production."""


def nothing_tells(on: Copies, case: Case, play: Play, ideal: State) -> bool:
    """Whether another course leaves what the case's production shows, and wants another mark.

    Args:
        on: makes the productions.
        case: the case.
        play: what happened.
        ideal: the state in which production would be, had each migration run exactly once.
    """
    start, _ = on.start(case)
    with on.copied_from(start) as connection:
        made = on.recorder(case, connection)
        for act in play.acts:
            made.act(act)
        seen, now, database = shown(connection), read(connection), connection.info.dbname
        connection.close()
        scripts = _scripts(case, play)
        right = _right(on, database, now, scripts, ideal)
        others = (course for course in _others(on, case) if course[1] == seen)
        return any(not right & _right_if(on, database, now, scripts, course) for course, _ in others)


def shown(connection: psycopg.Connection[Any]) -> object:
    """What production shows of its past besides rows: schema, columns, and ages."""
    schema = {key: value for key, value in catalog.read(connection).items() if "_prisma_migrations" not in key[0]}
    return schema, frozenset(connection.execute(_COLUMNS, ([NAME, SECOND],)).fetchall())


def _others(on: Copies, case: Case) -> Iterator[tuple[Course, object]]:
    """The other courses, with other rows to begin with where a block may depend on them, and what each leaves."""
    start, _ = on.start(case)
    blocks = any(step.statement.sql.startswith("DO") for step in case.steps)
    for rows in ("", _NO_ROWS, _SAME_TEXTS) if blocks else ("",):
        for course in courses(case):
            with on.copied_from(start) as connection:
                if rows:
                    connection.execute(rows.encode(), prepare=False)
                made = on.recorder(case, connection)
                for act in course.acts:
                    made.act(act)
                yield course, shown(connection)


def _scripts(case: Case, play: Play) -> list[list[str]]:
    """The statements of each migration of a case."""
    script = [step.statement.sql for step in case.steps]
    return [script[: case.cut], script[case.cut :]] if len(play.judged) > 1 else [script]


def _end(on: Copies, database: str, texts: Sequence[str]) -> State | None:
    """The state after these statements; None if one fails."""
    with on.copied_from(database) as connection:
        for text in texts:
            try:
                connection.execute(text.encode(), prepare=False)
            except Exception:  # noqa: BLE001 - whatever the server says
                return None
        return read(connection)


def _right(on: Copies, database: str, now: State, scripts: list[list[str]], ideal: State | None) -> set[Marks]:
    """The marks that lead to the ideal."""
    found = set()
    for marks in itertools.product((False, True), repeat=len(scripts)):
        again = [text for script, runs in zip(scripts, marks, strict=True) if runs for text in script]
        if ideal is not None and (_end(on, database, again) if again else now) == ideal:
            found.add(marks)
    return found


def _right_if(on: Copies, database: str, now: State, scripts: list[list[str]], course: Course) -> set[Marks]:
    """The marks that would be right, had this course led to this production. Rows may have been written since."""
    if course.left is None:
        return set()
    right = _right(on, database, now, scripts, _end(on, database, course.left) if course.left else now)
    return right & {(True,)} if course.undone else right
