"""What goes wrong at a command, told in one line that names the remedy."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from langchain_agentmem.errors import AgentMemoryError
from langchain_agentmem.wire.connection import LOST_CONNECTION, REDIS_ERRORS

_TOLD: tuple[type[Exception], ...] = (AgentMemoryError, *REDIS_ERRORS)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """End the process with one line on stderr and exit code 1 where the user or the server is at fault.

    An error of any other kind is a fault of this package, and keeps its traceback.
    """
    try:
        yield
    except _TOLD as error:
        sys.stderr.write(f"agentmem: {tell(error)}\n")
        raise SystemExit(1) from None


def accept_every_letter() -> None:
    """Show a letter that the terminal does not know as "?" instead of failing at it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def tell(error: Exception) -> str:
    """The error as one line."""
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, AgentMemoryError):
        return words
    if isinstance(error, LOST_CONNECTION):
        return f"{words.rstrip('.')}. Is the server running, and is its URL (REDIS_URL or --url) right?"
    return f"The server refused: {words.rstrip('.')}. See what this user may do there (ACL WHOAMI, ACL GETUSER)."
