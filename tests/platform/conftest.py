"""A platform on this machine: real sockets, and answers as the test says."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from recovery.platform.http import Api, Limits, Token

TOKEN = "napi_s3cret"  # noqa: S105 - nobody's
#: Short enough that a platform which never answers is given up at once.
SHORT = Limits(connect=1.0, answer=0.3, attempts=3, patience=5.0, pause=0.01)


@dataclass
class Answer:
    """One answer.

    Attributes:
        body: JSON; or bytes, sent as they are.
        slow: it is never finished: until the platform is closed.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    slow: bool = False


@dataclass
class Asked:
    """One request, as it came."""

    method: str
    path: str
    query: dict[str, str]
    token: str
    body: Any


class Platform:
    """Answers each path with its answers in turn, the last one again and again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        #: As many requests have to be there before one is answered.
        self.together: threading.Barrier | None = None
        platform = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            def do_GET(self) -> None:
                """Reads."""
                platform._answer(self, None)

            def do_POST(self) -> None:
                """Makes."""
                platform._answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Of its API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/api"

    def says(self, path: str, *answers: Answer) -> None:
        """From now on it answers so."""
        self.answers[path] = list(answers)

    def api(self, limits: Limits = SHORT) -> Api:
        """A client of it; no time passes between two attempts."""
        return Api("The platform", self.url, Token(TOKEN), limits, sleep=lambda _: None)

    def close(self) -> None:
        """Ends it."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler, body: object) -> None:
        parts = urlsplit(request.path)
        path = parts.path.removeprefix("/api")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.asked.append(Asked(request.command or "", path, query, request.headers.get("Authorization", ""), body))
        if self.together is not None:
            self.together.wait(30)
        page = query.get("cursor") or query.get("until")
        key = f"{path}?{page}" if page else path
        key = f"{key} {query['state']}" if f"{key} {query.get('state')}" in self.answers else key
        key = f"{request.command} {key}" if f"{request.command} {key}" in self.answers else key
        left = self.answers.get(key, [Answer({"message": "not found"}, 404)])
        answer = left.pop(0) if len(left) > 1 else left[0]
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content) + answer.slow))
        request.end_headers()
        request.wfile.write(content)
        if answer.slow:
            request.wfile.flush()
            self.closing.wait(60)


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform without answers."""
    one = Platform()
    yield one
    one.close()
