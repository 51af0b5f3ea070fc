"""The doctor: asks a server what it is, how it keeps memories, and what they take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.report import Persistence, Ram, Report, Tier
from langchain_agentmem.wire.server_info import ServerInfo

# The tier of each kind of key, the word after the tenant. What is not here counts as "other".
TIER_OF_KIND = {
    "threads": "thread",
    "thread": "thread",
    "sessions": "thread",
    "session": "thread",
    "history": "thread",
    "cache": "thread",
    "events": "events",
    "feed": "events",
    "item": "long-term",
    "items": "long-term",
    "namespaces": "long-term",
    "known": "long-term",
    "facts": "long-term",
    "gone": "long-term",
    "outbox": "promotion",
}
_TIERS = ("thread", "events", "long-term", "promotion", "other")
_PAGE = 1000  # keys of the server that one SCAN passes over

_QUESTIONS: dict[str, tuple[str, ...]] = {
    "server": ("INFO", "server"),
    "modules": ("INFO", "modules"),
    "persistence": ("INFO", "persistence"),
    "ram": ("INFO", "memory"),
}
# A cluster client cannot say which server these are for.
_TO_ONE_SERVER: dict[str, tuple[str, ...]] = {
    "snapshots": ("CONFIG", "GET", "save"),
    "fsync": ("CONFIG", "GET", "appendfsync"),
    "keys": ("DBSIZE",),
}
_LAST_WRITES = {
    "aof_last_write_status": "write to the append-only file",
    "aof_last_bgrewrite_status": "rewrite of the append-only file",
    "rdb_last_bgsave_status": "snapshot",
}


async def diagnose(connection: Connection, keys: Keys, *, limit: int = 20_000) -> Report:
    """Ask the server about itself and measure the keys of one tenant. Changes nothing.

    What the server does not permit, as managed services and narrow users do, is missing in the report and named in it.
    On a cluster the answers are those of one node, and keys are not counted.

    Args:
        connection: The server.
        keys: The tenant.
        limit: How many keys of the server to pass over, two round trips for each thousand. The rest is estimated.

    Raises:
        redis.exceptions.RedisError: The server is not there, or refuses this user altogether.
    """
    questions = _QUESTIONS | ({} if connection.clustered else _TO_ONE_SERVER)
    replies = dict(zip(questions, await connection.send(*questions.values(), return_errors=True), strict=True))
    told = {name: reply for name, reply in replies.items() if not isinstance(reply, Exception)}
    refused = {" ".join(questions[name]): str(replies[name]) for name in questions if name not in told}
    survey = _Survey(connection, keys)
    if "keys" in told:
        await survey.walk(told["keys"], limit)
    return Report(
        scope=keys.base,
        server=ServerInfo.read(told["server"], told.get("modules", {})) if "server" in told else None,
        mode=_mode(told.get("server", {})),
        persistence=_persistence(told),
        ram=_ram(told.get("ram", {})),
        tiers=survey.tiers(),
        share=survey.share,
        refused=tuple(f"{command}: {words}" for command, words in (refused | survey.refused).items()),
    )


def _mode(server: Mapping[str, Any]) -> str | None:
    mode = server.get("server_mode", server.get("redis_mode"))  # Valkey, Redis
    return None if mode is None else str(mode)


def _persistence(told: Mapping[str, Any]) -> Persistence | None:
    state = told.get("persistence", {})
    if "aof_enabled" not in state:
        return None
    return Persistence(
        aof=bool(int(state["aof_enabled"])),
        fsync=_setting(told.get("fsync")),
        snapshots=_setting(told.get("snapshots")),
        failing=tuple(what for name, what in _LAST_WRITES.items() if state.get(name, "ok") != "ok"),
    )


def _ram(state: Mapping[str, Any]) -> Ram | None:
    if "used_memory" not in state:
        return None
    return Ram(int(state["used_memory"]), int(state.get("maxmemory", 0)), str(state.get("maxmemory_policy", "unknown")))


def _setting(reply: Any) -> str | None:
    """The value in a reply to CONFIG GET of one name: RESP3 sends a map, and some services know no such name."""
    values = list(reply.values()) if isinstance(reply, Mapping) else (reply or [])[1::2]
    return (values[0].decode() if isinstance(values[0], bytes) else str(values[0])) if values else None


@dataclass
class _Survey:
    """A walk over the server's keys that measures those of one tenant."""

    connection: Connection
    keys: Keys
    share: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)
    _found: dict[str, list[tuple[int | None, int | None]]] = field(default_factory=lambda: defaultdict(list))

    async def walk(self, total: int, limit: int) -> None:
        """Measure page after page, to the end or until `limit` of the `total` keys are passed over."""
        cursor, passed = 0, 0
        while True:
            scan = ("SCAN", cursor, "MATCH", f"{self.keys.base}:*", "COUNT", _PAGE)
            reply = self._told("SCAN", (await self.connection.send(scan, return_errors=True))[0])
            if reply is None:
                return
            await self._measure(reply[1])
            cursor, passed = int(reply[0]), passed + _PAGE
            if not cursor or passed >= limit:
                self.share = min(1.0, passed / total) if cursor else 1.0
                return

    async def _measure(self, page: list[bytes]) -> None:
        questions = [question for key in page for question in (("MEMORY", "USAGE", key), ("TTL", key))]
        replies = await self.connection.send(*questions, return_errors=True)
        for key, size, ttl in zip(page, replies[::2], replies[1::2], strict=True):
            if size is None or ttl == -2:  # gone since it was seen
                continue
            kind = key.decode().removeprefix(f"{self.keys.base}:").partition(":")[0]
            measured = self._told("MEMORY USAGE", size), self._told("TTL", ttl)
            self._found[TIER_OF_KIND.get(kind, "other")].append(measured)

    def _told(self, command: str, reply: Any) -> Any:
        if isinstance(reply, Exception):
            self.refused[command] = str(reply)
            return None
        return reply

    def tiers(self) -> tuple[Tier, ...] | None:
        """What was found, scaled up to all keys."""
        return tuple(self._tier(name) for name in _TIERS) if self.share else None

    def _tier(self, name: str) -> Tier:
        sizes, ttls = zip(*self._found[name], strict=True) if self._found[name] else ((), ())
        return Tier(
            name=name,
            keys=round(len(sizes) / self.share),
            without_ttl=None if None in ttls else round(ttls.count(-1) / self.share),
            bytes=None if None in sizes else round(sum(sizes) / self.share),
        )
