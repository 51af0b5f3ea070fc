"""What goes wrong at a command, told in one line that names the remedy."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from langchain_agentmem.errors import AgentMemoryError

_AWAY = "Is the server running, and is its URL (REDIS_URL or --url) right?"

# What a server's refusal begins with, or redis-py makes of that, and what to do about it.
_REMEDIES: tuple[tuple[str, str], ...] = (
    ("NOPERM|NoPermissionError", "See what this user may do there (ACL WHOAMI, ACL GETUSER)."),
    ("WRONGTYPE", "A key of another program lies in the way: another --prefix keeps them apart."),
    ("OOM|OutOfMemoryError", "Its maxmemory is reached: raise it, or have it hold less."),
    ("NOAUTH|WRONGPASS|AuthenticationError", "Put user and password into the URL: redis://user:password@host:6379."),
    ("LOADING|BusyLoadingError", "It has just started and reads its data; try again in a moment."),
    ("READONLY|ReadOnlyError", "It is a replica: name its master in the URL."),
    ("MASTERDOWN|MasterDownError", "It is a replica without its master: name that, or wait until it is back."),
    ("CLUSTERDOWN|ClusterDownError", "A part of the cluster is away: see CLUSTER INFO."),
    ("NOREPLICAS", "Fewer replicas follow it than it needs to write (min-replicas-to-write)."),
    ("MISCONF", "It cannot save to its disk: see its log."),
    ("BUSY", "A script keeps it busy: wait, or end that (SCRIPT KILL)."),
    ("DB index is out of range", "The number of the database at the end of the URL is too high for it."),
    ("max number of clients reached", "Raise its maxclients, or close what is connected."),
)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the process with one line on stderr and exit code 1 where the user, the server or a file is at fault.

    An error of any other kind is a fault of this package, and keeps its traceback.
    """
    try:
        try:
            yield
        finally:
            _flush()  # or a full disk would be found out at the very end, with a traceback
    except BrokenPipeError:  # who reads the output has enough
        _write_no_more()
        raise SystemExit(1) from None
    except _told() as error:
        if isinstance(error, OSError):
            _write_no_more()
        sys.stderr.write(f"agentmem: {tell(error)}\n")
        raise SystemExit(1) from None


def _told() -> tuple[type[Exception], ...]:
    """What is told in one line. Asked for where something went wrong: to import the Redis client takes its time."""
    from langchain_agentmem.wire.connection import REDIS_ERRORS

    return AgentMemoryError, *REDIS_ERRORS, OSError


def prepare_streams() -> None:
    """Open what the caller has closed, and show a letter that the terminal does not know as "?" instead of failing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def tell(error: Exception) -> str:
    """The error as one line."""
    from langchain_agentmem.wire.connection import LOST_CONNECTION

    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, AgentMemoryError):
        return words
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror or words}."
    words = words.rstrip(".")
    if remedy := _remedy(f"{type(error).__name__} {words}"):
        return f"The server refused: {words}. {remedy}"
    away = isinstance(error, LOST_CONNECTION) or words.startswith("Redis Cluster cannot be connected")
    return f"{words}. {_AWAY}" if away else f"The server refused: {words}."


def _remedy(words: str) -> str | None:
    found = ((re.search(rf"\b(?:{sign})\b", words), remedy) for sign, remedy in _REMEDIES)
    return next((remedy for match, remedy in found if match), None)


def _flush() -> None:
    if not sys.stdout.closed:
        sys.stdout.flush()


def _write_no_more() -> None:
    """What could not be written would be tried again when the interpreter ends, in vain and with a traceback."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
