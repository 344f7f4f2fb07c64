"""Connections to the target: how they are opened, and which failures are worth another attempt."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from recovery.errors import PreflightError, UnreachableError
from recovery.postgres.bounded import BoundedConnection
from recovery.postgres.url import DatabaseUrl
from recovery.secrets import Redactor

#: SQLSTATEs after which connecting or reading (never an effect) is tried again. 57014 is left out: it is a cancel.
TRANSIENT_STATES = frozenset({"57P01", "57P02", "57P03", "53300"})
TRANSIENT_CLASS = "08"
ATTEMPTS = 4
SECONDS = 10.0

CONNECT_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_MS = 30_000
#: Short, because a session whose lock keeps us from reading the catalog is changing the schema.
LOCK_TIMEOUT_MS = 3_000

#: Even an idle connection notices within about half a minute that the server is gone.
_KEEPALIVE: dict[str, Any] = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

#: Time limits, and the format of values: the settings of a role or database must not change what we read.
_SETTINGS = {
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": "0",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "jit": "off",  # compiling our one big query would take longer than running it
}


def is_transient(error: BaseException) -> bool:
    """Whether another attempt can succeed with nothing changed; decided by SQLSTATE, never by the message."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    state = error.sqlstate
    if state is None:  # no answer (refused, timed out, unknown host), or a refusal before any SQL
        return True
    return state in TRANSIENT_STATES or state.startswith(TRANSIENT_CLASS)


def retrying(sleep: Callable[[float], None] = time.sleep) -> Retrying:
    """The only retry policy: jittered, with limits on attempts and time."""
    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(SECONDS),
        wait=wait_random_exponential(multiplier=0.2, max=3),
        reraise=True,
        sleep=sleep,
    )


#: How often a proxied session's backend is looked up; a pooler can give out the same backend a few times by chance.
_LOOKS = 5
#: A pooler with a single backend lets our first session have it only once our other session's transaction ends.
_OTHER_IDLE_MS = 2_000


def _open(url: DatabaseUrl, name: str, settings: dict[str, str], *, kept: bool) -> psycopg.Connection[Any]:
    connection = _session(url, name)
    try:
        # Not set by start-up options: poolers refuse these before we can tell that it is a pooler. And only set on a
        # backend that is ours: through a transaction pooler, the next client to get the backend would be read-only.
        chosen = ", ".join(f"set_config('{key}', '{value}', false)" for key, value in settings.items())
        ours = f"pg_backend_pid() = {connection.info.backend_pid}"
        if not connection.execute(f"SELECT {chosen} WHERE {ours}".encode()).fetchone():
            if not kept:
                _see_that_it_is_kept(url, connection)
            connection.execute(f"SELECT {chosen}".encode())
    except BaseException:
        connection.close()
        raise
    return connection


def _session(url: DatabaseUrl, name: str) -> psycopg.Connection[Any]:
    return BoundedConnection.connect(
        url.conninfo,
        autocommit=True,
        prepare_threshold=None,
        client_encoding="UTF8",  # else SQL_ASCII databases answer in bytes, and PGCLIENTENCODING counts
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name=name,
        **_KEEPALIVE,
    )


def _see_that_it_is_kept(url: DatabaseUrl, connection: psycopg.Connection[Any]) -> None:
    """Makes sure that a session keeps its backend behind a proxy, where the backend's pid is not the announced one.

    A pooled session gets another backend while our second session is in a transaction, which keeps its own.

    Raises:
        PreflightError: `database.pooled`.
    """
    if url.pooled or _changes(url, connection):
        raise PreflightError(
            "database.pooled",
            f"{url.host}:{url.port} is a transaction pooler: each statement can reach another backend, and no lock of "
            "a session holds. Nothing was read or changed.",
            url.past_the_pooler,
        )


def _changes(url: DatabaseUrl, connection: psycopg.Connection[Any]) -> bool:
    other = _session(url, "prisma-recovery pooler check")
    try:
        ours = {_backend(connection)}
        for _ in range(_LOOKS):
            try:
                other.execute("BEGIN READ ONLY")
            except psycopg.errors.ProtocolViolation:
                return True  # a pooler in statement mode allows no transaction
            other.execute(f"SET LOCAL idle_in_transaction_session_timeout = {_OTHER_IDLE_MS}".encode())
            theirs = _backend(other)
            ours.add(_backend(connection))
            if len(ours) > 1 or theirs in ours:
                return True
            other.execute("ROLLBACK")
    finally:
        other.close()
    return False


def _backend(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


#: Before a session exists, libpq passes on a message without SQLSTATE. In another language than English it is not
#: recognised; the connection is then only tried again, and reported as unreachable.
_NO = (
    "password authentication failed",
    "SASL authentication failed",
    "Peer authentication failed",
    "Ident authentication failed",
    "certificate authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
    "server does not support SSL",
    "certificate verify failed",
    "Name or service not known",
)


def _refused_for_good(error: psycopg.OperationalError) -> bool:
    """Whether the server or the name resolution refused, so that another attempt would give the same answer."""
    if error.sqlstate is not None:
        return not is_transient(error)
    return any(words in str(error) for words in _NO)


def connect(
    url: DatabaseUrl, *, read_only: bool, name: str = "prisma-recovery", kept: bool = False
) -> psycopg.Connection[Any]:
    """A connection in autocommit with time limits on every wait.

    Args:
        url: the database to connect to.
        read_only: make the server refuse every write of this session.
        name: the `application_name` that `pg_stat_activity` shows.
        kept: an earlier connection has shown that a session keeps its backend, through a proxy or without one.

    Raises:
        UnreachableError: `database.unreachable` after the last attempt; `database.unknown_host`.
        PreflightError: `database.refused`: wrong password, unknown database, not allowed; `database.pooled`.
    """
    settings = dict(_SETTINGS)
    if read_only:
        settings["default_transaction_read_only"] = "on"
    where = f"{url.host}:{url.port}"
    try:
        for attempt in retrying():
            with attempt:
                try:
                    return _open(url, name, settings, kept=kept)
                except psycopg.OperationalError as error:
                    if _refused_for_good(error):
                        raise _refusal(url, error) from error
                    raise
    except psycopg.OperationalError as error:
        raise UnreachableError(
            "database.unreachable",
            f"{where} does not answer: {said(url, error)}. Nothing was changed.",
            "Make sure that the host is right and up, and run again.",
        ) from error
    raise AssertionError("the retry policy either returns or raises")


@contextmanager
def answering(url: DatabaseUrl) -> Iterator[None]:
    """Turns a broken connection or an expired wait into an error that a person can act on.

    Raises:
        UnreachableError: `database.lost`. The statement that was running on the server may or may not have succeeded.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise UnreachableError(
            "database.lost",
            f"{url.host}:{url.port} stopped answering: {said(url, error)}.",
            "Make sure that the database is up, and run again: it looks at the database anew and goes on from there.",
        ) from error


#: What psycopg and libpq put before the reason: that it failed, and the address, which the sentence around it has.
_AGAIN = re.compile(r"^(?:connection failed: )?(?:connection to server (?:at|on) .*? failed: )?(?:FATAL: +)?")


def said(url: DatabaseUrl, error: BaseException) -> str:
    """The last line of an error, without the URL's password, and without the question that libpq adds."""
    lines = [text for line in str(error).splitlines() if (text := line.strip()) and not text.endswith("?")]
    text = lines[-1] if lines else type(error).__name__
    return Redactor(url.url)(_AGAIN.sub("", text)).rstrip(".")


def _refusal(url: DatabaseUrl, error: psycopg.OperationalError) -> Exception:
    text = said(url, error)
    if "Name or service" in text or "could not translate host name" in text:
        return UnreachableError(
            "database.unknown_host",
            f"The host {url.host} is not known: {text}. Nothing was changed.",
            "Correct the host in the URL, or the network's name service, and run again.",
        )
    return PreflightError(
        "database.refused",
        f"{url.host}:{url.port} refused user {url.user} for database {url.database}: {text}. Nothing was changed.",
        "Correct user, password or database in the URL, and run again.",
    )
