"""Carries out a plan of repair on a copy of the database that it was made for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from recovery.effects.repairing import Repairer
from recovery.postgres.locks import RECOVERY_LOCK, SessionLock

if TYPE_CHECKING:
    from recovery.effects.results import Performed
    from recovery.evidence.investigator import Classified, Investigator
    from recovery.postgres.target import Target
    from states.plans import Plan


def perform_on_copy(target: Target, investigator: Investigator, found: Classified, plan: Plan) -> Performed:
    """What a plan came to on a copy. Its digest is not asked for, since a copy is another database, with another one.

    Args:
        target: the copy.
        investigator: looks at the copy.
        found: the evidence on the original.
        plan: one of its plans.
    """
    with contextlib.closing(target.working("prisma-recovery lock")) as lock:
        ours = SessionLock(lock, RECOVERY_LOCK)
        ours.try_take()
        return Repairer(target, ours, sleep=lambda _: None).perform(
            plan,
            lambda: "",
            lambda session: investigator.left_to(session, found, plan.ends),
            lambda *_: None,
        )
