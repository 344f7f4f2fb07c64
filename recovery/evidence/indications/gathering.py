"""Adds to a verdict what helps a person to decide: traces, queries to run, and which Prisma ran the script.

This changes neither the verdict nor the digest of the evidence.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from recovery.evidence.indications import tables
from recovery.evidence.indications.engine_used import runner
from recovery.evidence.indications.forensics import forensics
from recovery.evidence.indications.look_for import look_for, names_in, sets_path
from recovery.postgres.target import Target
from recovery.prisma.scripts import Scripts
from states.comparison import StatementState
from states.evidence import Evidence, Verdict
from states.facts import Row, Subject

#: The most statements that get a query each. Every one is asked of the server, and nobody runs a thousand queries.
_QUERIED = 50


def indicated(evidence: Evidence, subject: Subject, rows: Sequence[Row], target: Target, scripts: Scripts) -> Evidence:
    """The evidence with indications added.

    Args:
        evidence: the judged evidence.
        subject: the facts that were judged.
        rows: every row of the ledger.
        target: production; it is only read.
        scripts: the checkout.
    """
    queried = replace(evidence, statements=_with_queries(evidence.statements, target))
    if not subject.attempts:
        return queried
    ran = runner(evidence.logs, scripts.folder, scripts.repository, partial=evidence.verdict is Verdict.PARTIAL)
    found = forensics(target, subject, rows, evidence.differences, whole=ran.whole is True)
    return replace(queried, forensics=found.traces, indications=found.sentences, runner=ran, origin=found.origin)


def _with_queries(statements: Sequence[StatementState], target: Target) -> tuple[StatementState, ...]:
    """The statements, each open one with a query that looks for its effect, where one can be derived."""
    schema = None if any(sets_path(s.sql) for s in statements) else target.url.schema
    queried = list(islice((s for s in statements if s.state == "open"), _QUERIED))
    names = frozenset[tuple[str, str]]().union(*(names_in(s.sql, schema or "") for s in queried))
    known = tables.read(target.reading(), names)

    def query(statement: StatementState) -> str:
        queries = look_for(statement.sql, schema, known)
        return next((each for each in queries if tables.accepts(target.reading(), each)), "")

    looks = {s.index: query(s) for s in queried}
    return tuple(replace(s, look=looks.get(s.index, s.look)) for s in statements)
