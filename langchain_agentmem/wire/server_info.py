"""What a server says it is: flavour, version and the modules that matter here, read from its replies to INFO. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_FLAVOURS = ("valkey", "dragonfly", "redis")  # the others also report the redis_version they are compatible with


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
    def read(cls, server: Mapping[str, Any], modules: Mapping[str, Any]) -> Self:
        """Read the parsed replies to `INFO server` and `INFO modules`."""
        flavour = next((name for name in _FLAVOURS if f"{name}_version" in server), "unknown")
        loaded = {module["name"].lower(): _dotted(int(module["ver"])) for module in modules.get("modules", ())}
        return cls(
            flavour=flavour,
            version=str(server.get(f"{flavour}_version", "unknown")),
            search=loaded.get("search"),
            json=loaded.get("rejson") or loaded.get("json"),
        )

    def __str__(self) -> str:
        search = f"search {self.search}" if self.search else "no search"
        json = f"JSON {self.json}" if self.json else "no JSON"
        return f"{self.flavour} {self.version} ({search}, {json})"


def parse_info(text: bytes) -> dict[str, Any]:
    """The text of an INFO reply in redis-py's shape: values by name, and under "modules" a list of mappings."""
    lines = [line.partition(":") for line in text.decode().splitlines() if ":" in line]
    modules = [_fields(value) for name, _, value in lines if name == "module"]
    return {name: value for name, _, value in lines if name != "module"} | ({"modules": modules} if modules else {})


def _fields(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def _dotted(number: int) -> str:
    """Module versions are numbers: 21005 is 2.10.5."""
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
