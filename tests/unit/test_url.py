"""Connection URLs: what is read, what psycopg and Prisma are given, and that no password shows."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from recovery.errors import UsageError
from recovery.postgres.url import DatabaseUrl, parse

NEON = "postgresql://owner:s%40cret@ep-cool-1.eu.aws.neon.tech/shop?sslmode=require&channel_binding=require"


def failure(url: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(url)
    return caught.value


def test_a_url_is_taken_apart() -> None:
    """Its parts are decoded, and the schema has Prisma's default."""
    url = parse("postgres://us%65r:p%40ss@DB.example.com:5433/my%20db?schema=shop")
    assert (url.host, url.port, url.database, url.user, url.schema) == (
        *("DB.example.com", 5433, "my db", "user", "shop"),
    )
    assert url.has_password
    assert (parse("postgresql://h/d").port, parse("postgresql://h/d").schema) == (5432, "public")
    assert not parse("postgresql://u@h/d").has_password


def test_prismas_parameters_are_kept_from_libpq() -> None:
    """To libpq go its own parameters, and none of those that only Prisma knows."""
    url = parse(
        NEON + "&schema=shop&connection_limit=1&pool_timeout=0&pgbouncer=true&socket_timeout=5"
        "&statement_cache_size=0&sslaccept=strict&sslidentity=c.p12&sslpassword=x&sslcert=c.pem&connect_timeout=7"
    )
    assert conninfo_to_dict(url.conninfo) == {
        "host": "ep-cool-1.eu.aws.neon.tech",
        "port": "5432",
        "dbname": "shop",
        "user": "owner",
        "password": "s@cret",
        "sslmode": "require",
        "channel_binding": "require",
        "connect_timeout": "7",
    }


def test_a_client_certificate_of_libpq_is_kept() -> None:
    """With `sslkey` the parameters are libpq's own."""
    info = conninfo_to_dict(parse("postgresql://u@h/d?sslkey=k.pem&sslcert=c.pem").conninfo)
    assert (info["sslkey"], info["sslcert"]) == ("k.pem", "c.pem")


def test_no_parameter_leads_libpq_to_another_database() -> None:
    """What libpq would follow and Prisma would not is left out: both must reach one database."""
    info = conninfo_to_dict(
        parse("postgresql://u:p@h/d?dbname=e&port=1&user=v&hostaddr=10.0.0.1&service=s&password=q").conninfo
    )
    assert info == {"host": "h", "port": "5432", "dbname": "d", "user": "u", "password": "p"}


def test_a_socket_is_a_host() -> None:
    """`host=/folder` names a socket; Prisma wants a host beside it."""
    url = parse("postgresql://postgres:@/shop?host=/tmp/Sock")
    assert url.host == "/tmp/Sock"  # noqa: S108 - nothing is made there
    assert conninfo_to_dict(url.conninfo)["host"] == url.host
    assert url.prisma_url("x") == "postgresql://postgres:@localhost/shop?host=/tmp/Sock&application_name=x"
    assert parse("postgresql://u@%2Ftmp%2FSock/shop").host == url.host
    assert parse("postgresql://u@[::1]:5433/shop").host == "::1"


def test_prisma_gets_the_url_as_it_was_given() -> None:
    """Only the session's name is added, or replaced."""
    assert parse(NEON).prisma_url("ours 1") == NEON + "&application_name=ours%201"
    replaced = parse("postgresql://u:p%2Fw@h/d?application_name=theirs&schema=s").prisma_url("ours")
    assert replaced == "postgresql://u:p%2Fw@h/d?schema=s&application_name=ours"
    assert parse("postgresql://h/d").prisma_url("ours") == "postgresql://h/d?application_name=ours"


@pytest.mark.parametrize(
    ("url", "pooled"),
    [
        (NEON, False),
        (NEON.replace("ep-cool-1", "ep-cool-1-pooler"), True),
        ("postgresql://u@h:6543/d", True),
        ("postgresql://u@h/d?pgbouncer=true", True),
    ],
)
def test_a_poolers_url_is_recognised(url: str, *, pooled: bool) -> None:
    """Neon's pooler host, pgbouncer's usual port, and Prisma's own parameter tell a pooler."""
    assert parse(url).pooled is pooled


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "url.malformed"),
        ("not a url", "url.malformed"),
        ("postgresql://", "url.malformed"),
        ("postgresql://h", "url.malformed"),
        ("postgresql://u:hunter2@/d", "url.malformed"),
        ("postgresql://u:hunter2@h:x/d", "url.malformed"),
        ("postgresql://u:hunter2@h:99999/d", "url.malformed"),
        ("postgresql://u:hunt/er2@h/d", "url.malformed"),
        ("postgresql://u:1/hunter2@h", "url.malformed"),
        ("postgresql://u:12?hunter2@h/d", "url.malformed"),
        ("postgresql://u:hunter2#x@h/d", "url.malformed"),
        ("postgresql://u:hunter2@[::1/d", "url.malformed"),
        ("postgresql://u:hunter2@h\u2100/d", "url.malformed"),
        ("postgresql://u:hunter2@h/d%00", "url.malformed"),
        ("postgresql://u:hunter2\udcff@h/d", "url.malformed"),
        ("mysql://u:hunter2@h/d", "url.scheme"),
        ("file:./hunter2.db", "url.scheme"),
        ("prisma://accelerate.prisma-data.net/?api_key=hunter2", "url.scheme"),
        ("prisma+postgres://accelerate.prisma-data.net/?api_key=hunter2", "url.scheme"),
        ("hunter2://u@h/d", "url.scheme"),
    ],
)
def test_what_is_no_direct_postgresql_url_is_refused(url: str, code: str) -> None:
    """What cannot be used is refused without showing it, also in the chain of causes."""
    error = failure(url)
    assert error.code == code
    assert "hunter2" not in str(error)
    assert error.__cause__ is None


def shown(url: DatabaseUrl) -> str:
    return f"{url!r} {url}"


@given(
    password=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\0"), min_size=12, max_size=30),
    raw=st.booleans(),
)
def test_no_password_ever_shows(password: str, *, raw: bool) -> None:
    """Well-formed or not: neither what is shown of a URL nor an error holds the password."""
    secret = f"Zq7{password}"
    try:
        text = shown(parse(f"postgresql://user:{secret if raw else quote(secret, safe='')}@host:5432/db?schema=s"))
    except UsageError as error:
        assert raw
        text = f"{error!r} {error} {error.fact} {error.remedy} {error.__cause__!r}"
    assert "Zq7" not in text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20))
def test_any_encoded_password_arrives(password: str) -> None:
    """The decoded password goes to psycopg, the encoded one to Prisma."""
    encoded = quote(password, safe="")
    url = parse(f"postgresql://u:{encoded}@h/d")
    assert conninfo_to_dict(url.conninfo)["password"] == password
    handed = urlsplit(url.prisma_url("n"))
    assert handed.password == encoded
    assert parse_qs(handed.query) == {"application_name": ["n"]}
