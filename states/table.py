"""The table of edges: every move that a recovery can make. A move without a row is impossible."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a recovery stands."""

    #: Is this the right database and the right commit, and is nobody else deploying?
    PREFLIGHT = "PREFLIGHT"
    #: Which migrations failed, and which are pending, by the ledger and the migrations folder?
    INSPECT = "INSPECT"
    #: Is the failed or pending migration in the database?
    CLASSIFY = "CLASSIFY"
    #: Run `prisma migrate resolve` and read the ledger again; or carry out a repair.
    RESOLVE = "RESOLVE"
    #: Run `prisma migrate deploy` and read the ledger again.
    DEPLOY = "DEPLOY"
    #: Is the schema the one that the finished migrations make?
    VERIFY = "VERIFY"
    #: The gate is open: the data pipeline may run.
    PIPELINE_READY = "PIPELINE_READY"
    #: The recovery stopped with a refusal, which says why and what to do next. Running again starts at PREFLIGHT.
    BLOCKED = "BLOCKED"
    #: A person gave up this recovery.
    ABORTED = "ABORTED"


class Edge(NamedTuple):
    """One row of the table: a recovery moves from `source` to `target` if `when` holds."""

    source: State
    target: State
    when: str


_S = State

#: The seven states of the path, in its order.
PATH = (_S.PREFLIGHT, _S.INSPECT, _S.CLASSIFY, _S.RESOLVE, _S.DEPLOY, _S.VERIFY, _S.PIPELINE_READY)

#: States in which a recovery is over; a later `run` starts a new one.
FINAL = (_S.PIPELINE_READY, _S.ABORTED)

EDGES: tuple[Edge, ...] = (
    Edge(_S.PREFLIGHT, _S.INSPECT, "every check holds, or is awaited"),
    Edge(_S.INSPECT, _S.CLASSIFY, "a migration failed, or production has one that the ledger lacks"),
    Edge(_S.INSPECT, _S.DEPLOY, "none failed, some are pending, and none would fail on what is there"),
    Edge(_S.INSPECT, _S.VERIFY, "none failed, none pending"),
    Edge(_S.CLASSIFY, _S.RESOLVE, "the evidence decides, or an approval of it does, or a proven repair is agreed to"),
    Edge(_S.RESOLVE, _S.INSPECT, "a repair was made, another failed one remains, or one that the ledger lacks"),
    Edge(_S.RESOLVE, _S.DEPLOY, "none remains, some are pending"),
    Edge(_S.RESOLVE, _S.VERIFY, "none remains, none pending"),
    Edge(_S.DEPLOY, _S.VERIFY, "nothing failed, nothing pending"),
    Edge(_S.DEPLOY, _S.INSPECT, "a migration failed, not before for this cause in this run"),
    Edge(_S.VERIFY, _S.PIPELINE_READY, "schema and history agree"),
    # Not from PIPELINE_READY: what may not be run behind the gate leaves the recovery where it is.
    *(Edge(state, _S.BLOCKED, "refused: the refusal names fact and remedy") for state in PATH[:-1]),
    Edge(_S.BLOCKED, _S.PREFLIGHT, "run again"),
    *(Edge(state, _S.ABORTED, "a person gave up this recovery") for state in (*PATH[:-1], _S.BLOCKED)),
)
