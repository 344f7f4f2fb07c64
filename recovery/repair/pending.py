"""Rehearses pending migrations on a copy of the schema that production has: what they lock, and what they rewrite."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from recovery.errors import RecoveryError
from recovery.postgres.target import Target, number_of
from recovery.repair.locking import ALONE, CONCURRENT, held, named_after_on, rewritten, sizes, tables
from recovery.replay.copies import Copy
from recovery.replay.running import execute
from recovery.replay.workshop import Workshop
from recovery.sql.script import Script
from recovery.sql.statements import Parsed, parse
from states.facts import Obstacle
from states.rehearsals import LOCKS, Rehearsal, Touched, locked

#: Statements that drop what depends on something, if their text does not tell what (CASCADE).
_DROPPING = ("drop_stmt", "alter_table_stmt")
#: Statements that give a table another file, and write none of its rows.
_EMPTYING = ("truncate_stmt",)
_NOT_AS_PRODUCTION = "It was not rehearsed, because production may have something of it already."


def rehearsed(
    coming: Sequence[Script],
    history: list[Script],
    known: Collection[str],
    obstacles: Mapping[str, tuple[Obstacle, ...]],
    workshop: Workshop,
    target: Target,
) -> tuple[Rehearsal, ...]:
    """What each of these migrations would do in production; where that can't be told, why.

    Args:
        coming: the scripts, in the order in which a deploy runs them.
        history: the scripts that come before.
        known: names of those of which production is known to have nothing. Only these are told of: the schema of the
            copy was compared with production's in all that they work on.
        obstacles: what would make them fail, by the migration's name.
        workshop: the scratch server.
        target: production, which is asked for sizes.
    """
    try:
        told = workshop.submit(lambda: [*_all(coming, history, known, workshop)]).result()
    except RecoveryError as error:
        if not error.code.startswith(("scratch.", "replay.")):
            raise
        return tuple(Rehearsal(each.migration, untold=(error.fact,)) for each in coming)
    large = sizes(target.reading(), sorted({each.table for _, seen in told for each in seen}))
    return tuple(
        replace(each, locks=locked(seen, large), obstacles=obstacles.get(each.migration, ())) for each, seen in told
    )


def _all(
    coming: Sequence[Script], history: list[Script], known: Collection[str], workshop: Workshop
) -> Iterator[tuple[Rehearsal, list[Touched]]]:
    version, broken = number_of(workshop.server.version), ""
    with workshop.history(history).copied() as copy:
        with copy.connected() as connection:
            names = {oid: name for oid, (name, _) in tables(connection).items()}
        for script in coming:
            if broken:
                yield Rehearsal(script.migration, untold=(broken,)), []
                continue
            run = _Run(copy, names, parse(script.text))
            run.through()
            told = Rehearsal(script.migration, (), (), run.fails, tuple(run.untold), version)
            if script.migration not in known:
                yield Rehearsal(script.migration, untold=(_NOT_AS_PRODUCTION,)), []
            else:
                yield told, run.seen
            if run.fails:
                broken = f"It was not rehearsed, because {script.migration}, before it, fails in the rehearsal."


@dataclass
class _Run:
    """A rehearsal of one script.

    Attributes:
        copy: the database; the script's changes stay in it.
        names: the tables that were there before the first script, by oid, with the names that production has for them.
        parsed: the script.
        seen: what its statements did to these tables.
        untold: what can't be told, as sentences.
        fails: the statement that failed, as a clause.
    """

    copy: Copy
    names: Mapping[int, str]
    parsed: Sequence[Parsed]
    seen: list[Touched] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    fails: str = ""

    def through(self) -> None:
        """Runs the script as one transaction if PostgreSQL allows that, else statement by statement."""
        if any(each.control for each in self.parsed) or not self._together():
            self.seen, self.untold = [], []
            self._one_by_one()

    def _together(self) -> bool:
        with self.copy.connected() as connection:
            connection.execute("BEGIN")
            for statement in self.parsed:
                try:
                    self._watch(connection, statement)
                except psycopg.Error as error:
                    if error.sqlstate in ALONE:
                        return False
                    self._failed(statement, error)
                    return True
            try:
                connection.execute("COMMIT")
            except psycopg.Error as error:
                self._failed(self.parsed[-1], error)
        return True

    def _one_by_one(self) -> None:
        with self.copy.connected() as connection:
            for statement in self.parsed:
                status = connection.info.transaction_status
                wrapped = status == psycopg.pq.TransactionStatus.IDLE and not statement.control
                try:
                    if wrapped:
                        connection.execute("BEGIN")
                    self._watch(connection, statement)
                    if wrapped:
                        connection.execute("COMMIT")
                except psycopg.Error as error:
                    if not wrapped or error.sqlstate not in ALONE:
                        return self._failed(statement, error)
                    connection.execute("ROLLBACK")
                    try:
                        self._alone(connection, statement)
                    except psycopg.Error as again:
                        return self._failed(statement, again)
        return None

    def _failed(self, statement: Parsed, error: psycopg.Error) -> None:
        said = error.diag.message_primary or str(error).splitlines()[0]
        self.fails = f"statement {statement.index} fails in the rehearsal: {error.sqlstate} {said}"

    def _watch(self, connection: psycopg.Connection[Any], statement: Parsed) -> None:
        """Runs a statement in a transaction, and notes the tables of production that it locks and rewrites."""
        if not self._may_run(statement):
            return
        before, there = held(connection), tables(connection)
        execute(connection, statement)
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            return  # it has ended the script's own transaction
        now = held(connection)
        files = set() if statement.node in _EMPTYING else rewritten(there, tables(connection))
        for oid in self.names.keys() & (now.keys() | files):
            stronger = now.get(oid, -1) > before.get(oid, -1)
            if stronger or oid in files:
                lock = LOCKS[now[oid]] if stronger else ""
                self.seen.append(Touched(statement.index, self.names[oid], lock, oid in files))

    def _alone(self, connection: psycopg.Connection[Any], statement: Parsed) -> None:
        """Runs a statement that no transaction may hold; the locks of CREATE INDEX CONCURRENTLY are known."""
        execute(connection, statement)
        text = named_after_on(statement.sql) if "concurrently" in statement.sql.lower() else ""
        row = connection.execute("SELECT to_regclass(%s)::oid::bigint", (text,)).fetchone() if text else None
        if row is None or row[0] is None:
            self.untold.append(f"Statement {statement.index} runs in no transaction, so its locks can't be seen.")
        elif row[0] in self.names:
            self.seen.append(Touched(statement.index, self.names[row[0]], CONCURRENT, rewrites=False))

    def _may_run(self, statement: Parsed) -> bool:
        """Whether a statement can be run here; notes what it may do besides, which no copy shows."""
        said = f"Statement {statement.index}"
        if statement.forbidden:
            self.untold.append(f"{said} {statement.forbidden}, so it was not run.")
        elif statement.opaque and statement.node in _DROPPING:
            self.untold.append(f"{said} drops with CASCADE, and only production knows what goes too.")
        elif statement.opaque:
            self.untold.append(f"{said} may work on other tables where there are rows, and lock these.")
        return not statement.forbidden
