"""Compares pending migrations with production, to find objects that are there already before a deploy fails on them."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby

import psycopg

from recovery.errors import RecoveryError
from recovery.evidence.baseline import Baselined
from recovery.evidence.investigator import LOCKED, Classified, Investigator
from recovery.evidence.material import Material, changed_names, touching
from recovery.evidence.repeated import repeats
from recovery.replay.overlay import Overlay, eligible, worked_on
from recovery.sql.modifiers import modified
from recovery.sql.script import Script
from recovery.sql.spelling import respelled
from states.comparison import qualified_name, steps_equal_to
from states.evidence import Decision
from states.facts import Replay, Row, Subject
from states.presence import Delta, concerning, delta, in_view, unlike_before

#: Names of pending migrations in a row, and whether they may be compared as one.
_Part = tuple[tuple[str, ...], bool]


@dataclass(frozen=True, slots=True)
class Absent:
    """A pending migration of which production has nothing.

    Attributes:
        migration: its name.
        look: judges it by itself.
        as_before: production is known to be as before it, in all that it works on.
    """

    migration: str
    look: Callable[[], Classified]
    as_before: bool = True


@dataclass(frozen=True, slots=True)
class Compared:
    """The pending migrations, compared with production.

    Attributes:
        found: pending migrations with an effect in production already, in the order in which a deploy would run them.
        missing: why some migrations could not be compared; empty if all were. It does not prevent a deploy.
        absent: the others, of which production has nothing, as far as they were compared.
        baseline: how far production has the history, where the ledger may have lost rows; None where it has not.
    """

    found: tuple[Classified, ...] = ()
    missing: str = ""
    absent: tuple[Absent, ...] = ()
    baseline: Baselined | None = None


@dataclass(slots=True)
class _Chain:
    """The pending migrations compared so far, in the order in which a deploy would run them.

    Attributes:
        scripts: their scripts.
        deltas: the changes that they make to the schema, each by itself or several in a row.
        undone: the scripts that a deploy has yet to run, with the names of what they change.
    """

    scripts: list[Script] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    undone: list[tuple[Script, set[str | None]]] = field(default_factory=list)

    def copy(self) -> "_Chain":
        return _Chain([*self.scripts], [*self.deltas], [*self.undone])


class PendingInvestigator(Investigator):
    """Judges pending migrations as failed ones are judged, each as if the pending ones before it had already run.

    Most often production has nothing of them. So those in a row whose texts tell all that they work on are compared as
    one first, and each by itself only where production has something of what they work on.
    """

    def compare(self, pending: Sequence[str], rows: tuple[Row, ...]) -> Compared:
        """Compares each pending migration with production.

        A migration with a rolled-back attempt is not compared here: it is classified by itself (RULES F5).

        Args:
            pending: names of the migrations, in the order in which a deploy would run them.
            rows: every row of the ledger, none of them unfinished.

        Raises:
            RecoveryError: production could not be read. Failures of the replay are reported in `Compared.missing`.
        """
        chain = _Chain()
        found: list[Classified] = []
        absent: list[Absent] = []
        tried = {row.migration for row in rows}
        try:
            self._workshop.stand_in(self._target.reading(), self._scripts.every_text(rows))
            todo = deque(self._in_rows(pending, rows, tried))
            while todo:
                names, at_once = todo.popleft()
                if at_once:
                    meeting = self._laid_over(names, rows, chain, absent)
                    todo.extendleft(reversed(_apart(names, meeting)))
                    continue
                for name in names:
                    replay = self._one(name, rows, chain, found, absent, tried=name in tried)
                    if not replay.complete and name != pending[-1]:
                        missing = f"The migrations after {name} were not compared: {replay.ended}."
                        return Compared(tuple(found), missing, tuple(absent))
        except RecoveryError as error:
            if not error.code.startswith(("scratch.", "replay.")):
                raise  # the error is about production or the checkout, not about the replay
            return Compared(tuple(found), error.fact, tuple(absent))
        except psycopg.errors.LockNotAvailable:
            return Compared(tuple(found), LOCKED, tuple(absent))
        return Compared(tuple(found), absent=tuple(absent))

    def _one(
        self,
        name: str,
        rows: tuple[Row, ...],
        chain: _Chain,
        found: list[Classified],
        absent: list[Absent],
        *,
        tried: bool,
    ) -> Replay:
        """Compares a migration by itself, step by step, and adds it to the chain."""
        plan = self._from_a_checkpoint(self._pending_plan(name, rows, chain), rows)
        (script,) = plan.scripts
        replay = self._replay(plan, script, on_rows=False)
        classified = None if tried else self._beside(plan, replay, rows, chain)
        if classified is not None and classified.evidence.in_production:
            found.append(classified)
        elif classified is not None:
            view = in_view(classified.subject)
            as_before = any(0 in steps_equal_to(each, view) for each in classified.subject.replays)
            absent.append(Absent(name, lambda: classified, as_before))
        if classified is None or classified.evidence.decision is Decision.DEPLOY:
            chain.undone.append((script, changed_names((replay,))))
        chain.scripts.append(script)
        chain.deltas.append(delta(replay))
        return replay

    def _in_rows(self, pending: Sequence[str], rows: Sequence[Row], tried: Collection[str]) -> list[_Part]:
        """The pending migrations in parts: rows that may be compared as one, and the others."""

        def at_once(name: str) -> bool:
            script = self._scripts.present(name)
            known = name in tried or self._scripts.finished_as(name, rows) is not None
            return not known and script is not None and eligible(script)

        return [(tuple(names), together) for together, names in groupby(pending, key=at_once)]

    def _laid_over(
        self, names: Sequence[str], rows: tuple[Row, ...], chain: _Chain, absent: list[Absent]
    ) -> tuple[str, ...]:
        """Compares migrations as one, and adds them to the chain if production has nothing of any of them.

        Returns:
            The names of those that have to be compared by themselves; all of them where it can't be told which.
        """
        before = chain.copy()
        scripts, plan = self._row_of(names, rows, chain)
        replay = self._overlay(plan.base, scripts, before)
        different = self._unlike(replay, before)
        if replay.ended is None and not different:
            for place, name in enumerate(names):
                absent.append(Absent(name, partial(self._look, names[: place + 1], rows, before)))
            chain.undone += zip(scripts, worked_on(scripts, self._target.url.schema, replay), strict=True)
            chain.scripts += scripts
            chain.deltas.append(delta(replay))
            return ()
        objects = {qualified_name(obj) for obj in different}
        tables = {replay.steps[-1].get((obj, "table")) for obj in different}
        return touching(scripts, objects | tables, self._target.url.schema) or tuple(names)

    def _row_of(self, names: Sequence[str], rows: tuple[Row, ...], chain: _Chain) -> tuple[list[Script], Material]:
        """The scripts of pending migrations in a row, and what there is to replay for the first of them."""
        plan = self._from_a_checkpoint(self._pending_plan(names[0], rows, chain), rows)
        return [script for name in names if (script := self._scripts.present(name)) is not None], plan

    def _overlay(self, base: list[Script], scripts: Sequence[Script], chain: _Chain) -> Replay:
        """The replay of scripts in a row, as one; of what they name alone, if production shows something of it."""
        workshop = self._workshop

        def make() -> Replay:
            overlay = Overlay(scripts, self._target.url.schema)
            named = workshop.submit(lambda: overlay.before(workshop.history(base))).result()
            if self._unlike(named, chain):
                return replace(named, ended="production has something of what they name")
            return workshop.submit(lambda: overlay.whole(workshop.history([*base, *scripts]))).result()

        *earlier, last = scripts
        return self._kept([*base, *earlier], last, make, on_rows=False, at_once=len(scripts))

    def _unlike(self, replay: Replay, chain: _Chain) -> frozenset[str]:
        """The objects of which production is not as before scripts in a row."""
        subject = Subject("", (), (replay,), "", assumed=_near(chain, replay))
        subject = replace(subject, production=self._production(subject))
        spellings = {key: (replay.steps[0][key],) for key in replay.footprint if key in replay.steps[0]}
        versions = (self._target.reading().info.server_version, self._workshop.server.version)
        same = modified(spellings, subject.production)
        same |= respelled(spellings, {**subject.production, **same}, versions)
        return unlike_before(replay, in_view(replace(subject, reread=same)))

    def _look(self, names: Sequence[str], rows: tuple[Row, ...], chain: _Chain) -> Classified:
        """Judges the last of these by itself, as if the others had run; production has nothing of any of them."""
        chain = chain.copy()
        *earlier, name = names
        if earlier:
            scripts, plan = self._row_of(earlier, rows, chain)
            chain.deltas.append(delta(self._overlay(plan.base, scripts, chain)))
            chain.scripts += scripts
        plan = self._from_a_checkpoint(self._pending_plan(name, rows, chain), rows)
        return self._beside(plan, self._replay(plan, plan.scripts[0], on_rows=False), rows, chain)

    def _pending_plan(self, name: str, rows: Sequence[Row], chain: _Chain) -> Material:
        base, notes = self._scripts.finished(rows)
        script = self._scripts.present(name)
        if script is None:
            raise AssertionError(f"{name} is pending, so the folder holds it")
        finished = {row.migration for row in rows if row.finished}
        return Material(
            name=name,
            attempts=(),
            base=[*base, *chain.scripts],
            notes=tuple(notes),
            scripts=(script,),
            present=script.checksum,
            missing="",
            later=(),
            unknown=tuple(sorted(finished - {each.migration for each in base})),
            unknown_later=(),
        )

    def _beside(self, plan: Material, replay: Replay, rows: tuple[Row, ...], chain: _Chain) -> Classified:
        schema = self._target.url.schema
        subject = Subject(plan.name, (), (replay,), plan.present, assumed=_near(chain, replay), assume=self._assume)
        if was := self._scripts.finished_as(plan.name, rows):
            counted = was.applied_steps_count >= 1
            subject = replace(subject, finished_as=was.migration, counted=counted, repeats=repeats(replay))
        subject = replace(subject, production=self._production(subject))
        if 0 not in steps_equal_to(replay, in_view(subject)):
            # Of one that production has nothing of, a deploy runs all, so that it matters nothing what it does to rows.
            (script,) = plan.scripts
            subject = replace(subject, replays=(self._replay(plan, script),))
        subject = self._proofs(subject)
        subject = replace(subject, reread=self._reread(plan, subject))
        changed = changed_names((replay,))

        def overlap(earlier: Script, its: set[str | None]) -> bool:
            """Whether it and an earlier one may work on the same objects, so that their order may matter."""
            return bool(touching((earlier,), changed, schema) or touching(plan.scripts, its, schema))

        subject = replace(
            subject,
            unreplayed=self._unreplayed(plan, subject),
            ahead=tuple(each.migration for each, its in chain.undone if overlap(each, its)),
        )
        classified = self._judged(plan, subject, rows)
        if not classified.evidence.in_production:
            return classified
        running = self._running(plan, subject)
        return self._judged(plan, replace(subject, running=running), rows) if running else classified


def _near(chain: _Chain, replay: Replay) -> tuple[Delta, ...]:
    """What of the changes of earlier pending migrations is about what a script works on or names."""
    return tuple(near for each in chain.deltas if (near := concerning(each, replay)))


def _apart(names: Sequence[str], alone: Collection[str]) -> list[_Part]:
    """Migrations in parts: those that are to be compared by themselves, and the rows between them."""
    if not alone:
        return []
    return [(tuple(group), not by_itself) for by_itself, group in groupby(names, key=lambda name: name in alone)]
