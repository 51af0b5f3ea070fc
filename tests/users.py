"""Users of embedded servers, in this process and in others, and what became of their servers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer, installed_programs

PLAIN = installed_programs(modules=False)[:1]
USER = """
import sys
from langchain_agentmem.wire.embedded import EmbeddedServer
server = EmbeddedServer.start(*sys.argv[1:], modules=False)
print(server.url, server.pid, flush=True)
sys.stdin.read()
"""


def ask(server: EmbeddedServer | str, *command: str) -> object:
    with Connection(server if isinstance(server, str) else server.url) as connection:
        return run(connection.send(command))[0]


def alive(server: EmbeddedServer) -> bool:
    return ask(server, "ECHO", "here") == b"here"


def start(path: Path | None = None) -> EmbeddedServer:
    return EmbeddedServer.start(path, programs=PLAIN)


def socket_of(url: str) -> Path:
    return Path(url.removeprefix("unix://"))


def gone(pid: int) -> bool:
    """Whether a process has ended. One that only waits to be reaped has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] in {"", "Z"}


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60  # a machine may be busy
    while not condition():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.01)


class User:
    """Another process that uses a server until its standard input ends."""

    def __init__(self, *path: Path) -> None:
        command = [sys.executable, "-c", USER, *map(str, path)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url, pid = self.process.stdout.readline().split()
        self.server_pid = int(pid)

    def end(self) -> None:
        self.process.communicate()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def user(*path: Path) -> Iterator[User]:
    other = User(*path)
    try:
        yield other
    finally:
        other.kill()


def fork(body: Callable[[], object]) -> int:
    """Run `body` in a forked child; its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            body()
            status = 0
        finally:
            os._exit(status)
    return child


def exit_status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
