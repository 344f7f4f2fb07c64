"""Folders of scratch servers whose processes are gone: the next run finds and removes them.

Each folder holds a file that its server's processes keep locked. A lock that can be had belongs to nobody alive: the
kernel gives it up with the last of them, however they ended.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

#: How the folders' names begin.
PREFIX = "prisma-recovery-"
_LOCK = "lock"
#: Seconds after which a folder without a lock is nobody's. Between the making of a folder and its lock is an instant.
_YOUNG = 24 * 3600.0


def claim(folder: Path) -> int:
    """Locks a new folder for as long as a process holds the file descriptor that this returns, or a copy of it.

    Raises:
        OSError: the file can't be made.
    """
    made = folder / f"{_LOCK}.new"
    handle = os.open(made, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    made.rename(folder / _LOCK)  # by that name it has been locked from the first
    # A shell's redirections use the numbers below ten for themselves.
    high = fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(handle)
    return high


def sweep(places: Iterable[Path]) -> None:
    """Removes the folders in these places that belong to nobody alive; what can't be removed stays."""
    for place in places:
        with contextlib.suppress(OSError):
            for folder in place.glob(f"{PREFIX}*"):
                if _abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    try:
        if folder.is_symlink() or not folder.is_dir():
            return False
        if not (folder / _LOCK).exists():
            return time.time() - folder.stat().st_mtime > _YOUNG
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # another user's, or gone by now
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
