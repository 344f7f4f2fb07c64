"""Asking the server for a check, where it may refuse to tell."""

from collections.abc import Callable

import psycopg

from states.checks import unknown
from states.facts import Check


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
