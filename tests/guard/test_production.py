"""Whether a URL leads to the database that is pinned as production."""

import pytest

from recovery.guard.places import Match, Pin, compare, pin, pin_of

NAMES = {
    "db.example.com": frozenset({"192.0.2.1"}),
    "alias.example.com": frozenset({"192.0.2.1", "192.0.2.9"}),
    "::ffff:192.0.2.1": frozenset({"192.0.2.1"}),
    "192.0.2.1": frozenset({"192.0.2.1"}),
    "192.0.2.2": frozenset({"192.0.2.2"}),
    "dev.example.com": frozenset({"192.0.2.2"}),
    "gone.example.com": frozenset(),
}
PLAIN = pin("db.example.com", "app", "here")
NEON = pin("ep-cool-name-123456.us-east-2.aws.neon.tech", "app", "here")
SUPABASE = pin("db.abcdef.supabase.co", "postgres", "here")


def answer(url: str, pinned: Pin = PLAIN) -> Match:
    """With a resolver that knows NAMES, and nothing of others."""
    return compare(url, pinned, NAMES.get)[0]


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("postgresql://u:p@db.example.com/app", PLAIN),
        ("postgres://u:p@DB.Example.COM.:6543/app?schema=other", PLAIN),
        ("postgresql://db.example.com", PLAIN),
        ("postgresql://db.example.com/app/more", PLAIN),
        ("postgresql://[::ffff:192.0.2.1]/app", PLAIN),
        ("postgresql://u:p@db%2Eexample.com/%61pp", PLAIN),
        ("postgresql://u:p@localhost/app?host=db.example.com", PLAIN),
        ("postgresql://u:p@localhost,db.example.com:1/app", PLAIN),
        ("postgresql://u:p@localhost/dev?host=db.example.com&dbname=app", PLAIN),
        ("postgresql://u:p@alias.example.com/app", PLAIN),
        ("postgresql://u:p@192.0.2.1/app", PLAIN),
        ("postgresql://u:p@ep-cool-name-123456.us-east-2.aws.neon.tech/app", NEON),
        ("postgresql://u:p@ep-cool-name-123456-pooler.us-east-2.aws.neon.tech/app", NEON),
        ("postgresql://u:p@ep-cool-name-123456-pooler.c-2.us-east-2.aws.neon.tech/app?pgbouncer=true", NEON),
        ("postgresql://u:p@pg.neon.tech/app?options=endpoint%3Dep-cool-name-123456", NEON),
        ("postgresql://postgres.abcdef:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres", SUPABASE),
        ("postgresql://u:p@[::1]:5433/app", pin("localhost", "app", "here")),
        ("postgresql://u@/app?host=/run/postgresql", pin("127.0.0.1", "app", "here")),
        ("postgresql://u@anywhere/app", pin(None, "app", "here")),
        ("postgresql://u@db.example.com/other", pin("db.example.com", None, "here")),
    ],
)
def test_production_is_recognised(url: str, pinned: Pin) -> None:
    """By any of its names: case, port, pooler, socket, address, alias."""
    assert answer(url, pinned) is Match.SAME


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("postgresql://u:p@db.example.com/app_dev", PLAIN),
        ("postgresql://u:p@localhost:5432/app", PLAIN),
        ("postgresql://u:p@dev.example.com/app", PLAIN),
        ("postgresql://u:p@gone.example.com/app", PLAIN),
        ("postgresql://u:p@ep-other-987654.us-east-2.aws.neon.tech/app", NEON),
        ("postgresql://postgres.other:p@aws-0-eu-central-1.pooler.supabase.com/postgres", SUPABASE),
        ("file:./dev.db", PLAIN),
        ("mysql://u:p@localhost/app", PLAIN),
        ("https://app.example.com", PLAIN),
        ("production", PLAIN),
        ("prisma+postgres://localhost:51213/?api_key=x", PLAIN),
    ],
)
def test_another_database_is_another(url: str, pinned: Pin) -> None:
    """Of another name, or on another server, or of another kind."""
    assert answer(url, pinned) is Match.OTHER


@pytest.mark.parametrize(
    "url",
    [
        "prisma://accelerate.prisma-data.net/?api_key=x",
        "prisma+postgres://accelerate.prisma-data.net/?api_key=x",
        "postgresql://u:p@[::1/app",
        "postgresql://u:p@nobody-knows/app",
        "mysql://u:p@db.example.com/app",
        "db.example.com",
        "postgresql://u:p@localhost/app?proxy=db.example.com",
    ],
)
def test_what_cannot_be_told_is_unknown(url: str) -> None:
    """A proxy of Prisma's, a malformed URL, a name that nobody resolves, production's host where none belongs."""
    assert answer(url) is Match.UNKNOWN


def test_an_address_is_unknown_where_the_name_of_production_is() -> None:
    """Somebody who has no name service writes an address."""
    hidden = pin("internal.example.com", "app", "here")
    names = {"10.0.0.5": frozenset({"10.0.0.5"}), "dev": frozenset({"10.0.0.6"}), "internal.example.com": frozenset()}
    assert compare("postgresql://u@10.0.0.5/app", hidden, names.get)[0] is Match.UNKNOWN
    assert compare("postgresql://u@dev/app", hidden, names.get)[0] is Match.OTHER


def test_nothing_secret_is_said() -> None:
    """What is said of a URL holds neither user nor password."""
    for url in ("postgresql://user:hunter2@db.example.com/app", "postgresql://user:hunter2@[x/app"):
        assert "hunter2" not in str(compare(url, PLAIN, NAMES.get))
    assert "hunter2" not in str(pin_of("postgresql://user:hunter2@db.example.com/app", "here"))
