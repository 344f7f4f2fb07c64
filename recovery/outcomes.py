"""How the checks of preflight say what they saw."""

from collections.abc import Callable

import psycopg

from states.facts import Check, Outcome


def held(name: str, seen: str, source: str) -> Check:
    """It was made, and holds."""
    return Check(name, Outcome.HELD, seen, source)


def refused(name: str, seen: str, source: str, remedy: str, *, busy: bool = False) -> Check:
    """It was made, and does not hold; `busy`: it will by itself, in time."""
    return Check(name, Outcome.REFUSED, seen, source, remedy, busy)


def unknown(name: str, seen: str, source: str, remedy: str) -> Check:
    """It could not be made."""
    return Check(name, Outcome.UNKNOWN, seen, source, remedy)


def awaited(name: str, seen: str, source: str) -> Check:
    """It is being made."""
    return Check(name, Outcome.AWAITED, seen, source)


def asked(name: str, source: str, look: Callable[[], Check]) -> Check:
    """The check that `look` makes; unknown where the server refuses to tell. A lost connection is raised on."""
    try:
        return look()
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except psycopg.Error as error:
        return unknown(
            name,
            f"PostgreSQL does not tell: {error.diag.message_primary or type(error).__name__}",
            source,
            f'Use a role that may ask this, or grant it; or take it on: --waive {name}="why".',
        )
