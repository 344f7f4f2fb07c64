"""Sinks that write events as structured logs: stable dotted names, with the facts as keys."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from recovery import events
from recovery.report.live import paced
from states.answers import Refusal
from states.exit_codes import PASSING, Exit
from states.facts import Outcome

#: Longer facts, in characters, appear in JSON logs only.
_PLAIN = 200


class Format(StrEnum):
    """How a log line is written."""

    #: One JSON object.
    JSON = "json"
    #: The event's name and key=value pairs; of a list only its length.
    TEXT = "text"


_WELL = (Outcome.HELD, Outcome.AWAITED)
#: Exit codes of refusals that trying later may get past.
_PASSES = PASSING | {Exit.INTERRUPTED}


def level(event: events.Event) -> str:
    """The log level of an event: debug, info, warning or error."""
    match event:
        case events.OutputLine() | events.Progressed():
            return "debug"
        case events.Refused(refusal=refusal) | events.Failed(refusal=refusal):
            return _of(refusal)
        case events.PendingUncompared():
            return "warning"
        case events.ChecksMade(checks=checks) if any(check.outcome not in _WELL for check in checks):
            return "warning"
        case events.CheckMade(check=check) if check.outcome not in _WELL:
            return "warning"
        case events.EffectEnded(shown=False):
            return "warning"
        case events.StepEnded(exit_code=code) if code:
            return "warning"
        case _:
            return "info"


def _of(refusal: Refusal) -> str:
    return "warning" if refusal.exit in _PASSES else "error"


def sink(logger: Any) -> events.Sink:  # noqa: ANN401 - any of structlog's loggers
    """A sink that writes each event to `logger`, which the embedding program has configured."""

    def write(event: events.Event) -> None:
        facts = msgspec.to_builtins(event)
        name = facts.pop("event")
        getattr(logger, level(event))(f"prisma_recovery.{name}", **facts)

    return write


def to(file: TextIO, form: Format, *, verbose: bool) -> events.Sink:
    """A sink that writes log lines to `file`.

    Args:
        file: where to write.
        form: how a line is written.
        verbose: also write debug lines, of which progress comes only at growing intervals.
    """
    last: Processor = structlog.processors.JSONRenderer()
    processors: list[Processor] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso")]
    if form is Format.TEXT:
        last = structlog.dev.ConsoleRenderer(colors=file.isatty(), pad_event_to=0)
        processors.append(_plainly)
    threshold = structlog.make_filtering_bound_logger("debug" if verbose else "info")
    logger = structlog.wrap_logger(structlog.PrintLogger(file), processors=[*processors, last], wrapper_class=threshold)
    return paced(sink(logger))


def _plainly(_: WrappedLogger, __: str, facts: EventDict) -> EventDict:
    """The facts that fit a line: a record's short texts and numbers, and a list's length."""
    return {key: value for name, fact in facts.items() for key, value in _plain(name, fact)}


def _plain(name: str, fact: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(fact, dict):
        for key, value in fact.items():
            if not isinstance(value, (dict, list, tuple)) and len(str(value)) <= _PLAIN:
                yield f"{name}.{key}", value
    elif isinstance(fact, (list, tuple)):
        yield name, len(fact)
    else:
        yield name, fact
