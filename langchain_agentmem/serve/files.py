"""Files that a command writes: what is there already is replaced by what is complete, or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import click

_STDOUT = 1  # its descriptor


@contextmanager
def writing(path: str) -> Iterator[IO[str]]:
    """Open a file to write. `-` is the standard output.

    A regular file appears, or replaces the one before, when all is written and on the disk; where writing fails or is
    interrupted, it is as if nothing had been tried. A pipe or a device gets what is written as it comes.

    Raises:
        OSError: It cannot be written; the error names it.
    """
    there = _status(path)
    if path == "-" or (there and os.path.samestat(there, os.fstat(_STDOUT))):  # /dev/stdout is neither replaced nor cut
        with click.open_file("-", "w", encoding="utf-8") as file:
            yield file
            file.flush()
    elif there and not stat.S_ISREG(there.st_mode):
        with Path(path).open("w", encoding="utf-8") as file:
            yield file
    else:
        with _replacing(Path(path).resolve(), there) as file:  # a link stays one
            yield file


@contextmanager
def _replacing(place: Path, before: os.stat_result | None) -> Iterator[IO[str]]:
    beside = place.with_name(f".agentmem-{secrets.token_hex(8)}")
    try:
        with beside.open("x", encoding="utf-8") as file:
            if before:
                beside.chmod(stat.S_IMODE(before.st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(place)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(place), None
        raise


def _status(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except FileNotFoundError:
        return None
