"""The journal's SQLite file: its format, how it is made and opened, and SQLite's errors as `JournalError`."""

import os
import sqlite3
from pathlib import Path

from recovery.errors import JournalError

#: "PRJ1": tells our file from any other SQLite database.
APPLICATION_ID = 0x50524A31
#: Version of the file's format; raised only when older releases could not read the files of the new one.
FORMAT = 1
#: Seconds to wait for another process that is writing. A write takes milliseconds.
LOCK_TIMEOUT = 5.0

# `digest` is SHA-256 over the rest of the row (see `seal`).
_CREATE = f"""
BEGIN IMMEDIATE;
CREATE TABLE event (
  position INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  time TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  payload TEXT NOT NULL,
  digest TEXT NOT NULL,
  UNIQUE (target, run, seq)
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
COMMIT;
"""

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def journal_file(folder: Path) -> Path:
    """Where the journal of the project in `folder` is kept."""
    return folder / ".prisma-recovery" / "journal.sqlite3"


#: The errors that reading a damaged file can raise: Python decodes values, and SQLite's messages, as UTF-8.
ERRORS = (sqlite3.Error, UnicodeDecodeError)


def explain(error: Exception, path: Path) -> JournalError:
    """One of `ERRORS` as a `JournalError`."""
    # The low byte is SQLite's primary result code. An error without a code is Python's: it could not decode a text.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in _LOCKED:
        return JournalError(
            "journal.locked",
            f"Another process has been writing to the journal {path} for {LOCK_TIMEOUT:g} s; "
            "nothing was recorded, and nothing more was done.",
            "Wait for the other recovery of this project to end, then run again.",
        )
    if code in _CORRUPT:
        return corrupt(path, f"SQLite says: {error}")
    return unwritable(path, f"SQLite says: {error}")


def corrupt(path: Path, reason: str) -> JournalError:
    """The error for a journal that holds something which no release has written to it."""
    return JournalError(
        "journal.corrupt",
        f"The journal {path} is damaged, or is not a journal ({reason}); nothing more was done.",
        "Move the file away, keep it for an investigation, and run again: "
        "a new run starts from what the database says.",
    )


def unwritable(path: Path, reason: str) -> JournalError:
    """The error for a journal that cannot be written: no permission, a read-only or full disk."""
    return JournalError(
        "journal.unwritable",
        f"The journal {path} cannot be opened or written ({reason}); nothing was recorded, and nothing more was done.",
        "Free space, or make the project's folder writable for this user, then run again.",
    )


def create(path: Path) -> None:
    """Make the folder and the file if they are missing, readable by this user only.

    Raises:
        JournalError: `journal.unwritable`.
    """
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _sync(path.parent.parent)
        path.parent.chmod(0o700)
        # SQLite gives its rollback journal the mode of the database file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise unwritable(path, error.strerror or type(error).__name__) from error


def connect(path: Path, *, writing: bool) -> sqlite3.Connection:
    """Open the existing file and check that it is a sound journal of a format we know.

    Raises:
        JournalError: `journal.newer_version`, `journal.corrupt`, `journal.unwritable`, `journal.locked`.
    """
    try:
        # Not `mode=ro`, even for reading: a run that was killed may have left a transaction that must be rolled back.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=LOCK_TIMEOUT, isolation_level=None
        )
        try:
            _prepare(connection, path, writing=writing)
        except BaseException:
            connection.close()
            raise
    except ERRORS as error:
        raise explain(error, path) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, writing: bool) -> None:
    """Check that the file is our journal, make its table if it is empty, and configure the connection."""
    # `schema_version` first: another process may be making the table, which it does in one transaction with the
    # application_id. If we see the table, we then see the application_id too.
    empty = _number(connection, "schema_version") == 0
    version = _number(connection, "user_version")
    application = _number(connection, "application_id")
    if writing and empty and application == 0:
        _initialise(connection)
    elif application == APPLICATION_ID and version > FORMAT:
        raise JournalError(
            "journal.newer_version",
            f"The journal {path} has format {version}, written by a newer release; "
            f"this one knows up to {FORMAT}, and nothing was done.",
            "Install the newer release of prisma-recovery, and run again.",
        )
    elif application != APPLICATION_ID:
        raise corrupt(path, "it is another program's database")
    # A commit must survive a power cut, and WAL is no choice: it needs shared memory, which network file systems
    # lack. TRUNCATE commits by emptying the rollback journal, and FULL flushes that to disk. With DELETE, only
    # EXTRA would be safe: a deleted rollback journal can reappear after a power cut, and undo a commit.
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")
    if not writing:
        connection.execute("PRAGMA query_only = ON")
    # The whole check, which compares the index with the table too: a row whose run was changed is not in its run.
    findings = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if findings[0] != "ok":
        raise corrupt(path, f"SQLite says: {findings[0]}")


def _initialise(connection: sqlite3.Connection) -> None:
    """Make the table, and mark the file as ours, in one transaction; does nothing if another process was faster."""
    try:
        connection.executescript(_CREATE)
    except sqlite3.OperationalError:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if _number(connection, "application_id") != APPLICATION_ID:
            raise


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _sync(folder: Path) -> None:
    """Flush the folder's entries to disk, so that a new one survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
