"""Where the newest run of a fleet stands, from the control database."""

from datetime import UTC

from recovery.errors import UsageError
from recovery.fleet.control import Control, RunRow, TargetRow, waves_of
from recovery.fleet.document import FleetRunDocument, FleetTargetStanding
from states.fleet import ASKED, ENDED, Outcome, progress

#: The time over which the rate of a run is told.
_RATE_SECONDS = 60.0


def standing(control: Control) -> FleetRunDocument:
    """Where the newest run stands.

    Raises:
        UsageError: `fleet.no_run`.
    """
    run = control.run()
    if run is None:
        raise UsageError(
            "fleet.no_run",
            "The control database knows no run of a fleet. Nothing was done.",
            "prisma-recovery fleet run begins one; or name the right control database with --control.",
        )
    rows = control.targets(run.run)
    # Over the last minute, so that it tells of now, whoever is at work.
    lasted = min(_RATE_SECONDS, (run.now - run.began).total_seconds())
    lately = [each for each in rows if each.attempts and each.stands in ENDED and _ago(run, each) <= lasted]
    told = tuple(
        FleetTargetStanding(
            each.name,
            each.wave,
            each.stands,
            Outcome(each.found),
            each.attempts,
            each.taken_over,
            each.recovery,
            each.code,
            each.said,
            each.worker,
        )
        for each in rows
    )
    return FleetRunDocument(
        run.run,
        run.began.astimezone(UTC).isoformat(),
        run.ended or all(each.stands in ENDED for each in rows),
        run.stop or (ASKED if run.asked_to_stop else ""),
        progress([each.stands for each in rows], len(lately), lasted),
        tuple(wave.name for wave in waves_of(rows)),
        told,
        tuple(sorted(control.alive())),
    )


def _ago(run: RunRow, row: TargetRow) -> float:
    return (run.now - row.changed).total_seconds()
