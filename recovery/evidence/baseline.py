"""Compares production with the whole history, where the ledger may have lost what production has (a baseline)."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg

from recovery.evidence.investigator import LOCKED, READS, Investigator
from recovery.postgres import catalog, ledger, traces
from recovery.replay.history import is_definition
from recovery.replay.prefixes import Prefixes, prefixes
from recovery.sql.psql_lines import without_psql_lines
from recovery.sql.script import Script
from recovery.sql.spelling import respelled
from states.baseline import Baseline, Past, equal_to, in_order, judge
from states.baseline_rows import Rows, dropped_tables, open_work, tables_in_question
from states.digest import RULES_VERSION, named, said_by
from states.facts import Key, Note, Replay, Row, Snapshot

#: Replays that are kept between two looks, each by the scripts and by the names that were asked for.
Kept = dict[tuple[tuple[Script, ...], frozenset[str]], Prefixes]


@dataclass(frozen=True, slots=True)
class Baselined:
    """A baseline, with what is needed to check later that it still holds.

    Attributes:
        evidence: how far production has the history.
        rows: every row of the ledger at that time.
    """

    evidence: Baseline
    rows: tuple[Row, ...]


class BaselineInvestigator(Investigator):
    """Finds out how far production has the history. Only reads production; the history runs in scratch only."""

    kept: Kept

    def find(self, rows: tuple[Row, ...], *, alone: bool = True) -> Baselined | None:
        """The baseline; None if the comparison of pending migrations tells as much.

        Args:
            rows: every row of the ledger.
            alone: look whether anybody else may be at work. Not where we hold Prisma's lock.
        """
        if not rows and ledger.is_empty(self._target.reading(), self._target.url.schema):
            return None  # a deploy makes all of it
        for _ in range(READS):
            past, digest = self._past(rows, alone=alone)
            again = self._rows()
            if again == rows:
                break
            rows = again
        else:
            past = replace(past, running=("The ledger changes while it is being read.",))
        found = judge(past, digest)
        return None if found is None else Baselined(found, rows)

    def baseline_now(self) -> str:
        """The digest of the evidence as it is now, while Prisma's lock is ours; empty if there is no baseline."""
        try:
            now = self.find(self._rows(), alone=False)
        except psycopg.errors.LockNotAvailable:
            return ""
        return "" if now is None else now.evidence.evidence_digest

    def _past(self, rows: tuple[Row, ...], *, alone: bool) -> tuple[Past, str]:
        scripts, notes = self._sequence(rows)
        ran = {row.migration for row in rows if row.finished and row.applied_steps_count >= 1}
        finished = {row.migration for row in rows if row.finished}
        self._workshop.stand_in(self._target.reading(), self._scripts.every_text(rows))
        names = tuple(script.migration for script in scripts)
        replayed = self._replayed(scripts, frozenset(names) - ran)
        schema = self._target.url.schema
        kept_out = f"table {schema}._prisma_migrations"  # a ledger that is gone has lost what a script did to it
        past = Past(
            names=names,
            start=replayed.start,
            changes=tuple(replayed.changes),
            footprint=frozenset(key for key in replayed.footprint if key[0] != kept_out),
            created=frozenset(replayed.created),
            named=tuple(replayed.named),
            ran=frozenset(ran),
            stamped=frozenset(finished - ran),
            attempted=frozenset(row.migration for row in rows) - finished,
            still=frozenset(replayed.still),
            unknown="; ".join(map(str, notes)),
            ledger=ledger.exists(self._target.reading(), schema),
        )
        try:
            past = replace(past, production=self._read(replayed))
            past = replace(past, production={**past.production, **self._in_our_words(replayed, past.production)})
            past, proofs = self._with_rows(past, replayed)
            past = replace(past, others=self._others(replayed))
            running = self._at_work({obj for obj, _ in replayed.footprint}) if alone else ()
        except psycopg.errors.LockNotAvailable:
            return replace(past, running=(LOCKED,)), ""
        return replace(past, running=running), self._digest(past, scripts, rows, proofs)

    def _sequence(self, rows: Sequence[Row]) -> tuple[list[Script], list[Note]]:
        """The whole history: what the finished rows ran, and the folder's other migrations among and after them."""
        done, notes = self._scripts.finished(rows)
        known = {script.migration: script for script in done}
        lost = {row.migration for row in rows if row.finished} - known.keys()
        scripts = []
        for name in in_order(list(known), self._scripts.names):
            script = known.get(name) or self._scripts.present(name)
            if script is not None:
                scripts.append(replace(script, text=without_psql_lines(script.text)))
        # A mark is of the file as it is now; of a script that ran, another text may be what production has.
        ran = {row.migration for row in rows if row.finished and row.applied_steps_count >= 1}
        return scripts, [note for note in notes if note.migration in ran | lost]

    def _replayed(self, scripts: Sequence[Script], asked: frozenset[str]) -> Prefixes:
        key = (tuple(scripts), asked)
        if key not in self.kept:
            schema = self._target.url.schema
            self.kept.clear()

            def keep(place: int, make: Callable[[], Replay]) -> Replay:
                return self._kept(scripts[:place], scripts[place], make)

            work = partial(prefixes, self._workshop, scripts, asked, schema, keep)
            self.kept[key] = self._workshop.submit(work).result()
        return self.kept[key]

    def _read(self, replayed: Prefixes) -> dict[Key, str]:
        named = frozenset[str]().union(*replayed.named)
        scope = catalog.scope_of({obj for obj, _ in replayed.footprint})
        return catalog.read(self._target.reading(), scope | catalog.scope_of(f"table {name}" for name in named))

    def _in_our_words(self, replayed: Prefixes, production: Snapshot) -> dict[Key, str]:
        """Production's definitions as the scratch server writes them, where its version is another (RULES E13)."""
        versions = (self._target.reading().info.server_version, self._workshop.server.version)
        if versions[0] // 10_000 == versions[1] // 10_000:
            return {}
        known: dict[Key, set[str]] = {}
        for key, value in (*replayed.start.items(), *(item for each in replayed.changes for item in each.items())):
            if value is not None:
                known.setdefault(key, set()).add(value)
        odd = {
            key: value
            for key, value in production.items()
            if key in replayed.footprint and is_definition(key) and value not in known.get(key, set())
        }
        scripts = list(replayed.scripts)
        found = self._workshop.submit(lambda: self._workshop.history(scripts).reread(odd)).result() if odd else {}
        spellings = {key: tuple(known.get(key, ())) for key in replayed.footprint}
        return found | respelled(spellings, {**production, **found}, versions)

    def _with_rows(self, past: Past, replayed: Prefixes) -> tuple[Past, Rows]:
        """The history with the work on rows that production does not prove, up to where it may have the history."""
        equal, _, _ = equal_to(past)
        if not equal:
            return past, Rows()
        count, connection = equal[-1], self._target.reading()
        migrations = [each for each in replayed.migrations if each.place < count]
        changes = past.changes[:count]
        there = {obj for obj, prop in past.production if prop == "exists" and obj.startswith("table ")}
        dropped = {o: columns for o, columns in dropped_tables(past.start, changes).items() if o not in there}
        proofs = Rows(
            places=replayed.placed(count),
            found=traces.places(connection, there),
            filled=catalog.read_filled(connection, there),
            empty=traces.empty(connection, tables_in_question(migrations, past.start, changes) & there),
            alike=traces.alike(connection, dropped),
            began=_day_before(past.names[0]),
        )
        return replace(past, opened=open_work(migrations, past.names[:count], past.start, changes, proofs)), proofs

    def _others(self, replayed: Prefixes) -> tuple[str, ...]:
        found = ledger.relations(self._target.reading(), self._target.url.schema)
        return tuple(name for name in found if not {f"{kind} {name}" for kind in _KINDS} & replayed.created)

    def _digest(self, past: Past, scripts: Sequence[Script], rows: Sequence[Row], proofs: Rows) -> str:
        """A name for exactly this evidence. What is marked meanwhile is left out: it is what the evidence leads to."""
        counted = [row for row in rows if not (row.finished and row.applied_steps_count == 0)]
        of = {key for key in past.production if key in past.footprint}
        parts = {
            "rules": RULES_VERSION,
            "around": list(self._workshop.around.digested),
            "baseline": [[script.migration, script.checksum] for script in scripts],
            "target": list(self._target.identity.digested),
            "rows": [said_by(row) for row in sorted(counted, key=lambda row: row.id)],
            "production": sorted([*key, past.production[key]] for key in of),
            "extra": sorted([*key, value] for key, value in past.production.items() if key not in of),
            "opened": [list(astuple(each)) for each in past.opened],
            "places": sorted([obj, *columns] for obj, columns in proofs.found.items()),
        }
        return named(parts)


#: Kinds of objects that `ledger.relations` finds.
_KINDS = ("table", "view", "materialized view", "foreign table")


def _day_before(migration: str) -> str:
    """The day before the one in a migration's name, as `YYYY-MM-DD`; empty if there is none.

    The day before, since the name is in UTC, and production's times may be in another zone.
    """
    try:
        day = datetime.strptime(migration[:8], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return ""
    return f"{day - timedelta(days=1):%Y-%m-%d}"
