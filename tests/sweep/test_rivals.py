"""Anything can happen: others deploy, resolve, edit and work by hand while a recovery runs, dies and resumes."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from recovery.errors import BusyError
from recovery.journal.run_record import Kind
from recovery.run.ports import Ended
from recovery.testing import MemoryDatabase
from recovery.testing.database import RefusedError, changes
from states.exit_codes import Exit
from states.table import State
from tests.sweep.rehearsal import FAILED, LATER, Rehearsal, history

SCRIPTS = (
    "CREATE TABLE a (); CREATE TABLE b ()",
    "CREATE TABLE a (); INSERT INTO a DEFAULT VALUES",
    "INSERT INTO first DEFAULT VALUES",
    "DROP TABLE first; CREATE TABLE a ()",
)
TABLES = ("first", "a", "b", "later")
#: Half of the processes live; most of what others do falls between evidence and effect.
deaths = st.integers(1, 80)
instants = st.integers(5, 30)


class Watched(Rehearsal):
    """Each command is judged when it begins, by what is really in production then."""

    def judge(self, effect: str) -> None:
        """No row is marked against the truth, unless a person approved it."""
        word, _, name = effect.partition(":")
        if word == "deploy" or self.approved(name):
            return
        script = changes(self.database.folder[name])
        written = [change for change in script if change.verb == "INSERT INTO"]
        counted = any(row.applied_steps_count for row in self.database.rows if row.migration == name)
        finished = any(row.finished for row in self.database.rows if row.migration == name)
        if word == "mark_applied":
            last = {change.table: change.verb for change in script if change.verb != "INSERT INTO"}
            there = all((table in self.database.tables) == (verb == "CREATE TABLE") for table, verb in last.items())
            rows = all(f"{name}: {change.sql}" in self.database.written for change in written)
            assert there, f"{name} is marked applied, and is not there: {self.database}"
            assert rows or counted, f"{name} is marked applied, and its rows are not written: {self.database}"
        elif not finished:
            assert not counted
            rows = any(f"{name}: {change.sql}" in self.database.written for change in written)
            assert not rows, f"{name} is marked rolled back, and its rows are written: {self.database}"

    def approved(self, name: str) -> bool:
        """A person decided it."""
        journal = self.journal()
        events = [event for run in journal.runs() for event in journal.events(run)]
        return any(event.kind == Kind.APPROVED and event.payload["migration"] == name for event in events)


class Rivals(RuleBasedStateMachine):
    """Production in the middle of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.rehearsal = Watched(MemoryDatabase())
        self.ended: Ended | None = None
        self.half_marked: set[str] = set()

    @initialize(
        script=st.sampled_from(SCRIPTS), statementwise=st.booleans(), ran=st.integers(0, 5), steps=st.booleans()
    )
    def begin(self, script: str, ran: int, *, statementwise: bool, steps: bool) -> None:
        """A failure: so many writes of a deploy took place."""
        database = history(
            script, statementwise=statementwise, later="CREATE TABLE later (); INSERT INTO later DEFAULT VALUES"
        )
        writes = database.deploying(FAILED)
        for _ in range(ran + 1):
            if next(writes, None) is None:
                break
        if steps:
            database.causes["CREATE TABLE later ()"] = ["40P01"]
        self.rehearsal = Watched(database)
        self.rehearsal.on_effect = self.rehearsal.judge

    def rivals(self) -> dict[str, Callable[[], None]]:
        """What others do, by name."""
        database = self.rehearsal.database

        def deploy() -> None:
            known = {row.migration for row in database.rows if row.rolled_back_at is None}
            # Prisma's own `resolve --applied` writes twice. Killed in between, it leaves a name that others deploy.
            begun = {effect for effect, _ in self.rehearsal.commands}
            self.half_marked |= {name for name in {*database.folder} - known if f"mark_applied:{name}" in begun}
            for _ in database.deploying(*(name for name in sorted(database.folder) if name not in known)):
                pass

        def resolve() -> None:
            failed = [row.migration for row in database.rows if row.failed]
            for name in failed[:1]:
                script = changes(database.folder[name])
                done = [self.rehearsal.there(name, change) for change in script]
                if all(done):
                    list(database.marking_applied(name))
                elif not any(done):
                    list(database.marking_rolled_back(name))

        def toggle(table: str) -> Callable[[], None]:
            return lambda: database.drop(table) if table in database.tables else database.tables.add(table)

        def edit() -> None:
            database.folder[LATER] += "; CREATE TABLE edited ()"

        def second() -> None:
            try:
                Rehearsal(database, store=self.rehearsal.store).once()
            except BusyError:
                return
            raise AssertionError("two recoveries at once")

        return {
            "deploy": deploy,
            "resolve": resolve,
            "edit": edit,
            "second": second,
            **{f"toggle {table}": toggle(table) for table in TABLES},
        }

    @rule(
        at=deaths,
        orphan=st.booleans(),
        who=st.sampled_from(("nobody", "deploy", "resolve", "edit", "second", "toggle a", "toggle later")),
        when=instants,
    )
    def run(self, at: int, who: str, when: int, *, orphan: bool) -> None:
        """A process that may die, while somebody does something."""
        act = self.rivals().get(who)
        self.ended = self.rehearsal.once(at, orphan=orphan, meanwhile={when: act} if act else {})

    @rule()
    def run_through(self) -> None:
        """A process that nobody kills or disturbs. The gate is open only where all is well."""
        self.ended = self.rehearsal.once()
        if self.ended is not None and self.ended.state is State.PIPELINE_READY:
            database = self.rehearsal.database
            done = sorted((row for row in database.rows if row.finished), key=lambda row: row.finished_at or "")
            script = [change for row in done for change in changes(database.folder[row.migration])]
            last = {change.table: change.verb for change in script if change.verb != "INSERT INTO"}
            assert not [row for row in database.rows if row.failed]
            assert {row.migration for row in done} == set(database.folder)
            assert {table for table, verb in last.items() if verb == "CREATE TABLE"} == database.tables & set(last)

    @rule(who=st.sampled_from(("deploy", "resolve", "edit", *(f"toggle {table}" for table in TABLES))))
    def somebody_acts(self, who: str) -> None:
        """Between two processes."""
        self.rivals()[who]()

    @rule()
    def a_person_decides(self) -> None:
        """Late, on the evidence of the last run, whatever has happened since."""
        if self.ended is None or self.ended.exit_code is Exit.READY:
            return
        try:
            self.rehearsal.look_for_rows(self.ended)
        except RefusedError:
            return

    @invariant()
    def the_journal_is_a_path(self) -> None:
        """Always."""
        self.rehearsal.check_journal()

    @invariant()
    def no_rows_are_written_twice(self) -> None:
        """Whoever died, and whoever deployed besides; but for what the guarantees except."""
        written = self.rehearsal.database.written
        excepted = {name for name in self.rehearsal.database.folder if self.rehearsal.approved(name)} | self.half_marked
        twice = {line for line in written if written.count(line) > 1 and line.split(":")[0] not in excepted}
        assert not twice, f"{twice}: {self.rehearsal.database}"


Rivals.TestCase.settings = settings(max_examples=800, stateful_step_count=8, deadline=None)
TestRivals = Rivals.TestCase
