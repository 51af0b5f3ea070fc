"""Runs the demo page: a private memory server, an agent and a web server, until it is interrupted."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import webbrowser
from contextlib import suppress

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.errors import ConfigurationError

_PATIENCE = 2  # seconds that open requests are given at the end


def serve(
    memory_path: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    open_browser: bool = True,
) -> None:
    """Serve the demo page on this machine until Ctrl-C. Its address is shown, and opened in the browser.

    Args:
        memory_path: Data directory of the embedded server. None: nothing is kept.
        host: An address of this machine itself; the page is for its user alone.
        port: Where to listen; 0 takes a free one.
        open_browser: Whether to open the page.

    Raises:
        ConfigurationError: `host` is not a loopback address, the port is taken, or the extra `web` is not installed.
        EmbeddedServerError: No memory server could be started.
    """
    try:
        import uvicorn

        from langchain_agentmem.serve.web.app import build_app
        from langchain_agentmem.serve.web.playground import Playground
    except ModuleNotFoundError as error:
        raise ConfigurationError(f'{error.name} is missing: pip install "langchain-agentmem[web]"') from error

    class Server(uvicorn.Server):
        """Tells where it listens, and lets go of the pages that wait for events when it ends."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            sys.stdout.write(f"The demo page is at {url} - Ctrl-C ends it.\n")
            sys.stdout.flush()
            if open_browser:
                webbrowser.open(url)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            playground.feed.close()
            await super().shutdown(sockets)

    with _listen(host, port) as listener:
        url = _url(listener)
        with AgentMemory.embedded(memory_path, checkpoint_events=True) as memory:
            playground = Playground(memory)
            config = uvicorn.Config(
                build_app(playground),
                lifespan="on",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_PATIENCE,
            )
            with suppress(KeyboardInterrupt):  # raised again by uvicorn, when all is closed
                Server(config).run([listener])


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(f"host: {host!r} is not this machine; the page is for its user only, use 127.0.0.1")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"port: cannot listen on {host} port {port} ({error}); 0 takes a free one") from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if listener.family == socket.AF_INET6 else f"http://{host}:{port}/"
