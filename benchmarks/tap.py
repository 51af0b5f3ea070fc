"""A tap on a unix socket: passes everything on to a server, and counts bytes and round trips."""

from __future__ import annotations

import contextlib
import selectors
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

_BLOCK = 1 << 20


class Tap:
    """Listens on a socket of its own while in `with`.

    Args:
        url: `unix://` address of the server behind it.

    Attributes:
        url: Address of the tap.
        sent: Bytes that went to the server.
        received: Bytes that came back.
        trips: How often a client that had its answer (or had just come) spoke again.
    """

    def __init__(self, url: str) -> None:
        self._target = unquote(urlsplit(url).path)
        self._folder = tempfile.TemporaryDirectory(prefix="agentmem-tap-")
        path = str(Path(self._folder.name) / "tap.sock")
        self.url = f"unix://{path}"
        self.sent = self.received = self.trips = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._folder.cleanup()

    @contextmanager
    def counting(self) -> Iterator[list[int]]:
        """Yields a list that holds, after the block, what happened in it: bytes sent, bytes received, trips."""
        before = self.sent, self.received, self.trips
        counted: list[int] = []
        yield counted
        counted += [now - then for now, then in zip((self.sent, self.received, self.trips), before, strict=True)]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        answered = True
        with client, server, selectors.DefaultSelector() as ready, contextlib.suppress(ConnectionError):
            ready.register(client, selectors.EVENT_READ)
            ready.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    block = key.fileobj.recv(_BLOCK)  # type: ignore[union-attr]
                    if not block:
                        return
                    if key.fileobj is client:
                        self.sent += len(block)
                        self.trips += answered
                        answered = False
                        server.sendall(block)
                    else:
                        self.received += len(block)
                        answered = True
                        client.sendall(block)
