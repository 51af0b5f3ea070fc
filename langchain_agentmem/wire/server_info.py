"""What a server says it is: flavour, version and the modules that matter here, read from the text of INFO. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_MODULE = re.compile(r"^module:name=(\w+),ver=(\d+)", re.MULTILINE)
_FLAVOURS = ("valkey", "dragonfly", "redis")  # the others also report a redis_version, the one they are compatible with


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server is.

    Attributes:
        flavour: "redis", "valkey" or "dragonfly".
        version: Its own version, not the one it is compatible with.
        search: Version of the search module, or None.
        json: Version of the JSON module, or None.
    """

    flavour: str
    version: str
    search: str | None
    json: str | None

    @classmethod
    def read(cls, server: bytes, modules: bytes) -> Self:
        """Read the replies to `INFO server` and `INFO modules`."""
        facts = parse_info(server)
        flavour = next((name for name in _FLAVOURS if f"{name}_version" in facts), "unknown")
        loaded = {name.lower(): _dotted(int(number)) for name, number in _MODULE.findall(modules.decode())}
        return cls(
            flavour=flavour,
            version=facts.get(f"{flavour}_version", "unknown"),
            search=loaded.get("search"),
            json=loaded.get("rejson") or loaded.get("json"),
        )

    def __str__(self) -> str:
        search = f"search {self.search}" if self.search else "no search"
        json = f"JSON {self.json}" if self.json else "no JSON"
        return f"{self.flavour} {self.version} ({search}, {json})"


def parse_info(text: bytes) -> dict[str, str]:
    """The `name:value` lines of an INFO reply."""
    pairs = (line.partition(":") for line in text.decode().splitlines())
    return {name: value for name, colon, value in pairs if colon}


def _dotted(number: int) -> str:
    """Module versions are numbers: 21005 is 2.10.5."""
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
