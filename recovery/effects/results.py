"""What an effect leaves to be told: how its command ended, and what there is to go back to."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Performed:
    """How an effect's command ended.

    Attributes:
        unchanged: why it was not even tried, as `the evidence has changed`; empty if it was.
        output: the end of what it printed, redacted.
    """

    unchanged: str = ""
    output: str = ""
    exit_code: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """What to go back to.

    Attributes:
        kind: neon or pg_dump.
        place: the branch, or the file.
        lsn: how far the write-ahead log was, at or just before the state that it holds.
        time: then, ISO 8601 in UTC, by the server's clock.
        back: how to go back to it, for people.
    """

    kind: str
    place: str
    lsn: str
    time: str
    back: str


#: Makes one for a run, by its name; making it twice for the same run leaves one.
MakeRestorePoint = Callable[[str], RestorePoint]
