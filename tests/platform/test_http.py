"""The client: what it waits for, what it gives up on, and what it never says."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from recovery.errors import UnreachableError
from recovery.platform.http import Api, Token, find_token
from tests.platform.conftest import SHORT, TOKEN, Answer, Platform

GOOD = Answer({"it": "is"})


def failure(api: Api, path: str = "/x") -> UnreachableError:
    """What asking ends in; it never shows the token."""
    with pytest.raises(UnreachableError) as caught:
        api.get(path)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert TOKEN not in f"{chain!s}{chain!r}"
        chain = chain.__cause__
    api.close()
    return caught.value


def test_an_answer(platform: Platform) -> None:
    """The token and the parameters go out, and the object comes back."""
    platform.says("/x", GOOD)
    api = platform.api()
    assert api.get("/x", a="1 2") == {"it": "is"}
    api.close()
    (asked,) = platform.asked
    assert (asked.token, asked.query) == (f"Bearer {TOKEN}", {"a": "1 2"})


@pytest.mark.parametrize("status", [423, 429, 500, 502, 503, 504])
def test_trouble_that_passes(platform: Platform, status: int) -> None:
    """It is asked again, a few times."""
    platform.says("/x", Answer({}, status), Answer({}, status), GOOD)
    api = platform.api()
    assert api.get("/x") == {"it": "is"}
    api.close()
    assert len(platform.asked) == 3


def test_trouble_that_stays(platform: Platform) -> None:
    """After so many attempts it is given up."""
    platform.says("/x", Answer({}, 503))
    error = failure(platform.api())
    assert (error.code, len(platform.asked)) == ("platform.unavailable", 3)
    assert "status 503" in error.fact


def test_the_wait_that_is_asked_for(platform: Platform) -> None:
    """`Retry-After` is kept to, as long as that is not too long; a longer one ends the attempts."""
    waited: list[float] = []
    api = Api("The platform", platform.url, Token(TOKEN), SHORT, sleep=waited.append)
    platform.says("/x", Answer({}, 429, {"Retry-After": "4"}), Answer({}, 429), GOOD)
    assert api.get("/x") == {"it": "is"}
    assert waited == [4.0, 0.02]
    platform.says("/y", Answer({}, 429, {"Retry-After": "600"}), GOOD)
    assert failure(api, "/y").code == "platform.unavailable"
    assert waited == [4.0, 0.02]


@pytest.mark.parametrize("status", [401, 403, 404, 302, 400])
def test_a_no_is_final(platform: Platform, status: int) -> None:
    """It is not asked again, and a redirection is not followed with the token."""
    platform.says("/x", Answer({"error": {"message": f"no, {TOKEN}"}}, status, {"Location": "https://example.com/"}))
    error = failure(platform.api())
    assert (error.code, len(platform.asked)) == ("platform.refused", 1)
    assert f"status {status} (no, ***)" in error.fact


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b"[1]", b'"x"', b'{"it": '])
def test_an_answer_that_is_none(platform: Platform, body: bytes) -> None:
    """What is no JSON object is no answer."""
    platform.says("/x", Answer(body))
    assert failure(platform.api()).code == "platform.malformed"


def test_an_answer_that_does_not_end(platform: Platform) -> None:
    """It is given up in time, and asked for again."""
    platform.says("/x", Answer({"it": "is"}, slow=True))
    error = failure(platform.api())
    assert (error.code, len(platform.asked)) == ("platform.unavailable", 3)
    assert "no answer in time" in error.fact


def test_nobody_there() -> None:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = failure(Api("The platform", f"http://127.0.0.1:{port}", Token(TOKEN), SHORT, sleep=lambda _: None))
    assert error.code == "platform.unavailable"
    assert "no connection" in error.fact


def test_all_pages(platform: Platform) -> None:
    """Every page is read, by what the one before it says."""
    platform.says("/x", Answer({"all": [{"n": 1}], "pagination": {"next": "b"}}))
    platform.says("/x?b", Answer({"all": [{"n": 2}], "pagination": {"next": 3}}))
    platform.says("/x?3", Answer({"all": [{"n": 3}], "pagination": {"next": None}}))
    api = platform.api()
    assert [each["n"] for each in api.pages("/x", "all", "cursor", a="1")] == [1, 2, 3]
    api.close()
    assert [asked.query.get("a") for asked in platform.asked] == ["1", "1", "1"]


@pytest.mark.parametrize("page", [{}, {"all": {}}, {"all": [1]}, {"all": [], "pagination": {"next": "b"}}])
def test_pages_that_are_none(platform: Platform, page: object) -> None:
    """A list that is missing, or that never ends, is not taken for an empty one."""
    platform.says("/x", Answer(page))
    platform.says("/x?b", Answer(page))
    api = platform.api()
    with pytest.raises(UnreachableError) as caught:
        list(api.pages("/x", "all", "cursor"))
    api.close()
    assert caught.value.code == "platform.malformed"


@pytest.mark.parametrize(("answer", "attempts"), [(Answer({}, 500), 1), (GOOD, 1), (Answer({}, 423), 3)])
def test_nothing_is_made_twice(platform: Platform, answer: Answer, attempts: int) -> None:
    """What may have been made is not asked for again; what was certainly not, is."""
    platform.says("/x", answer)
    api = platform.api()
    try:
        assert api.post("/x", {"a": 1}) == {"it": "is"}
    except UnreachableError as error:
        assert error.code == "platform.unavailable"  # noqa: PT017 - one of the cases succeeds
    api.close()
    assert [asked.body for asked in platform.asked] == [{"a": 1}] * attempts


def test_the_token(tmp_path: Path) -> None:
    """It comes from the variable, or from the file where one is named; it is shown nowhere."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert find_token("T", None, {"T": f" {TOKEN} "}).value == TOKEN
    assert find_token("T", file, {"T": "other"}).value == TOKEN
    assert TOKEN not in repr(find_token("T", file, {}))
    file.write_text(f"{TOKEN}\nand more")
    for variable, path in (("T", None), ("T", tmp_path / "none"), ("T", file)):
        with pytest.raises(UnreachableError) as caught:
            find_token(variable, path, {})
        assert caught.value.code == "platform.token"
        assert TOKEN not in str(caught.value)


def test_who_asks_no_platform_does_not_load_the_client() -> None:
    """`--help`, and a session without a platform, do without httpx."""
    program = "import sys; import recovery.cli.running, recovery.cli.inspecting; assert 'httpx' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
