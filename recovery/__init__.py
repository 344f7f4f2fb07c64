"""Recovers a production PostgreSQL whose Prisma migration failed half-way.

The names in `__all__` are the API for programs that embed it; `docs/reference/python.md` explains each of them.
"""

#: As in `typing`, which takes longer to load than all that is needed until the command line can handle a signal.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from recovery.app.api import Recovery
    from recovery.app.session import Options
    from recovery.errors import RecoveryError
    from recovery.events import Event
    from recovery.report.document import InspectDocument, Standing
    from recovery.run.plan import Plan
    from recovery.run.policy import auto
    from recovery.run.ports import Ended, Policy, Question
    from states.answers import Refusal
    from states.exit_codes import Exit
    from states.table import State

__all__ = [
    "Ended",
    "Event",
    "Exit",
    "InspectDocument",
    "Options",
    "Plan",
    "Policy",
    "Question",
    "Recovery",
    "RecoveryError",
    "Refusal",
    "Standing",
    "State",
    "auto",
]

#: The module of each name, which is imported on first use: `prisma-recovery --help` needs none of them.
_HOMES = {
    "__version__": "recovery.version",
    "Ended": "recovery.run.ports",
    "Event": "recovery.events",
    "Exit": "states.exit_codes",
    "InspectDocument": "recovery.report.document",
    "Options": "recovery.app.session",
    "Plan": "recovery.run.plan",
    "Policy": "recovery.run.ports",
    "Question": "recovery.run.ports",
    "Recovery": "recovery.app.api",
    "RecoveryError": "recovery.errors",
    "Refusal": "states.answers",
    "Standing": "recovery.report.document",
    "State": "states.table",
    "auto": "recovery.run.policy",
}

if not TYPE_CHECKING:  # so that a type checker reports a name that is not imported above

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'recovery' has no attribute {name!r}", name=name, obj=None)
        from importlib import import_module  # noqa: PLC0415 - as above

        return getattr(import_module(_HOMES[name]), name)
