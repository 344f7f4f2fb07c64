"""One run's part of the journal: the events that the engine writes, and the record that follows from them.

Every fact that a later process resumes from is written here; parts for the report alone come from `excerpts`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from recovery.effects.results import Performed, RestorePoint
from recovery.errors import JournalError, StoppedError
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.proof import Proof
from recovery.journal import Journal
from recovery.journal.run_record import Kind, RunRecord, by_hand
from recovery.run import excerpts
from states import effects
from states.answers import Answer, Go
from states.baseline import Baseline
from states.deployment import Failure
from states.facts import NO_ANSWERS, Answers, Check, Orphan, Row
from states.rehearsals import Rehearsal
from states.table import State

#: How much of the end of a command's output goes into the journal and into refusals, in characters.
OUTPUT_KEPT = 2_000


class Diary:
    """One run's part of the journal.

    Attributes:
        run: id of the run.
        record: the fold of all events of the run.
    """

    def __init__(self, journal: Journal, redact: excerpts.Redact, run: str, record: RunRecord, *, seq: int = 0) -> None:
        """Continues the run after `record`.

        Args:
            journal: the journal of the target.
            redact: removes secrets from texts that are recorded for the report alone.
            run: id of the run.
            record: the fold of the run's events so far.
            seq: number of the last of these events; 0 if there is none.
        """
        self._journal = journal
        self._redact = redact
        self.run = run
        self.record = record
        self._seq = seq
        self._noted: dict[str, Any] = {}

    def append(self, kind: str, state: State, payload: dict[str, Any]) -> None:
        """Writes one event, and adds it to the record; first takes in what a person has decided meanwhile.

        Raises:
            StoppedError: `engine.given_up`: a person gave this recovery up. Only the end of an effect is still written.
        """
        if self.record.state is State.ABORTED and kind != Kind.OBSERVED:
            raise self._given_up()
        try:
            written = self._journal.append(self.run, kind, state, payload)
        except JournalError as error:
            if error.code != "journal.conflict" or not self._take_in():
                raise
            self.append(kind, state, payload)
        else:
            self.record = self.record.after(written)
            self._seq = written.seq

    def _take_in(self) -> bool:
        """Adds a person's decisions on this run to the record; False if another process wrote anything else.

        Another recovery can't be at work on this database, and a person's approval or giving up is no recovery.
        """
        news = [event for event in self._journal.events(self.run) if event.seq > self._seq]
        if not news or not all(by_hand(event) for event in news):
            return False
        for event in news:
            self.record = self.record.after(event)
            self._seq = event.seq
        return True

    def _given_up(self) -> StoppedError:
        return StoppedError(
            "engine.given_up",
            f"A person gave this recovery up while it was at work ({self.record.because}), so it stopped. What it had "
            "done until then is in the journal.",
            "Run prisma-recovery run to start a new one.",
        )

    def checked(self, state: State, checks: Sequence[Check]) -> None:
        """Records all checks of preflight with their current outcomes."""
        self.append(Kind.CHECKED, state, excerpts.checks(checks, self._redact))

    def failed(self, state: State, failure: Failure) -> None:
        """Records that a migration failed, and why."""
        logs = excerpts.cut(failure.logs, self._redact)
        cause = {**asdict(failure.cause), "said": excerpts.cut(failure.cause.said, self._redact)}
        self.append(Kind.FAILED, state, {"migration": failure.migration, **cause, "logs": logs})

    def classified(self, state: State, found: Classified) -> None:
        """Records the evidence on a migration."""
        evidence = found.evidence
        self.append(
            Kind.CLASSIFIED,
            state,
            {
                "migration": evidence.migration,
                "verdict": evidence.verdict,
                "decision": evidence.decision,
                "digest": evidence.evidence_digest,
                "reasons": list(evidence.reasons),
                "attempted": evidence.attempted,
                "ran_to_its_end": found.ran_to_its_end,
                "plans": [plan.digest for plan in evidence.repair.plans],
                "asked": found.asked,
                "states": [each.state for each in evidence.statements],
                "answerable": [each.index for each in evidence.statements if each.answers],
                "evidence": excerpts.evidence(evidence, self._redact),
            },
        )

    def baselined(self, state: State, found: Baseline) -> None:
        """Records how far production has the history."""
        told = excerpts.baseline(found, self._redact)
        if self.record.baseline != told:
            self.append(Kind.BASELINED, state, told)

    def rehearsed(self, state: State, rehearsals: Sequence[Rehearsal]) -> None:
        """Records what a deploy would do, for the report."""
        self.append(Kind.REHEARSED, state, excerpts.rehearsals(rehearsals, self._redact))

    def found(self, state: State, effect: str, *, shown: bool, undone: bool = False) -> None:
        """Records whether the ledger shows an effect in doubt; or that nothing of a repair in doubt was done."""
        self.append(Kind.FOUND, state, {"effect": effect, "shown": shown, **({"undone": True} if undone else {})})

    def orphan_intended(self, state: State, orphan: Orphan) -> None:
        """Records that a session which holds Prisma's lock is about to be ended."""
        told = {key: self._redact(str(value)) for key, value in asdict(orphan).items()}
        self.append(Kind.ORPHAN_INTENDED, state, {**told, "pid": orphan.pid, "seconds": orphan.seconds})

    def orphan_ended(self, state: State, orphan: Orphan, why: str) -> None:
        """Records that the session is gone; or why it was not ended."""
        self.append(Kind.ORPHAN_ENDED, state, {"pid": orphan.pid, "ended": not why, "why": why})

    def restore_point(self, state: State, made: RestorePoint) -> None:
        """Records the restore point."""
        self.append(Kind.RESTORE_POINT, state, asdict(made))

    def intended(self, state: State, intent: dict[str, Any], command: str, before: Sequence[Row]) -> None:
        """Records the intent of an effect. From here on the effect is in doubt, until its end is recorded."""
        shown = {"command": command, "ledger": excerpts.ledger(before, self._redact)}
        self.append(Kind.INTENDED, state, {**intent, **shown})

    def statement(self, state: State, effect: str, number: int, what: str) -> None:
        """Records that a statement of a repair, which is committed by itself, is about to run, or has run.

        Args:
            state: the state in which it is run.
            effect: id of the repair.
            number: number of the statement in its plan; of the transaction of all statements, if that is begun.
            what: `intended`, `observed` or `begun`.
        """
        if what == "begun":
            self.append(Kind.TRANSACTION_BEGUN, state, {"effect": effect, "transaction": number})
            return
        kind = Kind.STATEMENT_INTENDED if what == "intended" else Kind.STATEMENT_OBSERVED
        self.append(kind, state, {"effect": effect, "statement": number})

    def not_begun(self, state: State, effect: effects.Effect, why: str) -> None:
        """Records that the command of an effect was certainly not started, and why."""
        self.append(Kind.OBSERVED, state, {"effect": effect.id, "shown": False, "unchanged": why})

    def observed(  # noqa: PLR0913 - what is known of an effect's end
        self,
        state: State,
        effect: effects.Effect,
        performed: Performed,
        before: Sequence[Row],
        after: Sequence[Row],
        *,
        shown: bool,
        migration: str = "",
        deployed: Sequence[str] | None = None,
        answers: Answers = NO_ANSWERS,
    ) -> None:
        """Records an effect's end: whether the ledger shows the effect, and what changed in the ledger.

        Args:
            state: the state in which it was performed.
            effect: the effect.
            performed: how its command ended.
            before: the ledger before the effect.
            after: the ledger now.
            shown: the ledger shows the effect.
            migration: the migration that was marked; empty for a deploy.
            deployed: the migrations deployed by this run that are finished now; None if the effect is no deploy.
            answers: what is known of statements' work on rows since a repair was carried out.
        """
        self.append(
            Kind.OBSERVED,
            state,
            {
                **({} if deployed is None else {"deployed": list(dict.fromkeys(deployed))}),
                **({"repaired": told(effect, answers)} if answers.done else {}),
                **({"undone": True} if performed.undone else {}),
                "effect": effect.id,
                "migration": migration,
                "rows": [row.id for row in after if row.migration == migration],
                "shown": shown,
                "unchanged": performed.unchanged,
                "exit_code": performed.exit_code,
                "seconds": round(performed.seconds, 3),
                "output": performed.output[-OUTPUT_KEPT:],
                "ledger": excerpts.changes(before, after, self._redact),
            },
        )

    def note_inspection(self, seen: Inspection) -> None:
        """Keeps ledger and history, to be recorded with the next move."""
        self._noted["history"] = excerpts.history(seen.history)
        self._noted["ledger"] = excerpts.ledger(seen.rows, self._redact)

    def note_proof(self, proof: Proof) -> None:
        """Keeps how production compares with its history, to be recorded with the next move."""
        self._noted["compared"] = excerpts.proof(proof, self._redact)

    def moved(self, state: State, answer: Answer) -> None:
        """Records a move with its reason; a refusal with its code, its remedy and the next commands."""
        payload = {"from": state, "to": answer.to, "because": self._redact(answer.because), **self._noted}
        self._noted = {}
        if not isinstance(answer, Go):
            commands = [asdict(each) for each in answer.commands]
            payload |= {"code": answer.code, "remedy": answer.remedy, "commands": commands}
        self.append(Kind.MOVED, state, payload)


def told(effect: effects.Effect, answers: Answers) -> dict[str, Any]:
    """What a repair leaves known of statements' work on rows, as it is recorded."""
    name = effect.migration if isinstance(effect, effects.Repair) else ""
    done = {str(number): each for number, each in answers.done.items()}
    return {"migration": name, "evidence": answers.evidence, "statements": done}
