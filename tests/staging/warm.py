"""Processes of `prisma-recovery` without the time that Python takes to load it: forked from one that has it loaded.

Each is a process of its own, with the folder, environment and descriptors that it is given; `main` is called in it as
the console script calls it, and the interpreter is left as ever. Only what is done before `main` is left out, so a
test of that (or of the command line that `/proc` shows) starts the console script instead.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tests.staging.cache import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: What the console script calls.
MAIN = "recovery.cli:main"
#: What is loaded for the first command that begins with that word, since others never need it.
LATER = {"fleet": "dbos"}
#: Longest request: an environment, and arguments.
REQUEST_BYTES = 256 * 1024
_NUMBER = struct.Struct("i")


class Process:
    """One that was started, as far as `subprocess.Popen` would be used of it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.pid = self._read()
        self.returncode: int | None = None

    def wait(self, timeout: float) -> int:
        """Its exit code (negative: the signal that ended it), once it has ended.

        Raises:
            TimeoutError: it hasn't.
        """
        if self.returncode is None:
            self._channel.settimeout(timeout)
            self.returncode = self._read()
            self._channel.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code; None as long as it is at work."""
        try:
            return self.wait(0)
        except (TimeoutError, BlockingIOError):
            return None

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _read(self) -> int:
        read = self._channel.recv(_NUMBER.size)
        if len(read) < _NUMBER.size:
            raise RuntimeError("The process that others are forked from has ended")
        number: int = _NUMBER.unpack(read)[0]
        return number


class Nursery:
    """Starts processes. Ends itself with the process that made it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                # Not `-m`: the program's name in what it says would come from the module.
                [sys.executable, "-c", f"from tests.staging import warm; warm.begin({theirs.fileno()})"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        descriptors: tuple[int, int, int],
        main: str = MAIN,
    ) -> Process:
        """Starts one: `main` (module and function), with these arguments, and standard input, output and error."""
        ours, theirs = socket.socketpair()
        request = json.dumps({"main": main, "arguments": [*arguments], "cwd": str(cwd), "env": {**env}}).encode()
        with self._lock, theirs:
            socket.send_fds(self._requests, [request], [theirs.fileno(), *descriptors])
        return Process(ours)

    def close(self) -> None:
        """Ends it. What it has started goes on."""
        self._requests.close()
        self._process.wait()


@functools.cache
def nursery() -> Nursery:
    """One for the whole process."""
    made = Nursery()
    atexit.register(made.close)
    return made


def run(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float) -> tuple[int, str, str]:
    """Runs `prisma-recovery`, and nobody can be asked; exit code, standard output, standard error.

    Raises:
        TimeoutError: it was ended.
    """
    with (
        Path(os.devnull).open("rb") as nothing,
        os.fdopen(os.memfd_create("out"), "rb") as out,
        os.fdopen(os.memfd_create("err"), "rb") as err,
    ):
        process = nursery().start(
            arguments, cwd=cwd, env=env, descriptors=(nothing.fileno(), out.fileno(), err.fileno())
        )
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        # Not `read`: the offset is shared with what wrote there, and may go on writing.
        said = [os.pread(each.fileno(), os.fstat(each.fileno()).st_size, 0).decode() for each in (out, err)]
        return code, said[0], said[1]


@dataclass(frozen=True)
class _Request:
    main: str
    arguments: list[str]
    cwd: str
    env: dict[str, str]
    descriptors: list[int]

    def become(self) -> Callable[[], Any]:
        """Makes this process what was asked for; returns what it is to do."""
        for number, descriptor in enumerate(self.descriptors):
            os.dup2(descriptor, number)
        os.closerange(len(self.descriptors), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        os.chdir(self.cwd)
        os.environ.clear()
        os.environ.update(self.env)
        time.tzset()
        sys.stdin = _text(0, "r")
        sys.stdout = _text(1, "w")
        sys.stderr = _text(2, "w", "backslashreplace")
        program = Path(sys.executable).with_name("prisma-recovery")
        sys.argv = [str(program), *self.arguments]
        sys.path[0] = str(program.parent)
        module, _, function = self.main.partition(":")
        main: Callable[[], Any] = getattr(importlib.import_module(module), function)
        return main


def _text(descriptor: int, mode: str, errors: str = "strict") -> TextIO:
    stream: Any = os.fdopen(descriptor, mode, 1, encoding="utf-8", errors=errors)
    return stream  # type: ignore[no-any-return]


def _serve(requests: socket.socket) -> Callable[[], Any] | None:
    """Forks a process for each request, and tells its end; in each such process returns what that is to do."""
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        channels: dict[int, tuple[int, int]] = {}
        while True:
            for key, _ in selector.select():
                if key.fileobj is not requests:
                    pid, channel = channels.pop(key.fd)
                    selector.unregister(key.fd)
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    with contextlib.suppress(BrokenPipeError):  # nobody waits for it
                        os.write(channel, _NUMBER.pack(code))
                    os.close(channel)
                    os.close(key.fd)
                    continue
                read, passed, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 4)
                if not read:
                    return None
                channel, *descriptors = passed
                request = _Request(**json.loads(read), descriptors=descriptors)
                if later := LATER.get(" ".join(request.arguments[:1])):
                    importlib.import_module(later)
                pid = os.fork()
                if pid == 0:
                    return request.become()
                os.write(channel, _NUMBER.pack(pid))
                for each in descriptors:
                    os.close(each)
                watch = os.pidfd_open(pid)
                channels[watch] = pid, channel
                selector.register(watch, selectors.EVENT_READ)


def _load() -> None:
    for package in ("recovery", "states"):
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.startswith("recovery.testing"):
                importlib.import_module(found.name)
    gc.collect()
    gc.freeze()


def begin(requests: int) -> None:
    """Loads all that a recovery may need, and forks processes, until the end of this socket."""
    _load()
    if (work := _serve(socket.socket(fileno=requests))) is not None:
        work()
