"""A real pgbouncer in front of a staged server, gone when the process that started it is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psycopg

from tests.staging.postgres import START_SECONDS, STOP_SECONDS, WATCHDOG, Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Debian's path of pgbouncer, which is on root's PATH only.
_PLACES = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
# pgbouncer inherits an ignored SIGQUIT from the shell.
_WATCHDOG = WATCHDOG.replace("kill -QUIT", "kill -TERM")
_SETTINGS = """
[databases]
* = host={host} port={backend} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = {clients}
"""


@contextmanager
def start_pooler(
    server: Server, mode: Literal["session", "transaction", "statement"], *, size: int = 20, clients: int = 100
) -> Iterator[str]:
    """Run a pooler, and yield its part of a URL: user, host and port.

    Args:
        server: The server behind it, which has to trust `postgres`.
        mode: pgbouncer's `pool_mode`, which says when a session returns its backend.
        size: Backends per database.
        clients: Sessions that it accepts.
    """
    program = shutil.which("pgbouncer", path=_PLACES)
    if program is None:
        raise ServerError("There is no pgbouncer: run scripts/test, which installs it, or apt-get install pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    with socket.create_server((server.host, 0)) as probe:
        port = probe.getsockname()[1]
    file = folder / "pgbouncer.ini"
    file.write_text(
        _SETTINGS.format(host=server.host, backend=server.port, port=port, mode=mode, size=size, clients=clients)
    )
    folder.chmod(0o755)
    # pgbouncer refuses to run as root, but the shell that removes the folder afterwards may.
    other = ("-u", "nobody") if os.geteuid() == 0 else ()
    shell = subprocess.Popen(
        ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(folder), program, "-q", *other, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    place = f"postgres@{server.host}:{port}"
    try:
        _wait(shell, place)
        yield place
    finally:
        if shell.stdin is not None:
            shell.stdin.close()
        shell.wait(STOP_SECONDS)


def _wait(shell: subprocess.Popen[bytes], place: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and shell.poll() is None:
        try:
            psycopg.connect(f"postgresql://{place}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.01)
        else:
            return
    raise ServerError("pgbouncer did not start")
