"""The results of the bench of verdicts, as text."""

import collections
import statistics
from collections.abc import Iterable, Iterator, Sequence

from tests.staging.bench_cases import ANSWERS, RULES, Record

#: How many undecided cases are listed for each kind and reason.
LISTED = 5


def lines(records: Sequence[Record], remarks: Sequence[str], megabytes: int, seconds: float) -> Iterator[str]:
    """Tables by kind and by history, a table of the simpler rules, then each case that a person should look at."""
    if not records:
        yield "No case could be staged."
        yield from remarks
        return
    yield from _table("kind", ((each.kind, each.answer) for each in records), ANSWERS)
    yield ""
    yield from _table("history", ((each.history, each.answer) for each in records), ANSWERS)
    yield ""
    decidable = [each for each in records if each.decidable]
    undecided = sum(each.answer == "undecided" for each in decidable)
    yield (
        f"{len(records)} cases, {len(decidable)} decidable, {undecided} of these undecided"
        f" ({100 * undecided / max(1, len(decidable)):.2f} %)"
    )
    times = sorted(each.seconds for each in records)
    yield (
        f"a verdict took, in an open session, {statistics.median(times):.3f} s (median),"
        f" {times[int(len(times) * 0.95)]:.3f} s (95th percentile);"
        f" peak memory of a process {megabytes} MB; all of it {seconds:.0f} s"
    )
    yield ""
    rules = (
        (rule, "a person" if word == "undecided" else word) for each in records for rule, word in each.rules.items()
    )
    yield from _table("judged by", rules, ("right", "a person", "wrong", "crashed"), order=RULES)
    yield ""
    yield from remarks
    yield from _listed(records)


def _table(
    title: str, words: Iterable[tuple[str, str]], columns: Sequence[str], order: Sequence[str] = ()
) -> Iterator[str]:
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row, word in words:
        counts[row][word] += 1
    width = max(len(title), *(len(row) for row in counts)) + 1
    yield f"{title:<{width}}" + "".join(f"{column:>11}" for column in ("cases", *columns))
    total: collections.Counter[str] = collections.Counter()
    for row in order or sorted(counts):
        total.update(counts[row])
        numbers = (sum(counts[row].values()), *(counts[row][column] for column in columns))
        yield f"{row:<{width}}" + "".join(f"{number:>11}" for number in numbers)
    if not order:
        numbers = (sum(total.values()), *(total[column] for column in columns))
        yield f"{'all':<{width}}" + "".join(f"{number:>11}" for number in numbers)


def _listed(records: Sequence[Record]) -> Iterator[str]:
    for answer in ("crashed", "wrong", "undecided"):
        groups: dict[tuple[str, str], list[Record]] = collections.defaultdict(list)
        for each in records:
            if each.answer == answer:
                groups[each.kind, "".join(each.reasons[:1]).split(": ")[0]].append(each)
        for (kind, reason), found in sorted(groups.items(), key=lambda item: -len(item[1])):
            yield f"{answer}: {kind} ({len(found)}): {reason}"
            for each in found if answer != "undecided" else found[:LISTED]:
                note = f" [{each.note}]" if each.note else ""
                yield f"    {each.history}/{each.migration}{note}: {each.verdict}, {each.decision}"
                yield from (f"        {line}" for line in (*each.reasons[:8], *each.differences))
