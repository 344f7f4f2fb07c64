"""The JSON documents of the fleet commands. Fields may be added; existing fields are never removed or changed."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from recovery.fleet.looking import FailedFound, Look
from recovery.report.document import SCHEMA_VERSION
from states.fleet import Outcome, Progress, Status

#: The order in which outcomes are told: what needs somebody comes first.
TOLD_FIRST = (
    Outcome.FAILED,
    Outcome.DRIFT,
    Outcome.BASELINE,
    Outcome.UNKNOWN,
    Outcome.UNREACHABLE,
    Outcome.PENDING,
    Outcome.HEALTHY,
)


class FleetDatabase(msgspec.Struct, frozen=True):
    """What a look found of one database.

    Attributes:
        name: the target's name.
        labels: its labels.
        place: host, port, database and schema.
        outcome: healthy, pending, failed, drift, baseline, unreachable or unknown.
        applied: how many migrations are applied.
        pending: names of the pending migrations.
        failed: the failed migrations, with the verdict on each.
        differences: the first few differences from what its history makes, in words.
        more: how many differences there are besides.
        said: a sentence on it, where the outcome alone does not tell; else empty.
    """

    name: str
    labels: Mapping[str, str]
    place: str
    outcome: Outcome
    applied: int
    pending: tuple[str, ...]
    failed: tuple[FailedFound, ...]
    differences: tuple[str, ...]
    more: int
    said: str

    @classmethod
    def of(cls, look: Look) -> "FleetDatabase":
        """The record of a look."""
        return cls(
            look.name,
            look.labels,
            look.place,
            look.outcome,
            look.applied,
            look.pending,
            look.failed,
            look.differences,
            look.more,
            look.said,
        )


class FleetInspectDocument(msgspec.Struct, frozen=True):
    """The findings of `fleet inspect`.

    Attributes:
        counts: how many databases there are of each outcome.
        verdicts: how many of the failed ones there are of each verdict on their first failed migration.
        databases: what was found of each, in the order of the fleet's list.
        same: names that lead to one and the same database and schema.
        histories: how many histories were replayed for all.
        seconds: how long the look took.
    """

    counts: dict[str, int]
    verdicts: dict[str, int]
    databases: tuple[FleetDatabase, ...]
    same: tuple[tuple[str, ...], ...]
    histories: int
    seconds: float
    schema_version: int = SCHEMA_VERSION


def counts(found: Sequence[FleetDatabase]) -> dict[str, int]:
    """How many databases there are of each outcome, in the order in which outcomes are told."""
    return {each.value: sum(one.outcome is each for one in found) for each in TOLD_FIRST}


def verdicts(found: Sequence[FleetDatabase]) -> dict[str, int]:
    """How many failed databases there are of each verdict, the most frequent first."""
    return dict(Counter(each.failed[0].verdict for each in found if each.failed).most_common())


class FleetTargetStanding(msgspec.Struct, frozen=True):
    """Where one target stands in a run of the fleet.

    Attributes:
        name: the target's name.
        wave: the wave that it belongs to.
        status: waiting, at_work, ready, person or failed.
        found: what the look before the run found of it.
        attempts: how often it was handed out.
        taken_over: how often it was taken over from a worker that died.
        recovery: id of its recovery's run in the journal; empty if none was needed or begun.
        code: code of the refusal that stopped its recovery; else empty.
        said: fact and remedy of that refusal; else empty.
        worker: the worker that is, or was last, at work on it; else empty.
    """

    name: str
    wave: str
    status: Status
    found: Outcome
    attempts: int = 0
    taken_over: int = 0
    recovery: str = ""
    code: str = ""
    said: str = ""
    worker: str = ""


class FleetRunDocument(msgspec.Struct, frozen=True):
    """Where a run of the fleet stands: `fleet run`, `fleet run --plan`, `fleet status`, `fleet stop`, `fleet retry`.

    Attributes:
        run: id of the run; empty with `--plan`.
        began: when it began, ISO 8601 in UTC; empty with `--plan`.
        ended: nothing is at work, and nothing will be handed out.
        stop: why nothing more is handed out; empty if the run goes on.
        progress: how far it is.
        waves: names of the waves, in order.
        targets: where each target stands.
        workers: the workers that are alive.
    """

    run: str
    began: str
    ended: bool
    stop: str
    progress: Progress
    waves: tuple[str, ...]
    targets: tuple[FleetTargetStanding, ...]
    workers: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION
