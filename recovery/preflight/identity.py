"""The check `target.identity`: is this the database that a person named, on the same server as the last time?"""

from collections.abc import Callable, Sequence

from recovery.errors import RecoveryError
from recovery.journal.confirmations import Confirmation, place
from recovery.postgres.target import Target
from recovery.preflight.expectation import Expectation
from states.checks import held, refused, unknown
from states.facts import Check, Outcome

NAME = "target.identity"


def identity_check(target: Target, expected: Expectation, confirmations: Callable[[], Sequence[Confirmation]]) -> Check:
    """The check that host and database are as a person named them, and that no earlier confirmation contradicts them.

    Args:
        target: the production database.
        expected: the host and database that a person named.
        confirmations: reads the earlier confirmations from the journal.
    """
    check = _named(target, expected)
    if check.outcome is Outcome.REFUSED:
        return check
    try:
        confirmed = confirmations()
    except RecoveryError as error:
        seen = f"{check.seen}; it cannot be compared with earlier runs. {error.fact}"
        return unknown(NAME, seen, check.source, error.remedy)
    here = place(str(target.url))
    now = target.identity.system_identifier
    return (
        _another_server(check, now, [each for each in confirmed if each.place == here])
        or _another_place(check, expected, here, now, confirmed)
        or check
    )


def _named(target: Target, expected: Expectation) -> Check:
    identity, source = target.identity, "the URL and the server"
    seen = (
        f"{identity.database} on {identity.host}, schema {identity.schema}, PostgreSQL {identity.server_version}; "
        f"URL from {target.source}"
    )
    remedy = "Correct the URL; or host and database under [production] in prisma-recovery.toml."
    if expected.host is not None and expected.host != identity.host:
        return refused(NAME, f"{seen}; expected the host {expected.host}", source, remedy)
    if expected.database is not None and expected.database != identity.database:
        return refused(NAME, f"{seen}; expected the database {expected.database}", source, remedy)
    if expected.host is not None and expected.database is not None:
        return held(NAME, f"{seen}; as expected", source)
    if expected.typed is not None:
        if expected.typed == identity.database:
            return held(NAME, f"{seen}; as typed", source)
        return refused(NAME, f"{seen}; another name was typed", source, "Run again, and type the database's name.")
    unsaid = "database" if expected.host is not None else "host"
    half = expected.host is not None or expected.database is not None
    return unknown(
        NAME,
        f"{seen}; nobody said which {unsaid if half else 'database'} this should be",
        source,
        "Set host and database under [production] in prisma-recovery.toml, or give --expect-host and "
        "--expect-database, or run in a terminal.",
    )


def _another_server(check: Check, now: str | None, here: Sequence[Confirmation]) -> Check | None:
    """The refusal if the URL leads to another server than when it was last confirmed; else None."""
    then = next((each for each in reversed(here) if each.system_identifier is not None), None)
    if then is None or now is None or then.system_identifier == now:
        return None
    return refused(
        NAME,
        f"{check.seen}; its system identifier is {now}, and was {then.system_identifier} in run {then.run}: the same "
        "name leads to another server",
        f"{check.source}, and the journal",
        "Find out why. If the server was replaced, or restored from a dump, confirm the new one once: "
        f'--waive {NAME}="why".',
    )


def _another_place(
    check: Check, expected: Expectation, here: str, now: str | None, confirmed: Sequence[Confirmation]
) -> Check | None:
    """The refusal if so far a database of this name was confirmed on another host only; else None.

    It applies only where a person typed the name: a name alone does not tell databases of the same name apart.
    """
    if expected.host is not None or expected.typed is None:
        return None
    same = [each for each in confirmed if each.place == here or (now is not None and each.system_identifier == now)]
    database = here.partition("/")[2]
    others = [each for each in confirmed if each.place.partition("/")[2] == database]
    if same or not others:
        return None
    return refused(
        NAME,
        f"{check.seen}; so far the database of this name was the one on {others[-1].place.partition('/')[0]} (run "
        f"{others[-1].run})",
        f"{check.source}, and the journal",
        "Correct the URL. If this database is meant, name its host too: --expect-host and --expect-database.",
    )
