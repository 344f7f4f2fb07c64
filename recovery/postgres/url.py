"""Connection URLs: as Prisma reads them, and translated for libpq, PostgreSQL's client library."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from psycopg import pq
from psycopg.conninfo import make_conninfo

from recovery.errors import UsageError

_SCHEMES = ("postgresql", "postgres")
_DEFAULT_PORT = 5432
_PGBOUNCER_PORT = 6543

#: Query parameters that libpq would obey and Prisma ignores: with them, the evidence would come from one database
#: and the command would go to another.
_DIVERTING = frozenset(
    {"dbname", "hostaddr", "passfile", "password", "port", "replication", "service", "servicefile", "user"}
)
#: Parameters with another meaning for Prisma (its `sslcert` is the server's), unless libpq's own `sslkey` is present.
_CLIENT_CERTIFICATE = frozenset({"sslcert", "sslpassword"})


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A direct PostgreSQL URL. Neither `repr` nor `str` shows its password.

    Attributes:
        host: as the URL names it; for a Unix socket, its folder.
        port: TCP port, or the number in the socket's name.
        database: name of the database.
        user: name of the role; empty if the URL names none.
        schema: the schema that Prisma works in, and that holds the ledger.
        has_password: the URL holds a password.
        pooled: it looks like the URL of a transaction pooler, through which migrations must not go.
        url: the URL as it was given. Secret.
        conninfo: the connection string for psycopg, with the parameters that mean the same to libpq. Secret.
    """

    host: str
    port: int
    database: str
    user: str
    schema: str
    has_password: bool
    pooled: bool
    url: str = field(repr=False)
    conninfo: str = field(repr=False)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"postgresql://{user}{self.host}:{self.port}/{self.database}?schema={self.schema}"

    @property
    def past_the_pooler(self) -> str:
        """A remedy, for the case that this is a pooler's URL: which URL to use instead."""
        direct = direct_host(self.host)
        known = "on Neon the host without -pooler, on Supabase port 5432"
        return f"Use the direct URL (directUrl, DIRECT_URL): {known if direct == self.host.lower() else direct}."

    def prisma_url(self, application_name: str) -> str:
        """The URL for Prisma: as it was given, with this `application_name` for its session. Secret."""
        base, _, query = self.url.partition("?")
        if not urlsplit(base).hostname:
            # Prisma requires a host even if `host=/folder` names a socket.
            head, _, path = base.rpartition("/")
            base = f"{head}localhost/{path}"
        kept = [part for part in query.split("&") if part and part.partition("=")[0] != "application_name"]
        return f"{base}?{'&'.join([*kept, 'application_name=' + quote(application_name, safe='')])}"


def parse(url: str) -> DatabaseUrl:
    """Parses a database URL.

    Raises:
        UsageError: `url.malformed`; `url.scheme` if it is no direct PostgreSQL URL. Neither message shows the URL.
    """
    url = url.strip()
    scheme, separator, _ = url.partition("://")
    if not separator:
        scheme = url.partition(":")[0] if url.startswith(("file:", "sqlserver:")) else ""
    if not scheme:
        raise _malformed("it has no scheme" if url else "it is empty")
    if scheme not in _SCHEMES:
        raise _scheme(scheme)
    if "#" in url:
        raise _malformed("it holds a `#`, which in a password must be written %23")
    try:
        url.encode()
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORT
    except ValueError:
        # Not chained: the error's own text quotes the part between `:` and `/`, which can be a password.
        raise _malformed("its host or port is not valid; in a password, / : @ ? # must be percent-encoded") from None
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = parameters.get("host") or _host(parts)
    path = parts.path.removeprefix("/")
    if not host:
        raise _malformed("it names no host")
    if not path or "/" in path or "@" in path:
        # An `@` in the path ends a password that holds a `/`, which must not be shown as a database's name.
        raise _malformed("it names no database, or its password holds a `/`, which must be written %2F")
    database, user, password = unquote(path), unquote(parts.username or ""), unquote(parts.password or "")
    if "\0" in "".join((host, database, user, password, *parameters.values())):
        raise _malformed("it holds a NUL character")
    return DatabaseUrl(
        host=host,
        port=port,
        database=database,
        user=user,
        schema=parameters.get("schema") or "public",
        has_password=bool(password),
        pooled=parameters.get("pgbouncer") == "true"
        or port == _PGBOUNCER_PORT
        or host.split(".")[0].endswith("-pooler"),
        url=url,
        conninfo=make_conninfo(
            "",
            host=host,
            port=port,
            dbname=database,
            user=user or None,
            password=password or None,
            **_libpq(parameters),
        ),
    )


def direct_host(host: str) -> str:
    """The direct host for the host of Neon's pooler; any other host unchanged, in lower case."""
    label, dot, rest = host.lower().partition(".")
    return f"{label.removesuffix('-pooler')}{dot}{rest}"


def _host(parts: SplitResult) -> str:
    """The host with its upper and lower case kept, since it can be a socket's folder, percent-encoded."""
    written = parts.netloc.rpartition("@")[2]
    bracketed = written.startswith("[")
    return unquote(written[1:].partition("]")[0] if bracketed else written.partition(":")[0])


def _libpq(parameters: dict[str, str]) -> dict[str, str]:
    """The parameters that libpq knows and that mean the same to Prisma."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} - _DIVERTING - {"host"}
    if "sslkey" not in parameters:
        known -= _CLIENT_CERTIFICATE
    return {key: value for key, value in parameters.items() if key in known and value}


def _malformed(why: str) -> UsageError:
    return UsageError(
        "url.malformed",
        f"The database URL is not usable: {why}. Nothing was done.",
        "Write it as postgresql://USER:PASSWORD@HOST:5432/DATABASE?schema=public.",
    )


def _scheme(scheme: str) -> UsageError:
    known = {"prisma", "prisma+postgres", "file", "mysql", "sqlserver", "mongodb", "mongodb+srv", "sqlite"}
    # The scheme is shown only if it is a known one: the text before `://` could be a part of a password.
    shown = f"a {scheme}: URL" if scheme in known else "a URL of another kind"
    return UsageError(
        "url.scheme",
        f"The database URL is {shown}, not a direct PostgreSQL URL. Nothing was done.",
        "Give the database's own URL, which starts with postgresql://.",
    )
