"""Hands out work by DBOS, a library that keeps queues and workflows in PostgreSQL. Only a fleet's workers load it.

DBOS keeps its tables in the schema `prisma_recovery_dbos` of the control database: a workflow for each attempt at a
target, with the names of run and target as its input and the result as its output. It leaves the workflows of a worker
that died pending, so these are queued again here. The limit on how many are at work belongs to each worker: those of a
dead one would hold a common limit's slots.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from recovery.errors import RecoveryError, UsageError
from recovery.fleet.handing import Result, Seen, Stage, Work
from recovery.postgres.url import DatabaseUrl

QUEUE = "prisma_recovery"
_APPLICATION = "prisma-recovery-fleet"
#: All releases with this version understand each other's work.
_VERSION = "1"
_SCHEMA = "prisma_recovery_dbos"
_WORKFLOW = "recover"
#: Seconds between two looks for new work.
_POLLING = 0.25
_STAGES = {"ENQUEUED": Stage.QUEUED, "DELAYED": Stage.QUEUED, "PENDING": Stage.TAKEN, "SUCCESS": Stage.ENDED}
#: Seconds in which work that was asked to stop is waited for: a deploy that is running takes as long as it takes.
_WHOLE_DAY = 86_400


def installed() -> None:
    """Raises if the library is not installed.

    Raises:
        UsageError: `fleet.no_dbos`.
    """
    try:
        import dbos  # noqa: F401, PLC0415 - only looked for
    except ImportError as error:
        raise UsageError(
            "fleet.no_dbos",
            "fleet run and fleet worker hand out work by the library DBOS, which is not installed. Nothing was done.",
            "Install it: pip install 'prisma-recovery[fleet]'.",
        ) from error


class DbosHanding:
    """A `Handing` by DBOS. A process has at most one at a time, since DBOS itself is one a process."""

    def __init__(self, url: DatabaseUrl, executor: str, do: Callable[[str, str, int], Result]) -> None:
        """Begins to take work.

        Args:
            url: the control database.
            executor: this worker's name.
            do: does a recovery, given the fleet's run, the target's name and the number of the attempt. Never raises.
        """
        from dbos import DBOS  # noqa: PLC0415 - only here it is needed

        self._dbos = DBOS
        DBOS(
            config={
                "name": _APPLICATION,
                "system_database_url": _for_dbos(url),
                "dbos_system_schema": _SCHEMA,
                "application_version": _VERSION,
                "executor_id": executor,
                "log_level": "CRITICAL",
                "use_listen_notify": False,
            }
        )

        @DBOS.workflow(name=_WORKFLOW)
        def recover(run: str, name: str, attempt: int) -> dict[str, Any]:
            def step() -> dict[str, Any]:
                return dict(msgspec.to_builtins(do(run, name, attempt)))

            return DBOS.run_step({"name": "recovery"}, step)

        self._recover = recover
        DBOS.launch()
        self._share = 0
        DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=_POLLING, on_conflict="never_update")

    def share(self, each: int) -> None:
        """See `Handing.share`. All workers read it anew at each look."""
        if each != self._share:
            self._dbos.register_queue(
                QUEUE, worker_concurrency=each, polling_interval_sec=_POLLING, on_conflict="always_update"
            )
            self._share = each

    def hand_out(self, work: Work) -> None:
        """See `Handing.hand_out`."""
        from dbos import WorkflowSerializationFormat  # noqa: PLC0415 - as above

        self._dbos.enqueue_workflow_with_options(
            {
                "workflow_name": _WORKFLOW,
                "queue_name": QUEUE,
                "workflow_id": work.id,
                "app_version": _VERSION,
                # JSON, so that a person can read it; by itself DBOS would pickle it.
                "serialization_type": WorkflowSerializationFormat.PORTABLE,
            },
            work.run,
            work.name,
            work.attempt,
        )

    def seen(self, works: Sequence[Work]) -> dict[str, Seen]:
        """See `Handing.seen`."""
        found = self._dbos.list_workflows(workflow_ids=[work.id for work in works], load_input=False)
        return {each.workflow_id: _seen(each) for each in found}

    def take_over(self, work: Work) -> None:
        """See `Handing.take_over`."""
        with contextlib.suppress(Exception):  # it has ended meanwhile, or will be seen again
            self._dbos.resume_workflow(work.id, queue_name=QUEUE)

    def close(self) -> None:
        """Takes no more work, and waits for what this worker is at work on."""
        self._dbos.destroy(destroy_registry=True, workflow_completion_timeout_sec=_WHOLE_DAY)


def _seen(status: Any) -> Seen:  # noqa: ANN401 - DBOS's own record
    stage = _STAGES.get(status.status, Stage.LOST)
    result = None
    if stage is Stage.ENDED:
        result = msgspec.convert(status.output, Result)
    elif status.status in ("CANCELLED", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        # By a person, in DBOS itself; or by a bug, since `do` never raises.
        failed = RecoveryError(
            "fleet.work_failed", "It ended with an unexpected error.", "Look at it in DBOS's tables."
        )
        stage, result = Stage.ENDED, Result.of(failed)
    return Seen(stage, status.executor_id or "", result)


def _for_dbos(url: DatabaseUrl) -> str:
    """The URL without what only Prisma understands, as SQLAlchemy takes it."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - as above
    from sqlalchemy.engine import URL  # noqa: PLC0415 - as above

    parts: dict[str, Any] = conninfo_to_dict(url.conninfo)
    known = {name: parts.pop(key, None) for name, key in _PARTS.items()}
    socket = str(known["host"] or "").startswith("/")
    query = {key: str(value) for key, value in parts.items()} | ({"host": str(known["host"])} if socket else {})
    return URL.create(
        "postgresql",
        username=known["username"],
        password=known["password"],
        host=None if socket else known["host"],
        port=int(known["port"]) if known["port"] else None,
        database=known["database"],
        query=query,
    ).render_as_string(hide_password=False)


_PARTS = {"username": "user", "password": "password", "host": "host", "port": "port", "database": "dbname"}
