"""`guard install`: guard before the Prisma commands in package.json's scripts, with consent."""

import contextlib
import difflib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from recovery.config import upwards
from recovery.errors import ConsentError, UsageError
from recovery.guard.scripts import edited
from states.answers import Exit

_NAME = "package.json"


def install(cwd: Path, ask: Callable[[str], str] | None, say: Callable[[str], None], *, yes: bool) -> Exit:
    """Shows what would change in the nearest package.json, and changes it if somebody agrees.

    Args:
        cwd: the working directory, absolute.
        ask: shows a prompt and returns what was typed; None where nobody can be asked.
        say: shows a text.
        yes: it was agreed to beforehand.

    Raises:
        UsageError: `guard.no_package`, `guard.package_malformed`, `guard.package_unwritable`.
        ConsentError: `guard.consent`.
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
            f"{path} cannot be understood: {error}. Nothing was done.",
            "Correct the file; `npm pkg get scripts` reads it too.",
        ) from error
    for name in unclear:
        say(f"The script {name} holds a dangerous Prisma command, and can't be taken apart: put guard into it by hand.")
    if after == before:
        say(f"Nothing to change: every dangerous Prisma command in {path} that can be told is guarded.")
        return Exit.READY
    say(_difference(before, after))
    if not yes and (ask is None or ask("Type “yes” to write it, anything else to stop: ").strip() != "yes"):
        raise ConsentError(
            "guard.consent",
            f"Nobody agreed to this change of {path}. Nothing was written.",
            "Run it in a terminal, or with --yes.",
        )
    _write(path.resolve(), after)
    say(f"{path} was changed. Whoever runs these scripts needs prisma-recovery on PATH.")
    return Exit.READY


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


def _write(path: Path, text: str) -> None:
    """All of it or nothing: a file beside it takes its place."""
    if not os.access(path, os.W_OK):  # a file beside it could be put there all the same
        raise _unusable(path, "it is read only")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_NAME}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(path.stat().st_mode & 0o7777)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise _unusable(path, error.strerror) from error


def _unusable(path: Path, reason: str | None) -> UsageError:
    return UsageError(
        "guard.package_unwritable",
        f"{path} cannot be read or written ({reason}). Nothing was changed.",
        "Give this user permission to the file and its folder.",
    )
