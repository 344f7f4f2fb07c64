"""No form of a password gets through."""

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.secrets import Redactor

PASSWORD = 'p@ss/w"rd+é?'  # noqa: S105 - made up
URL = f"postgresql://user:{quote(PASSWORD, safe='')}@host/db"


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        quote(PASSWORD, safe="").lower(),
        quote_plus(PASSWORD),
        json.dumps(PASSWORD),
        URL,
    ],
)
def test_every_form_of_a_password_is_replaced(form: str) -> None:
    """Decoded, encoded, in JSON or in its URL: the password is replaced, the rest is left."""
    redacted = Redactor(URL)(f"cannot connect with [{form}] to host")
    assert "***" in redacted
    assert "ss" not in redacted.replace("password", "")
    assert redacted.startswith("cannot connect with [")
    assert redacted.endswith("] to host")


def test_the_password_of_an_unknown_url_is_replaced() -> None:
    """A URL that nobody told of keeps its user and host, not its password."""
    assert Redactor()("at redis://me:hunter2@cache:6379/0 now") == "at redis://me:***@cache:6379/0 now"


@pytest.mark.parametrize(
    "url", ["", "postgresql://h/d", "postgresql://u@h/d", "postgresql://u:@h/d", "nothing", "x://[:1"]
)
def test_without_a_password_text_stays_as_it_is(url: str) -> None:
    """Without a password nothing but the URL itself is replaced."""
    assert Redactor(url)("applied 3 migrations") == "applied 3 migrations"


def test_a_url_that_is_not_well_formed_has_a_password_too() -> None:
    """A password that makes its URL malformed is known all the same."""
    redact = Redactor("postgresql://u:hunt/er2#x@h/d")
    assert "er2" not in redact("invalid port: hunt/er2#x")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4), st.text(st.characters(exclude_categories=["Cs"])))
def test_no_password_gets_through(password: str, around: str) -> None:
    """Whatever stands around it, line by line, the password does not get through."""
    redact = Redactor(f"postgresql://user:{quote(password, safe='')}@host/db")
    text = "".join(redact(line) for line in f"{around} {password} {around}".splitlines(keepends=True))
    if not password.replace("*", "").strip():
        return
    assert password not in text
