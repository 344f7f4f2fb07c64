"""What a run writes into its journal, event by event, and what it knows of itself from there.

Every fact that a later process goes on from passes through here; what is kept for the report alone is in `recorded`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from recovery.effects.results import Performed, RestorePoint
from recovery.evidence.inspection import Inspection
from recovery.evidence.investigator import Classified
from recovery.evidence.proof import Proof
from recovery.journal import Journal
from recovery.journal.run_record import Kind, RunRecord
from recovery.run import excerpts
from states import effects
from states.answers import Answer, Go
from states.deployment import Failure
from states.facts import Check, Row
from states.table import State

#: The end of a command's output that goes into the journal and into refusals, in characters.
OUTPUT_KEPT = 2_000


class Diary:
    """One run's part of the journal.

    Attributes:
        run: its name.
        record: what it knows from all that is written.
    """

    def __init__(self, journal: Journal, redact: excerpts.Redact, run: str, record: RunRecord) -> None:
        """Goes on where `record` is.

        Args:
            journal: of the target.
            redact: takes secrets out of what is recorded for the report alone.
            run: its name.
            record: the fold of what it has written so far.
        """
        self._journal = journal
        self._redact = redact
        self.run = run
        self.record = record
        self._noted: dict[str, Any] = {}

    def append(self, kind: str, state: State, payload: dict[str, Any]) -> None:
        """Writes one event, and knows it from then on."""
        self.record = self.record.after(self._journal.append(self.run, kind, state, payload))

    def checked(self, state: State, checks: Sequence[Check]) -> None:
        """Every check of preflight, as it is now."""
        self.append(Kind.CHECKED, state, excerpts.checks(checks, self._redact))

    def failed(self, state: State, failure: Failure) -> None:
        """A migration failed, and why."""
        logs = excerpts.cut(failure.logs, self._redact)
        self.append(Kind.FAILED, state, {"migration": failure.migration, **asdict(failure.cause), "logs": logs})

    def classified(self, state: State, found: Classified) -> None:
        """The evidence on a migration."""
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
                "evidence": excerpts.evidence(evidence, self._redact),
            },
        )

    def found(self, state: State, effect: str, *, shown: bool) -> None:
        """What the ledger shows of an effect whose process died."""
        self.append(Kind.FOUND, state, {"effect": effect, "shown": shown})

    def restore_point(self, state: State, made: RestorePoint) -> None:
        """There is a restore point."""
        self.append(Kind.RESTORE_POINT, state, asdict(made))

    def intended(self, state: State, intent: dict[str, Any], command: str, before: Sequence[Row]) -> None:
        """An effect is about to be let go. From here on it is in doubt, until its end is written."""
        shown = {"command": command, "ledger": excerpts.ledger(before, self._redact)}
        self.append(Kind.INTENDED, state, {**intent, **shown})

    def not_begun(self, state: State, effect: effects.Effect, why: str) -> None:
        """The command was not let go, and that is known."""
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
    ) -> None:
        """An effect's end: whether the ledger shows it, and what changed there.

        Args:
            state: where it was done.
            effect: which.
            performed: how its command ended.
            before: the ledger before it.
            after: the ledger now.
            shown: the ledger shows it.
            migration: whose marking it was; empty for a deploy.
            deployed: what is finished now of all that this run has deployed; None where it was no deploy.
        """
        self.append(
            Kind.OBSERVED,
            state,
            {
                **({} if deployed is None else {"deployed": list(dict.fromkeys(deployed))}),
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
        """Ledger and folder, to be written with the next move."""
        self._noted["history"] = excerpts.history(seen.history)
        self._noted["ledger"] = excerpts.ledger(seen.rows, self._redact)

    def note_proof(self, proof: Proof) -> None:
        """How production compares, to be written with the next move."""
        self._noted["compared"] = excerpts.proof(proof, self._redact)

    def moved(self, state: State, answer: Answer) -> None:
        """A move, with its reason; a refusal with its code, its remedy and the next commands."""
        payload = {"from": state, "to": answer.to, "because": self._redact(answer.because), **self._noted}
        self._noted = {}
        if not isinstance(answer, Go):
            commands = [asdict(each) for each in answer.commands]
            payload |= {"code": answer.code, "remedy": answer.remedy, "commands": commands}
        self.append(Kind.MOVED, state, payload)
