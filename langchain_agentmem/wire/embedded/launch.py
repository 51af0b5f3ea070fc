"""From a data directory to the socket of the server on it: the one that is there, else a new one.

The socket lies in a directory of its own with a short name, as the system limits its path to about 100 bytes;
`server.sock` in the data directory links to it. A server that is started again gets the same socket where possible, so
that clients of one that crashed find it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from langchain_agentmem.wire.embedded import keeper, locks
from langchain_agentmem.wire.embedded.programs import ServerProgram

_SOCKET = "server.sock"
_LONGEST_TEMP = 60  # bytes of a temp directory's path that leave room in sun_path (104 on macOS, 108 on Linux)
_PAUSE = 0.005  # seconds between two looks at a server that is starting
_PRIVATE = ("--port", "0", "--unixsocketperm", "700", "--save", "", "--maxmemory-policy", "noeviction")
_IN_MEMORY = ("--appendonly", "no")
# Valkey empties a database in another thread by default. The JSON module shares its strings between documents and does
# not lock them, so documents that are written meanwhile corrupt the heap, and the server hangs in its crash report.
_WITH_MODULES = ("--lazyfree-lazy-user-flush", "no")
_ON_DISK = ("--appendonly", "yes", "--appendfsync", "everysec", "--aof-load-truncated", "yes")


class NotReadyError(Exception):
    """A server program did not become ready."""


def private_directory() -> Path:
    """A new directory that only this user can enter (mkdtemp makes it 0700), with a name short enough for a socket."""
    base = tempfile.gettempdir()
    if len(os.fsencode(base)) > _LONGEST_TEMP:
        base = "/tmp"  # noqa: S108 - mkdtemp's own name in it cannot be foreseen
    return Path(tempfile.mkdtemp(prefix="agentmem-", dir=base))


def become_user(home: Path, ends: float) -> int:
    """Take a share of the users' lock. While a server is ending on this data, its keeper holds the lock.

    Args:
        home: The data directory.
        ends: When to give up, on the monotonic clock.

    Returns:
        The descriptor to close when the server is no longer used.
    """
    users = locks.open_lock(home / locks.USERS)
    try:
        while not locks.share(users):
            _pause(ends, "The last server on this data has not ended yet.")
    except BaseException:
        os.close(users)
        raise
    return users


def find_or_launch(home: Path, program: ServerProgram, ends: float, *, kept: bool) -> Path:
    """The socket of the server on this data: the one that is there, else a new one. The caller is a user already.

    Args:
        home: The data directory.
        program: What to start when no server is there.
        ends: When to give up, on the monotonic clock.
        kept: Whether the data is to outlive the server; if not, `home` goes with it.

    Raises:
        NotReadyError: No server answered.
    """
    while True:
        serving = locks.open_lock(home / locks.SERVING)
        try:
            if locks.own(serving):
                return _launch(home, program, serving, ends, kept=kept)
        finally:
            os.close(serving)
        address = (home / _SOCKET).resolve()
        if _answers(address):
            return address
        _pause(ends, "Another server holds this data and does not answer.")


def ask(address: Path, command: str) -> bytes:
    """The reply to one command, over a bare socket: a client's retries would hide what goes wrong during start-up.

    Raises:
        OSError: Nobody answers, or with an error.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        connection.connect(str(address))
        connection.sendall(f"{command}\r\n".encode())
        with connection.makefile("rb") as replies:
            head = replies.readline().rstrip()
            if head.startswith(b"$"):
                return replies.read(int(head[1:]))
            if head.startswith(b"+"):
                return head[1:]
            raise ConnectionError(head.decode(errors="replace") or "The server went away.")


def _answers(address: Path) -> bool:
    try:
        return ask(address, "PING") == b"PONG"
    except OSError:
        return False


def _launch(home: Path, program: ServerProgram, serving: int, ends: float, *, kept: bool) -> Path:
    address = (_socket_directory(home / _SOCKET) if kept else home) / _SOCKET
    options = (*_PRIVATE, *(_ON_DISK if kept else _IN_MEMORY), *(_WITH_MODULES if program.modules else ()))
    options = (*options, "--dir", str(home), "--unixsocket", str(address))
    with (home / "server.log").open("w+b") if kept else tempfile.TemporaryFile() as log:
        _run_keeper(home, address.parent, serving, program.command(*options), log)
        while not _answers(address):
            if not address.parent.exists():  # the keeper removes it when the server has ended
                raise NotReadyError(f"It ended at once. {_tail(log)}")
            _pause(ends, "It did not answer in time.", log)
    if kept:
        (home / _SOCKET).unlink(missing_ok=True)
        (home / _SOCKET).symlink_to(address)
    return address


def _socket_directory(link: Path) -> Path:
    """The directory that `link` points into, made anew; where that cannot be, another one."""
    try:
        last = link.readlink()
        if last.is_socket():  # left by a crash, as no server is on this data now
            last.unlink()
        if last.parent.exists():
            last.parent.rmdir()  # fails unless it is ours and empty
        last.parent.mkdir(mode=0o700)
    except OSError:
        return private_directory()
    return last.parent


def _run_keeper(home: Path, socket_dir: Path, serving: int, command: list[str], log: IO[bytes]) -> None:
    # -I -S: only the standard library, so it starts in milliseconds and nothing in the environment reaches it.
    python = (sys.executable, "-I", "-S", keeper.__file__)
    try:
        subprocess.run(  # noqa: S603 - runs what is installed here, without a shell
            [*python, str(home / locks.USERS), str(socket_dir), str(serving), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[serving],
            cwd="/",
            umask=0o077,  # what the server writes is for this user only, whatever the directory's mode
            start_new_session=True,  # an interrupt from the terminal is for the user, not for the server
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotReadyError(f"Its keeper did not start: {error}. {_tail(log)}") from error


def _tail(log: IO[bytes], size: int = 1500) -> str:
    end = os.fstat(log.fileno()).st_size
    raw = os.pread(log.fileno(), size, max(0, end - size))  # pread: the position in the file is the server's
    text = raw.decode(errors="replace").strip()
    return f"It logged:\n{text}" if text else "It logged nothing."


def _pause(ends: float, message: str, log: IO[bytes] | None = None) -> None:
    if time.monotonic() > ends:
        raise NotReadyError(f"{message} {_tail(log)}" if log else message)
    time.sleep(_PAUSE)
