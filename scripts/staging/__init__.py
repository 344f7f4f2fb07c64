"""A production to rehearse on: real PostgreSQL, real Prisma, and the incident of the runbook.

Used by `scripts/demo`, the acceptance tests and the benches; never by `recovery` or `states`.
"""

from staging.incident import CASES, Case, Incident, stage
from staging.node import Toolchain, toolchain
from staging.pooler import start_pooler
from staging.postgres import Server, start, start_replica

__all__ = [
    "CASES",
    "Case",
    "Incident",
    "Server",
    "Toolchain",
    "stage",
    "start",
    "start_pooler",
    "start_replica",
    "toolchain",
]
