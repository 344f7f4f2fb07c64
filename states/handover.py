"""The hand-over: may a Prisma command that was started get the lock that we hold until then (RULES F1, F12)?

A slow machine gets a slower recovery. So the start of a command, which is the machine's business, is timed apart from
its place in the queue, which is other sessions' business.
"""

from dataclasses import dataclass

from states.answers import RUN_AGAIN, Refusal
from states.exit_codes import Exit

#: Prisma's start may take this many times as long as it took when it was last measured.
START_FACTOR = 10.0
#: Seconds that Prisma's start may take in any case: about a minute on a quarter of a core, where it takes a second.
START_SECONDS = 120.0


def start_limit(measured: float, setting: float | None) -> float:
    """How long Prisma may take from its start to its lock request, in seconds.

    Args:
        measured: how long its last start took, in seconds; 0 if that is not known.
        setting: what the settings say; None if nothing.
    """
    return setting if setting is not None else max(START_SECONDS, START_FACTOR * measured)


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The queue for Prisma's lock, behind us, while a command starts.

    Attributes:
        command: `application_name` of the command's session.
        waiting: `application_name` of each session that waits for the lock, and that only we block.
        started: seconds since the command was started.
        connected: seconds since its session was first seen in the database; None while there is no such session.
        limit: `start_limit`. It holds for the way to the connection, and again for the way from there to the queue.
    """

    command: str
    waiting: tuple[str, ...]
    started: float
    connected: float | None
    limit: float


def queue(facts: QueueFacts) -> bool | Refusal:
    """True once the command, and no other session, is first in the queue; False to look again.

    A refusal ends the command, which has done nothing yet.
    """
    if facts.waiting == (facts.command,):
        return True
    if facts.waiting:
        return Refusal(
            "lock.queue",
            "Prisma's command was ended before it did anything: another session asked for Prisma's lock before it.",
            "Run again. If that is a container that restarts for ever, stop it until the recovery has ended.",
            Exit.BUSY,
            (RUN_AGAIN,),
        )
    if facts.connected is None and facts.started > facts.limit:
        return _too_slow(f"it did not connect to the database within {facts.limit:.0f} s of its start")
    if facts.connected is not None and facts.connected > facts.limit:
        return _too_slow(f"it was connected for {facts.limit:.0f} s, and did not ask for Prisma's lock")
    return False


def _too_slow(why: str) -> Refusal:
    return Refusal(
        "prisma.too_slow",
        f"Prisma's command was ended before it did anything: {why}.",
        "Find out what keeps it (`prisma migrate status` takes as long). On a machine that needs longer, set "
        "start_seconds under [prisma] in prisma-recovery.toml.",
        Exit.FAILURE,
        (RUN_AGAIN,),
    )
