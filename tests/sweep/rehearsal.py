"""A whole recovery on ports in memory, killed at given instants and run again until it has ended."""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.config import Step
from recovery.journal import Journal, JournalEvent
from recovery.journal.run_record import Kind, RunRecord, by_hand
from recovery.run.engine import Engine
from recovery.run.pipeline import Decided, PipelineRunner, step_key
from recovery.run.ports import Ended, Question
from recovery.testing import Died, MemoryDatabase, MemoryJournal, MemoryWorld, Ticks
from recovery.testing.database import SchemaChange, changes
from states import effects
from states.exit_codes import Exit
from states.plans import Way
from states.table import EDGES, State

Store = dict[tuple[str, str], list[bytes]]
FAILED, LATER = "20260102_failed", "20260103_later"
STEPS = (Step("load", ("load",)), Step("promote", ("promote",)))
#: More runs than that mean that a recovery never ends.
RUNS = 12
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Looked(Ticks):
    """Instants at each of which somebody looks at what would outlive the process."""

    look: Callable[[], None] = lambda: None

    def __call__(self, what: str) -> None:
        """An instant passes."""
        Ticks.__call__(self, what)
        self.look()


class Agreed:
    """A policy that says yes."""

    def would_consent(self, question: Question) -> bool:
        """Yes."""
        return self.consents(question)

    def consents(self, question: Question) -> bool:
        """Yes."""
        del question
        return True


def history(failed: str, *, statementwise: bool = False, later: str = "CREATE TABLE later ()") -> MemoryDatabase:
    """One migration deployed, one that is going to be the failed one, one pending."""
    folder = {"20260101_first": "CREATE TABLE first ()", FAILED: failed, LATER: later}
    database = MemoryDatabase(folder, statementwise=statementwise)
    database.deployed("20260101_first")
    return database


def _repairs(payload: dict[str, Any]) -> bool:
    """The event is of a repair, which the schema shows and the ledger does not."""
    return str(payload["effect"]).partition(":")[0] in list(Way)


class Truthful:
    """A journal, whose reports of what was observed are held against the ledger."""

    def __init__(self, journal: Journal, database: MemoryDatabase) -> None:
        self._journal = journal
        self._database = database
        self.events, self.runs, self.close = journal.events, journal.runs, journal.close

    def append(self, run: str, kind: str, state: str, payload: dict[str, Any]) -> JournalEvent:
        """See `Journal.append`."""
        if kind == Kind.FOUND and not payload["shown"] and not _repairs(payload):
            word, _, names = payload["effect"].partition(":")
            finished = {row.migration for row in self._database.rows if row.finished}
            back = {row.migration for row in self._database.rows if row.rolled_back_at}
            failed = {row.migration for row in self._database.rows if row.failed}
            done = (back if word == "mark_rolled_back" else finished) - failed
            assert not done.issuperset(names.split(",")), f"{payload['effect']} took place, and is not reported"
        # Where nothing was tried, because somebody else was at work, what is there is theirs.
        if kind in (Kind.OBSERVED, Kind.FOUND) and _repairs(payload) and not payload.get("unchanged"):
            name = payload["effect"].partition(":")[2]
            there = {change.table for change in changes(self._database.folder[name]) if change.verb == "CREATE TABLE"}
            assert payload["shown"] == (there <= self._database.tables), f"{payload} is not so"
        elif kind in (Kind.OBSERVED, Kind.FOUND) and payload["shown"]:
            word, _, names = payload["effect"].partition(":")
            for name in names.split(","):
                rows = [row for row in self._database.rows if row.migration == name]
                assert rows, f"{name} is reported, and has no row"
                assert not any(row.failed for row in rows), f"{name} is reported, and still failed"
                assert word == "mark_rolled_back" or any(row.finished for row in rows), f"{name} has not finished"
        return self._journal.append(run, kind, state, payload)


@dataclass(slots=True)
class Rehearsal:
    """One production, one journal, and what went on there.

    Attributes:
        person: what a person does when a run has ended without reaching its end; True if it is to be run again.
        steps: of the pipeline behind the gate.
        ran: names of the pipeline's steps, as often as they ran.
        commands: each Prisma command that began, with whether its intent was in the journal by then.
        seen: what each run's instants were.
    """

    database: MemoryDatabase
    person: "Callable[[Rehearsal, Ended], bool]" = lambda _rehearsal, _ended: False
    steps: tuple[Step, ...] = ()
    store: Store = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    commands: list[tuple[str, bool]] = field(default_factory=list)
    seen: list[list[str]] = field(default_factory=list)
    on_effect: Callable[[str], None] = lambda _effect: None
    engine: type[Engine] = Engine
    runner: type[PipelineRunner] = PipelineRunner
    worlds: type[MemoryWorld] = MemoryWorld
    journals: Callable[[Store, Ticks], Journal] = lambda store, ticks: MemoryJournal("t", store, lambda: NOON, ticks)

    def journal(self, ticks: Ticks | None = None) -> Journal:
        """The journal, as a process of its own opens it."""
        return self.journals(self.store, ticks or Ticks())

    def once(
        self,
        die_at: int | None = None,
        *,
        orphan: bool = False,
        meanwhile: Mapping[int, Callable[[], None]] | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> Ended | None:
        """One process; None if it died.

        Args:
            die_at: number of the fatal instant.
            orphan: where it dies while a command is at work, the command goes on.
            meanwhile: what others do, by the instant at which they do it.
            look: called at each instant.
        """
        ticks = Looked(die_at, dict(meanwhile or {}), look=look)
        self.seen.append(ticks.passed)
        journal = Truthful(self.journal(ticks), self.database)

        def on_command(effect: effects.Effect) -> None:
            events = [event for run in self.journal().runs()[-1:] for event in self.journal().events(run)]
            last = next((event for event in reversed(events) if not by_hand(event)), None)
            known = last is not None and (last.kind, last.payload.get("effect")) == (Kind.INTENDED, effect.id)
            self.commands.append((effect.id, known))
            self.on_effect(effect.id)

        world = self.worlds(self.database, ticks, orphan=orphan, on_command=on_command)
        try:
            ended = self.engine(
                world, journal, Agreed(), lambda _: None, lambda: f"run{len(self.journal().runs())}"
            ).run("t", "s")
            if ended.state is State.PIPELINE_READY and self.steps:
                ended = self._pipeline(journal, ticks).run(ended.run, lambda _: None)
        except Died:
            return None
        finally:
            world.close()
        return ended

    def _pipeline(self, journal: Journal, ticks: Ticks) -> PipelineRunner:
        return self.runner(journal, self.steps, Path(), {}, lambda _: None, lambda _: None, self._execute(ticks))

    def _execute(self, ticks: Ticks) -> Callable[[Step], int]:
        def execute(step: Step) -> int:
            ticks(f"before step {step.name}")
            self.ran.append(step.name)
            ticks(f"after step {step.name}")
            return 0

        return execute

    def through(self) -> Ended:
        """Run until there is nothing more to do."""
        for _ in range(RUNS):
            ended = self.once()
            assert ended is not None
            helped = ended.exit_code is not Exit.READY and (self.person(self, ended) or self.look_for_rows(ended))
            if not helped:
                return ended
        raise AssertionError(f"it does not end: {ended}")

    def state(self) -> bytes:
        """All that outlives a process: from equal states, recoveries go on alike."""
        held, self.database.recovering = self.database.recovering, False  # a lock is gone with its process
        left = pickle.dumps((self.database, self.store, self.ran, self.commands))
        self.database.recovering = held
        return left

    @staticmethod
    def contents(state: bytes) -> bytes:
        """What a state holds, whichever of its equal values are one object."""
        written = io.BytesIO()
        pickler = pickle.Pickler(written)
        pickler.fast = True
        pickler.dump(pickle.loads(state))  # noqa: S301 - our own
        return written.getvalue()

    def copied(self) -> "Rehearsal":
        """Another one that stands where this one does."""
        return self.after(self.state(), [list(each) for each in self.seen])

    def after(self, state: bytes, seen: list[list[str]]) -> "Rehearsal":
        """The same with what a process has left, and what the instants were so far."""
        database, store, ran, commands = pickle.loads(state)  # noqa: S301 - our own
        return replace(self, database=database, store=store, ran=ran, commands=commands, seen=seen)

    def look_for_rows(self, ended: Ended) -> bool:
        """A person finds out what the schema can't show of a script that was killed: finishes it, or approves."""
        if ended.refusal is None or ended.refusal.code not in ("classify.undecidable", "classify.partial"):
            return False
        events = self.journal().events(ended.run)
        last = next(event for event in reversed(events) if event.kind == Kind.CLASSIFIED).payload
        name = last["migration"]
        done = [change for change in changes(self.database.folder[name]) if self.there(name, change)]
        if not done and last["verdict"] == "partial":
            return False
        if done:
            for change in changes(self.database.folder[name])[len(done) :]:
                self.database.run(name, change)
        if last["verdict"] == "undecidable":
            decision = "mark_applied" if done else "mark_rolled_back"
            payload = {"migration": name, "decision": decision, "evidence": last["digest"], "reason": "looked"}
            self.journal().append(ended.run, Kind.APPROVED, State.BLOCKED, payload)
        return True

    def approve_baseline(self, ended: Ended) -> bool:
        """A person who knows that all of the history ran says so, for exactly this evidence."""
        if ended.refusal is None or ended.refusal.code != "baseline.rows":
            return False
        events = self.journal().events(ended.run)
        found = next(event for event in reversed(events) if event.kind == Kind.BASELINED).payload
        payload = {
            "migration": found["range"][-1],
            "decision": "mark_applied",
            "evidence": found["evidence_digest"],
            "reason": "looked",
            "baseline": True,
        }
        self.journal().append(ended.run, Kind.APPROVED, State.BLOCKED, payload)
        return True

    def there(self, name: str, change: SchemaChange) -> bool:
        """The statement of that migration has taken place, and was not undone."""
        if change.verb == "INSERT INTO":
            return f"{name}: {change.sql}" in self.database.written
        return (change.table in self.database.tables) == (change.verb == "CREATE TABLE")

    def decide_step(self, ended: Ended) -> bool:
        """A person looks at a step in doubt: it is repeated if it had not run, else it is done."""
        if ended.refusal is None or ended.refusal.code != "pipeline.in_doubt":
            return False
        doubtful = next(step for step in self.steps if step.name in ended.refusal.fact)
        done = doubtful.name in self.ran
        name = doubtful.name
        runner = self._pipeline(self.journal(), Ticks())
        runner.decide(ended.run, Decided(repeat=() if done else (name,), done=(name,) if done else ()))
        return True

    def world(self) -> tuple[object, ...]:
        """What is true in the end: schema, rows, what the ledger says of each migration, and the steps that ran.

        Prisma leaves a dead row behind where it was killed itself. How often each migration finished counts.
        """
        rows = self.database.rows
        last = {row.migration: "failed" if row.failed else "rolled back" for row in rows}
        finished = {name: [row for row in rows if row.migration == name and row.finished] for name in last}
        ledger = {name: f"finished {len(done)} times" if done else last[name] for name, done in finished.items()}
        return (sorted(self.database.tables), sorted(self.database.written), ledger, self.ran)

    def check_journal(self) -> None:
        """Every move is an edge, each begins where the last ended, and every command has its intent and its end."""
        edges = {(edge.source, edge.target) for edge in EDGES}
        journal = self.journal()
        for run in journal.runs():
            at = State.PREFLIGHT
            memory = RunRecord()
            for event in journal.events(run):
                if event.kind == Kind.INTENDED:
                    assert not memory.in_doubt, f"nobody found out what became of {memory.in_doubt} before {event}"
                memory = memory.after(event)
                if event.kind == Kind.MOVED:
                    source, target = State(event.payload["from"]), State(event.payload["to"])
                    assert source is at, f"{event} does not begin where the last move ended"
                    assert (source, target) in edges, f"{event} is no edge"
                    at = target
            steps = [event.payload["step"] for event in journal.events(run) if event.kind == Kind.STEP_INTENDED]
            assert set(steps) <= {step_key(step) for step in self.steps}
            assert memory.state is at
            assert at is not State.PIPELINE_READY or not memory.in_doubt, "nobody found out what a command did"
        assert all(known for _, known in self.commands), f"a command began without its intent: {self.commands}"
