"""Runs an embedded server and ends it with its last user. A script, started by launch.py; standard library only.

The keeper asks for the users' lock exclusively and so sleeps in the kernel until no user is left, however they ended.
Who comes while the server is ending waits for a share of the lock until the keeper has gone.

Arguments: the users' lock file; the directory of the socket, which is removed at the end; the descriptor of the lock
that says the data is being served; the command that runs the server.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

GRACE = 5.0  # seconds from SIGTERM to SIGKILL
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(users_lock: str, socket_dir: str, serving: str, *command: str) -> None:
    """Start the server, wait for its end or bring it about, and remove its socket's directory."""
    users = os.open(users_lock, os.O_RDWR)
    if os.fork():
        os._exit(0)  # the starter reaps this process; the keeper itself is nobody's child
    try:
        server = subprocess.Popen(  # noqa: S603 - the command comes from the starter, without a shell
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=[int(serving)],  # the data counts as served while either process lives
            preexec_fn=_end_with_parent(),  # noqa: PLW1509 - this process has no threads yet
        )
        threading.Thread(target=_end_after_users, args=(server, users), daemon=True).start()
        server.wait()
    except OSError as error:  # that the directory is gone is how the starter learns of it: what was wrong is said first
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        shutil.rmtree(socket_dir, ignore_errors=True)


def _end_after_users(server: subprocess.Popen[bytes], users: int) -> None:
    fcntl.flock(users, fcntl.LOCK_EX)  # held until this process ends, after the server
    server.terminate()
    time.sleep(GRACE)
    server.kill()


def _end_with_parent() -> Callable[[], object] | None:
    """What makes a child of this process end when this process is killed; only Linux has it."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    main(*sys.argv[1:])
