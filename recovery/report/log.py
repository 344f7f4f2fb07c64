"""Events as structured logs: dotted, stable names, facts as keys."""

import msgspec
import structlog

from recovery import events


def sink(logger: structlog.typing.FilteringBoundLogger) -> events.Sink:
    """A sink that writes each event to `logger`, which whoever embeds us has configured."""

    def write(event: events.Event) -> None:
        facts = msgspec.to_builtins(event)
        name = facts.pop("event")
        level = logger.warning if isinstance(event, events.Refused) else logger.info
        level(f"prisma_recovery.{name}", **facts)

    return write
