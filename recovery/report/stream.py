"""A sink that writes each event as a line of JSON, for programs that follow a run."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import TextIO

from recovery import events
from recovery.report.document import builtins


def now() -> str:
    """The current time, ISO 8601 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stream(file: TextIO, clock: Callable[[], str] = now, complete: Callable[[str], str] = str) -> events.Sink:
    """A sink that writes each event to `file` at once: its name, its time, its run, and its facts.

    Args:
        file: where to write.
        clock: gives the time of an event.
        complete: adds the options that a suggested command needs.
    """
    run = ""
    writing = Lock()  # progress is emitted by other threads

    def write(event: events.Event) -> None:
        nonlocal run
        if isinstance(event, events.RunStarted):
            run = event.run
        facts = builtins(event, complete)
        line = {"event": facts.pop("event"), "time": clock(), "run": run, **facts}
        with writing:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()

    return write
