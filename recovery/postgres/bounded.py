"""A connection that never waits for the server without a limit.

The server ends a statement that takes too long, and TCP keepalives notice a peer that is gone. Neither helps against
a peer that is there and stays silent: a stopped process, or a proxy that has lost its other end.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg

#: Seconds without a byte from the server. Longer than `statement_timeout`, so that the server answers first.
ANSWER_SECONDS = 45.0


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that closes itself and raises OperationalError if the server doesn't answer in time.

    Attributes:
        patient: it waits without a limit, for statements that may take long.
    """

    patient: bool = False

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **named: Any) -> Any:  # noqa: ANN401 - psycopg's own
        """See `psycopg.Connection.wait`, by which psycopg waits for every answer of the server."""
        if self.patient:
            return super().wait(gen, *args, **named)
        try:
            return super().wait(_limited(gen), *args, **named)
        except _SilentError as error:
            # A late answer would be taken for the answer to the next statement.
            self.close()
            raise psycopg.OperationalError(f"no answer within {ANSWER_SECONDS:g} s") from error


class _SilentError(Exception):
    pass


def _limited(gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The same generator, which fails after ANSWER_SECONDS without data; psycopg sends 0 while there is none."""
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
