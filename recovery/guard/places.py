"""Production as it is pinned, and whether a URL leads there."""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qs, unquote, urlsplit

#: How long to wait for the addresses of a host name; a slower answer counts as none.
_LOOKUP_SECONDS = 2.0
_LOCAL = "this machine"
_LOCAL_NAMES = ("localhost", "ip6-localhost", "0.0.0.0", "::")  # noqa: S104 - names
_POSTGRES = frozenset({"postgres", "postgresql"})
_NAMED = "it contains the host of production in an unexpected place"
_SUPABASE = re.compile(r"db\.([a-z0-9]+)\.supabase\.(?:co|com|in|net)")

#: Looks up the addresses of a host name: an empty set for a name that does not exist; None without an answer.
Addresses = Callable[[str], frozenset[str] | None]


class Match(Enum):
    """Whether a URL leads to production."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Pin:
    """One production database.

    Attributes:
        host: the host as it was given; None for any host.
        servers: names of its server, as `_server` normalises them.
        database: name of the database; None for any database.
        source: where this is said, for people.
    """

    host: str | None
    servers: frozenset[str]
    database: str | None
    source: str

    def __str__(self) -> str:
        return " on ".join(part for part in (self.database, self.host) if part)


@dataclass(frozen=True, slots=True)
class Place:
    """The server and database that a URL leads to. Holds no secret.

    Attributes:
        hosts: the hosts as written.
        servers: names of the server, as `_server` normalises them.
        databases: possible names of the database, since drivers read a path of several parts differently; empty for
            the default database.
    """

    hosts: tuple[str, ...]
    servers: frozenset[str]
    databases: frozenset[str]

    def __str__(self) -> str:
        return " on ".join(part for part in (" or ".join(sorted(self.databases)), ",".join(self.hosts)) if part)


def pin(host: str | None, database: str | None, source: str) -> Pin:
    """The production database with this host and name; None in the place of either means any."""
    return Pin(host, frozenset({_server(host)}) if host else frozenset(), database, source)


def pin_of(url: str, source: str) -> Pin | None:
    """The production database that a URL leads to; None if the URL can't be read."""
    found = place(url)
    if not isinstance(found, Place):
        return None
    return Pin(found.hosts[0], found.servers, next(iter(found.databases), None), source)


def place(url: str) -> Place | str | None:
    """The place that a URL leads to; None if that is no PostgreSQL; a text with the reason if it is unclear."""
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
        return None if local else "its URL leads to Prisma's own service, which hides the database behind it"
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
    """Whether a URL leads to production.

    Ports don't count, since a pooler of the same server listens on another one. Nor do users and schemas.

    Returns:
        The answer; and the place that the URL leads to, or why that is unclear, for people.
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
    """Whether a host of another name is production's server, under an address or an alias."""
    special = (_LOCAL, "neon ", "supabase ")
    if any(name.startswith(special) for name in (_server(host), *pinned.servers)):
        return Match.OTHER
    theirs, ours = addresses(host), addresses(pinned.host or "")
    if theirs is None or (theirs and ours is None):
        return Match.UNKNOWN
    if theirs & (ours or frozenset()):
        return Match.SAME
    # If production's name has no address here, this address may have been written in its place.
    return Match.UNKNOWN if not ours and _is_address(host) else Match.OTHER


def _hosts(netloc: str) -> list[str]:
    """The hosts in a URL's authority; libpq and some drivers take several, separated by commas."""
    hosts = []
    for text in netloc.rpartition("@")[2].split(","):
        host = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
        hosts.append(unquote(host))
    return [host for host in hosts if host]


def _server(host: str) -> str:
    """The normalised name of a host's server: the same for all names known to mean the same server."""
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
    """The addresses of a host name from the system's resolver; see `Addresses`."""
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

    # A daemon thread, since the resolver has no time limit and must not keep the process from ending.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_LOOKUP_SECONDS)
    return found[0] if found else None
