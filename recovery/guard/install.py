"""Putting guard before the Prisma commands in package.json's scripts: the proposed change, and writing it."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from recovery.config import upwards
from recovery.errors import UsageError
from recovery.files import replace_file
from recovery.guard.scripts import edited

_NAME = "package.json"


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A proposed change of a package.json.

    Attributes:
        path: the file.
        after: its new text.
        difference: the change as a unified diff; empty if there is nothing to change.
        unclear: names of scripts with a dangerous command that are too complex to edit.
    """

    path: Path
    after: str
    difference: str
    unclear: tuple[str, ...]

    def write(self) -> None:
        """Writes the change, atomically.

        Raises:
            UsageError: `guard.package_unwritable`.
        """
        try:
            replace_file(self.path.resolve(), self.after)
        except OSError as error:
            raise _unusable(self.path, error.strerror) from error


def proposed(cwd: Path) -> PackageChange:
    """The change to make in the nearest package.json.

    Args:
        cwd: the working directory, absolute.

    Raises:
        UsageError: `guard.no_package`, `guard.package_malformed`, `guard.package_unwritable`.
    """
    path = next((file for folder in upwards(cwd) if (file := folder / _NAME).is_file()), None)
    if path is None:
        raise UsageError(
            "guard.no_package",
            f"There is no {_NAME} in {cwd} or above it in the same checkout. Nothing was done.",
            "Run this in the project.",
        )
    before = _read(path)
    try:
        after, unclear = edited(before)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            "guard.package_malformed",
            f"{path} cannot be parsed: {error}. Nothing was done.",
            "Correct the file; `npm pkg get scripts` reads it too.",
        ) from error
    return PackageChange(path, after, _difference(before, after), tuple(unclear))


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            "guard.package_malformed", f"{path} is not UTF-8. Nothing was done.", "Save it as UTF-8."
        ) from error


def _difference(before: str, after: str) -> str:
    old, new = (text.replace("\r\n", "\n").split("\n") for text in (before, after))
    return "\n".join(difflib.unified_diff(old, new, f"a/{_NAME}", f"b/{_NAME}", lineterm=""))


def _unusable(path: Path, reason: str | None) -> UsageError:
    return UsageError(
        "guard.package_unwritable",
        f"{path} cannot be read or written ({reason}). Nothing was changed.",
        "Give this user permission to the file and its folder.",
    )
