"""A connection on which nobody is waited for without end.

The server ends a statement that takes too long, and the operating system notices a peer that is gone. Neither helps
against one that is there and says nothing: a stopped process, a proxy whose other end is lost.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg

#: Seconds without a byte from it. Longer than the server lets any statement of ours run, so that it speaks first.
ANSWER_SECONDS = 45.0


class BoundedConnection(psycopg.Connection[Any]):
    """Raises OperationalError where the server doesn't answer in time, and is closed then."""

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **named: Any) -> Any:  # noqa: ANN401 - psycopg's own
        """See `psycopg.Connection.wait`; every question to the server is waited for here."""
        try:
            return super().wait(_limited(gen), *args, **named)
        except _SilentError as error:
            # What it would still say belongs to a question that nobody asks any more.
            self.close()
            raise psycopg.OperationalError(f"no answer within {ANSWER_SECONDS:g} s") from error


class _SilentError(Exception):
    pass


def _limited(gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The same steps; they end when nothing has come for that long. Whoever waits looks often, and then sends 0."""
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                deadline = time.monotonic() + ANSWER_SECONDS
            elif time.monotonic() > deadline:
                raise _SilentError
            wanted = gen.send(ready)
    except StopIteration as done:
        return done.value
