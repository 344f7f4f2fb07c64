"""Many databases with one history: what a look says of each, in which order they are worked on, and when to stop.

Nothing here knows where a database is: a target is its name and its labels.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from states.exit_codes import PASSING, Exit


class Outcome(StrEnum):
    """What one look says of a database."""

    #: Nothing failed, nothing is pending, and the schema is what its history makes.
    HEALTHY = "healthy"
    #: Nothing failed, the schema is what its history makes, and a deploy would run something.
    PENDING = "pending"
    #: A migration failed, or is to be decided before a deploy.
    FAILED = "failed"
    #: Nothing failed, and the schema is not what its history makes.
    DRIFT = "drift"
    #: The ledger is missing, empty, or has lost rows, while the schema is not empty.
    BASELINE = "baseline"
    #: It does not answer, or does not let this role in.
    UNREACHABLE = "unreachable"
    #: It was not possible to tell; it is said why.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LookFacts:
    """What was read of a database, all but the evidence on what failed.

    Attributes:
        unsettled: failed migrations, and pending ones that have a rolled-back attempt.
        pending: names of the pending migrations.
        lost: the ledger is missing, is empty, or may have lost rows, and the schema is not empty.
        differs: the schema differs from what the finished migrations make.
        unprovable: why that could not be compared; empty if it was.
    """

    unsettled: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    lost: bool = False
    differs: bool = False
    unprovable: str = ""


def outcome(facts: LookFacts) -> Outcome:
    """What a look says. What needs a decision comes before what needs a comparison, as in INSPECT."""
    if facts.lost:
        return Outcome.BASELINE
    if facts.unsettled:
        return Outcome.FAILED
    if facts.unprovable:
        return Outcome.UNKNOWN
    if facts.differs:
        return Outcome.DRIFT
    return Outcome.PENDING if facts.pending else Outcome.HEALTHY


def needs_nothing(found: Outcome, *, unfinished: bool) -> bool:
    """Whether a run has nothing to do for a database, not even to end a recovery that was begun.

    Args:
        found: what a look says of it now.
        unfinished: its journal has a recovery that is neither ready nor given up.
    """
    return found is Outcome.HEALTHY and not unfinished


def look_exit(found: Collection[Outcome], *, exit_code: bool) -> Exit:
    """The exit code of a look at a fleet; without `exit_code`, that the look was made is all that counts."""
    if not exit_code:
        return Exit.READY
    if any(each in (Outcome.FAILED, Outcome.DRIFT, Outcome.BASELINE, Outcome.UNKNOWN) for each in found):
        return Exit.BLOCKED
    return Exit.UNREACHABLE if Outcome.UNREACHABLE in found else Exit.READY


class Status(StrEnum):
    """Where a target stands in a run of a fleet."""

    #: Not handed out yet.
    WAITING = "waiting"
    #: Handed out: a worker is at work on it, or will be.
    AT_WORK = "at_work"
    #: Its recovery ended ready, or it needed nothing.
    READY = "ready"
    #: Its recovery stopped, and a person must decide or mend something.
    PERSON = "person"
    #: Its recovery ended with an error that no person was asked about, or could not be begun often enough.
    FAILED = "failed"


#: What nothing more is done about without a person's word.
ENDED = frozenset({Status.READY, Status.PERSON, Status.FAILED})
#: What counts as a failure for the limits of a run.
_FAILURES = frozenset({Status.PERSON, Status.FAILED})
#: How often a target is tried that is busy or does not answer.
TRIES = 6


def rest_seconds(passed: int) -> float:
    """How long a target rests before it is tried again, once it was busy or did not answer so many times."""
    return float(2**passed)


def passing(exit_code: Exit, code: str) -> bool:
    """Whether what stopped a recovery is expected to pass by itself.

    A journal that can't be written now, as while its database restarts, can be written later.
    """
    return exit_code in PASSING or code.startswith("journal.")


def after_recovery(exit_code: Exit, code: str, passed: int) -> Status:
    """Where a target stands once its recovery has ended.

    Args:
        exit_code: that of the recovery.
        code: code of its refusal; empty if it is ready.
        passed: how many times it was stopped by what passes by itself, this one included.
    """
    if exit_code is Exit.READY:
        return Status.READY
    if exit_code is Exit.INTERRUPTED:
        return Status.WAITING
    if passing(exit_code, code):
        return Status.WAITING if passed < TRIES else Status.FAILED
    return Status.FAILED if exit_code is Exit.FAILURE else Status.PERSON


@dataclass(frozen=True, slots=True)
class Wave:
    """Targets that are worked on before the next wave begins.

    Attributes:
        name: for people: `canary`, a label with its value, or `rest`.
        targets: their names, in order.
    """

    name: str
    targets: tuple[str, ...]


def waves(
    targets: Mapping[str, Mapping[str, str]], canary: int = 0, by: str | None = None, first: Sequence[str] = ()
) -> tuple[Wave, ...]:
    """Puts each target into exactly one wave: some canaries, then groups by a label, then the rest.

    Args:
        targets: labels by the target's name, in their order.
        canary: how many targets make the first wave, taken from the beginning of the first group.
        by: the label whose values make groups; None: one group for all.
        first: values of that label whose groups come first, in this order; the others follow as they are met.
    """
    groups: dict[str, list[str]] = {value: [] for value in first} if by is not None else {}
    rest = []
    for name, labels in targets.items():
        value = labels.get(by) if by is not None else None
        if value is None:
            rest.append(name)
        else:
            groups.setdefault(value, []).append(name)
    order = [name for names in (*groups.values(), rest) for name in names]
    ahead = set(order[:canary])
    found = [Wave("canary", tuple(order[:canary]))]
    found += [Wave(f"{by}={value}", tuple(n for n in names if n not in ahead)) for value, names in groups.items()]
    found += [Wave("rest", tuple(name for name in rest if name not in ahead))]
    return tuple(wave for wave in found if wave.targets)


@dataclass(frozen=True, slots=True)
class Limits:
    """How carefully a run goes on.

    Attributes:
        at_once: how many targets are at work at the same time, at most.
        stop_after: how many failures stop the run; None: none do.
        stop_after_in_wave: how many failures within a wave stop the run; None: none do.
        canary: the first wave is of canaries, and each of them must be ready before the next wave begins.
    """

    at_once: int = 4
    stop_after: int | None = None
    stop_after_in_wave: int | None = None
    canary: bool = False


#: Why nothing more is handed out where a person said so.
ASKED = "a person asked it to stop"


@dataclass(frozen=True, slots=True)
class Moves:
    """What follows from where the targets stand.

    Attributes:
        hand_out: names of the targets to hand out now.
        stop: why nothing more is handed out; empty if the run goes on.
        ended: nothing is at work, and nothing will be handed out.
    """

    hand_out: tuple[str, ...] = ()
    stop: str = ""
    ended: bool = False


def moves(
    plan: Sequence[Wave],
    stands: Mapping[str, Status],
    limits: Limits,
    *,
    resting: Collection[str] = (),
    asked_to_stop: bool = False,
) -> Moves:
    """What to hand out next, or why not.

    A wave is over when each of its targets has ended. One that needs a person does not hold the others of its wave up.

    Args:
        plan: the waves, in order.
        stands: where each target of the waves stands.
        limits: how many at once, and what stops the run.
        resting: waiting targets that were busy or did not answer a moment ago, and are not tried again yet.
        asked_to_stop: a person wants nothing more to be handed out.
    """
    at_work = sum(each is Status.AT_WORK for each in stands.values())
    unfinished = [wave for wave in plan if any(stands[name] not in ENDED for name in wave.targets)]
    if not unfinished:
        return Moves(ended=True)
    stop = ASKED if asked_to_stop else _stopped(plan, stands, limits)
    if stop:
        return Moves(stop=stop, ended=not at_work)
    waiting = [name for name in unfinished[0].targets if stands[name] is Status.WAITING and name not in resting]
    return Moves(tuple(waiting[: max(0, limits.at_once - at_work)]))


def share(at_once: int, workers: int) -> int:
    """How many targets a worker takes at the same time, so that all workers have some of them."""
    return -(-at_once // max(1, workers))


def _stopped(plan: Sequence[Wave], stands: Mapping[str, Status], limits: Limits) -> str:
    """Why failures stop the run; empty if they do not."""
    failures = {wave.name: sum(stands[name] in _FAILURES for name in wave.targets) for wave in plan}
    total = sum(failures.values())
    if limits.stop_after is not None and total >= limits.stop_after:
        return f"{_many(total)} not ready, and {limits.stop_after} of all are to stop it"
    first = plan[0]
    if limits.canary and failures[first.name] and all(stands[name] in ENDED for name in first.targets):
        return f"{_many(failures[first.name])} of the canaries not ready"
    for wave in plan:
        if limits.stop_after_in_wave is not None and failures[wave.name] >= limits.stop_after_in_wave:
            limit = limits.stop_after_in_wave
            return (
                f"{_many(failures[wave.name])} of the wave {wave.name} not ready, and {limit} of a wave are to stop it"
            )
    return ""


def _many(count: int) -> str:
    return f"{count} database is" if count == 1 else f"{count} databases are"


def run_exit(stands: Iterable[Status], *, stopped: bool) -> Exit:
    """The exit code of a run of a fleet."""
    found = set(stands)
    if Status.FAILED in found:
        return Exit.FAILURE
    if Status.PERSON in found:
        return Exit.BLOCKED
    return Exit.INTERRUPTED if stopped or found - ENDED else Exit.READY


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        total: how many targets it has.
        done: how many are ready.
        at_work: how many are at work.
        waiting: how many were not handed out yet.
        person: how many need a person.
        failed: how many failed.
        rate: targets that ended in a second of this run, without those that needed nothing; 0 while that is not known.
        left_seconds: how long the others will take at that rate; None while that is not known.
    """

    total: int
    done: int
    at_work: int
    waiting: int
    person: int
    failed: int
    rate: float = 0.0
    left_seconds: float | None = None


def progress(stands: Collection[Status], worked_on: int, seconds: float) -> Progress:
    """How far a run is, and how long it will take.

    Args:
        stands: where each target stands.
        worked_on: how many ended by a recovery, and not because they needed nothing.
        seconds: for how long the run has been at work.
    """
    count = {status: sum(each is status for each in stands) for status in Status}
    left = count[Status.WAITING] + count[Status.AT_WORK]
    rate = worked_on / seconds if worked_on and seconds > 0 else 0.0
    return Progress(
        len(stands),
        count[Status.READY],
        count[Status.AT_WORK],
        count[Status.WAITING],
        count[Status.PERSON],
        count[Status.FAILED],
        rate,
        left / rate if rate else None,
    )


def repeated(names: Iterable[str]) -> tuple[str, ...]:
    """The names that occur more than once, in order."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    return tuple(name for name, times in seen.items() if times > 1)


def same_database(identities: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """The names that lead to one and the same database and schema, a tuple for each such database.

    Args:
        identities: by the target's name, what its database and schema are, however it was reached.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for name, identity in identities.items():
        found.setdefault(identity, []).append(name)
    return tuple(tuple(names) for names in found.values() if len(names) > 1)


def again(stands: Mapping[str, Status], chosen: Collection[str]) -> tuple[str, ...]:
    """The targets that a person wants to be tried again: the chosen ones that ended badly, or all such.

    Args:
        stands: where each target stands.
        chosen: names; empty for all.

    Raises:
        ValueError: a chosen name, its only argument, is none of the run's.
    """
    for name in chosen:
        if name not in stands:
            raise ValueError(name)
    return tuple(name for name, each in stands.items() if each in _FAILURES and (not chosen or name in chosen))
