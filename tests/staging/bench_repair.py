"""Half-done and drifted migrations of real histories: which get a plan of repair, and does it end where it should?

Each migration is made half-done after a drawn statement, and drifted by one drawn difference. Each plan is carried out
on a copy of production, which holds rows, and compared with another copy on which the whole script, or nothing of it,
was run: schema and rows. A plan that names rows that it loses is carried out, and judged without these. Where only a
person can know whether a statement's work on rows is done, the bench, which knows it, says so; such cases are counted.
"""

import argparse
import collections
import contextlib
import dataclasses
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from recovery.evidence.investigator import Classified, Investigator
from recovery.postgres import catalog
from recovery.postgres.target import Target
from recovery.postgres.url import parse as url_of
from recovery.repair.planning import planned
from recovery.replay import scratch, witnesses
from recovery.sql.statements import ScriptError, parse
from states.evidence import Verdict
from states.facts import Answers
from states.plans import Plan, Way
from tests.staging.bench_cases import Bench, Checkout
from tests.staging.bench_verdicts import history_of
from tests.staging.failures import SETTINGS, Case, Stager
from tests.staging.histories import Attempt, Source, commit_history
from tests.staging.mistakes import differences
from tests.staging.postgres import Server, start
from tests.staging.repairs import perform_on_copy
from tests.staging.truth import PERSON

_EXTENSION = re.compile(r"\bCREATE\s+EXTENSION\b[^;]*;", re.IGNORECASE)
#: What holds rows.
_ROWS = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND c.relname <> '_prisma_migrations' ORDER BY 1
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one case.

    Attributes:
        staged: `partial` or `drifted`, as it was judged.
        ended: `right`, `unplanned`, `hindered` (it was said to fail, so that nobody could have it carried out, and it
            ended right), `refused` (it failed), `unasked` (rows were lost that were not named), or `elsewhere`.
        why: why it has no plan, or what differs.
        answered: a person had to say which work on rows is done.
    """

    migration: str
    staged: str
    way: str
    ended: str
    why: str = ""
    answered: bool = False


#: The rows of tables.
Rows = dict[str, list[dict[str, Any]]]


def rows_of(connection: psycopg.Connection[Any]) -> Rows:
    """Every row of every table."""
    found: Rows = {}
    for (table,) in connection.execute(_ROWS).fetchall():
        query = f"SELECT to_jsonb(r) FROM ONLY {table} r"
        with contextlib.suppress(psycopg.Error):
            found[table] = [row[0] for row in connection.execute(query.encode()).fetchall()]
    return found


def changing(one: Rows, other: Rows) -> set[tuple[str, str]]:
    """Columns whose values are others each time that the script runs, as the time of day."""
    return {
        (table, column)
        for table, rows in one.items()
        for column in {column for row in rows for column in row}
        if _values(rows, column) != _values(other.get(table, []), column)
    }


def _values(rows: Sequence[dict[str, Any]], column: str) -> list[str]:
    return sorted(repr(row.get(column)) for row in rows)


def compared(rows: Sequence[dict[str, Any]], table: str, never: set[tuple[str, str]]) -> list[str]:
    """Rows as they are compared: without regard to their order, and of a changing value only whether there is one."""
    return sorted(
        repr(sorted((c, v is not None if (table, c) in never else v) for c, v in row.items())) for row in rows
    )


class Repairs:
    """Repairs on one history."""

    def __init__(self, server: Server, name: str, sources: Sequence[Source], root: Path, seed: int) -> None:
        """Begins with nothing deployed."""
        self._server = server
        self._sources = sources
        self._name = name
        self._checkout = Checkout(sources, commit_history(sources, root))
        self._stager = Stager(server, f"repair_{root.name}")
        self._workshop = Bench(scratch.embedded, "public")
        self._workshop.trunk = tuple(source.name for source in sources)
        self._random = random.Random(seed)  # noqa: S311 - a draw, no secret
        self._targets: dict[str, Target] = {}
        self._never: set[tuple[str, str]] = set()
        self._stager.leaving = self._leave

    def _leave(self, database: str) -> None:
        target = self._targets.pop(database, None)
        if target is not None:
            target.close()

    def close(self) -> None:
        """Ends the sessions and the workshop."""
        for database in list(self._targets):
            self._leave(database)
        self._stager.close()
        self._workshop.close()

    def outcomes(self, every: int) -> Iterator[Outcome]:
        """The outcome of every case of every Nth migration."""
        for position, source in enumerate(self._sources):
            if position % every == 0:
                yield from self._of(source)
            if not self._stager.deploy(source):
                self._workshop.trunk = tuple(name for name in self._workshop.trunk if name != source.name)

    def _of(self, source: Source) -> Iterator[Outcome]:
        try:
            statements = [each.sql for each in parse(source.text)]
        except ScriptError:
            return
        with self._stager.copy(self._stager.base) as before:
            self._put_rows(before, source)
            with self._stager.copy(before) as ideal:
                if not self._ran(ideal, [source.text]):
                    with self._stager.connect(before) as connection:
                        self._empty(connection)
                    with self._stager.copy(before) as again:
                        if not self._ran(again, [source.text]):
                            yield Outcome(source.name, "not run", "", "another verdict")
                            return
                        yield from self._cases(source, statements, before, again)
                    return
                yield from self._cases(source, statements, before, ideal)

    def _cases(self, source: Source, statements: list[str], before: str, ideal: str) -> Iterator[Outcome]:
        with self._stager.copy(before) as twice:
            self._ran(twice, [source.text])
            with self._stager.connect(twice) as one, self._stager.connect(ideal) as other:
                self._never = changing(rows_of(other), rows_of(one))
        if len(statements) > 1:
            count = self._random.randrange(1, len(statements))
            with self._stager.copy(before) as half:
                if self._ran(half, statements[:count]):
                    yield from self._repaired(source, half, before, ideal, count)
                else:
                    yield Outcome(source.name, "not half", "", "another verdict")
        with self._stager.connect(before) as connection:
            start = catalog.read(connection)
        with self._stager.connect(ideal) as connection:
            end = catalog.read(connection)
        changes = list(differences(start, end))
        if changes:
            what, change = self._random.choice(changes)
            with self._stager.copy(ideal) as other:
                if self._ran(other, [change]):
                    yield from self._repaired(source, other, before, ideal, len(statements), what)

    def _put_rows(self, database: str, source: Source) -> None:
        with self._stager.connect(database) as connection:
            tables = witnesses.reached(connection, parse(source.text))
            witnesses.put(connection, tables)
            connection.execute("RESET session_replication_role")

    @staticmethod
    def _empty(connection: psycopg.Connection[Any]) -> None:
        tables = [table for (table,) in connection.execute(_ROWS).fetchall()]
        if tables:
            with contextlib.suppress(psycopg.Error):
                connection.execute(f"TRUNCATE {', '.join(tables)} CASCADE".encode())

    def _ran(self, database: str, statements: Sequence[str]) -> bool:
        with self._stager.connect(database) as connection:
            try:
                for statement in statements:
                    connection.execute(statement.encode())
            except psycopg.Error:
                connection.execute("ROLLBACK")
                return False
            return connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def _repaired(
        self, source: Source, database: str, before: str, ideal: str, done: int, what: str = ""
    ) -> Iterator[Outcome]:
        for case in self._stager.case(what or "half done", database, PERSON, Attempt(source)):
            target = self._target(case.database)
            scripts = self._checkout.scripts(case)
            judged = Investigator(target, scripts, self._workshop, lambda _: None).classify(source.name)
            said = {each.index: each.index <= done for each in judged.evidence.statements if each.answers}
            answers = {source.name: Answers(judged.asked, said)}
            investigator = Investigator(target, scripts, self._workshop, lambda _: None, answers=answers.copy)
            judged = planned(judged, self._workshop, target)
            chosen = judged.evidence.repair.plans
            asked = bool(said) and (not chosen or chosen[0].way is Way.UNDO)
            found = planned(investigator.classify(source.name), self._workshop, target) if asked else judged
            evidence = found.evidence
            if evidence.verdict not in (Verdict.PARTIAL, Verdict.DRIFTED):
                yield Outcome(source.name, str(evidence.verdict), "", "another verdict", what)
                continue
            repair = evidence.repair
            if not repair.plans or repair.plans[0].way is Way.UNDO:
                why = f"{what}: {' '.join(repair.unplanned)}" if what else " ".join(repair.unplanned)
                ended = "unplanned" if not repair.plans else "undo only"
                yield Outcome(source.name, str(evidence.verdict), "", ended, why, asked)
            for plan in repair.plans:
                with self._stager.copy(case.database) as copied:
                    ended_as = self._carried_out(source, plan, found, copied, before if plan.ends == 0 else ideal, what)
                    yield dataclasses.replace(ended_as, answered=asked)

    def _target(self, database: str) -> Target:
        if database not in self._targets:
            self._targets[database] = Target(url_of(self._server.url(database)), "the bench")
        return self._targets[database]

    def _carried_out(
        self, source: Source, plan: Plan, found: Classified, database: str, wanted: str, what: str
    ) -> Outcome:
        target = self._target(database)
        investigator = Investigator(target, self._scripts, self._workshop, lambda _: None)
        with self._stager.connect(database) as connection:
            had = catalog.read(connection)
        done = perform_on_copy(target, investigator, found, plan)
        staged = str(found.evidence.verdict)
        if done.exit_code != 0:
            return Outcome(source.name, staged, plan.way, "refused", f"{what}: {done.output}")
        with self._stager.connect(database) as connection:
            is_schema, is_rows = catalog.read(connection), rows_of(connection)
        with self._stager.connect(wanted) as connection:
            should, rows = catalog.read(connection), rows_of(connection)
        odd = sorted(k for k in is_schema.keys() | should.keys() if is_schema.get(k) != should.get(k))
        # What the bench has besides is no plan's business: a table, and an index that it gave another name.
        besides = {obj for obj, prop in had if obj.startswith("index ") and (obj, "exists") not in should}
        odd = [key for key in odd if key[0] not in {"table foreign_team.mother", *besides}]
        if odd:
            return Outcome(source.name, staged, plan.way, "elsewhere", f"{what}: {odd[:3]}")
        named = {loss.name.rpartition(".")[0] if loss.name.count(".") > 1 else loss.name for loss in plan.losses}
        lost = [
            table
            for table in rows
            if compared(is_rows.get(table, []), table, self._never) != compared(rows[table], table, self._never)
            and table not in named
        ]
        if lost:
            return Outcome(source.name, staged, plan.way, "unasked", f"{what}: {lost[:3]}")
        if plan.obstacles:
            return Outcome(source.name, staged, plan.way, "hindered", f"{what}: {plan.obstacles[0].fact}")
        return Outcome(source.name, staged, plan.way, "right")

    @property
    def _scripts(self) -> Any:  # noqa: ANN401 - as the checkout makes it
        return self._checkout.scripts(Case("", PERSON, "", self._sources[0], ()))


def main() -> None:
    """Measures, and prints what has a plan, what has none and why, and what ended elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("histories", nargs="+", help="folders of Prisma migrations, or PyPI packages that hold one")
    parser.add_argument("--every", type=int, default=1, help="take each Nth migration")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    arguments = parser.parse_args()
    began, outcomes = time.monotonic(), list[Outcome]()
    for argument in arguments.histories:
        name, found = history_of(argument)
        # The server of the bench has none of the contributed extensions.
        sources = [Source(each.name, _EXTENSION.sub("", each.text)) for each in found]
        with start(None, settings=SETTINGS) as server, tempfile.TemporaryDirectory() as folder:
            repairs = Repairs(server, name, sources, Path(folder) / "0", arguments.seed)
            with contextlib.closing(repairs):
                for outcome in repairs.outcomes(arguments.every):
                    outcomes.append(outcome)
                    print(dataclasses.astuple(outcome), file=sys.stderr, flush=True)
    for staged in ("partial", "drifted"):
        mine = [each for each in outcomes if each.staged == staged]
        first = (Way.COMPLETE, Way.MEND)
        cases = [each for each in mine if each.way in ("", *first)]
        right = sum(each.ended == "right" for each in cases)
        share = f"{100 * right / len(cases):.0f} %" if cases else "-"
        unasked = sum(each.ended == "right" and not each.answered for each in cases)
        print(f"{staged}: {right} of {len(cases)} ({share}) completed or mended; {unasked} without an answer")
        for (way, ended), count in sorted(collections.Counter((each.way, each.ended) for each in mine).items()):
            print(f"  {way or '-'} {ended}: {count}")
    for ended in ("unplanned", "undo only", "hindered", "refused", "elsewhere", "unasked"):
        for each in outcomes:
            if each.ended == ended:
                print(f"{ended}: {each.migration} ({each.staged} {each.way}): {each.why[:300]}")
    other = collections.Counter(each.staged for each in outcomes if each.ended == "another verdict")
    print(f"other verdicts: {dict(other)}; {time.monotonic() - began:.0f} s")
    if any(each.ended in ("elsewhere", "unasked") for each in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
