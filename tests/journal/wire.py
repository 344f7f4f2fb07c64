"""A wire between a journal and its server that can be cut at a chosen moment."""

import contextlib
import select
import socket
import threading
from typing import Literal, Self

Cut = Literal["", "before it arrives", "at once", "before the answer"]


class Wire:
    """Listens on a port of its own, and passes on what it gets until the next event is to be written.

    Attributes:
        cut: what happens to the connection that sends the next event: it is cut before the event reaches the
            server, as soon as it has, or once the server has answered, and before the journal hears of it.
        refusals: as many connections are closed at once before one gets through.
        awake: nobody gets through before it is set.
        knocked: somebody wants to.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._kept: list[socket.socket] = []
        self.cut: Cut = ""
        self.refusals = 0
        self.awake = threading.Event()
        self.awake.set()
        self.knocked = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Where to connect to."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Nobody gets through any more, and who was through is cut off."""
        for each in (self._listener, *self._kept):
            with contextlib.suppress(OSError):  # the other end may have been first
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusals > 0:
                self.refusals -= 1
                client.close()
                continue
            self._kept.append(client)
            self.knocked.set()
            self.awake.wait()
            server = socket.create_connection(self._server)
            self._kept.append(server)
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if server in ready:
                    client.sendall(_some(server))
                if client in ready:
                    sent = _some(client)
                    if self.cut and b"INSERT INTO prisma_recovery" in sent:
                        self._end(client, server, sent)
                        return
                    server.sendall(sent)
        except (OSError, ValueError):
            for each in (client, server):
                each.close()

    def _end(self, client: socket.socket, server: socket.socket, sent: bytes) -> None:
        how, self.cut = self.cut, ""
        if how != "before it arrives":
            server.sendall(sent)
        if how == "before the answer":
            _some(server)
        client.shutdown(socket.SHUT_RDWR)


def _some(end: socket.socket) -> bytes:
    received = end.recv(65536)
    if not received:
        raise OSError("closed")
    return received
