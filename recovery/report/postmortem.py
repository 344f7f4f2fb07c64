"""The postmortem note: how it likely came about, with what certainty, and what prevents it.

It is made from indications. A verdict never rests on them, and neither should blame.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recovery.report.story import Finding, Story

Trace = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PostmortemNote:
    """On one migration.

    Attributes:
        sentences: how it likely came about.
        certainty: strong, weak or none: of that.
        traces: what was written when, by whom; those of what differs behind the others.
        prevents: what keeps it from happening again.
    """

    migration: str
    sentences: tuple[str, ...]
    certainty: str
    traces: tuple[Trace, ...]
    prevents: tuple[str, ...]


_NEVER_TRIED = (
    "Production has something of it although no deploy ever tried it: the ledger has no row of it. It was made by hand "
    "or by `prisma db push`."
)


def postmortem(story: Story) -> tuple[PostmortemNote, ...]:
    """A note for each migration that failed or was there before its time, by the first look at it."""
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
            "Prisma recorded no error: the attempt was cut off (its process or its connection ended), or what it "
            "recorded was lost with the transaction."
        )


#: What a cause says of how it came about, by its kind.
_FAILED = {
    "object_exists": "The migration failed because something that it makes was there already.",
    "duplicates": "The migration failed on rows that were equal where its unique index allows one.",
    "nulls": "The migration failed on rows without a value where it demands one.",
    "connection_lost": "The connection was lost while the migration ran; what it had done by then stayed, or did not.",
    "deadlock": "The migration and another session waited for each other, and PostgreSQL ended the migration.",
    "lock_timeout": "The migration waited for a lock longer than it was allowed to.",
    "statement_timeout": "The migration ran longer than a statement is allowed to.",
    "privileges": "The role that deploys may not do what the migration does.",
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
            "Nothing of it was in production when it was looked at"
            + (": what was in its way had gone." if _exists(finding) else ".")
            if finding.verdict == "not_applied"
            else "Production holds no trace that tells who wrote what."
        )
        return
    if kinds == {"somebody"}:
        who = "by hand" if origin.get("pace") == "one_transaction" else "by hand or by `prisma db push`"
        yield f"What is there was most likely made {who}, not by this migration."
    elif kinds == {"attempt"}:
        yield "What is there looks like the failed attempt's own work."
    elif kinds == {"either"}:
        yield "What is there is the failed attempt's work, or somebody's before it; the traces can't tell them apart."
    elif kinds == {"unknown"}:
        yield "The traces do not tell whose work it is."
    else:
        yield "Not all of it was written alike; each object's trace is listed."
    yield from _pace(origin.get("pace", ""), own)
    yield from _window(traces)
    yield from _owners(traces, origin.get("ledger_owner", ""))


def _exists(finding: Finding) -> bool:
    return bool(finding.evidence.get("cause", {}).get("kind") == "object_exists")


def _pace(pace: str, own: Sequence[Trace]) -> Iterator[str]:
    """In one go or piecemeal: each command leaves its own pattern of transactions."""
    numbers = [trace["transaction"] for trace in own]
    if pace == "one_transaction":
        yield (
            f"All {len(own)} objects and parts were written by one transaction, as a script that is sent whole leaves "
            "it. `prisma db push` commits each statement by itself, so it was not that."
        )
    elif pace == "consecutive":
        order = "in the script's order" if numbers == sorted(numbers) else "not in the script's order"
        yield (
            f"They were written one after another, {order}, with nothing in between: in one go, as `prisma db push` "
            "and an engine that runs a script statement by statement do."
        )
    elif pace == "scattered":
        yield "Other transactions came in between: it was made piecemeal, not in one go, as work by hand is."


def _window(traces: Sequence[Trace]) -> Iterator[str]:
    """Between which rows of the ledger it was written."""
    windows = list(dict.fromkeys((trace["after"], trace["before"]) for trace in traces))
    if len(windows) == 1 and any(windows[0]):
        after, before = windows[0]
        yield f"It was written {_between(after, before)}, by the order of transactions."
    times = sorted(trace["committed_at"] for trace in traces if trace["committed_at"])
    if times:
        span = times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
        yield f"By the server's clock: {span}."


def _between(after: str, before: str) -> str:
    if after and before:
        return f"after the ledger's row of {after} and before that of {before} was last written"
    return f"after the ledger's row of {after} was last written" if after else f"before the ledger's row of {before}"


def _owners(traces: Sequence[Trace], ledger: str) -> Iterator[str]:
    owners = sorted({trace["owner"] for trace in traces})
    if not ledger:
        return
    if owners == [ledger]:
        yield f"Its owner is {ledger}, the role of the migrations; so whoever made it used that role."
    else:
        others = ", ".join(owner for owner in owners if owner != ledger)
        yield f"Not all of it belongs to the role of the migrations ({ledger}), but to {others}: somebody else made it."


def _prevents(kinds: frozenset[str], finding: Finding) -> Iterator[str]:
    """What keeps it from happening again, for what it likely was."""
    cause = finding.evidence.get("cause", {}).get("kind", "")
    if "somebody" in kinds or _exists(finding):
        yield "Make nothing by hand on production, and never run `prisma db push` or `migrate dev` against it."
        yield "Give people a role that may not create in the schema; keep the role of the migrations to the deploy."
        yield "Let CI look before each deploy: `prisma-recovery inspect --exit-code` fails when a migration has failed."
    if kinds & {"attempt", "either"} or finding.verdict == "partial":
        yield (
            "Keep migrations to one change each: since Prisma 7.4 each statement is committed by itself, and a failure "
            "leaves those before it behind."
        )
    if cause in ("connection_lost", "unknown", ""):
        yield "Run deploys where their process is not ended from outside (a build's time limit, a container's restart)."
    if cause in ("duplicates", "nulls", "foreign_key", "check", "cast"):
        yield "Rehearse a migration on a copy with production's rows: empty databases do not show what rows refuse."
    if cause in ("deadlock", "lock_timeout", "statement_timeout"):
        yield "Deploy when production is quiet, or split the migration so that no statement holds a lock for long."
    yield "Deploy migrations before the code that needs them."
