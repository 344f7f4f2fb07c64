"""Gathers the evidence on a failed migration: compares its replay with production."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg

from recovery import events
from recovery.evidence.attempts import stops
from recovery.evidence.checkpoint import shown_by, stamped_squash, stands_for_what_is_found
from recovery.evidence.indications.gathering import indicated
from recovery.evidence.material import Material, changed_names, material, meets, touching, unreplayed
from recovery.evidence.overtaking import Course, courses, making_again, overtaking
from recovery.evidence.repeated import twin
from recovery.files import cache_folder
from recovery.postgres import catalog, traces
from recovery.postgres.locks import PRISMA_LOCK
from recovery.postgres.sessions import at_work_on, patiently_held
from recovery.postgres.target import Target
from recovery.prisma import logs
from recovery.prisma.scripts import Scripts
from recovery.replay.cache import ReplayCache, key
from recovery.replay.history import is_definition
from recovery.replay.workshop import Workshop
from recovery.sql.modifiers import modified
from recovery.sql.script import Script
from recovery.sql.spelling import respelled
from recovery.sql.statements import ScriptError
from states.comparison import Difference, differences, qualified_name
from states.digest import digest
from states.effects import MarkApplied, MarkRolledBack
from states.evidence import Decision, Evidence
from states.facts import Answers, Key, Note, Replay, Row, Stop, Subject, Twin
from states.ledger import earlier_failed, foreseen
from states.repair import replay_of
from states.verdict import judge, latest_attempt

#: RULES E13: a session that holds such a lock is changing the schema.
LOCKED = "Another session holds a lock that keeps the schema from being read."
_EVENT_TRIGGERS = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_event_trigger v WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND d.objid = v.oid AND d.deptype = 'e'))
"""
#: Attempts to read ledger and footprint twice with equal results. If all fail, somebody is changing them right now.
READS = 4


@dataclass(frozen=True, slots=True)
class Classified:
    """A verdict on a migration, with everything needed to check later that it still holds.

    Attributes:
        evidence: the verdict, the decision and the reasons for them.
        subject: the facts that were judged.
        rows: every row of the ledger at that time.
        base: name and checksum of each migration replayed before this one.
        scripts: the scripts that its attempts ran, and the one now in the migrations folder.
        history: the scripts of `base`.
        asked: the digest of the evidence without a person's answers on statements, for which these are given.
    """

    evidence: Evidence
    subject: Subject
    rows: tuple[Row, ...]
    base: tuple[tuple[str, str], ...]
    scripts: tuple[Script, ...] = ()
    history: tuple[Script, ...] = ()
    asked: str = ""

    @property
    def ran_to_its_end(self) -> bool:
        """Whether Prisma recorded an applied step: then a script ran to its end, and only the row is unfinished."""
        return any(row.applied_steps_count >= 1 for row in self.subject.attempts)


class Investigator:
    """Finds out whether a failed migration is in the database. Only reads production; runs scripts in scratch only."""

    def __init__(
        self,
        target: Target,
        scripts: Scripts,
        workshop: Workshop,
        sleep: Callable[[float], None] = time.sleep,
        assume: frozenset[str] = frozenset(),
        answers: Callable[[], Mapping[str, Answers]] = dict,
    ) -> None:
        """Keeps the sources of the evidence.

        Args:
            target: production.
            scripts: the checkout.
            workshop: the scratch server.
            sleep: waits for a number of seconds between two checks of Prisma's lock.
            assume: names of the assumptions that a decision may rest on (RULES E21).
            answers: reads what a person has said of statements, by the migration; called only where that would count.
        """
        self._assume = assume
        self._answers = answers
        self._target = target
        self._scripts = scripts
        self._workshop = workshop
        self._cache = ReplayCache(cache_folder() / "replays")
        self._sleep = sleep

    def classify(self, name: str, settled: Collection[str] = (), *, marking: bool = False) -> Classified:
        """Judges the failed migration `name`. If its history can't be replayed, the verdict says so.

        Args:
            name: the migration.
            settled: migrations that this run has marked rolled back, whatever the evidence says of them.
            marking: this recovery began to mark it applied, and was not seen to (RULES F5).
        """
        rows = self._rows()
        for _ in range(READS):
            plan, subject = self._in_its_turn(name, rows, settled)
            subject = replace(subject, marking=marking)
            if subject.running:
                break
            again = self._rows()
            try:
                if again == rows and self._production(subject) == subject.production:
                    break
            except psycopg.errors.LockNotAvailable:
                subject = replace(subject, running=(LOCKED,))
                break
            rows = again
        else:
            subject = replace(subject, running=("The ledger or the schema changes while it is being read.",))
        return self._judged(plan, subject, rows)

    def _rows(self) -> tuple[Row, ...]:
        """The ledger as it is now, with the names that the migrations have now."""
        return self._scripts.under_present_names(self._target.rows())

    def _in_its_turn(self, name: str, rows: tuple[Row, ...], settled: Collection[str]) -> tuple[Material, Subject]:
        """The facts of a failed migration, as a run finds them when it comes to it (RULES E30).

        A run resolves the failed ones before it first: one that is decided to be applied is in its history then.
        """
        undecided: list[Subject] = []
        for earlier in earlier_failed(name, self._scripts.history(rows)):
            if earlier in settled:
                continue
            plan, subject = self._looked_at(earlier, rows, undecided)
            decision = self._evidence(plan, subject).decision
            if decision is Decision.MARK_APPLIED:
                rows = foreseen(MarkApplied(earlier), plan.present, rows)
            elif decision is Decision.MARK_ROLLED_BACK:
                rows = foreseen(MarkRolledBack(earlier), plan.present, rows)
            else:
                undecided.append(subject)
        return self._looked_at(name, rows, undecided)

    def _looked_at(self, name: str, rows: tuple[Row, ...], undecided: Sequence[Subject]) -> tuple[Material, Subject]:
        """The facts of a failed migration, beside the failed ones before it that the evidence does not decide."""
        self._workshop.stand_in(self._target.reading(), self._scripts.every_text(rows))
        plan = self._from_a_checkpoint(material(self._scripts, name, rows), rows)
        subject = self._subject(plan)
        schema = self._target.url.schema
        may_meet = tuple(
            other.migration for other in undecided if meets(other, self._scripts_of(other), subject, plan, schema)
        )
        others = (other for other in self._scripts.history(rows).failed if other != name)
        remade = making_again(subject.replays, (script for other in others for script in self._attempted(other, rows)))
        return plan, replace(subject, undecided=may_meet, made_again_by=remade)

    def _attempted(self, name: str, rows: Sequence[Row]) -> tuple[Script, ...]:
        """The scripts that attempts at a migration ran, as far as they are known."""
        found = (self._scripts.ran(name, row.checksum) for row in rows if row.migration == name)
        return tuple(script for script in found if script is not None)

    def _scripts_of(self, subject: Subject) -> tuple[Script, ...]:
        """The scripts that the replays of a migration are of."""
        found = (self._scripts.ran(subject.migration, replay.checksum) for replay in subject.replays)
        return tuple(script for script in found if script is not None)

    def asked_now(self, classified: Classified) -> str:
        """Reads production again, and digests the evidence without a person's answers, for which new ones count."""
        return self.digest_now(replace(classified, subject=replace(classified.subject, answered={})))

    def digest_now(self, classified: Classified) -> str:
        """Reads production again and digests the evidence: the digest is equal if the verdict still holds.

        It is empty, and so never equal, where another session's lock keeps the schema from being read.
        """
        subject = classified.subject
        rows = self._rows()
        attempts = tuple(row for row in rows if row.migration == subject.migration)
        # `resolve --applied` records the file as it is when it runs, and deploy runs that file.
        present = self._scripts.present(subject.migration)
        known = [script for script in classified.scripts if script.checksum == subject.present]
        if known if present is None else not (known and all(script.same_as(present) for script in known)):
            return ""
        # Nothing keeps others from deploying a pending migration, so the ledger must be unchanged, too.
        if not subject.attempts and rows != classified.rows:
            return ""
        try:
            now = self._proofs(replace(subject, attempts=attempts, production=self._production(subject)))
            now = replace(now, stops=self._stops(classified.scripts, now))
        except psycopg.errors.LockNotAvailable:
            return ""
        return digest(now, self._target.identity.digested, classified.base)

    def left_to(self, connection: psycopg.Connection[Any], classified: Classified, step: int) -> tuple[Difference, ...]:
        """How production, as a session's own transaction sees it, differs from a step of the script.

        Args:
            connection: the session, which may have changed the schema.
            classified: the verdict before that.
            step: the step; 0 for the state before the script.
        """
        subject = classified.subject
        replay = replay_of(subject)
        if replay is None:
            raise AssertionError("a plan rests on the one script that every attempt ran")
        now = catalog.read(connection, _scope(subject))
        same = {key for key, text in subject.reread.items() if subject.production.get(key) == now.get(key)}
        view = {**now, **{key: subject.reread[key] for key in same}}
        versions = (connection.info.server_version, self._workshop.server.version)
        spellings = {key: tuple({s[key] for s in replay.steps if key in s}) for key in replay.footprint}
        return differences(replay, step, {**view, **respelled(spellings, view, versions)})

    def _from_a_checkpoint(self, plan: Material, rows: Sequence[Row]) -> Material:
        """The same with a stamped squash as the beginning of the history, where it may stand for what is gone."""
        folder = {name: migration.checksum for name, migration in self._scripts.migrations.items()}
        point = stamped_squash(rows, plan.base, folder, plan.unknown)
        if point is None or point.script in plan.later:
            return plan
        if point.lost:
            notes = tuple(
                Note(note.migration, f"{note.reason}; {point.script.migration} takes its place")
                if note.migration in point.lost
                else note
                for note in plan.notes
            )
            squash = point.script.migration
            return replace(plan, base=point.base, notes=notes, unknown=(), squash=squash, squashed=point.lost)
        return replace(plan, base=point.base) if stands_for_what_is_found(self._workshop, point) else plan

    def _subject(self, plan: Material) -> Subject:
        stamped = any(script.migration not in plan.counted for script in plan.base)
        subject = Subject(
            plan.name,
            plan.attempts,
            (),
            plan.present,
            unreadable=plan.missing,
            assume=self._assume,
            stamped=stamped or bool(plan.unknown),
        )
        schema = self._target.url.schema
        afterwards = self._afterwards(plan)
        try:
            replays = tuple(self._replay(plan, script) for script in plan.scripts)
        except ScriptError as error:
            replays = ()
            subject = replace(subject, unreadable=error.fact)
        # A row-bearing script may read rows from any table that it names.
        reading = {name for replay in replays if replay.row_bearing for name in replay.named}
        named = touching(plan.later, changed_names(replays) | reading, schema)
        did = overtaking(plan.scripts, replays, plan.later, schema, afterwards)
        overtaken_by = tuple(script.migration for script in plan.later if script.migration in {*named, *did})
        subject = replace(subject, replays=replays, overtaken_by=(*plan.unknown_later, *overtaken_by))
        subject = replace(subject, twins=self._twins(plan, replays))
        try:
            subject = self._proofs(replace(subject, production=self._production(subject)))
            subject = replace(subject, reread=self._reread(plan, subject))
            subject = replace(subject, unreplayed=self._unreplayed(plan, subject))
            subject = replace(subject, stops=self._stops(plan.scripts, subject))
            return replace(subject, running=self._running(plan, subject))
        except psycopg.errors.LockNotAvailable:
            return replace(subject, running=(LOCKED,))

    def _unreplayed(self, plan: Material, subject: Subject) -> tuple[str, ...]:
        """What of the base was not replayed and may matter: what a squash stands for only if production shows that."""
        lost = plan.squashed if plan.squashed and not self._shown(plan, subject) else ()
        return (*lost, *unreplayed(plan, subject))

    def _shown(self, plan: Material, subject: Subject) -> bool:
        """Whether production shows that the squash stands for what is lost, as far as this migration is concerned."""
        row = self._target.reading().execute(_EVENT_TRIGGERS).fetchone()
        if row is None or row[0]:  # a lost migration may have made one, which runs with any statement
            return False
        start = self._workshop.submit(lambda: self._workshop.history(plan.base).snapshot()).result()
        production = {**subject.production, **subject.reread}
        return shown_by(plan.scripts, subject.replays, start, production, plan.squash)

    def _afterwards(self, plan: Material) -> tuple[Course, ...]:
        """The later migrations, replayed on what was there before this one (RULES E29).

        Called before the other replays: where the later ones end the history, those then only extend this replay.
        """
        before = replace(plan, base=[script for script in plan.base if script not in plan.later])
        run = partial(self._replay, before)
        return courses(plan.scripts, plan.later, self._target.url.schema, run)

    def _twins(self, plan: Material, replays: Sequence[Replay]) -> tuple[Twin, ...]:
        """The scripts that make what the history has made already (RULES E27)."""
        found = (
            twin(script, replay, plan.base, partial(self._replay_on, plan, script), plan.counted)
            for script, replay in zip(plan.scripts, replays, strict=False)
        )
        return tuple(each for each in found if each is not None)

    def _replay_on(self, plan: Material, script: Script, base: list[Script]) -> Replay:
        return self._replay(replace(plan, base=base), script)

    def _replay(self, plan: Material, script: Script, *, on_rows: bool = True) -> Replay:
        workshop = self._workshop

        def make() -> Replay:
            return workshop.submit(lambda: workshop.history(plan.base).steps(script, on_rows=on_rows)).result()

        replay = self._kept(plan.base, script, make, on_rows=on_rows)
        return replace(replay, skipped=(*plan.notes, *replay.skipped))

    def _kept(
        self,
        base: Sequence[Script],
        script: Script,
        make: Callable[[], Replay],
        *,
        on_rows: bool = True,
        at_once: int = 0,
    ) -> Replay:
        """The replay of a script on a history; made only if it is not in the cache.

        Args:
            base: the history.
            script: the script.
            make: makes the replay.
            on_rows: whether the script runs on rows, too.
            at_once: how many scripts, with the last of the history, are replayed as one step; 0 for step by step.
        """
        workshop = self._workshop
        if workshop.server.standins is None:
            return make()  # not cached: a server that the user named may change between two runs
        outside = (workshop.standins, workshop.roles, workshop.around)
        source, schema = workshop.server.source, self._target.url.schema
        name = key(base, script, source, schema, *outside, on_rows=on_rows, at_once=at_once)
        return self._cache.get(name, make)

    def _production(self, subject: Subject) -> dict[Key, str]:
        return catalog.read(self._target.reading(), _scope(subject))

    def _proofs(self, subject: Subject) -> Subject:
        """The subject with what production proves of rows: see `states.row_proofs.witnessed`."""
        statements = [statement for replay in subject.replays for statement in replay.statements]
        moved = {key for statement in statements for key in statement.moves}
        filled = {key for statement in statements for key, _ in statement.fills}
        timed = any(not value for statement in statements for _, value in statement.fills)
        dropped = {obj for statement in statements for obj, prop in statement.drops if prop != "exists"}
        gone = {obj: columns for replay in subject.replays for obj, columns in replay.gone.items()}
        stood = {obj for replay in subject.replays for obj in replay.stood}
        added = {key for replay in subject.replays for key in replay.added if key in subject.production}
        added = {key for key in added if key[0].startswith("table ")}  # a view has no rows of its own
        fired = {obj for statement in statements for obj in statement.fires}
        over = {statement.over for statement in statements if statement.over}
        if not (moved or filled or dropped or gone or stood or added or fired or over):
            return subject
        connection, there = self._target.reading(), {obj for obj, prop in subject.production if prop == "exists"}
        schema, placed = self._target.url.schema, ({obj for obj, _ in moved} | dropped | stood) & there
        # Of one that was never attempted, ages prove nothing, and change with every row of the ledger.
        attempted = there if subject.attempts else set()
        undropped, unaltered = traces.columns_older(connection, schema, subject.migration, placed & attempted)
        renamed = {obj for obj, prop in moved if prop == "exists"} & there
        return replace(
            subject,
            filled=self._filled(filled | added),
            places=traces.places(connection, placed),
            kept=traces.older(connection, schema, subject.migration, renamed),
            remained=traces.older(connection, schema, subject.migration, stood & attempted),
            remade=traces.younger(connection, schema, subject.migration, placed & attempted),
            began=traces.began(connection, schema) if timed else "",
            unmoved=traces.unmoved(connection, schema, subject.migration, (over | placed) & attempted),
            firing=traces.firing(connection, (fired & there) | (over & attempted)),
            undropped=undropped,
            unaltered=unaltered,
            alike=traces.alike(connection, {obj: columns for obj, columns in gone.items() if obj not in there}),
            empty=traces.empty(connection, ({obj for obj, _ in moved | filled | added} & there) | (over & attempted)),
        )

    def _filled(self, wanted: Collection[Key]) -> dict[Key, str]:
        """Defaults with which production's rows were filled, of the columns that the scripts add (RULES E5)."""
        known = catalog.read_filled(self._target.reading(), {obj for obj, _ in wanted})
        return {key: value for key, value in known.items() if key in wanted}

    def _stops(self, scripts: Sequence[Script], subject: Subject) -> tuple[Stop, ...]:
        """Proofs of how far the attempts can have got (RULES E7)."""
        return stops(
            self._target.reading(),
            self._target.url.schema,
            subject.attempts,
            {script.checksum: script for script in scripts},
            subject.replays,
            {**subject.production, **subject.reread},
        )

    def _reread(self, plan: Material, subject: Subject) -> dict[Key, str]:
        """Production's values as the scratch server writes them, where it writes the same in other words."""
        footprint = {key for replay in subject.replays for key in replay.footprint}
        spellings: dict[Key, tuple[str, ...]] = {
            key: tuple({step[key] for replay in subject.replays for step in replay.steps if key in step})
            for key in footprint
        }
        same = modified(spellings, subject.production)
        versions = (self._target.reading().info.server_version, self._workshop.server.version)
        if versions[0] // 10_000 == versions[1] // 10_000:
            return same
        # RULES E13: another version writes definitions in other words.
        odd = {
            key: value
            for key, value in subject.production.items()
            if key in footprint and is_definition(key) and value not in spellings[key]
        }

        def again(script: Script) -> dict[Key, str]:
            work = self._workshop.submit(lambda: self._workshop.history(plan.base).reread(odd, script, spellings))
            return work.result()

        for script in plan.scripts if odd else ():
            same |= again(script)
        return same | respelled(spellings, {**subject.production, **same}, versions)

    def _running(self, plan: Material, subject: Subject) -> tuple[str, ...]:
        """Sessions that may still be running the script, or keep holding Prisma's lock (RULES E14)."""
        unlogged = any(row.failed and not row.logs for row in plan.attempts)
        script = "\n".join(script.text for script in plan.scripts)
        return self._at_work({obj for replay in subject.replays for obj, _ in replay.footprint}, script, unlogged)

    def _at_work(self, objects: Collection[str], script: str = "", unlogged: bool = False) -> tuple[str, ...]:  # noqa: FBT001, FBT002 - private
        """Sessions that may be changing tables among these objects, or keep holding Prisma's lock (RULES E14)."""
        connection = self._target.reading()
        tables = {name for obj in objects if obj.startswith("table ") and (name := qualified_name(obj))}
        found = [
            f"{session} may still be running the script."
            for session in at_work_on(connection, script, tuple(sorted(tables)), unlogged=unlogged)
        ]
        told = events.lock_sink(self._workshop.emit)
        held = patiently_held(connection, PRISMA_LOCK, self._sleep, told, self._target.barred)
        found.extend(f"{session} holds Prisma's migration lock." for session in held)
        return tuple(found)

    def _evidence(self, plan: Material, subject: Subject) -> Evidence:
        latest = latest_attempt(subject)
        base = self._base(plan)
        return judge(subject, logs.cause(latest.logs if latest else None), self._target.identity.digested, base)

    def _judged(self, plan: Material, subject: Subject, rows: tuple[Row, ...]) -> Classified:
        evidence = self._evidence(plan, subject)
        asked = evidence.evidence_digest
        if any(each.answers for each in evidence.statements):
            answers = self._answers().get(subject.migration, Answers())
            if answers.evidence == asked and answers.done:
                subject = replace(subject, answered=answers.done)
                evidence = self._evidence(plan, subject)
        evidence = indicated(evidence, subject, rows, self._target, self._scripts)
        return Classified(evidence, subject, rows, self._base(plan), plan.scripts, tuple(plan.base), asked)

    def _base(self, plan: Material) -> tuple[tuple[str, str], ...]:
        """What a migration was replayed on: what surrounds the history, and its scripts."""
        return (*self._workshop.around.digested, *((script.migration, script.checksum) for script in plan.base))


def _scope(subject: Subject) -> catalog.Scope:
    """The objects of production that a subject's replays are compared with."""
    replays = [*subject.replays, *(each.replay for each in subject.twins if each.replay is not None)]
    objects = {obj for replay in replays for obj, _ in replay.footprint}
    scope = catalog.scope_of(objects)
    for replay in replays:
        scope |= catalog.scope_of(f"table {name}" for name in replay.named)
    return scope
