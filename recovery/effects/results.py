"""The results of an effect: how its command ended, and the restore point that was made before it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Performed:
    """How an effect's command ended.

    Attributes:
        unchanged: why the command did not run, such as `the evidence has changed`; empty if it ran.
        output: the end of the command's output, redacted.
        exit_code: the command's exit code; None if it did not run.
        seconds: how long the command ran.
        evidence: of a repair that was carried out, the digest of the evidence afterwards; empty if it is not known.
        undone: of a repair that failed, whether nothing of it is in production, since it was one transaction.
    """

    unchanged: str = ""
    output: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    evidence: str = ""
    undone: bool = False


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A state of the database that a person can go back to.

    Attributes:
        kind: `neon` or `pg_dump`.
        place: the branch's name and id, or the file's path.
        lsn: position in the write-ahead log (LSN) at, or just before, that state.
        time: the time of that state, ISO 8601 in UTC, by the server's clock.
        back: how to go back to it, for people.
    """

    kind: str
    place: str
    lsn: str
    time: str
    back: str


#: Makes the restore point of a run, given the run's identifier; a second call for the same run makes no second one.
MakeRestorePoint = Callable[[str], RestorePoint]
