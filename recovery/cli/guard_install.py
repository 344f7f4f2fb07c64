"""`guard install`: shows the change of package.json, and makes it with consent."""

from collections.abc import Callable
from pathlib import Path

from recovery.cli.documents import InstallDocument
from recovery.cli.output import Output
from recovery.errors import ConsentError
from recovery.guard.install import PackageChange, proposed


def install(cwd: Path, ask: Callable[[str], str] | None, say: Callable[[str], None], *, yes: bool) -> None:
    """Shows the change of the nearest package.json, and makes it if somebody agrees.

    Args:
        cwd: the working directory, absolute.
        ask: shows a prompt and returns the typed answer; None where nobody can be asked.
        say: shows a text.
        yes: consent was given beforehand.

    Raises:
        UsageError: as `proposed` and `PackageChange.write`.
        ConsentError: `guard.consent`.
    """
    change = proposed(cwd)
    for name in change.unclear:
        say(f"The script {name} has a dangerous Prisma command and is too complex to edit: put guard into it by hand.")
    if not change.difference:
        say(f"Nothing to change: every dangerous Prisma command that was recognised in {change.path} is guarded.")
        return
    say(change.difference)
    _make(change, yes or (ask is not None and ask("Type “yes” to write it, anything else to stop: ").strip() == "yes"))
    say(f"{change.path} was changed. Whoever runs these scripts needs prisma-recovery on PATH.")


def install_for_machines(cwd: Path, output: Output, *, yes: bool) -> None:
    """Makes the change without asking, and reports it as a document.

    Raises:
        UsageError: as above.
        ConsentError: as above.
    """
    change = proposed(cwd)
    if change.difference:
        _make(change, yes)
    output.document(InstallDocument.of(change))


def _make(change: PackageChange, agreed: bool) -> None:  # noqa: FBT001 - its only other parameter
    if not agreed:
        raise ConsentError(
            "guard.consent",
            f"Nobody agreed to this change of {change.path}. Nothing was written.",
            "Run it in a terminal, or with --yes.",
        )
    change.write()
