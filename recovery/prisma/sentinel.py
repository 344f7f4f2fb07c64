"""Proves that the project's Prisma connects to the URL that we give it (RULES F2).

A configuration can read its URL from a variable that no pattern finds. The evidence would then come from one database,
and the command would go to another. So a command that changes nothing is run first, with the URL of a listener of
ours in every variable that the project could read. Only a connection there proves that we decide where Prisma goes.
"""

import hashlib
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

from recovery.config import Config, inherited
from recovery.files import cache_folder
from recovery.prisma.cli import PrismaCli, Status
from recovery.prisma.project import Launcher, Project, find_launcher
from states.handover import START_SECONDS, start_limit

_ACCEPT_SECONDS = 0.05
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMPORTS = re.compile(r"""(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(?:"([^"]*)"|'([^']*)')""")
_HARMLESS = {"prisma/config", "@prisma/config", "@prisma/adapter-pg", "dotenv/config", "node:path", "path"}
_READS = re.compile(r"readFile|loadEnvFile|\bconfig\s*\(|\brequire\s*\(\s*[^\s\"']|\bimport\s*\(\s*[^\s\"']")
#: Raised when the meaning of a proof changes, which makes older proofs void.
_VERSION = 1


def fingerprint(project: Project, launcher: Launcher, environ: Mapping[str, str]) -> str:
    """A digest of all that a proof rests on.

    It covers how the CLI is started, its configuration, and the values of the variables that the configuration
    mentions. Paths are relative to the project's root, so a copy of the project elsewhere has the same digest.
    """
    started = tuple(part.replace(str(project.root), ".") for part in launcher.argv)
    digest = hashlib.sha256(repr((_VERSION, started, launcher.version, project.url_variables)).encode())
    texts = []
    for path in _configuration(project):
        content = path.read_bytes()
        texts.append(content.decode(errors="replace"))
        digest.update(repr((os.path.relpath(path, project.root), hashlib.sha256(content).hexdigest())).encode())
    mentioned = {word for text in texts for word in _NAME.findall(text)} - set(project.url_variables)
    for name in sorted(mentioned & set(environ)):
        digest.update(repr((name, hashlib.sha256(environ[name].encode()).hexdigest())).encode())
    return digest.hexdigest()


def _configuration(project: Project) -> tuple[Path, ...]:
    schemas = sorted(project.schema.rglob("*.prisma")) if project.schema.is_dir() else [project.schema]
    beside = project.schema if project.schema.is_dir() else project.schema.parent
    others = [project.config, project.root / "package.json", project.root / ".env", beside / ".env"]
    return tuple(path for path in (*schemas, *others) if path is not None and path.is_file())


def lasting(project: Project) -> bool:
    """Whether a proof may be kept: only inputs that the fingerprint covers decide where the CLI connects.

    A configuration that imports or reads another file can change its meaning without a change of its own text.
    """
    if project.config is None:
        return True
    text = project.config.read_text("utf-8", errors="replace")
    imported = {a or b for a, b in _IMPORTS.findall(text)}
    return imported <= _HARMLESS and not _READS.search(text)


def proven(
    cli: PrismaCli,
    clock: Callable[[], float] = time.monotonic,
    stopped: Callable[[], bool] = lambda: False,
    seconds: float = START_SECONDS,
) -> bool | None:
    """Runs `prisma migrate status` against a listener of ours.

    Args:
        cli: the project's CLI.
        clock: a monotonic clock, in seconds.
        stopped: tells that the answer is no longer needed.
        seconds: the time-out; the command usually connects within about one second.

    Returns:
        True if the command connected to the listener; False if it ended without; None if it was still running at the
        time-out, or `stopped` said so.

    Raises:
        UsageError: `prisma.not_started`.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_ACCEPT_SECONDS)
        port = listener.getsockname()[1]
        url = f"postgresql://sentinel:{secrets.token_hex(8)}@127.0.0.1:{port}/sentinel?connect_timeout=5"
        running = cli.start(Status(), url=url)
        deadline = clock() + seconds
        try:
            while clock() < deadline and not stopped():
                ended = running.poll() is not None
                try:
                    listener.accept()[0].close()
                except TimeoutError:
                    if ended:
                        return False
                else:
                    return True
            return None
        finally:
            running.kill_group()
            running.wait()


class Sentinel:
    """The proof of where the project's Prisma connects, kept between runs under its fingerprint."""

    def __init__(
        self,
        folder: Path,
        key: str | None,
        prove: Callable[[Callable[[], bool]], bool | None],
        setting: float | None = None,
    ) -> None:
        """Starts nothing.

        Args:
            folder: the folder in which proofs are kept.
            key: the fingerprint; None if the proof must not be kept.
            prove: makes the proof; its argument tells whether the answer is no longer needed.
            setting: the seconds that Prisma may take to start; None if they follow from how long it took here.
        """
        self._proof = None if key is None else folder / "sentinel" / key
        self._prove = prove
        self._setting = setting
        self._seconds = 0.0
        self._closed = Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sentinel")
        self._answer: Future[bool | None] | None = None

    @property
    def kept(self) -> bool:
        """Whether an earlier run has made the proof, and its fingerprint is unchanged."""
        return self._proof is not None and self._proof.exists()

    @property
    def start_limit(self) -> float:
        """Seconds that a Prisma command may take to start, from how long this one took, now or when it was kept."""
        known = self._seconds
        if not known and self._proof is not None:
            with suppress(OSError, ValueError):
                known = float(self._proof.read_text())
        return start_limit(known, self._setting)

    def begin(self) -> Future[bool | None]:
        """Begins to make the proof in the background, unless one is kept; the CLI takes about a second to start."""
        if self._answer is None and self.kept:
            self._answer = Future()
            self._answer.set_result(True)
        elif self._answer is None:
            self._answer = self._thread.submit(self._found)
        return self._answer

    @property
    def answered(self) -> bool:
        """Whether `holds` would answer at once."""
        return self._answer is not None and self._answer.done()

    def holds(self) -> bool | None:
        """Whether Prisma connects to the URL that we give it; None if it is unknown. Waits for the answer.

        A proof is kept for later runs; a failure to prove is not.

        Raises:
            UsageError: the CLI could not be started.
        """
        return self.begin().result()

    def close(self) -> None:
        """Stops a proof that is still being made."""
        self._closed.set()
        self._thread.shutdown()

    def _found(self) -> bool | None:
        began = time.monotonic()
        found = self._prove(self._closed.is_set)
        if found:
            self._seconds = time.monotonic() - began
        if found and self._proof is not None:
            with suppress(OSError):  # a proof that can't be kept is made again by the next run, which only costs time
                self._proof.parent.mkdir(parents=True, exist_ok=True)
                self._proof.write_text(f"{self._seconds:.2f}")
        return found


def sentinel(known: Project, config: Config, environ: Mapping[str, str]) -> Sentinel:
    """The sentinel for a project; the proof is not begun yet.

    Raises:
        PreflightError: `prisma.version_8`.
        UsageError: `prisma.not_found`.
    """
    launcher, environment = find_launcher(known, config.prisma.command), inherited(environ)
    cli = PrismaCli(known, launcher, environment)
    key = None
    with suppress(OSError):  # an unreadable file is reported by the code that needs it
        key = fingerprint(known, launcher, environment) if lasting(known) else None
    setting = config.prisma.start_seconds
    seconds = start_limit(0.0, setting)
    return Sentinel(cache_folder(), key, lambda stopped: proven(cli, stopped=stopped, seconds=seconds), setting)
