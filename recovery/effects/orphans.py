"""Ends a session that holds Prisma's lock although its client is gone, if it is still as it was when it was shown."""

import time
from collections.abc import Callable

import psycopg

from recovery.postgres.locks import PRISMA_LOCK
from recovery.postgres.sessions import OUR_NAME, end_if_idle, holders
from recovery.postgres.target import Target
from states.facts import Orphan

#: How long the session may take to end once it was told to.
_END_SECONDS = 5.0


def end(
    target: Target,
    orphan: Orphan,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Ends the session, and waits until it is gone.

    It is told to end in the same statement that makes sure that it is the same session, still idle, and still holds the
    lock. So one that has gone on meanwhile, or another one with its number, is left alone.

    Returns:
        Why it was not ended, as a clause; empty if it is gone.
    """
    with target.working(f"{OUR_NAME} orphan") as connection:
        try:
            told = end_if_idle(connection, orphan.pid, orphan.mark, PRISMA_LOCK)
        except psycopg.errors.InsufficientPrivilege:
            return "the role may not end it (it has to be a member of its role, or of pg_signal_backend)"
    if not told:
        return "it has ended, or done something, since it was looked at"
    began = clock()
    while any(each.pid == orphan.pid for each in holders(target.reading(), PRISMA_LOCK)):
        if clock() - began > _END_SECONDS:
            return f"it was told to end, and is still there after {_END_SECONDS:.0f} s"
        sleep(0.05)
    return ""
