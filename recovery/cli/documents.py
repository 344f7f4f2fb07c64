"""The JSON documents of commands that concern no run: `guard`, `guard install` and `completions`."""

import msgspec

from recovery.guard.install import PackageChange
from recovery.report.document import SCHEMA_VERSION


class GuardDocument(msgspec.Struct, frozen=True):
    """A command line that guard would run; with `--json` it is not run. A refusal is an error's document instead.

    Attributes:
        command: the words of the command line.
        warning: the warning that guard would print before it runs the command; empty for none.
    """

    command: tuple[str, ...]
    warning: str
    schema_version: int = SCHEMA_VERSION


class InstallDocument(msgspec.Struct, frozen=True):
    """The result of `guard install` for one package.json.

    Attributes:
        path: the file.
        changed: whether the file was changed.
        difference: the change as a unified diff; empty if there was nothing to change.
        unclear: names of scripts with a dangerous command that guard cannot edit: add guard to them by hand.
    """

    path: str
    changed: bool
    difference: str
    unclear: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, change: PackageChange) -> "InstallDocument":
        """The document of a change that was made."""
        return cls(str(change.path), bool(change.difference), change.difference, change.unclear)


class CompletionsDocument(msgspec.Struct, frozen=True):
    """A shell's completion script."""

    shell: str
    script: str
    schema_version: int = SCHEMA_VERSION
