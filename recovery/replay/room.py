"""A scratch server that lacks disk or memory: no script is at fault, and nothing can be concluded from it."""

import contextlib
import errno
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.errors import RecoveryError

if TYPE_CHECKING:
    import psycopg  # it takes long to load, and the server is started before

#: What programs say of a full disk, a used-up quota, or a limit on the size of files.
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large|Check free disk space", re.IGNORECASE)
_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Bytes without which nothing can be done; a server whose disk is full can't even say so in its log.
_LEAST = 1 << 20
_IO_ERROR = "58030"


class ScratchError(RecoveryError):
    """There is no working scratch server, so nothing can be replayed."""


def full(place: Path | str) -> ScratchError:
    """The error for a disk that is full, below a folder of the scratch server's."""
    return ScratchError(
        "scratch.disk_full",
        f"There is no room left in {place}, where the scratch server needs it. Nothing was changed.",
        "Free about 100 MB there; or name other folders, PRISMA_RECOVERY_CACHE for what is kept and TMPDIR for the "
        "rest; or name a throw-away server as [scratch] url.",
    )


def is_full(said: str, exit_code: int = 0) -> bool:
    """Whether a program that said this, and ended so, met a full disk."""
    return exit_code == -signal.SIGXFSZ or _FULL.search(said) is not None


def is_full_by(error: OSError) -> bool:
    """Whether this is the error of a full disk."""
    return error.errno in _FULL_NUMBERS


def has_none(folder: Path) -> bool:
    """Whether the file system below a folder has no room left."""
    with contextlib.suppress(OSError):
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize < _LEAST
    return False


def lacked(error: "psycopg.Error") -> ScratchError | None:
    """The error for a server that lacks disk, memory or connections, or can't use its files; None for any other one.

    A statement that fails for that has told nothing about its script.
    """
    said = str(error).strip()
    if is_full(said):
        return full("the folder of the scratch server (in /dev/shm, else in TMPDIR)")
    if error.sqlstate is None or not (error.sqlstate.startswith("53") or error.sqlstate == _IO_ERROR):
        return None
    return ScratchError(
        "scratch.failed",
        f"The scratch server lacks what it needs to work: {said.splitlines()[0]}. Nothing was changed.",
        "Run again; if it fails again, name another throw-away server as [scratch] url.",
    )
