"""A production database in memory with its ledger, and the commands of a Prisma CLI on it.

Scripts may have three kinds of statements: `CREATE TABLE x ()`, `DROP TABLE x` and `INSERT INTO t DEFAULT VALUES`.
They suffice for every way in which a migration can fail, be half done, be undone and be done twice, and the same
scripts run on a real server.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from states.facts import Key, Orphan, Replay, Row, Snapshot, Statement, Visibility

_STATEMENT = re.compile(r"(CREATE TABLE|DROP TABLE|INSERT INTO) (\w+)( \(\)| DEFAULT VALUES)?\Z")
_LOGS = (
    "A migration failed to apply.\n\nMigration name: {name}\n\nDatabase error code: {code}\n\nDatabase error:\n"
    'ERROR: {said}\n\nDbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E{code}) }}\n'
)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One statement: its text, its verb (CREATE TABLE, DROP TABLE or INSERT INTO), and its table."""

    sql: str
    verb: str
    table: str

    @property
    def key(self) -> Key:
        """The key of the table in a snapshot."""
        return (f"table public.{self.table}", "exists")


def changes(script: str) -> tuple[SchemaChange, ...]:
    """The statements of a script."""
    found = []
    for sql in filter(None, (part.strip() for part in script.split(";"))):
        match = _STATEMENT.match(sql)
        if match is None:
            raise ValueError(f"not a statement that this database understands: {sql}")
        found.append(SchemaChange(sql, match[1], match[2]))
    return tuple(found)


def checksum(script: str) -> str:
    """The checksum of a script, as Prisma writes it into the ledger."""
    return hashlib.sha256(script.encode()).hexdigest()


@dataclass(slots=True)
class MemoryDatabase:
    """Production, and the migrations folder of the checkout.

    Attributes:
        folder: script of each migration, by name; Prisma runs them in the order of their names.
        tables: names of the existing tables.
        rows: the ledger.
        written: one line for each row that an INSERT has written, as `20260101_a: INSERT INTO t …`.
        causes: SQLSTATEs of the errors that a statement will raise, by its SQL; one for each time it is run.
        statementwise: Prisma commits each statement of a script by itself.
        apart: a repair commits each of its statements by itself.
        recovering: a recovery holds the recovery's lock.
        orphan: the session that holds Prisma's lock, and whose client is gone.
    """

    folder: dict[str, str] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    causes: dict[str, list[str]] = field(default_factory=dict)
    statementwise: bool = False
    apart: bool = False
    recovering: bool = False
    orphan: Orphan | None = None
    _now: int = 0

    def drop(self, table: str) -> None:
        """Drops a table, with its rows."""
        self.tables.discard(table)
        self.written = [line for line in self.written if f": INSERT INTO {table} " not in line]

    def now(self) -> str:
        """The time, later at each call."""
        self._now += 1
        return f"2026-01-01T00:{self._now // 60:02}:{self._now % 60:02}.000000Z"

    def snapshot(self) -> dict[Key, str]:
        """The snapshot of the schema."""
        return {(f"table public.{table}", "exists"): "yes" for table in self.tables}

    def begin(self, name: str, script: str | None = None) -> Row:
        """Inserts the row that Prisma inserts before it runs a script."""
        text = self.folder[name] if script is None else script
        row = Row(f"row-{len(self.rows) + 1}", name, checksum(text), self.now(), None, None, 0, None)
        self.rows.append(row)
        return row

    def update(self, row: Row, **values: str | int | None) -> Row:
        """Updates a row of the ledger."""
        position = next(at for at, each in enumerate(self.rows) if each.id == row.id)
        self.rows[position] = replace(self.rows[position], **values)  # type: ignore[arg-type]
        return self.rows[position]

    def run(self, name: str, change: SchemaChange) -> None:
        """Runs one statement of a migration, and commits it.

        Raises:
            RefusedError: the statement fails, as it would in PostgreSQL.
        """
        planned = self.causes.get(change.sql)
        if planned:
            raise RefusedError(code=planned.pop(0), said="as planned")
        if change.verb == "CREATE TABLE":
            if change.table in self.tables:
                raise RefusedError(code="42P07", said=f'relation "{change.table}" already exists')
            self.tables.add(change.table)
        elif change.table not in self.tables:
            kind = "table" if change.verb == "DROP TABLE" else "relation"
            raise RefusedError(code="42P01", said=f'{kind} "{change.table}" does not exist')
        elif change.verb == "DROP TABLE":
            self.drop(change.table)
        else:
            self.written.append(f"{name}: {change.sql}")

    def deployed(self, *names: str) -> None:
        """Deploys these migrations to their ends."""
        for name in names:
            for _ in self.deploying(name):
                pass

    def deploying(self, *names: str) -> Iterator[str]:
        """`migrate deploy`, one write at a time: yields each write. Stops at the first failure, as Prisma does."""
        if any(row.failed for row in self.rows):
            return  # P3009
        if not self.rows and self.tables:
            return  # P3005: there is no ledger, and the schema is not empty
        for name in names:
            script = self.folder[name]
            row = self.begin(name)
            yield f"{name}: row inserted"
            try:
                yield from self._script(name, script)
            except RefusedError as error:
                logs = _LOGS.format(name=name, code=error.code, said=error.said)
                self.update(row, logs=logs)
                yield f"{name}: logs written"
                return
            self.update(row, applied_steps_count=1)
            yield f"{name}: steps counted"
            self.update(row, finished_at=self.now())
            yield f"{name}: finished"

    def repairing(self, name: str, statements: Sequence[str]) -> Iterator[str]:
        """The statements of a plan of repair: yields each commit.

        Raises:
            RefusedError: a statement fails; what was not committed is rolled back.
        """
        before = (set(self.tables), list(self.written))
        for sql in statements:
            for change in changes(sql):
                try:
                    self.run(name, change)
                except RefusedError:
                    if not self.apart:
                        self.tables, self.written = before
                    raise
            if self.apart:
                yield f"{name}: {sql}"
        if not self.apart:
            yield f"{name}: repair committed"

    def _script(self, name: str, script: str) -> Iterator[str]:
        if self.statementwise:
            for change in changes(script):
                self.run(name, change)
                yield f"{name}: {change.sql}"
            return
        before = (set(self.tables), list(self.written))
        try:
            for change in changes(script):
                self.run(name, change)
        except RefusedError:
            self.tables, self.written = before
            raise
        yield f"{name}: script committed"

    def marking_applied(self, name: str) -> Iterator[str]:
        """`migrate resolve --applied`, one write at a time."""
        mine = [row for row in self.rows if row.migration == name]
        if any(row.finished for row in mine) or name not in self.folder:
            return  # P3008 or P3017: Prisma prints an error and changes nothing
        for row in mine:
            if row.failed:
                self.update(row, rolled_back_at=self.now())
                yield f"{name}: rolled back"
        row = self.begin(name)
        self.update(row, finished_at=row.started_at, logs="")
        yield f"{name}: marked applied"

    def marking_rolled_back(self, name: str) -> Iterator[str]:
        """`migrate resolve --rolled-back`, one write at a time."""
        for row in [row for row in self.rows if row.migration == name and row.failed]:
            self.update(row, rolled_back_at=self.now())
            yield f"{name}: marked rolled back"


class RefusedError(Exception):
    """An error that PostgreSQL would raise for a statement.

    Attributes:
        code: the SQLSTATE.
        said: the error's message.
    """

    def __init__(self, *, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code
        self.said = said


def replayed(before: Snapshot, script: str) -> Replay:
    """The replay of a script on a schema, as a scratch server would make it."""
    steps: list[Snapshot] = [dict(before)]
    statements: list[Statement] = []
    ended = None
    parsed = changes(script)
    for index, change in enumerate(parsed, start=1):
        now = dict(steps[-1])
        possible = (change.key in now) != (change.verb == "CREATE TABLE")
        if ended is None and not possible:
            ended = f"statement {index} fails when replayed"
        if change.verb == "CREATE TABLE":
            now[change.key] = "yes"
        elif change.verb == "DROP TABLE":
            now.pop(change.key, None)
        seen, why = Visibility.SEEN, ""
        if change.verb == "INSERT INTO":
            made_here = any(c.verb == "CREATE TABLE" and c.table == change.table for c in parsed[: index - 1])
            seen, why = Visibility.ROWS if made_here else Visibility.OPEN, "it writes rows"
        if ended is None:
            steps.append(now)
        else:
            seen, why = Visibility.UNREACHED if change.verb == "CREATE TABLE" else Visibility.OPEN, ended
        makes = frozenset({change.key} if change.verb == "CREATE TABLE" else ())
        needs = frozenset(() if change.verb == "CREATE TABLE" else {change.key})
        statements.append(Statement(index, change.sql, seen, why, makes=makes, needs=needs))
    footprint = frozenset(change.key for change in parsed)
    return Replay(
        checksum=checksum(script),
        statements=tuple(statements),
        steps=tuple({key: step[key] for key in footprint if key in step} for step in steps),
        footprint=footprint,
        created=frozenset(c.key[0] for c in parsed if c.verb == "CREATE TABLE" and c.key not in before),
        named=frozenset(f"public.{change.table}" for change in parsed),
        ended=ended,
    )
