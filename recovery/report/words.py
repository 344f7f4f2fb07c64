"""Words that the page and the Markdown share: for outcomes, durations, times and rows of the ledger."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from states.comparison import column_of
from states.evidence import IN_WORDS, Verdict
from states.plans import PlannedStatement, Way
from states.rehearsals import LockedTable, Rehearsal
from states.repair import counted

#: What explains a verdict's words, and the words in the past tense of a report with it.
_VERDICTS = {
    Verdict.APPLIED: ("", "was in the database"),
    Verdict.NOT_APPLIED: ("", "was not in the database"),
    Verdict.PARTIAL: ("", "was half in the database"),
    Verdict.DRIFTED: (
        ": production is neither as before it nor as after it",
        "had drifted: production was neither as before it nor as after it",
    ),
    Verdict.UNDECIDABLE: (
        ": the schema alone can't tell",
        "may have been in the database: the schema alone could not tell",
    ),
    Verdict.IN_PROGRESS: ("", "may still have been running"),
}
OUTCOMES = {"held": "holds", "refused": "refused", "unknown": "not known", "waived": "waived", "awaited": "awaited"}
STATEMENTS = {
    "in_place": "in place",
    "absent": "absent",
    "differs": "differs",
    "open": "open",
    "inert": "no effect",
}
BY = {
    "somebody": "somebody else",
    "attempt": "the failed attempt",
    "either": "the attempt, or somebody before it",
    "unknown": "not known",
}
CERTAINTY = {"strong": "strong indication", "weak": "weak indication", "none": "not known"}
ORDER = {
    "before": "before the failed row",
    "after": "after the failed row",
    "same": "with the failed row",
    "unknown": "not known",
}


#: Control characters, which a terminal would obey and no page shows.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def verdict_now(verdict: str) -> str:
    """A verdict in words, to follow the migration's name, as `is in the database`."""
    return IN_WORDS[Verdict(verdict)] + _VERDICTS[Verdict(verdict)][0]


def verdict_briefly(verdict: str) -> str:
    """The same without its explanation, as `has drifted`."""
    return IN_WORDS[Verdict(verdict)]


def verdict_then(verdict: str) -> str:
    """The same in the past tense of a report, as `was in the database`."""
    return _VERDICTS[Verdict(verdict)][1]


def shown(text: str) -> str:
    """A whole report without the control characters that outputs and names may hold."""
    return _CONTROLS.sub("", text)


def duration(seconds: float | None) -> str:
    """A duration as `0.84 s`, `3 min 12 s` or `2 h 5 min`; empty if it is unknown."""
    if seconds is None:
        return ""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds, fractions of a second matter
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(at: datetime) -> str:
    """Date and time in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(at: datetime) -> str:
    """The time of day in UTC, to the second."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def row(values: Mapping[str, Any] | None) -> str:
    """The meaning of a row of the ledger; None is a row that does not exist."""
    if values is None:
        return "not there"
    steps = values["applied_steps_count"]
    if values["rolled_back_at"]:
        return "rolled back"
    if values["finished_at"]:
        return "applied" if steps else "applied (marked, not run)"
    return "failed, but run to its end" if steps else "failed"


def differing(value: str | None, prop: str) -> str:
    """One side of a difference, for people: a snapshot writes `exists` for an object that is there, None for absent.

    Args:
        value: the property's value on that side.
        prop: the property's name.
    """
    if value is None:
        return "absent"
    there = (value == "exists" and column_of(prop) == prop) or (value == "yes" and prop == "exists")
    return "there" if there else value


#: What a plan of repair did, by its way.
REPAIRED: Mapping[str, str] = {Way.COMPLETE: "completed", Way.MEND: "mended", Way.UNDO: "undid"}


def witness(effect: str) -> str:
    """What shows whether an effect took place: of a repair, production's schema; of an orphan's end, the server.

    Args:
        effect: the effect's id.
    """
    word = effect.partition(":")[0]
    if word == "end_orphan":
        return "the server"
    return "production" if word in list(Way) else "the ledger"


#: Sizes are told in these units, each 1024 of the one before.
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(amount: int) -> str:
    """A size as `24 kB`."""
    unit = 0
    left = float(amount)
    while left >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - of these, each unit has as many
        left, unit = left / 1024, unit + 1
    return f"{left:.0f} {_UNITS[unit]}"


def planned(statement: PlannedStatement) -> str:
    """What a statement of a plan changes, locks, rewrites and loses, as one line; empty if nothing is known of it."""
    told = ["; ".join(statement.changes)] if statement.changes else []
    if statement.lock:
        large = "" if statement.bytes is None else f" ({size(statement.bytes)})"
        told.append(f"{statement.lock} on {statement.table}{large}{', rewritten' if statement.rewrites else ''}")
    told += [f"loses {counted(loss)}" for loss in statement.loses if loss.rows != 0]
    told += [f"takes along what only production has: {', '.join(statement.takes)}"] if statement.takes else []
    return ". ".join(told)


def rehearsed(found: Rehearsal) -> tuple[str, ...]:
    """What a pending migration would do in production, a line for each table, obstacle, and thing that is not known."""
    told = [_locked(each) for each in found.locks]
    told += [f"It would fail: statement {each.statement}: {each.fact}." for each in found.obstacles]
    told += [f"It would fail: {found.fails}."] if found.fails else []
    if found.server_version and not (told or found.untold):
        told = ["It locks no table of production more strongly than an application does."]
    return (*told, *found.untold)


def _locked(table: LockedTable) -> str:
    large = "" if table.bytes is None else f" ({size(table.bytes)})"
    lock = f"{table.lock} by statement {table.statement}" if table.lock else ""
    which = ", ".join(map(str, table.rewrites))
    anew = f"written anew by statement {which}" if table.rewrites else ""
    return f"{table.table}{large}: {', '.join(each for each in (lock, anew) if each)}"
