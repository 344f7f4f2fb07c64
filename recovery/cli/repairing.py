"""`repair --sql`: prints a plan of repair as a script, read only."""

from recovery import events
from recovery.app.api import Recovery
from recovery.cli.output import Output
from recovery.errors import UsageError
from recovery.report.document import RepairDocument
from states.answers import RUN_AGAIN


def print_script(recovery: Recovery, output: Output, migration: str | None, way: str | None, *, sql: bool) -> None:
    """Prints the plan's script, and nothing else.

    Raises:
        UsageError: `usage.repair`; `repair.none` if there is no such plan.
    """
    if not sql:
        raise UsageError(
            "usage.repair",
            "This command prints a plan and carries out none. Nothing was done.",
            f"Give --sql to print it; or carry it out with {RUN_AGAIN.line} --repair.",
        )

    def watch(event: events.Event) -> None:
        if isinstance(event, events.Progressed):
            output.log(event)

    script = recovery.repair_script(migration, way, watch)
    output.document(RepairDocument(script))
    if output.in_words:
        output.console.out(script, end="", highlight=False)
