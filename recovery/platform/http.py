"""A client for a platform's HTTP API, with limits on time, attempts and size; it never shows its token."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, stop_any
from tenacity.stop import stop_base

from recovery.errors import RecoveryError, UnreachableError, UsageError
from recovery.secrets import Redactor

if TYPE_CHECKING:
    import httpx

#: Status codes that pass by themselves: too many requests, locked by another operation, an error of the platform.
_TRANSIENT = frozenset({423, 429, 500, 502, 503, 504})
#: Those of them that say for certain that the request was not carried out.
_NOT_DONE = frozenset({423, 429})
_TOO_MANY = 429
_MOST_BYTES = 8 << 20
_MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds, and how often a platform is asked.

    Attributes:
        connect: time-out for opening a connection.
        answer: time-out for one answer, up to its last byte.
        attempts: how many requests may be sent for one answer.
        patience: time from the first request to the last one's start; a platform that asks for a longer wait
            (`Retry-After`) gets no further request.
        pause: wait before the second request; doubled before each further one.
    """

    connect: float = 3.0
    answer: float = 10.0
    attempts: int = 4
    patience: float = 20.0
    pause: float = 0.5


LIMITS = Limits()


class _AgainError(Exception):
    """A request failed in a way that passes: another attempt may get an answer.

    Attributes:
        after: seconds to wait, as the platform asked by `Retry-After`; None if it did not ask.
    """

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


def _asked(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.after if isinstance(error, _AgainError) else None


class _TooLong(stop_base):
    """A stop condition of tenacity: the platform asks for a longer wait than we accept."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        return (_asked(retry_state) or 0.0) > self._seconds


@dataclass(frozen=True, slots=True)
class Token:
    """A platform's access token or API key; neither `repr` nor `str` shows it."""

    value: str

    def __repr__(self) -> str:
        return "Token(***)"


def find_token(variable: str, file: Path | None, environment: Mapping[str, str]) -> Token:
    """The token from `file` if one is named, else from the environment variable.

    Raises:
        UnreachableError: `platform.token`: there is no token, or the text found cannot be one.
    """
    place = f"the variable {variable}" if file is None else f"the file {file}"
    try:
        value = (environment.get(variable, "") if file is None else file.read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _no_token(f"{place} cannot be read", place) from error
    if not value:
        raise _no_token(f"{place} holds no token", place)
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise _no_token(f"{place} holds a text that cannot be a token", place)
    return Token(value)


class Api:
    """The API of one platform. Answers are JSON objects."""

    def __init__(
        self,
        name: str,
        url: str,
        token: Token,
        limits: Limits = LIMITS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet.

        Args:
            name: the platform's name, for people.
            url: base URL, to which each path is appended.
            token: sent with every request, and shown nowhere.
            limits: how long and how often the platform is asked.
            sleep: waits the given number of seconds.
            clock: seconds, monotonic.
        """
        self._name = name
        self._url = url.rstrip("/")
        self._token = token
        self._limits = limits
        self._sleep = sleep
        self._clock = clock
        self._redact = Redactor(token.value)
        self._client: httpx.Client | None = None

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        """The answer to a GET request, which is sent again after a failure that passes.

        Raises:
            UnreachableError: `platform.refused`, `platform.unavailable`, `platform.malformed`.
        """
        return self._ask("GET", path, parameters, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a POST request, which is sent again only if it was certainly not carried out.

        Raises:
            UnreachableError: as `get`. After `platform.unavailable` the request may have been carried out or not.
        """
        return self._ask("POST", path, {}, body)

    def pages(self, path: str, key: str, cursor: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """The objects of a paginated list, page after page.

        Args:
            path: the list's path.
            key: the key under which each page has its objects.
            cursor: the query parameter that takes a page's `pagination.next`.
            parameters: query parameters of every page.

        Raises:
            UnreachableError: as `get`.
        """
        seen: set[str] = set()
        while True:
            page = self.get(path, **parameters)
            objects = page.get(key)
            if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
                raise self._malformed(path, f"it has no list of {key}")
            yield from objects
            pagination = page.get("pagination")
            following = pagination.get("next") if isinstance(pagination, dict) else None
            if not following:
                return
            if str(following) in seen or len(seen) >= _MOST_PAGES:
                raise self._malformed(path, "its pages do not end")
            seen.add(str(following))
            parameters = {**parameters, cursor: str(following)}

    def close(self) -> None:
        """Closes the HTTP connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, method: str, path: str, parameters: dict[str, str], body: dict[str, Any] | None) -> dict[str, Any]:
        retrying = Retrying(
            retry=retry_if_exception_type(_AgainError),
            stop=stop_any(
                stop_after_attempt(self._limits.attempts),
                stop_after_delay(self._limits.patience),
                _TooLong(self._limits.patience),
            ),
            wait=self._pause,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, method, path, parameters, body)
        except _AgainError as error:
            raise self._unavailable(path, str(error)) from error

    def _pause(self, state: RetryCallState) -> float:
        asked = _asked(state)
        return float(asked if asked is not None else self._limits.pause * 2 ** (state.attempt_number - 1))

    def _once(self, method: str, path: str, parameters: dict[str, str], body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            import httpx  # noqa: PLC0415 - it takes 0.1 s to load, and is needed only if a platform is asked
        except ModuleNotFoundError as error:
            raise UsageError(
                "platform.not_installed",
                f"{self._name} is asked over HTTP, and the package httpx, which does that, is not installed. "
                "It was not asked.",
                "Install prisma-recovery[platforms] in the place of prisma-recovery.",
            ) from error

        if self._client is None:
            self._client = httpx.Client(
                headers={"Authorization": f"Bearer {self._token.value}", "Accept": "application/json"},
                timeout=httpx.Timeout(self._limits.answer, connect=self._limits.connect),
                follow_redirects=False,
            )
        begun, content = self._clock(), bytearray()
        try:
            with self._client.stream(method, f"{self._url}{path}", params=parameters, json=body) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    # httpx limits the time of each read only, so an answer that comes in drips would never end.
                    if self._clock() - begun > self._limits.answer:
                        raise httpx.ReadTimeout("it was not read to its end in time")
                    if len(content) > _MOST_BYTES:
                        raise self._malformed(path, "it is too long")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _AgainError(why=f"no connection ({type(error).__name__})") from error
        except httpx.TransportError as error:
            why = "no answer in time" if isinstance(error, httpx.TimeoutException) else type(error).__name__
            if body is None:
                raise _AgainError(why=why) from error
            raise self._unavailable(path, f"{why}; whether the request was carried out is not known") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._malformed(path, type(error).__name__) from error
        return self._read(response, bytes(content), path, making=body is not None)

    def _read(self, response: "httpx.Response", content: bytes, path: str, *, making: bool) -> dict[str, Any]:
        import json  # noqa: PLC0415 - as httpx

        status = response.status_code
        if status in (_NOT_DONE if making else _TRANSIENT):
            raise _AgainError(why=f"status {status}", after=_seconds(response.headers.get("Retry-After")))
        if status in _TRANSIENT:
            raise self._unavailable(path, f"status {status}; whether the request was carried out is not known")
        try:
            answer = json.loads(content)
        except ValueError as error:
            if response.is_success:
                raise self._malformed(path, "it is not JSON") from error
            answer = {}
        if not response.is_success:
            said = self._redact(_message(answer))
            raise UnreachableError(
                "platform.refused",
                f"{self._name} answered {path} with status {status}{f' ({said})' if said else ''}.",
                "Check that the token is valid and may read this project, and that the project's name or id is right.",
            )
        if not isinstance(answer, dict):
            raise self._malformed(path, "it is not a JSON object")
        return answer

    def _unavailable(self, path: str, why: str) -> RecoveryError:
        return UnreachableError(
            "platform.unavailable",
            f"{self._name} did not answer {path}: {self._redact(why)}.",
            f"Run again, or look at the status page of {self._name}.",
        )

    def _malformed(self, path: str, why: str) -> RecoveryError:
        return UnreachableError(
            "platform.malformed",
            f"The answer of {self._name} to {path} cannot be understood: {self._redact(why)}.",
            "Run again. If the answer stays the same, the API has changed: report it.",
        )


def _no_token(fact: str, place: str) -> UnreachableError:
    return UnreachableError(
        "platform.token", f"{fact[0].upper()}{fact[1:]}.", f"Put the platform's token into {place}."
    )


def _seconds(value: str | None) -> float | None:
    """The seconds of a `Retry-After` header; None if it is missing, or a date, which we do not wait for."""
    return float(value) if value is not None and value.strip().isdigit() else None


def _message(answer: object) -> str:
    """The message in an error's answer, shortened. Neon has it under `message`, Vercel under `error.message`."""
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error")
    said = error.get("message") if isinstance(error, dict) else answer.get("message")
    return said[:200] if isinstance(said, str) else ""
