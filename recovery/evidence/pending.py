"""Compares pending migrations with production, to find objects that are there already before a deploy fails on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg

from recovery.errors import RecoveryError
from recovery.evidence.baseline import Baselined
from recovery.evidence.investigator import LOCKED, Classified, Investigator
from recovery.evidence.material import Material, changed_names, touching
from recovery.sql.script import Script
from states.evidence import Decision
from states.facts import Replay, Row, Subject
from states.presence import Delta, delta


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
        undone: the scripts that a deploy has yet to run, with their replays.
    """

    scripts: list[Script]
    deltas: list[Delta]
    undone: list[tuple[Script, Replay]]


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
                replay = self._replay(plan, script)
                classified = None if name in tried else self._beside(plan, replay, rows, chain)
                if classified is not None and classified.evidence.in_production:
                    found.append(classified)
                elif classified is not None:
                    absent.append(classified)
                if classified is None or classified.evidence.decision is Decision.DEPLOY:
                    chain.undone.append((script, replay))
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
        subject = Subject(plan.name, (), (replay,), plan.present, assumed=tuple(chain.deltas), assume=self._assume)
        subject = self._proofs(replace(subject, production=self._production(subject)))
        subject = replace(subject, reread=self._reread(plan, subject))
        subject = replace(
            subject,
            unreplayed=self._unreplayed(plan, subject),
            ahead=tuple(each.migration for each, of in chain.undone if _overlap(each, of, plan, replay, schema)),
        )
        classified = self._judged(plan, subject, rows)
        if not classified.evidence.in_production:
            return classified
        running = self._running(plan, subject)
        return self._judged(plan, replace(subject, running=running), rows) if running else classified


def _overlap(earlier: Script, its: Replay, plan: Material, replay: Replay, schema: str) -> bool:
    """Whether two migrations may work on the same objects, so that their order may matter."""
    one_way = touching((earlier,), changed_names((replay,)), schema)
    return bool(one_way or touching(plan.scripts, changed_names((its,)), schema))
