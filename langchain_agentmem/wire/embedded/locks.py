"""Two file locks in the data directory decide who may start a server and when it ends.

- `users.lock`, shared, is held by every user. When nobody holds it any more, the keeper (keeper.py) ends the server.
- `serving.lock`, exclusive, is held by the server and its keeper. Who can take it may start a server on this data; who
  cannot, waits for the one that is there to answer. So there are never two servers on the same data.

The kernel drops a lock however its holder ends. It belongs to the open file, so a forked child holds it too; no lock is
ever released but by closing the file, as that leaves the child its share.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

USERS = "users.lock"
SERVING = "serving.lock"


def open_lock(lock: Path) -> int:
    """Open a lock file, made where it is missing. The descriptor is not inherited by other programs."""
    return os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)


def share(lock: int) -> bool:
    """Try to take the shared lock, without waiting."""
    return _take(lock, fcntl.LOCK_SH)


def own(lock: int) -> bool:
    """Try to take the exclusive lock, without waiting."""
    return _take(lock, fcntl.LOCK_EX)


def is_shared(lock: Path) -> bool:
    """Whether somebody holds a share of the lock. False where the file is gone."""
    return _probe(lock, lambda probe: not own(probe) and share(probe))


def is_owned(lock: Path) -> bool:
    """Whether somebody holds the lock exclusively. False where the file is gone."""
    return _probe(lock, lambda probe: not share(probe))


def _probe(lock: Path, answer: Callable[[int], bool]) -> bool:
    try:
        probe = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return answer(probe)
    finally:
        os.close(probe)


def _take(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
