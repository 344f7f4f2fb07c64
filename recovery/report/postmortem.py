"""The postmortem note: how a failure likely came about, with what certainty, and what prevents it.

It is made from indications. No verdict rests on them, and nobody should be blamed for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recovery.report.story import Finding, Story

Trace = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PostmortemNote:
    """The postmortem note on one migration.

    Attributes:
        migration: the migration's name.
        sentences: how the failure likely came about.
        certainty: how certain that is: `strong`, `weak` or `none`.
        traces: for each object in production when it was written and by whom; objects that differ come last.
        prevents: measures that keep it from happening again.
    """

    migration: str
    sentences: tuple[str, ...]
    certainty: str
    traces: tuple[Trace, ...]
    prevents: tuple[str, ...]


_NEVER_TRIED = (
    "Production has objects of this migration although no deploy ever attempted it: the ledger has no row of it. They "
    "were made by hand or by `prisma db push`."
)


def postmortem(story: Story) -> tuple[PostmortemNote, ...]:
    """A note for each migration that failed, or was in production before any deploy, from the first finding on it."""
    first: dict[str, Finding] = {}
    for finding in story.findings:
        first.setdefault(finding.migration, finding)
    return tuple(_note(finding) for finding in first.values())


def _note(finding: Finding) -> PostmortemNote:
    evidence = finding.evidence
    origin = evidence.get("origin", {})
    own: Sequence[Trace] = evidence.get("forensics", ())
    traces = (*own, *origin.get("differing", ()))
    kinds = frozenset(trace["by"] for trace in traces)
    weakest = next((c for c in ("none", "weak", "strong") if any(t["certainty"] == c for t in traces)), "none")
    if not finding.attempted:
        return PostmortemNote(
            finding.migration, (_NEVER_TRIED,), "strong", (), tuple(_prevents(frozenset({"somebody"}), finding))
        )
    sentences = (*_why_failed(evidence), *_how(kinds, own, traces, origin, finding))
    return PostmortemNote(finding.migration, sentences, weakest, traces, tuple(_prevents(kinds, finding)))


def _why_failed(evidence: Mapping[str, Any]) -> Iterator[str]:
    kind = evidence.get("cause", {}).get("kind", "unknown")
    if kind in _FAILED:
        yield _FAILED[kind]
    elif kind != "unknown":
        yield f"The migration failed for: {kind.replace('_', ' ')}."
    elif not evidence.get("logs"):
        yield (
            "Prisma recorded no error: the attempt was cut off (its process or its connection ended), or the record "
            "was lost with its transaction."
        )


#: Why the migration failed, by the kind of its cause.
_FAILED = {
    "object_exists": "The migration failed because an object that it creates already existed.",
    "duplicates": "The migration failed on duplicate rows, which its unique index or constraint does not allow.",
    "nulls": "The migration failed on rows without a value in a column that must have one.",
    "connection_lost": "The connection was lost while the migration ran; its work up to then was kept or undone.",
    "deadlock": "The migration and another session waited for each other's locks, and PostgreSQL ended the migration.",
    "lock_timeout": "The migration waited for a lock for longer than lock_timeout allows.",
    "statement_timeout": "A statement of the migration ran for longer than statement_timeout allows.",
    "privileges": "The role that deploys lacks a privilege that the migration needs.",
}


def _how(
    kinds: frozenset[str],
    own: Sequence[Trace],
    traces: Sequence[Trace],
    origin: Mapping[str, Any],
    finding: Finding,
) -> Iterator[str]:
    if not traces:
        yield (
            "Nothing of the migration was in production when the evidence was gathered"
            + ("; the object in its way was gone by then." if _exists(finding) else ".")
            if finding.verdict == "not_applied"
            else "Production holds no trace that shows who wrote its objects."
        )
        return
    if kinds == {"somebody"}:
        who = "by hand" if origin.get("pace") == "one_transaction" else "by hand or by `prisma db push`"
        yield f"The objects in production were most likely made {who}, not by this migration."
    elif kinds == {"attempt"}:
        yield "The objects in production look like the failed attempt's own work."
    elif kinds == {"either"}:
        yield (
            "The objects in production were made by the failed attempt, or by somebody before it; the traces don't "
            "show which."
        )
    elif kinds == {"unknown"}:
        yield "The traces do not show who made the objects in production."
    else:
        yield "The objects in production differ in who likely made them; the trace of each is listed."
    yield from _pace(origin.get("pace", ""), own)
    yield from _window(traces)
    yield from _owners(traces, origin.get("ledger_owner", ""))


def _exists(finding: Finding) -> bool:
    return bool(finding.evidence.get("cause", {}).get("kind") == "object_exists")


def _pace(pace: str, own: Sequence[Trace]) -> Iterator[str]:
    """In one go or piecemeal? `prisma migrate`, `prisma db push` and work by hand leave different transactions."""
    numbers = [trace["transaction"] for trace in own]
    if pace == "one_transaction":
        yield (
            f"One transaction wrote all {len(own)} objects and parts, as when a script is sent as a whole. It was not "
            "`prisma db push`, which commits each statement by itself."
        )
    elif pace == "consecutive":
        order = "in the script's order" if numbers == sorted(numbers) else "not in the script's order"
        yield (
            f"Consecutive transactions wrote them, {order}: in one go, as by `prisma db push`, or by an engine that "
            "runs a script statement by statement."
        )
    elif pace == "scattered":
        yield "Other transactions came in between: they were made piecemeal, not in one go, as by hand."


def _window(traces: Sequence[Trace]) -> Iterator[str]:
    """Between which rows of the ledger, and at which times, the objects were written."""
    windows = list(dict.fromkeys((trace["after"], trace["before"]) for trace in traces))
    if len(windows) == 1 and any(windows[0]):
        after, before = windows[0]
        yield f"By the order of transactions, they were written {_between(after, before)}."
    times = sorted(trace["committed_at"] for trace in traces if trace["committed_at"])
    if times:
        span = f"at {times[0]}" if times[0] == times[-1] else f"from {times[0]} to {times[-1]}"
        yield f"By the server's clock, they were written {span}."


def _between(after: str, before: str) -> str:
    if after and before:
        return f"after the ledger's row of {after} and before that of {before} was last written"
    return f"after the ledger's row of {after} was last written" if after else f"before the ledger's row of {before}"


def _owners(traces: Sequence[Trace], ledger: str) -> Iterator[str]:
    owners = sorted({trace["owner"] for trace in traces})
    if not ledger:
        return
    if owners == [ledger]:
        yield f"Their owner is {ledger}, the role that deploys; so whoever made them used that role."
    else:
        others = ", ".join(owner for owner in owners if owner != ledger)
        yield f"Some of them belong to {others}, not to the role that deploys ({ledger}): somebody else made those."


def _prevents(kinds: frozenset[str], finding: Finding) -> Iterator[str]:
    """Measures that keep it from happening again, by the likely cause."""
    cause = finding.evidence.get("cause", {}).get("kind", "")
    if "somebody" in kinds or _exists(finding):
        yield "Make no objects by hand on production, and never run `prisma db push` or `migrate dev` against it."
        yield "Give people a role that may not create objects in the schema; use the deploy's role for deploys only."
        yield "In CI, run `prisma-recovery inspect --exit-code` before each deploy: it fails if a migration has failed."
    if kinds & {"attempt", "either"} or finding.verdict == "partial":
        yield (
            "Keep each migration to one change: since Prisma 7.4 each statement is committed by itself, so a failure "
            "does not undo the statements before it."
        )
    if cause in ("connection_lost", "unknown", ""):
        yield "Run deploys where nothing kills their process (a build's time limit, a container's restart)."
    if cause in ("duplicates", "nulls", "foreign_key", "check", "cast"):
        yield "Rehearse migrations on a copy with production's rows: an empty database has no rows to fail on."
    if cause in ("deadlock", "lock_timeout", "statement_timeout"):
        yield "Deploy when production is quiet, or split the migration so that no statement holds a lock for long."
    yield "Deploy migrations before the code that needs them."
