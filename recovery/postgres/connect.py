"""Connections to the target: how they are opened, what they may do, and which failures are worth another try."""

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

#: Connecting and reading only, never an effect. 57014 is a cancel and means what it says.
TRANSIENT_STATES = frozenset({"57P01", "57P02", "57P03", "53300"})
TRANSIENT_CLASS = "08"
ATTEMPTS = 4
SECONDS = 10.0

CONNECT_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_MS = 30_000
#: Reading the catalog waits for nobody's DDL for long: whoever holds such a lock is at work on the schema.
LOCK_TIMEOUT_MS = 3_000

#: A server that vanished is noticed within about half a minute, also by a connection that only waits.
_KEEPALIVE: dict[str, Any] = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

#: Bounded waits, and one way of writing values: what a role or a database has set must not change what we read.
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
    """Another try can succeed with nothing changed. Decided by SQLSTATE, never by text."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    state = error.sqlstate
    if state is None:  # no server answered: refused, timed out, unknown host, or it said no before any SQL
        return True
    return state in TRANSIENT_STATES or state.startswith(TRANSIENT_CLASS)


def retrying(sleep: Callable[[float], None] = time.sleep) -> Retrying:
    """The one retry policy: bounded in attempts and time, jittered."""
    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(SECONDS),
        wait=wait_random_exponential(multiplier=0.2, max=3),
        reraise=True,
        sleep=sleep,
    )


#: Looks at a proxied session's backend; with every one it is less likely that a pooler gave out the same by chance.
_LOOKS = 5
#: A pooler with one backend makes us wait for the one that our other session holds.
_OTHER_IDLE_MS = 2_000


def _open(url: DatabaseUrl, name: str, settings: dict[str, str], *, kept: bool) -> psycopg.Connection[Any]:
    connection = _session(url, name)
    try:
        # Set here rather than as start-up options, which poolers refuse before one can say what they are. And only on a
        # backend that is ours: through a transaction pooler the next one to get it would find itself read only.
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
        client_encoding="UTF8",  # else a database in SQL_ASCII answers in bytes, and the environment has a say
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name=name,
        **_KEEPALIVE,
    )


def _see_that_it_is_kept(url: DatabaseUrl, connection: psycopg.Connection[Any]) -> None:
    """The server's pid is not the announced one, so there is a proxy: does each session keep its backend behind it?

    While another session is in a transaction, and so has a backend for itself, a pooled session gets a different one.

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
                return True  # a pooler of single statements allows no transaction
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


#: Before a session exists libpq passes on no SQLSTATE, only words. Where the server speaks another language
#: these are missed, and the refusal is merely tried again and reported as unreachable.
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
    """The server, or the resolver, said no: another try brings the same answer."""
    if error.sqlstate is not None:
        return not is_transient(error)
    return any(words in str(error) for words in _NO)


def connect(
    url: DatabaseUrl, *, read_only: bool, name: str = "prisma-recovery", kept: bool = False
) -> psycopg.Connection[Any]:
    """A connection in autocommit with bounded waits; with `read_only`, the server itself refuses any write.

    Args:
        url: where to.
        read_only: set it so.
        name: what `pg_stat_activity` shows.
        kept: if there is a proxy, it is known that a session keeps its backend behind it.

    Raises:
        UnreachableError: `database.unreachable`, after bounded tries.
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
            "See that the host is right and up, and run again.",
        ) from error
    raise AssertionError("the retry policy either returns or raises")


@contextmanager
def answering(url: DatabaseUrl) -> Iterator[None]:
    """Turns a connection that broke, or a wait that ran out, into an error that a person can act on.

    Raises:
        UnreachableError: `database.lost`. What was under way on the server may have happened or not.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise UnreachableError(
            "database.lost",
            f"{url.host}:{url.port} stopped answering: {said(url, error)}.",
            "See that the database is up, and run again: it goes on from what is true.",
        ) from error


def said(url: DatabaseUrl, error: BaseException) -> str:
    """The last line of what an error says, without the URL's password; libpq adds a question that helps nobody here."""
    lines = [text for line in str(error).splitlines() if (text := line.strip()) and not text.endswith("?")]
    return Redactor(url.url)(lines[-1] if lines else type(error).__name__).rstrip(".")


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
