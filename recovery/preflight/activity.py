"""Checks that nobody else is at work: who holds Prisma's migration lock, who changes the schema, who waits for whom."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from recovery import events
from recovery.postgres import locks, sessions
from recovery.postgres.target import Target
from recovery.preflight.asking import asked
from states.checks import held, refused
from states.facts import Check, Orphan

#: A session that has held Prisma's lock while idle for this long has lost its client: between two statements of a live
#: deploy, a session is idle for milliseconds.
ORPHAN_SECONDS = 10.0


_SOURCE = "pg_locks, pg_stat_activity"


def quiet_checks(
    target: Target, sleep: Callable[[float], None] = time.sleep, emit: events.Sink = events.nobody
) -> list[Check]:
    """The checks that no other session is deploying or changing the schema."""
    return [
        asked("deploy.lock", _SOURCE, lambda: _lock(target, sleep, emit)),
        asked("deploy.ddl", _SOURCE, lambda: _ddl(target)),
    ]


def alone_check(target: Target, ours: int | None = None) -> Check:
    """The check that no other recovery of this database is at work.

    Args:
        target: the production database.
        ours: pid of the session in which this recovery holds the lock of recoveries; None if it does not hold it.
    """
    name, source = "recovery.alone", f"{_SOURCE}: the lock of recoveries"

    def look() -> Check:
        holding = sessions.holders(target.reading(), locks.RECOVERY_LOCK)
        others = [holder for holder in holding if holder.pid != ours]
        if others:
            return refused(name, f"another recovery is at work: {others[0]}", source, "Wait for it to end.", busy=True)
        return held(name, "no other recovery is at work here", source)

    return asked(name, source, look)


def _lock(target: Target, sleep: Callable[[float], None], emit: events.Sink) -> Check:
    connection = target.reading()
    holding = sessions.patiently_held(connection, locks.PRISMA_LOCK, sleep, events.lock_sink(emit))
    if not holding:
        return held("deploy.lock", "Prisma's migration lock is free", _SOURCE)
    holder = holding[0]
    orphan = _orphan(holder) if holder.state == "idle" and holder.seconds >= ORPHAN_SECONDS else None
    alone = _orphaned(holder) if orphan else ""
    if orphan:
        remedy = (
            f"Make sure that no deploy is at work on any machine; then end the orphan with --end-orphan {orphan.pid}, "
            f"or by hand with {orphan.statement};"
        )
    elif holder.query is None:
        remedy = (
            "Wait for that deploy to end. To see whether its session is idle, use a role that is a member of "
            "pg_read_all_stats."
        )
    else:
        remedy = "Wait for that deploy to end."
    seen = f"Prisma's migration lock is held by {holder}{alone}{_queue(sessions.waiting(connection), holding)}"
    return replace(refused("deploy.lock", seen, _SOURCE, remedy, busy=True), orphan=orphan)


def _orphan(holder: sessions.Backend) -> Orphan:
    return Orphan(
        holder.pid,
        holder.user,
        holder.application,
        holder.client,
        holder.since,
        round(holder.seconds, 1),
        f"SELECT pg_terminate_backend({holder.pid})",
        holder.mark,
    )


def _ddl(target: Target) -> Check:
    connection = target.reading()
    others = (*sessions.our_effects(connection), *sessions.running_ddl(connection))
    if not others:
        return held("deploy.ddl", "no session is changing the schema", _SOURCE)
    behind = "".join(f"; it waits behind {_pids(others[0].behind)}" for _ in others[0].behind[:1])
    more = f", and by {len(others) - 1} more" if len(others) > 1 else ""
    queue = _queue(sessions.waiting(connection), others)
    seen = f"the schema is being changed by {others[0]}{behind}{more}{queue}"
    return refused("deploy.ddl", seen, _SOURCE, "Wait until it has ended.", busy=True)


def _orphaned(holder: sessions.Backend) -> str:
    """Words for a session whose client is gone, or went through a pooler that kept the session and its lock."""
    return f", idle for {holder.seconds:.0f} s: an orphan, whose client is gone or came through a pooler"


def _queue(waiting: Sequence[sessions.Backend], holding: Sequence[sessions.Backend]) -> str:
    """Which sessions wait for one of `holding`, each with the sessions that block it; empty if none waits."""
    pids = {holder.pid for holder in holding}
    behind = [each for each in waiting if pids & set(each.behind) and each.pid not in pids]
    return "".join(f"; {each} waits behind {_pids(each.behind)}" for each in behind)


def _pids(pids: Sequence[int]) -> str:
    return "pid " + ", ".join(map(str, pids))
