"""Compares pending migrations with production, to find objects that are there already before a deploy fails on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg

from recovery.errors import RecoveryError
from recovery.evidence.baseline import Baselined
from recovery.evidence.investigator import LOCKED, Classified, Investigator
from recovery.evidence.material import Material, changed_names, touching
from recovery.sql.script import Script
from states.comparison import steps_equal_to
from states.evidence import Decision
from states.facts import Replay, Row, Subject
from states.presence import Delta, concerning, delta, in_view


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
    absent: tuple[Classified, ...] = ()
    baseline: Baselined | None = None


@dataclass(slots=True)
class _Chain:
    """The pending migrations compared so far, in the order in which a deploy would run them.

    Attributes:
        scripts: their scripts.
        deltas: the changes that each of them makes to the schema.
        undone: the scripts that a deploy has yet to run, with the names of what they change.
    """

    scripts: list[Script]
    deltas: list[Delta]
    undone: list[tuple[Script, set[str | None]]]


class PendingInvestigator(Investigator):
    """Judges pending migrations as failed ones are judged, each as if the pending ones before it had already run."""

    def compare(self, pending: Sequence[str], rows: tuple[Row, ...]) -> Compared:
        """Compares each pending migration with production.

        A migration with a rolled-back attempt is not compared here: it is classified by itself (RULES F5).

        Args:
            pending: names of the migrations, in the order in which a deploy would run them.
            rows: every row of the ledger, none of them unfinished.

        Raises:
            RecoveryError: production could not be read. Failures of the replay are reported in `Compared.missing`.
        """
        chain = _Chain([], [], [])
        found: list[Classified] = []
        absent: list[Classified] = []
        tried = {row.migration for row in rows}
        try:
            self._workshop.stand_in(self._target.reading(), self._scripts.every_text(rows))
            for name in pending:
                plan = self._from_a_checkpoint(self._pending_plan(name, rows, chain), rows)
                (script,) = plan.scripts
                replay = self._replay(plan, script, on_rows=False)
                classified = None if name in tried else self._beside(plan, replay, rows, chain)
                if classified is not None and classified.evidence.in_production:
                    found.append(classified)
                elif classified is not None:
                    absent.append(classified)
                if classified is None or classified.evidence.decision is Decision.DEPLOY:
                    chain.undone.append((script, changed_names((replay,))))
                chain.scripts.append(script)
                chain.deltas.append(delta(replay))
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
        assumed = tuple(near for each in chain.deltas if (near := concerning(each, replay)))
        subject = Subject(plan.name, (), (replay,), plan.present, assumed=assumed, assume=self._assume)
        if was := self._scripts.finished_as(plan.name, rows):
            subject = replace(subject, finished_as=was.migration, counted=was.applied_steps_count >= 1)
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
