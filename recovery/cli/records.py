"""`status`, `approve`, `abort`, as text or JSON."""

from rich.console import Console
from rich.markup import escape

from recovery.api import Recovery
from recovery.errors import UsageError
from recovery.records import Answer
from recovery.report.document import encode


def show_status(recovery: Recovery, *, as_json: bool) -> None:
    """Prints where every run stands, the newest last."""
    standings = recovery.status()
    if as_json:
        print(encode({"schema_version": 1, "runs": standings}))  # noqa: T201 - the command's output
        return
    console = Console(soft_wrap=True)
    if not standings:
        console.print("No recovery has been started here. `prisma-recovery run` starts one.", highlight=False)
    for each in standings:
        _, database, schema = each.target.split("/")
        console.print(
            f"[bold]{each.run}[/]  {each.state}  [dim]{escape(database)}, schema {escape(schema)}[/]", highlight=False
        )
        console.print(f"  {escape(each.because)}", highlight=False)
        console.print(f"  [bold]What to do:[/] {escape(each.next)}", highlight=False)


def record_approval(
    recovery: Recovery, run: str | None, migration: str, evidence: str, reason: str, *, applied: bool, rolled_back: bool
) -> None:
    """Records a person's decision.

    Raises:
        UsageError: it could never count.
    """
    if applied == rolled_back:
        raise UsageError(
            "approve.one", "Exactly one of --applied and --rolled-back is needed. Nothing was recorded.", "Give one."
        )
    answer: Answer = "applied" if applied else "rolled_back"
    run = recovery.approve(migration, answer, evidence=evidence, reason=reason, run=run).run
    print(f"Recorded in run {run}. `prisma-recovery run` acts on it, if the evidence is still the same.")  # noqa: T201


def record_abort(recovery: Recovery, run: str | None, reason: str) -> None:
    """Records that a person gave up this recovery."""
    aborted = recovery.abort(reason, run=run)
    left = "what it changed in the database stays" if aborted.changed else "it had changed nothing in the database"
    print(f"Run {aborted.run} is given up; {left}. `prisma-recovery run` starts a new one.")  # noqa: T201
