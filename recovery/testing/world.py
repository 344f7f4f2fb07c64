"""The engine's world on a database in memory, with instants between its writes at which the process can die."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from recovery.effects.results import Performed
from recovery.errors import BusyError
from recovery.evidence.attempts import refused_at
from recovery.evidence.baseline import Baselined
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.pending import Compared
from recovery.evidence.proof import Proof
from recovery.prisma import logs
from recovery.testing.database import MemoryDatabase, RefusedError, changes, checksum, replayed
from recovery.testing.ticks import Died, Ticks
from states import effects, repair
from states.baseline import OpenWork, Past, in_order, looked_for, overwritten, tells_more
from states.baseline import judge as judge_baseline
from states.classification import deploy_fails
from states.comparison import Difference, steps_equal_to
from states.deployment import Failure
from states.digest import digest
from states.facts import Check, Key, Orphan, Outcome, Replay, Row, Subject, Visibility
from states.ledger import foreseen, in_order_of_history, side_by_side
from states.plans import Plan, PlannedStatement, Repairs, Way
from states.presence import Delta, after, delta
from states.rehearsals import Rehearsal
from states.verdict import judge
from states.verification import MigrationDifference

_TARGET = ("memory", "production", "public")


class MemoryWorld:
    """A `World` in memory. Holds the recovery's lock until `close`; a test that kills the process has to close it.

    Args:
        database: production.
        ticks: counts an instant before, between and after the writes of a Prisma command.
        orphan: if the recovery dies while a command is running, the command goes on to its end.
        on_command: called with each effect whose command begins.
    """

    def __init__(
        self,
        database: MemoryDatabase,
        ticks: Ticks | None = None,
        *,
        orphan: bool = False,
        on_command: Callable[[effects.Effect], None] = lambda _: None,
    ) -> None:
        if database.recovering:
            raise BusyError(
                "lock.recovery", "Another recovery of this database is at work. Nothing was done.", "Run again."
            )
        database.recovering = True
        self._database = database
        self._ticks = ticks or Ticks()
        self._orphan = orphan
        self._on_command = on_command
        self._begun: effects.Deploy | None = None

    def close(self) -> None:
        """Releases the lock. A deploy that was begun and not let through is gone with the process."""
        self._begun = None
        self._database.recovering = False

    def checks(self) -> tuple[Check, ...]:
        """See `World.checks`."""
        awaited = Check("prisma.target", Outcome.AWAITED, "being looked at", "the test")
        orphan = self._database.orphan
        if orphan is not None:
            return (Check("deploy.lock", Outcome.REFUSED, "held", "the test", busy=True, orphan=orphan), awaited)
        return (Check("target.identity", Outcome.HELD, "production in memory", "the test"), awaited)

    def settled(self, checks: tuple[Check, ...], *, wait: bool = True) -> tuple[Check, ...]:  # noqa: ARG002 - no time
        """See `World.settled`."""
        return tuple(replace(c, outcome=Outcome.HELD) if c.outcome is Outcome.AWAITED else c for c in checks)

    def end_orphan(self, orphan: Orphan) -> str:
        """See `World.end_orphan`."""
        self._ticks("before the orphan's end")
        if self._database.orphan != orphan:
            return "it has ended, or done something, since it was looked at"
        self._database.orphan = None
        self._ticks("the orphan is ended")
        return ""

    def inspect(self) -> Inspection:
        """See `World.inspect`."""
        rows, folder = tuple(self._database.rows), self._database.folder
        differing = {r.migration for r in rows if r.finished and r.checksum != checksum(folder.get(r.migration, ""))}
        failed = {row.migration: row for row in rows if row.failed}
        failures = tuple(Failure(name, logs.cause(row.logs), row.logs) for name, row in failed.items())
        checksums = {name: checksum(folder[name]) for name in sorted(folder)}
        return Inspection(side_by_side(rows, sorted(folder), differing & set(folder)), rows, failures, checksums)

    def classify(self, name: str, settled: Collection[str] = (), *, marking: bool = False) -> Classified:  # noqa: ARG002 - each by itself here
        """See `World.classify`. Every attempt counts as one with the folder's script."""
        rows = tuple(self._database.rows)
        base = self._finished(name)
        attempts = tuple(row for row in rows if row.migration == name)
        replay = replayed(self._after(base), self._database.folder[name])
        later = tuple(
            each
            for each in base
            if each > name and not _tables(self._database.folder[each]).isdisjoint(replay.footprint)
        )
        script = self._database.folder[name]
        subject = Subject(
            name,
            attempts,
            (replay,),
            replay.checksum,
            self._seen(replay),
            overtaken_by=later,
            stops=tuple(stop for row in attempts for stop in refused_at(row, script)),
            marking=marking,
        )
        return self._planned(self._judged(subject, rows, base))

    def _planned(self, classified: Classified) -> Classified:
        """The evidence with its plan to complete the script; in memory, the steps of the replay are its rehearsal."""
        evidence, subject = classified.evidence, classified.subject
        found, unplanned = repair.goals(subject, evidence)
        plans = []
        for goal in found:
            if goal.way is Way.COMPLETE:
                sqls = [statement.sql for statement in subject.replays[0].statements[goal.start :]]
                statements = tuple(PlannedStatement(sql) for sql in sqls)
                together = not self._database.apart
                name = repair.digest(evidence.evidence_digest, goal.way, statements, together=together)
                plans.append(Plan(goal.way, goal.ends, statements, together, goal.rows, (), "as the steps show", name))
        return replace(classified, evidence=replace(evidence, repair=Repairs(tuple(plans), unplanned)))

    def compare(self, inspection: Inspection, *, failed: bool = False, begun: bool = False) -> Compared:
        """See `World.compare`."""
        lost = looked_for(inspection.history, inspection.rows, begun=begun)
        baseline = self._baseline(inspection.rows) if lost else None
        if failed or (baseline is not None and (baseline.evidence.marked or not inspection.history.applied)):
            return Compared(baseline=baseline)
        compared = self._pending(inspection.rows, inspection.history.pending)
        if not lost and overwritten(each.evidence for each in compared.found):
            baseline = self._baseline(inspection.rows)
            if baseline is not None and tells_more(baseline.evidence):
                return Compared(baseline=baseline)
        return replace(compared, baseline=baseline if lost else None)

    def _baseline(self, rows: tuple[Row, ...]) -> Baselined | None:
        folder = self._database.folder
        if not rows and not self._database.tables:
            return None
        finished = [row for row in in_order_of_history(rows, folder) if row.migration in folder]
        names = in_order(tuple(dict.fromkeys(row.migration for row in finished)), sorted(folder))
        ran = frozenset(row.migration for row in finished if row.applied_steps_count)
        schema, steps, replays = dict[Key, str](), list[Delta](), list[Replay]()
        for name in names:
            replays.append(replayed(schema, folder[name]))
            steps.append(delta(replays[-1]))
            schema = after(schema, steps[-1:])
        actual = self._database.snapshot()
        opened = tuple(
            OpenWork(name, each.index, each.sql, each.why)
            for name, replay in zip(names, replays, strict=True)
            for each in replay.statements
            if name not in ran and each.visibility is not Visibility.SEEN
        )
        past = Past(
            names=names,
            start={},
            changes=tuple(steps),
            footprint=frozenset(key for replay in replays for key in replay.footprint),
            created=frozenset(obj for replay in replays for obj in replay.created),
            named=tuple(replay.named for replay in replays),
            ran=ran,
            stamped=frozenset(row.migration for row in finished) - ran,
            attempted=frozenset(row.migration for row in rows) - {row.migration for row in finished},
            production=actual,
            opened=opened,
            ledger=bool(rows),
        )
        counted = sorted(str(row) for row in rows if not (row.finished and not row.applied_steps_count))
        known = "\n".join([str(sorted(actual)), *counted, *(f"{name} {checksum(folder[name])}" for name in names)])
        found = judge_baseline(past, f"sha256:{checksum(known)}")
        return None if found is None else Baselined(found, rows)

    def failing_after(self, marks: Sequence[effects.Resolution], inspection: Inspection) -> tuple[Classified, ...]:
        """See `World.failing_after`."""
        rows, marked = inspection.rows, {mark.migration for mark in marks}
        others = (effects.MarkRolledBack(name) for name in inspection.history.failed if name not in marked)
        for mark in (*marks, *others):
            rows = foreseen(mark, checksum(self._database.folder.get(mark.migration, "")), rows)
        pending = side_by_side(rows, sorted(self._database.folder), frozenset()).pending
        return tuple(each for each in self._pending(rows, pending).found if deploy_fails(each.evidence))

    def _pending(self, rows: tuple[Row, ...], pending: Sequence[str]) -> Compared:
        base = self._finished("", rows)
        tried = {row.migration for row in rows}
        schema, assumed, found = self._after(base), list[Delta](), list[Classified]()
        for name in pending:
            replay = replayed(schema, self._database.folder[name])
            subject = Subject(name, (), (replay,), replay.checksum, self._seen(replay), assumed=tuple(assumed))
            classified = self._judged(subject, rows, base)
            if name not in tried and classified.evidence.in_production:
                found.append(classified)
            assumed.append(delta(replay))
            schema |= {key: value for key, value in assumed[-1].items() if value is not None}
            schema = {key: value for key, value in schema.items() if assumed[-1].get(key, value) is not None}
        return Compared(tuple(found))

    def rehearse(
        self,
        planned: Sequence[effects.Effect],  # noqa: ARG002 - nobody waits for a table in memory
        compared: Compared | None = None,  # noqa: ARG002 - as above
    ) -> tuple[Rehearsal, ...]:
        """See `World.rehearse`. In memory no table is locked."""
        return ()

    def withdraw(self) -> None:
        """See `World.withdraw`."""
        if self._begun is not None:
            self._ticks("before the deploy is ended that was begun")
            self._begun = None

    def resolve(
        self, effect: effects.Resolution, classified: Classified | Baselined, then: effects.Deploy | None = None
    ) -> Performed:
        """See `World.resolve`."""
        self._ticks(f"before {effect.id}")
        if isinstance(classified, Baselined):
            found = self._baseline(tuple(self._database.rows))
            if found is None or found.evidence.evidence_digest != classified.evidence.evidence_digest:
                return Performed(unchanged="the evidence has changed since it was judged")
            return self._perform(effect, self._database.marking_applied(effect.migration))
        if self._changed(classified):
            return Performed(unchanged="the evidence has changed since it was judged")
        if then is not None:
            self._begun = then
            self._ticks(f"before {effect.id}, with {then.id} behind it")
        applied = isinstance(effect, effects.MarkApplied)
        command = self._database.marking_applied if applied else self._database.marking_rolled_back
        return self._perform(effect, command(effect.migration))

    def repair(self, plan: Plan, classified: Classified, note: Callable[[int, str], None]) -> Performed:
        """See `World.repair`. A statement that is committed by itself is noted, as by the real world."""
        effect = effects.Repair(classified.evidence.migration, plan.way, plan.digest)
        self._ticks(f"before {effect.id}")
        if self._changed(classified):
            return Performed(unchanged="the evidence has changed since the plan was made")
        self._on_command(effect)
        try:
            for number, statement in enumerate(
                [plan.statements] if plan.together else [[s] for s in plan.statements], 1
            ):
                if not plan.together:
                    note(number, "intended")
                for written in self._database.repairing(effect.migration, [each.sql for each in statement]):
                    self._ticks(written)
                if not plan.together:
                    note(number, "observed")
        except RefusedError as error:
            return Performed(output=f"{error.code} {error.said}.", exit_code=1, undone=plan.together)
        self._ticks(f"after {effect.id}")
        at = steps_equal_to(classified.subject.replays[0], self._seen(*classified.subject.replays))
        return Performed(exit_code=int(plan.ends not in at))

    def undone(self, transaction: int) -> bool:  # noqa: ARG002 - see `World.undone`
        """See `World.undone`. In memory no transaction has a number, so nothing is known of any."""
        return False

    def _changed(self, classified: Classified) -> bool:
        """Whether the evidence is another one by now."""
        subject = classified.subject
        name = subject.migration
        attempts = tuple(row for row in self._database.rows if row.migration == name)
        now = Subject(
            name,
            attempts,
            subject.replays,
            checksum(self._database.folder[name]),
            self._seen(*subject.replays),
            overtaken_by=subject.overtaken_by,
            assumed=subject.assumed,
            stops=subject.stops,
            marking=subject.marking,
        )
        deployed = not subject.attempts and tuple(self._database.rows) != classified.rows
        return deployed or digest(now, _TARGET, classified.base) != classified.evidence.evidence_digest

    def deploy(self, effect: effects.Deploy, inspection: Inspection) -> Performed:
        """See `World.deploy`."""
        self._begun = None  # what was begun gets its turn, or another is started: nothing tells them apart from here on
        self._ticks(f"before {effect.id}")
        now = self.inspect()
        if (now.rows, now.history.pending) != (inspection.rows, effect.migrations):
            return Performed(unchanged="the ledger has changed since the deploy was planned")
        if any(now.checksums[name] != inspection.checksums[name] for name in effect.migrations):
            return Performed(unchanged="a pending migration's file has changed since the deploy was planned")
        return self._perform(effect, self._database.deploying(*effect.migrations))

    def prove(self, rows: tuple[Row, ...], deployed: frozenset[str]) -> Proof:
        """See `World.prove`. Every finished migration is watched."""
        expected = self._after(self._finished(""))
        actual = self._database.snapshot()
        names = tuple(dict.fromkeys(row.migration for row in rows if row.finished))
        touched = {key for name in names for key in _tables(self._database.folder.get(name, ""))}
        wrong = sorted(key for key in touched if expected.get(key) != actual.get(key))
        shown = tuple(Difference(*key, expected.get(key), actual.get(key)) for key in wrong)
        differing = (MigrationDifference(names[-1], shown),) if shown else ()
        return Proof(() if differing else tuple(sorted({*names, *deployed} & set(names))), differing)

    def command(self, effect: effects.Effect) -> str:
        """See `World.command`."""
        return f"prisma {effect.id}"

    def _perform(self, effect: effects.Effect, writes: Iterator[str]) -> Performed:
        """Runs a command, whose process may live on alone; a deploy that was begun beside it never does."""
        self._on_command(effect)
        written = ""
        try:
            for written in writes:
                self._ticks(written)
        except Died:
            if self._orphan:
                for _ in writes:
                    pass
            raise
        self._ticks(f"after {effect.id}")
        # Prisma exits with 1 if it wrote nothing, or if its last write was the error.
        return Performed(exit_code=int(not written or written.endswith("logs written")))

    def _finished(self, but: str, rows: tuple[Row, ...] | None = None) -> tuple[str, ...]:
        done = in_order_of_history(tuple(self._database.rows) if rows is None else rows, self._database.folder)
        return tuple(dict.fromkeys(row.migration for row in done if row.migration != but))

    def _after(self, names: tuple[str, ...]) -> dict[Key, str]:
        tables: dict[Key, str] = {}
        for name in names:
            for change in changes(self._database.folder.get(name, "")):
                if change.verb == "CREATE TABLE":
                    tables[change.key] = "yes"
                elif change.verb == "DROP TABLE":
                    tables.pop(change.key, None)
        return tables

    def _seen(self, *replays: Replay) -> dict[Key, str]:
        wanted = {key for replay in replays for key in replay.footprint}
        return {key: value for key, value in self._database.snapshot().items() if key in wanted}

    def _judged(self, subject: Subject, rows: tuple[Row, ...], base: tuple[str, ...]) -> Classified:
        latest = next((row for row in reversed(subject.attempts) if row.failed), None)
        pairs = tuple((name, checksum(self._database.folder.get(name, ""))) for name in base)
        cause = logs.cause(latest.logs if latest else None)
        return Classified(judge(subject, cause, _TARGET, pairs), subject, rows, pairs)


def _tables(script: str) -> set[Key]:
    return {change.key for change in changes(script)}
