"""Stages failures of known truth on real histories, and counts how the verdicts answer them.

right: the decision is the truth, or a person is asked where neither answer would be true. open: the script
holds a statement that no schema shows, and a person is asked. undecided: a person is asked although the
schema tells. wrong: the decision contradicts the truth.
"""

import argparse
import collections
import resource
import statistics
import time
from pathlib import Path

from recovery.evidence import Investigator
from recovery.postgres.url import parse
from recovery.prisma.migrations import Migration
from recovery.replay import scratch
from recovery.replay.background import Workshop
from recovery.scripts import Scripts
from recovery.target import Target
from staging.failures import Source, Staged, Stager, describe, read_history
from staging.postgres import Server, start
from states.verdict import Decision, Evidence

_DECISIONS = {"applied": Decision.MARK_APPLIED, "not_applied": Decision.MARK_ROLLED_BACK}


def judge(staged: Staged, evidence: Evidence) -> str:
    """How a verdict stands to the truth."""
    decided = evidence.decision in (Decision.MARK_APPLIED, Decision.MARK_ROLLED_BACK)
    inert = staged.truth == "applied" and evidence.decision is Decision.MARK_ROLLED_BACK and not _changes(evidence)
    if decided and evidence.decision is not _DECISIONS.get(staged.truth):
        return "right" if inert else "wrong"
    if decided or staged.truth == "neither":
        return "right"
    if staged.kind == "a later one stamped over it":
        return "right"  # where it touches the same objects a person must look
    return "open" if any(statement.state == "open" for statement in evidence.statements) else "undecided"


def _changes(evidence: Evidence) -> bool:
    """An inert script is run again by Prisma itself: both answers are true."""
    return any(statement.state != "inert" for statement in evidence.statements)


def investigate(server: Server, staged: Staged, sources: list[Source], name: str, workshop: Workshop) -> Evidence:
    """The evidence on a staged failure."""
    folder = Path("migrations")
    migrations = [Migration(s.name, s.checksum, folder / s.name / "migration.sql", s.text.encode()) for s in sources]
    target = Target(parse(server.url(staged.database)), "the bench")
    try:
        return Investigator(target, Scripts(folder, migrations, None), workshop).classify(name).evidence
    finally:
        target.close()


def main() -> None:
    """Measures, and prints a line a kind, and each case that was wrong or undecided."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("histories", nargs="+", type=Path, help="folders of Prisma migrations")
    parser.add_argument("--every", type=int, default=1, help="take each Nth migration")
    parser.add_argument("--server", type=int, default=None, help="PostgreSQL's major version as production")
    arguments = parser.parse_args()
    counts: dict[str, dict[str, int]] = collections.defaultdict(lambda: collections.defaultdict(int))
    seconds = []
    notes = []
    with start(arguments.server) as server:
        for number, folder in enumerate(arguments.histories):
            sources = read_history(folder)
            workshop = Workshop(scratch.embedded, "public")
            stager = Stager(server, f"bench{number}")
            for position, source in enumerate(sources):
                after = sources[position + 1] if position + 1 < len(sources) else None
                if position % arguments.every == 0:
                    for staged in stager.failures(source, after):
                        began = time.perf_counter()
                        evidence = investigate(server, staged, sources, source.name, workshop)
                        seconds.append(time.perf_counter() - began)
                        found = judge(staged, evidence)
                        counts[staged.kind][found] += 1
                        if found in ("wrong", "undecided"):
                            reasons = " ".join(evidence.reasons)
                            notes.append(
                                f"{found}: {folder.name}/{source.name}: {staged.kind}: {evidence.verdict}: {reasons}"
                            )
                            notes += [f"    {d}" for d in evidence.differences[:3]]
                if not stager.deploy(source):
                    notes.append(f"not deployable here: {folder.name}/{source.name}")
            workshop.close()
    print("\n".join(describe(counts)))
    total: collections.Counter[str] = collections.Counter()
    for answers in counts.values():
        total.update(answers)
    print("\n".join(describe({"all": total})).splitlines()[1])
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{len(seconds)} verdicts, median {statistics.median(seconds):.3f} s, peak memory {megabytes} MB")
    print("\n".join(notes))


if __name__ == "__main__":
    main()
