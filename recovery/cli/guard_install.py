"""`guard install`: the change of package.json shown, and made with consent."""

from collections.abc import Callable
from pathlib import Path

from recovery.cli.documents import InstallDocument
from recovery.cli.output import Output
from recovery.errors import ConsentError
from recovery.guard.install import PackageChange, proposed


def install(cwd: Path, ask: Callable[[str], str] | None, say: Callable[[str], None], *, yes: bool) -> None:
    """Shows what would change in the nearest package.json, and changes it if somebody agrees.

    Args:
        cwd: the working directory, absolute.
        ask: shows a prompt and returns what was typed; None where nobody can be asked.
        say: shows a text.
        yes: it was agreed to beforehand.

    Raises:
        UsageError: as `proposed` and `Change.write`.
        ConsentError: `guard.consent`.
    """
    change = proposed(cwd)
    for name in change.unclear:
        say(f"The script {name} holds a dangerous Prisma command, and can't be taken apart: put guard into it by hand.")
    if not change.difference:
        say(f"Nothing to change: every dangerous Prisma command in {change.path} that can be told is guarded.")
        return
    say(change.difference)
    _make(change, yes or (ask is not None and ask("Type “yes” to write it, anything else to stop: ").strip() == "yes"))
    say(f"{change.path} was changed. Whoever runs these scripts needs prisma-recovery on PATH.")


def install_for_machines(cwd: Path, output: Output, *, yes: bool) -> None:
    """The same as a document; nobody is asked.

    Raises:
        UsageError: as above.
        ConsentError: as above.
    """
    change = proposed(cwd)
    if change.difference:
        _make(change, yes)
    output.document(InstallDocument.of(change))


def _make(change: PackageChange, agreed: bool) -> None:  # noqa: FBT001 - the one thing to be known
    if not agreed:
        raise ConsentError(
            "guard.consent",
            f"Nobody agreed to this change of {change.path}. Nothing was written.",
            "Run it in a terminal, or with --yes.",
        )
    change.write()
