"""Events as structured logs: dotted, stable names, facts as keys."""

from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import Processor

from recovery import events


def sink(logger: Any) -> events.Sink:  # noqa: ANN401 - any of structlog's loggers
    """A sink that writes each event to `logger`, which whoever embeds us has configured."""

    def write(event: events.Event) -> None:
        facts = msgspec.to_builtins(event)
        name = facts.pop("event")
        level = logger.warning if isinstance(event, events.Refused) else logger.info
        level(f"prisma_recovery.{name}", **facts)

    return write


def beside(other: events.Sink, file: TextIO) -> events.Sink:
    """A sink that passes each event on to `other`, and writes it to `file` as a line of JSON."""
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ]
    write = sink(structlog.wrap_logger(structlog.PrintLogger(file), processors=processors))

    def emit(event: events.Event) -> None:
        other(event)
        write(event)

    return emit
