"""Writing a file atomically, and the folder of our cache."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Replaces a file's content atomically. The file keeps its mode; a new file gets the default mode.

    Raises:
        OSError: the file can't be written. It is as it was.
    """
    if path.exists() and not os.access(path, os.W_OK):  # a rename would replace a read-only file all the same
        raise PermissionError(errno.EACCES, "it is read only")
    handle, part = tempfile.mkstemp(prefix=f".{path.name[:50]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask())
        Path(part).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(part).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def cache_folder() -> Path:
    """The folder of files that are kept between runs; the environment's `PRISMA_RECOVERY_CACHE` overrides it."""
    if configured := os.environ.get("PRISMA_RECOVERY_CACHE"):
        return Path(configured)
    if os.geteuid() == 0:  # the scratch server runs as another user, which can't read root's home
        return Path("/var/cache/prisma-recovery")
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "prisma-recovery"
