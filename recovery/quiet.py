"""Is the target quiet? Who holds Prisma's lock or changes the schema, and who waits behind whom."""

import time
from collections.abc import Callable, Sequence

from recovery import events
from recovery.outcomes import held, refused
from recovery.postgres import sessions
from recovery.target import Target
from states.facts import Check

#: Prisma holds its lock between two statements for milliseconds; who is idle with it for so long has lost its client.
ORPHAN_SECONDS = 10.0


def quiet_checks(
    target: Target, sleep: Callable[[float], None] = time.sleep, emit: events.Sink = events.nobody
) -> list[Check]:
    """Is nobody else deploying, or changing the schema?"""
    connection = target.reading()
    holding = sessions.patiently_held(connection, sessions.PRISMA_LOCK, sleep, events.lock_sink(emit))
    source = "pg_locks, pg_stat_activity"
    waiting = sessions.waiting(connection) if holding else ()
    if holding:
        holder = holding[0]
        orphan = holder.state == "idle" and holder.seconds >= ORPHAN_SECONDS
        alone = _orphaned(holder) if orphan else ""
        lock = refused(
            "deploy.lock",
            f"Prisma's migration lock is held by {holder}{alone}{_queue(waiting, holding)}",
            source,
            "See that no deploy is at work on any machine; then end the orphan with "
            f"SELECT pg_terminate_backend({holder.pid});"
            if orphan
            else "Wait for that deploy to end.",
            busy=True,
        )
    else:
        lock = held("deploy.lock", "Prisma's migration lock is free", source)
    others = (*sessions.our_effects(connection), *sessions.running_ddl(connection))
    if others:
        behind = "".join(f"; it waits behind {_pids(others[0].behind)}" for _ in others[0].behind[:1])
        seen = f"the schema is being changed by {others[0]}{behind}{_queue(sessions.waiting(connection), others[:1])}"
        ddl = refused("deploy.ddl", seen, source, "Wait until it has ended.", busy=True)
    else:
        ddl = held("deploy.ddl", "no session is changing the schema", source)
    return [lock, ddl]


def _orphaned(holder: sessions.Session) -> str:
    """A session whose client is gone, or has gone back to a pooler without giving the lock back."""
    return f", idle for {holder.seconds:.0f} s: an orphan, whose client is gone or came through a pooler"


def _queue(waiting: Sequence[sessions.Session], holding: Sequence[sessions.Session]) -> str:
    """Who waits behind the holders, and behind whom."""
    pids = {holder.pid for holder in holding}
    behind = [each for each in waiting if pids & set(each.behind) and each.pid not in pids]
    return "".join(f"; {each} waits behind {_pids(each.behind)}" for each in behind)


def _pids(pids: Sequence[int]) -> str:
    return "pid " + ", ".join(map(str, pids))
