"""The commands `status`, `approve` and `abort`, in words or as JSON."""

from datetime import UTC, datetime
from typing import cast, get_args

from recovery.app.api import Recovery
from recovery.app.decisions import ApprovedAs
from recovery.cli.output import Output
from recovery.errors import UsageError
from recovery.report import status
from recovery.report.document import AbortDocument, ApproveDocument, StatusDocument
from states.answers import RUN_AGAIN


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
            "Exactly one of --applied, --rolled-back, --baseline and --repair is needed. Nothing was recorded.",
            "Give one of them.",
        )
    run = recovery.approve(migration, cast("ApprovedAs", answer), evidence=evidence, reason=reason, run=run).run
    decision = {"baseline": "mark_applied", "repair": "repair"}.get(answer, f"mark_{answer}")
    output.document(ApproveDocument(run, migration, decision, evidence, (RUN_AGAIN,)))
    if output.in_words:
        output.console.print(
            f"Recorded in run {run}. `prisma-recovery run` acts on it, if the evidence is still the same."
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
