"""What of the pending migrations is in production already, before a deploy fails on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg

from recovery.errors import RecoveryError
from recovery.evidence.investigator import (
    LOCKED,
    Classified,
    Investigator,
    Material,
    changed_names,
    touching,
    unreplayed,
)
from recovery.sql.script import Script
from states.facts import Replay, Row, Subject
from states.presence import Delta, delta
from states.verdict import Decision


@dataclass(frozen=True, slots=True)
class Compared:
    """The pending migrations beside production.

    Attributes:
        found: those of which production has something already, in the order in which a deploy would run them.
        missing: why some could not be compared; empty if all were. A deploy is possible all the same.
    """

    found: tuple[Classified, ...] = ()
    missing: str = ""


@dataclass(slots=True)
class _Chain:
    """The pending migrations looked at so far, in the order of a deploy.

    Attributes:
        scripts: all of them.
        deltas: what each of them changes.
        undone: those that a deploy has yet to run, with their replays.
    """

    scripts: list[Script]
    deltas: list[Delta]
    undone: list[tuple[Script, Replay]]


class PendingInvestigator(Investigator):
    """Compares pending migrations with production as failed ones are compared: each as if those before it had run."""

    def compare(self, pending: Sequence[str], rows: tuple[Row, ...]) -> Compared:
        """Each of them beside production.

        One that was attempted and rolled back is not looked at: it is classified by itself (RULES F5).

        Args:
            pending: in the order in which a deploy would run them.
            rows: the ledger's, with none of them unfinished.
        """
        chain = _Chain([], [], [])
        found: list[Classified] = []
        tried = {row.migration for row in rows}
        try:
            self._workshop.stand_in(self._target.reading(), self._scripts.texts())
            for name in pending:
                plan = self._pending_plan(name, rows, chain)
                (script,) = plan.scripts
                replay = self._replay(plan, script)
                classified = None if name in tried else self._beside(plan, replay, rows, chain)
                if classified is not None and classified.evidence.in_production:
                    found.append(classified)
                if classified is None or classified.evidence.decision is Decision.DEPLOY:
                    chain.undone.append((script, replay))
                chain.scripts.append(script)
                chain.deltas.append(delta(replay))
                if not replay.complete and name != pending[-1]:
                    return Compared(tuple(found), f"What comes after {name} was not compared: {replay.ended}.")
        except RecoveryError as error:
            if not error.code.startswith(("scratch.", "replay.")):
                raise  # production's own server, or what was read of the checkout
            return Compared(tuple(found), error.fact)
        except psycopg.errors.LockNotAvailable:
            return Compared(tuple(found), LOCKED)
        return Compared(tuple(found))

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
        subject = Subject(plan.name, (), (replay,), plan.present, assumed=tuple(chain.deltas))
        subject = replace(subject, production=self._production(subject), filled=self._filled(subject))
        subject = replace(
            subject,
            reread=self._reread(plan, subject),
            unreplayed=unreplayed(plan, subject, schema),
            ahead=tuple(each.migration for each, of in chain.undone if _overlap(each, of, plan, replay, schema)),
        )
        classified = self._judged(plan, subject, rows)
        if not classified.evidence.in_production:
            return classified
        running = self._running(plan, subject)
        return self._judged(plan, replace(subject, running=running), rows) if running else classified


def _overlap(earlier: Script, its: Replay, plan: Material, replay: Replay, schema: str) -> bool:
    """Whether it matters which of the two comes first, as far as their texts and what they change can tell."""
    one_way = touching((earlier,), changed_names((replay,)), schema)
    return bool(one_way or touching(plan.scripts, changed_names((its,)), schema))
