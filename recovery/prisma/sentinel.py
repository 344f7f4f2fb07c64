"""Proving that the project's Prisma goes where we send it (RULES F2).

A configuration can read its URL from a variable that no pattern sees: the evidence would come from one database,
and the command would go to another. So a command that changes nothing is first run with a URL that leads to
a listener of our own, in every variable that the project could read; only a connection there proves that we choose.
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

#: The command connects within about a second; one that hasn't by then will not.
SECONDS = 30.0
_ACCEPT_SECONDS = 0.05
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMPORTS = re.compile(r"""(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(?:"([^"]*)"|'([^']*)')""")
_HARMLESS = {"prisma/config", "@prisma/config", "@prisma/adapter-pg", "dotenv/config", "node:path", "path"}
_READS = re.compile(r"readFile|loadEnvFile|\bconfig\s*\(|\brequire\s*\(\s*[^\s\"']|\bimport\s*\(\s*[^\s\"']")
#: Raised when what a proof means changes: older ones are void then.
_VERSION = 1


def fingerprint(project: Project, launcher: Launcher, environ: Mapping[str, str]) -> str:
    """Names all that a proof rests on: how the CLI is started, its configuration, the variables it mentions.

    Paths count from the project's root: the same project elsewhere has the same proof.
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
    """A proof may be kept: nothing outside of what the fingerprint covers has a say in where commands go.

    A configuration that imports a file of its own, or reads one, can change without its own text changing.
    """
    if project.config is None:
        return True
    text = project.config.read_text("utf-8", errors="replace")
    imported = {a or b for a, b in _IMPORTS.findall(text)}
    return imported <= _HARMLESS and not _READS.search(text)


def proven(
    cli: PrismaCli, clock: Callable[[], float] = time.monotonic, stopped: Callable[[], bool] = lambda: False
) -> bool | None:
    """Runs `prisma migrate status` against a listener of ours.

    Args:
        cli: the project's.
        clock: seconds, monotonic.
        stopped: nobody waits for the answer any more.

    Returns:
        True if it came there; None if it was still at work, in the end.

    Raises:
        UsageError: `prisma.not_started`.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_ACCEPT_SECONDS)
        port = listener.getsockname()[1]
        url = f"postgresql://sentinel:{secrets.token_hex(8)}@127.0.0.1:{port}/sentinel?connect_timeout=5"
        running = cli.start(Status(), url=url)
        deadline = clock() + SECONDS
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
    """The proof, kept between runs by what it rests on."""

    def __init__(self, folder: Path, key: str | None, prove: Callable[[Callable[[], bool]], bool | None]) -> None:
        """Takes its means.

        Args:
            folder: where proofs are kept.
            key: the fingerprint; None where a proof must not be kept.
            prove: makes the proof; what it is given says whether it may stop.
        """
        self._proof = None if key is None else folder / "sentinel" / key
        self._prove = prove
        self._closed = Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sentinel")
        self._answer: Future[bool | None] | None = None

    @property
    def kept(self) -> bool:
        """It was proven earlier, and nothing that the proof rests on has changed."""
        return self._proof is not None and self._proof.exists()

    def begin(self) -> Future[bool | None]:
        """Begins to make the proof where none is kept, beside whatever else goes on: a CLI takes a second to start."""
        if self._answer is None and self.kept:
            self._answer = Future()
            self._answer.set_result(True)
        elif self._answer is None:
            self._answer = self._thread.submit(self._found)
        return self._answer

    @property
    def answered(self) -> bool:
        """Nobody would have to wait for `holds`."""
        return self._answer is not None and self._answer.done()

    def holds(self) -> bool | None:
        """Commands go where we send them; None: it can't be told. A proof outlives this process, a failure does not.

        Raises:
            UsageError: the CLI could not be started.
        """
        return self.begin().result()

    def close(self) -> None:
        """Ends a proof that nobody waited for."""
        self._closed.set()
        self._thread.shutdown()

    def _found(self) -> bool | None:
        found = self._prove(self._closed.is_set)
        if found and self._proof is not None:
            with suppress(OSError):  # one that can't be kept is made again, which costs time, nothing more
                self._proof.parent.mkdir(parents=True, exist_ok=True)
                self._proof.touch()
        return found


def sentinel(known: Project, config: Config, environ: Mapping[str, str]) -> Sentinel:
    """The proof of where the project's Prisma goes, not begun.

    Raises:
        PreflightError: `prisma.unsupported`.
        UsageError: there is no Prisma to be started.
    """
    launcher, environment = find_launcher(known, config.prisma.command), inherited(environ)
    cli = PrismaCli(known, launcher, environment)
    key = None
    with suppress(OSError):  # what can't be read is said by whoever needs it
        key = fingerprint(known, launcher, environment) if lasting(known) else None
    return Sentinel(cache_folder(), key, lambda stopped: proven(cli, stopped=stopped))
