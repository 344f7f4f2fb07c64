"""Makes a check that asks PostgreSQL something which the role may not be allowed to read."""

from collections.abc import Callable

import psycopg

from states.checks import unknown
from states.facts import Check


def asked(name: str, source: str, look: Callable[[], Check]) -> Check:
    """Makes the check with `look`; the check is unknown if PostgreSQL refuses the query.

    Args:
        name: the check's name, for an unknown one.
        source: where the check looks, for an unknown one.
        look: makes the check.

    Raises:
        psycopg.OperationalError, psycopg.InterfaceError: the connection is lost.
    """
    try:
        return look()
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except psycopg.Error as error:
        return unknown(
            name,
            f"PostgreSQL refused the query: {error.diag.message_primary or type(error).__name__}",
            source,
            f'Use a role that may read this, or grant it the right; or waive this check: --waive {name}="why".',
        )
