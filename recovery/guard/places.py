"""Which database is production, and whether a URL leads there."""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qs, unquote, urlsplit

#: Answers for a host name; a resolver that is slower is taken for none.
_LOOKUP_SECONDS = 2.0
_LOCAL = "this machine"
_LOCAL_NAMES = ("localhost", "ip6-localhost", "0.0.0.0", "::")  # noqa: S104 - names
_POSTGRES = frozenset({"postgres", "postgresql"})
_NAMED = "the host of production stands in it where no host is looked for"
_SUPABASE = re.compile(r"db\.([a-z0-9]+)\.supabase\.(?:co|com|in|net)")

#: Addresses of a host name: none for a name that does not exist; None if nobody could say.
Addresses = Callable[[str], frozenset[str] | None]


class Match(Enum):
    """Whether a URL leads to production."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Pin:
    """What is known of production.

    Attributes:
        host: as it was given; None: any.
        servers: names of the server that are all the same, from `_server`.
        database: None: any.
        source: who said so, for people.
    """

    host: str | None
    servers: frozenset[str]
    database: str | None
    source: str

    def __str__(self) -> str:
        return " on ".join(part for part in (self.database, self.host) if part)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads. Holds no secret.

    Attributes:
        hosts: as written.
        servers: names of the server.
        databases: what it could be named; drivers read a path of several parts differently. None for the default one.
    """

    hosts: tuple[str, ...]
    servers: frozenset[str]
    databases: frozenset[str]

    def __str__(self) -> str:
        return " on ".join(part for part in (" or ".join(sorted(self.databases)), ",".join(self.hosts)) if part)


def pin(host: str | None, database: str | None, source: str) -> Pin:
    """Production as host and database name it."""
    return Pin(host, frozenset({_server(host)}) if host else frozenset(), database, source)


def pin_of(url: str, source: str) -> Pin | None:
    """Production as a URL names it; None if that can't be read."""
    found = place(url)
    if not isinstance(found, Place):
        return None
    return Pin(found.hosts[0], found.servers, next(iter(found.databases), None), source)


def place(url: str) -> Place | str | None:
    """Where a URL leads; None if to no PostgreSQL; a text says why it can't be told."""
    scheme = url.strip().partition("://")[0].lower()
    if scheme not in (*_POSTGRES, "prisma", "prisma+postgres"):
        return None
    try:
        parts = urlsplit(url.strip())
        hosts = _hosts(parts.netloc)
        query = parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        return "its URL is malformed"
    if scheme not in _POSTGRES:
        local = bool(hosts) and all(_server(host) == _LOCAL for host in hosts)
        return None if local else "its URL leads through Prisma's own service, and what is behind that can't be seen"
    hosts += [host for key in ("host", "hostaddr") for text in query.get(key, ()) for host in text.split(",") if host]
    servers = {_server(host) for host in hosts} or {_LOCAL}
    user = unquote(parts.netloc.rpartition("@")[0].partition(":")[0])
    if any("pooler.supabase." in host.lower() for host in hosts) and "." in user:
        servers.add(f"supabase {user.rpartition('.')[2].lower()}")
    for text in query.get("options", ()):
        servers |= {f"neon {found.lower()}" for found in re.findall(r"endpoint=([\w-]+)", text.replace("-pooler", ""))}
    path = parts.path.removeprefix("/")
    named = frozenset(unquote(name) for name in (*query.get("dbname", ()), path, path.partition("/")[0]) if name)
    return Place(tuple(hosts) or ("localhost",), frozenset(servers), named)


def compare(url: str, pinned: Pin, addresses: Addresses) -> tuple[Match, str]:
    """Whether a URL leads to production, and where it leads or why that can't be told.

    Ports don't count: a pooler of the same server listens on another one. Nor do users and schemas.
    """
    found = place(url)
    named = pinned.host is not None and pinned.host.lower() in unquote(url).lower()
    if found is None:
        return (Match.UNKNOWN, _NAMED) if named else (Match.OTHER, "no PostgreSQL")
    if isinstance(found, str):
        return Match.UNKNOWN, found
    if pinned.database is not None and found.databases and pinned.database not in found.databases:
        return Match.OTHER, str(found)
    if pinned.host is None or pinned.servers & found.servers:
        return Match.SAME, str(found)
    if named:
        return Match.UNKNOWN, _NAMED
    answers = [_by_address(host, pinned, addresses) for host in found.hosts]
    return next((each for each in (Match.SAME, Match.UNKNOWN) if each in answers), Match.OTHER), str(found)


def _by_address(host: str, pinned: Pin, addresses: Addresses) -> Match:
    """The same database by name, on a host of another name: it may be an address or an alias of the same server."""
    special = (_LOCAL, "neon ", "supabase ")
    if any(name.startswith(special) for name in (_server(host), *pinned.servers)):
        return Match.OTHER
    theirs, ours = addresses(host), addresses(pinned.host or "")
    if theirs is None or (theirs and ours is None):
        return Match.UNKNOWN
    if theirs & (ours or frozenset()):
        return Match.SAME
    # Somebody wrote an address because the name is not known here.
    return Match.UNKNOWN if not ours and _is_address(host) else Match.OTHER


def _hosts(netloc: str) -> list[str]:
    """The hosts before the path; libpq and some drivers take several, divided by commas."""
    hosts = []
    for text in netloc.rpartition("@")[2].split(","):
        host = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
        hosts.append(unquote(host))
    return [host for host in hosts if host]


def _server(host: str) -> str:
    """One name for all names that are known to be the same server's."""
    name = unquote(host).strip().lower().rstrip(".")
    if name.startswith("/") or name in (*_LOCAL_NAMES, socket.gethostname().lower()):
        return _LOCAL
    if name.endswith(".localhost") or (_is_address(name) and ipaddress.ip_address(name.strip("[]")).is_loopback):
        return _LOCAL
    label, _, rest = name.partition(".")
    if rest.endswith(("neon.tech", "neon.build")):
        return f"neon {label.removesuffix('-pooler')}"
    if found := _SUPABASE.fullmatch(name):
        return f"supabase {found[1]}"
    return f"{label.removesuffix('-pooler')}.{rest}" if rest else label


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def look_up(host: str) -> frozenset[str] | None:
    """See `Addresses`; asks the system's resolver."""
    found: list[frozenset[str]] = []

    def ask() -> None:
        try:
            addresses = (str(each[4][0]) for each in socket.getaddrinfo(host, None))
            found.append(frozenset(each.removeprefix("::ffff:") for each in addresses))
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                found.append(frozenset())
        except (OSError, UnicodeError):
            return

    # A resolver has no time limit of its own, and one that hangs must not keep the process from ending.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_LOOKUP_SECONDS)
    return found[0] if found else None
