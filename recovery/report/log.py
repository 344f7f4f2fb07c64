"""Events as structured logs: dotted, stable names, facts as keys."""

from typing import Any

import msgspec

from recovery import events


def sink(logger: Any) -> events.Sink:  # noqa: ANN401 - any of structlog's loggers
    """A sink that writes each event to `logger`, which whoever embeds us has configured."""

    def write(event: events.Event) -> None:
        facts = msgspec.to_builtins(event)
        name = facts.pop("event")
        level = logger.warning if isinstance(event, events.Refused) else logger.info
        level(f"prisma_recovery.{name}", **facts)

    return write
