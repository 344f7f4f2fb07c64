"""A connection URL as Prisma takes it, and what PostgreSQL's own client library makes of it."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from psycopg import pq
from psycopg.conninfo import make_conninfo

from recovery.errors import UsageError

_SCHEMES = ("postgresql", "postgres")
_DEFAULT_PORT = 5432
_PGBOUNCER_PORT = 6543

#: Parameters that libpq would take from a query, and Prisma would not: with them, the evidence would
#: come from one database and the command go to another.
_DIVERTING = frozenset(
    {"dbname", "hostaddr", "passfile", "password", "port", "replication", "service", "servicefile", "user"}
)
#: Prisma gives these another meaning (its `sslcert` is the server's), unless libpq's own `sslkey` is with them.
_CLIENT_CERTIFICATE = frozenset({"sslcert", "sslpassword"})


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A direct PostgreSQL URL. Neither `repr` nor `str` shows its password.

    Attributes:
        host: as the URL names it; the socket's folder where there is one.
        port: TCP port, or the number in the socket's name.
        database: name of the database.
        user: name of the role; empty if the URL names none.
        schema: the schema that Prisma works in, and that holds the ledger.
        has_password: it holds one.
        pooled: it looks like a transaction pooler's, which migrations must not go through.
        url: as it was given. Secret.
        conninfo: for psycopg, with all and only the parameters that libpq knows. Secret.
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
        """What to use instead, if this is a pooler's."""
        direct = direct_host(self.host)
        known = "on Neon the host without -pooler, on Supabase port 5432"
        return f"Use the direct URL (directUrl, DIRECT_URL): {known if direct == self.host.lower() else direct}."

    def prisma_url(self, application_name: str) -> str:
        """The URL to hand to Prisma: as it was given, but for the name that its session is to be known by. Secret."""
        base, _, query = self.url.partition("?")
        if not urlsplit(base).hostname:
            # Prisma wants a host also where `host=/folder` names a socket.
            head, _, path = base.rpartition("/")
            base = f"{head}localhost/{path}"
        kept = [part for part in query.split("&") if part and part.partition("=")[0] != "application_name"]
        return f"{base}?{'&'.join([*kept, 'application_name=' + quote(application_name, safe='')])}"


def parse(url: str) -> DatabaseUrl:
    """Take a URL apart.

    Raises:
        UsageError: `url.malformed`; `url.scheme` for what is no direct PostgreSQL URL. Neither shows the URL.
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
        # Not chained: the error's own text quotes what stands between `:` and `/`, which can be a password.
        raise _malformed("its host or port is not valid; in a password, / : @ ? # must be percent-encoded") from None
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = parameters.get("host") or _host(parts)
    path = parts.path.removeprefix("/")
    if not host:
        raise _malformed("it names no host")
    if not path or "/" in path or "@" in path:
        # An `@` so late is the end of a password with a `/` in it, which must not be shown as a database.
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
    """The host that leads past Neon's pooler; any other one as it is."""
    label, dot, rest = host.lower().partition(".")
    return f"{label.removesuffix('-pooler')}{dot}{rest}"


def _host(parts: SplitResult) -> str:
    """The host in the case in which it was written: it can be a socket's folder, percent-encoded."""
    written = parts.netloc.rpartition("@")[2]
    bracketed = written.startswith("[")
    return unquote(written[1:].partition("]")[0] if bracketed else written.partition(":")[0])


def _libpq(parameters: dict[str, str]) -> dict[str, str]:
    """Those parameters that libpq knows, and that mean the same to Prisma."""
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
    # What stands before `://` is shown only if it cannot be a part of a password.
    shown = f"a {scheme}: URL" if scheme in known else "a URL of another kind"
    return UsageError(
        "url.scheme",
        f"The database URL is {shown}, not a direct PostgreSQL URL. Nothing was done.",
        "Give the database's own URL, which starts with postgresql://.",
    )
