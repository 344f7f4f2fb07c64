"""Proves the schema: compares production with the replay of all finished migrations (RULES F8)."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from recovery.evidence.checkpoint import Checkpoint, stamped_squash, stands_for_what_is_found
from recovery.postgres import catalog
from recovery.postgres.target import Target
from recovery.prisma.scripts import Scripts
from recovery.replay.history import is_definition
from recovery.replay.steps import added_columns, changed_keys
from recovery.replay.workshop import Workshop
from recovery.sql.modifiers import modified
from recovery.sql.script import Script
from recovery.sql.spelling import respelled
from recovery.sql.statements import ScriptError
from states.comparison import Difference, column_of, differences, is_remark, taken_apart
from states.facts import Key, Note, Replay, Row, Snapshot
from states.verification import MigrationDifference, to_be_proven


@dataclass(frozen=True, slots=True)
class Expected:
    """The schema that the history makes.

    Attributes:
        history: the scripts that were replayed, in order.
        watched: names of the migrations that must be proven.
        replays: for each watched migration, its effects as they stand at the end of the history.
        final: the whole schema at the end of the history.
        unprovable: watched migrations that could not be replayed, with the reason.
        given: what was there before the history, which no migration makes.
    """

    history: tuple[Script, ...]
    watched: frozenset[str]
    replays: dict[str, Replay]
    final: dict[Key, str]
    unprovable: tuple[str, ...]
    given: Snapshot = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """How production compares with the history. The fields are those of `states.verification.VerifyFacts`."""

    proven: tuple[str, ...] = ()
    differing: tuple[MigrationDifference, ...] = ()
    elsewhere: tuple[MigrationDifference, ...] = ()
    unprovable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """How production compares with all that its history makes, whichever migrations must agree.

    Attributes:
        differences: what differs, also what production has beside what the history makes (RULES E8).
        left_out: parts of the history that were not found, or could not be replayed; differences may come from these.
    """

    differences: tuple[Difference, ...] = ()
    left_out: tuple[str, ...] = ()


def end_of(final: Snapshot, given: Snapshot) -> Replay:
    """The schema at the end of a history as a replay of one step that made all of it.

    Args:
        final: the whole schema there.
        given: what was there before the history, which no migration makes.
    """
    made = {key: value for key, value in final.items() if given.get(key) != value and not is_remark(key)}
    created = frozenset(obj for obj, prop in made if prop == "exists")
    return Replay("", (), (made,), frozenset(made), created)


@dataclass(slots=True)
class Prover:
    """Compares production with its history. The replay can be started before its result is needed."""

    target: Target
    scripts: Scripts
    workshop: Workshop
    _ahead: Future[Expected] | None = field(default=None, init=False)

    def begin(self, history: list[Script], watching: frozenset[str]) -> None:
        """Starts replaying the history in the background, as it will be once the deploy has ended.

        Args:
            history: the scripts that will have finished by then.
            watching: names of the migrations that must be proven.
        """
        texts = (*self.scripts.texts(), *(script.text for script in history))
        self.workshop.stand_in(self.target.reading(), texts)
        if (
            self._squash(self.target.rows(), history) is None
        ):  # else the history is another, which takes replays to tell
            self._ahead = self.workshop.submit(lambda: self._expect(history, watching))

    def prove(self, rows: Sequence[Row], deployed: frozenset[str]) -> Proof:
        """Compares production with the replay of all finished migrations.

        Args:
            rows: every row of the ledger.
            deployed: names of the migrations that this recovery deployed; they must be proven in any case.
        """
        history, notes = self.scripts.finished(rows)
        watching = to_be_proven(rows) | deployed
        expected = self._ahead.result() if self._ahead is not None else None
        self._ahead = None
        self.workshop.stand_in(self.target.reading(), self.scripts.every_text(rows))
        history, replaced = self._from_a_checkpoint(rows, history)
        if expected is None or expected.history != tuple(history) or expected.watched != watching:
            expected = self.workshop.submit(lambda: self._expect(history, watching)).result()
        finished = {row.migration for row in rows if row.finished} - replaced
        unsure = tuple(str(note) for note in notes if note.migration in watching & finished)
        objects = {obj for obj, prop in expected.final if prop == "exists"}
        objects |= {obj for replay in expected.replays.values() for obj, _ in replay.footprint}
        production = catalog.read(self.target.reading(), catalog.scope_of(objects)) if objects else {}
        production |= self._reread(expected, production)
        differing = tuple(
            MigrationDifference(name, found)
            for name, replay in expected.replays.items()
            if (found := differences(replay, 0, production))
        )
        differing += self._left_behind(rows, expected, production)
        wrong = {difference.migration for difference in differing}
        return Proof(
            proven=tuple(name for name in expected.replays if name not in wrong),
            differing=differing,
            elsewhere=_elsewhere(expected, production),
            unprovable=(*expected.unprovable, *unsure),
        )

    def whole(self, rows: Sequence[Row]) -> Whole:
        """Compares production with everything that its finished migrations make.

        Args:
            rows: every row of the ledger.
        """
        history, notes = self.scripts.finished(rows)
        found = {script.migration for script in history}
        self.workshop.stand_in(self.target.reading(), self.scripts.every_text(rows))
        history, replaced = self._from_a_checkpoint(rows, history)
        lost = [note for note in notes if note.migration not in found and note.migration not in replaced]
        expected, skipped = self.workshop.submit(lambda: self._end(history)).result()
        end = end_of(expected.final, expected.given)
        production = catalog.read(self.target.reading(), catalog.scope_of(obj for obj, _ in end.footprint))
        production |= self._reread(expected, production)
        left = self._left_behind(rows, expected, production)
        differing = (*differences(end, 0, production), *(each for one in left for each in one.differences))
        return Whole(differing, tuple(str(note) for note in (*lost, *skipped)))

    def _end(self, history: list[Script]) -> tuple[Expected, list[Note]]:
        """Runs on the workshop's thread."""
        expected = self._expect(history, frozenset())
        skipped = [note for note in self.workshop.history(history).skipped if note.statement is None or note.failed]
        return expected, skipped

    def _squash(self, rows: Sequence[Row], history: Sequence[Script]) -> Checkpoint | None:
        folder = {name: migration.checksum for name, migration in self.scripts.migrations.items()}
        lost = {row.migration for row in rows if row.finished} - {script.migration for script in history}
        return stamped_squash(rows, history, folder, lost)

    def _from_a_checkpoint(self, rows: Sequence[Row], history: list[Script]) -> tuple[list[Script], frozenset[str]]:
        """The history from a stamped squash on, if there is one, and the migrations whose place that takes (E27).

        Production is compared with all that the squash makes. So of lost migrations nothing need be known: what they
        made is in the squash, or no longer in the history.
        """
        point = self._squash(rows, history)
        if point is None or not (point.lost or stands_for_what_is_found(self.workshop, point)):
            return history, frozenset()
        return point.base, frozenset((*point.lost, *(script.migration for script in point.before)))

    def _left_behind(
        self, rows: Sequence[Row], expected: Expected, production: dict[Key, str]
    ) -> tuple[MigrationDifference, ...]:
        """Objects that rolled-back attempts left in production and that the history does not make.

        Only attempts whose script never finished are examined. An attempt whose script can't be found is left out.
        """
        looked_at = {(row.migration, row.checksum) for row in rows if row.finished}
        left = []
        for row in rows:
            attempt = (row.migration, row.checksum)
            if row.rolled_back_at is None or attempt in looked_at:
                continue
            looked_at.add(attempt)
            now = self._made_by(row, rows, production)
            found = tuple(Difference(*key, None, now[key]) for key in sorted(now) if key not in expected.final)
            if found:
                left.append(MigrationDifference(f"{row.migration} (rolled back)", found))
        return tuple(left)

    def _made_by(self, row: Row, rows: Sequence[Row], production: dict[Key, str]) -> dict[Key, str]:
        """Production's objects, columns, constraints, triggers, policies and rules that an attempt's script makes."""
        script = self.scripts.ran(row.migration, row.checksum)
        if script is None:
            return {}
        earlier = [r for r in rows if r.finished and (r.finished_at or "") < (row.rolled_back_at or "")]
        base, _ = self.scripts.finished(earlier, but=row.migration)
        try:
            replay = self.workshop.submit(lambda: self.workshop.history(base).steps(script, on_rows=False)).result()
        except ScriptError:
            return {}
        made = {key for step in replay.steps[1:] for key in step if key not in replay.steps[0]}
        marks = {key for key in made if key[1] in ("exists", taken_apart(key[1]).part)}
        scope = catalog.scope_of({obj for obj, _ in marks})
        there = production | catalog.read(self.target.reading(), scope) if marks else {}
        return {key: there[key] for key in marks if key in there}

    def _reread(self, expected: Expected, production: dict[Key, str]) -> dict[Key, str]:
        """Production's values as the scratch server writes them, where it uses other words for the same (RULES E13)."""
        known = {key: (value,) for key, value in expected.final.items()}
        same = modified(known, production)
        if self.target.reading().info.server_version // 10_000 == self.workshop.server.version // 10_000:
            return same
        odd = {
            key: value
            for key, value in production.items()
            if is_definition(key) and key in expected.final and value != expected.final[key]
        }
        history = list(expected.history)
        found = self.workshop.submit(lambda: self.workshop.history(history).reread(odd)).result() if odd else {}
        versions = (self.target.reading().info.server_version, self.workshop.server.version)
        return same | found | respelled(known, {**production, **found}, versions)

    def _expect(self, history: list[Script], watching: frozenset[str]) -> Expected:
        """Runs on the workshop's thread."""
        touched: dict[str, tuple[set[Key], set[str], frozenset[Key]]] = {}
        unprovable = []
        replay = None
        snapshot: dict[Key, str] | None = None
        for position, script in enumerate(history):
            if script.migration not in watching:
                snapshot = None
                continue
            replay = self.workshop.history(history[:position], len(history))
            before = replay.snapshot() if snapshot is None else snapshot
            skipped = len(replay.skipped)
            replay = self.workshop.history(history[: position + 1], len(history))
            snapshot = replay.snapshot()
            unprovable += [str(note) for note in replay.skipped[skipped:] if note.statement is None or note.failed]
            created = {o for o, p in snapshot if p == "exists"} - {o for o, p in before if p == "exists"}
            touched[script.migration] = (changed_keys([before, snapshot]), created, added_columns(before, [snapshot]))
        whole = self.workshop.history(history)
        final = whole.snapshot()
        replays = {name: _as_replay(*what, final) for name, what in touched.items()}
        return Expected(tuple(history), watching, replays, final, tuple(unprovable), whole.given)


def _as_replay(keys: set[Key], created: set[str], added: frozenset[Key], final: dict[Key, str]) -> Replay:
    """A migration's effects as a replay of one step, taken at the end of the history.

    They are taken there because later migrations may have changed the objects that this one made.
    """
    lasting = frozenset(obj for obj in created if (obj, "exists") in final)
    tables = {obj.removeprefix("table ") for obj in lasting}
    indexes = {obj for (obj, prop), value in final.items() if prop == "table" and value in tables}
    footprint = keys | {key for key in final if key[0] in lasting or key[0] in indexes}
    footprint |= {key for key in final if (key[0], column_of(key[1])) in added}
    footprint = {key for key in footprint if not is_remark(key) or key in keys}
    step = {key: final[key] for key in footprint if key in final}
    return Replay("", (), (step,), frozenset(footprint), lasting, added)


def _elsewhere(expected: Expected, production: dict[Key, str]) -> tuple[MigrationDifference, ...]:
    """Differences in objects that no watched migration touches; they are shown, and refuse nothing."""
    covered = {key for replay in expected.replays.values() for key in replay.footprint}
    given = {key for key, value in expected.final.items() if expected.given.get(key) == value}
    rest = {key for key in expected.final if key not in covered | given and not is_remark(key)}
    step = {key: expected.final[key] for key in rest}
    found: tuple[Difference, ...] = differences(Replay("", (), (step,), frozenset(rest), frozenset()), 0, production)
    return (MigrationDifference("migrations before the first failure", found),) if found else ()
