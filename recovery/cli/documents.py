"""What commands that tell of no run say to machines: guard, its installation, and shell completions."""

import msgspec

from recovery.guard.install import PackageChange
from recovery.report.document import SCHEMA_VERSION


class GuardDocument(msgspec.Struct, frozen=True):
    """A command line that may run; it was not run. One that may not is a refusal.

    Attributes:
        warning: what is told before it is run; empty for nothing.
    """

    command: tuple[str, ...]
    warning: str
    schema_version: int = SCHEMA_VERSION


class InstallDocument(msgspec.Struct, frozen=True):
    """What became of package.json.

    Attributes:
        difference: a unified diff; empty where there was nothing to change.
        unclear: scripts with a dangerous command that can't be taken apart: guard has to be put there by hand.
    """

    path: str
    changed: bool
    difference: str
    unclear: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, change: PackageChange) -> "InstallDocument":
        """A change that was made."""
        return cls(str(change.path), bool(change.difference), change.difference, change.unclear)


class CompletionsDocument(msgspec.Struct, frozen=True):
    """A shell's completion script."""

    shell: str
    script: str
    schema_version: int = SCHEMA_VERSION
