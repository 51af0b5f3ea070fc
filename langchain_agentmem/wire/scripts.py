"""The server-side steps: each `.lua` file beside this module, with its KEYS and ARGV contract in its header.

A file may name others that it builds on in a first line `-- uses: name, name`; their text is put before its own, once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

_USES = re.compile(r"\A-- uses: (.+)\n")


@cache
def _source(name: str) -> str:
    return "\n".join(_parts(name).values())


def _parts(name: str) -> dict[str, str]:
    """The texts of a script and of all that it builds on, by name, in the order in which they go to the server."""
    text = files(__package__).joinpath(f"{name}.lua").read_text("utf-8")
    uses = _USES.match(text)
    parts: dict[str, str] = {}
    for part in uses[1].split(",") if uses else []:
        parts |= _parts(part.strip())
    return parts | {name: text}


class Script:
    """A Lua script by name. Calling it makes a command for `Connection.send`."""

    __slots__ = ("name", "sha", "source")

    def __init__(self, name: str) -> None:
        self.name = name
        self.source = _source(name)
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], args: Sequence[Any] = ()) -> ScriptCall:
        """The command that runs this script on `keys`, which must share one hash tag, with `args`."""
        return ScriptCall(self, keys, args)


class ScriptCall(NamedTuple):
    """One run of a script: a command like any other."""

    script: Script
    keys: Sequence[str]
    args: Sequence[Any]

    def by_sha(self) -> tuple[Any, ...]:
        """The short form, for a server that has the script."""
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args)

    def in_full(self) -> tuple[Any, ...]:
        """The form that also loads the script."""
        return ("EVAL", self.script.source, len(self.keys), *self.keys, *self.args)
