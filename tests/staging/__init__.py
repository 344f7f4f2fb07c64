"""Stages productions to test on: a real PostgreSQL, the real Prisma, and the incident of the runbook.

Used by `scripts/demo`, the acceptance tests and the benches; never by `recovery` or `states`.
"""

from tests.staging.incident import CASES, Case, Incident, stage, start_prepared
from tests.staging.node import Toolchain, toolchain
from tests.staging.pooler import start_pooler
from tests.staging.postgres import Server, start, start_replica

__all__ = [
    "CASES",
    "Case",
    "Incident",
    "Server",
    "Toolchain",
    "stage",
    "start",
    "start_pooler",
    "start_prepared",
    "start_replica",
    "toolchain",
]
