"""Events as lines of JSON, for whoever follows a run while it goes on."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import TextIO

from recovery import events
from recovery.report.document import builtins


def now() -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stream(file: TextIO, clock: Callable[[], str] = now, complete: Callable[[str], str] = str) -> events.Sink:
    """A sink that writes each event to `file` at once: its name, its time, its run, and its facts.

    Args:
        file: where to write.
        clock: the time of an event.
        complete: adds the options that a command to be copied needs.
    """
    run = ""
    writing = Lock()  # progress is told by other threads

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
