"""The commands `status`, `approve` and `abort`, in words or as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast, get_args

from recovery.app.api import Recovery
from recovery.app.decisions import ApprovedAs
from recovery.cli.output import Output
from recovery.errors import UsageError
from recovery.report import status
from recovery.report.document import AbortDocument, ApproveDocument, StatusDocument
from states.answers import RUN_AGAIN
from states.comparison import ANSWERS
from states.evidence import Decision


def show_status(recovery: Recovery, output: Output, run: str | None) -> None:
    """Shows where every run stands, or only `run`.

    Raises:
        UsageError: `run.unknown`.
    """
    document = StatusDocument(tuple(each for each in recovery.status() if run in (None, each.run)))
    if run is not None and not document.runs:
        raise UsageError("run.unknown", f"The journal has no recovery {run}.", "See prisma-recovery status.")
    output.document(document)
    if output.in_words:
        status.show(output.console, document, datetime.now(UTC), output.complete)


def record_approval(
    recovery: Recovery, output: Output, run: str | None, migration: str, answer: str, *, evidence: str, reason: str
) -> None:
    """Records a person's decision on a migration.

    Raises:
        UsageError: the decision could never count.
    """
    if answer not in get_args(ApprovedAs):
        raise UsageError(
            "approve.one",
            "Exactly one of --applied, --rolled-back, --baseline, --repair and --statement is needed. Nothing was "
            "recorded.",
            "Give one of them.",
        )
    run = recovery.approve(migration, cast("ApprovedAs", answer), evidence=evidence, reason=reason, run=run).run
    decision = {"baseline": "mark_applied", "repair": "repair"}.get(answer, f"mark_{answer}")
    output.document(ApproveDocument(run, migration, decision, evidence, (RUN_AGAIN,)))
    if output.in_words:
        output.console.print(
            f"Recorded in run {run}. `prisma-recovery run` acts on it, if the evidence is still the same."
        )


def record_answers(
    recovery: Recovery,
    output: Output,
    run: str | None,
    migration: str,
    statements: Sequence[str],
    *,
    evidence: str,
    reason: str,
) -> None:
    """Records what a person knows of statements' work on rows.

    Args:
        recovery: the recovery.
        output: shows what was recorded.
        run: id of the run; None: the unfinished one.
        migration: name of the migration.
        statements: each as `4=done` or `4=not-done`.
        evidence: digest of the evidence that the person has seen.
        reason: how it is known.

    Raises:
        UsageError: the answers could never count.
    """
    done: dict[int, bool] = {}
    for text in statements:
        number, _, word = text.partition("=")
        if not (number.isdecimal() and word in ANSWERS) or done.get(int(number), ANSWERS[word]) is not ANSWERS[word]:
            raise UsageError(
                "approve.statement",
                f"{text!r} says of no statement that it is done or not, or another answer was given on it. Nothing was "
                "recorded.",
                "Give --statement 4=done or --statement 4=not-done, once for each statement.",
            )
        done[int(number)] = ANSWERS[word]
    run = recovery.answer(migration, done, evidence=evidence, reason=reason, run=run).run
    output.document(ApproveDocument(run, migration, Decision.ANSWERED, evidence, (RUN_AGAIN,)))
    if output.in_words:
        output.console.print(
            f"Recorded in run {run}. `prisma-recovery run` takes it into the evidence, if that is still the same."
        )


def record_abort(recovery: Recovery, output: Output, run: str | None, reason: str) -> None:
    """Records that a person gave up this recovery."""
    aborted = recovery.abort(reason, run=run)
    output.document(AbortDocument(aborted.run, aborted.changed, (RUN_AGAIN,)))
    if output.in_words:
        left = "what it changed in the database stays" if aborted.changed else "it had changed nothing in the database"
        output.console.print(
            f"Run {aborted.run} is given up; {left}. `prisma-recovery run` starts a new one. A "
            "process that is still at work on it stops before its next change."
        )
