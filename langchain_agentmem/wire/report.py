"""What the doctor found, as data, as text and as warnings. Asks no server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from langchain_agentmem.wire.server_info import ServerInfo

_FULL = 0.9  # of maxmemory: from here on a server that evicts nothing will soon refuse writes


@dataclass(frozen=True, slots=True)
class Persistence:
    """What the server writes to disk.

    Attributes:
        aof: Whether the append-only file is on.
        fsync: When it is synced: "always", "everysec", "no"; None if not told.
        snapshots: The schedule of RDB snapshots, "" for none, None if not told.
        failing: What went wrong the last time: "write to the append-only file", "snapshot".
    """

    aof: bool
    fsync: str | None
    snapshots: str | None
    failing: tuple[str, ...]

    def __str__(self) -> str:
        aof = f"append-only file, fsync {self.fsync or 'unknown'}" if self.aof else "no append-only file"
        snapshots = {None: "snapshots unknown", "": "no snapshots"}.get(self.snapshots, f"snapshots {self.snapshots}")
        return "; ".join([aof, snapshots, *(f"last {what} failed" for what in self.failing)])


@dataclass(frozen=True, slots=True)
class Ram:
    """How much memory the server may use, and what it does when that is full.

    Attributes:
        used: Bytes in use by the whole server.
        limit: `maxmemory` in bytes, 0 for none.
        policy: `maxmemory-policy`.
    """

    used: int
    limit: int
    policy: str

    def __str__(self) -> str:
        limit = f"of {_bytes(self.limit)}" if self.limit else "without limit"
        return f"{_bytes(self.used)} used {limit}, policy {self.policy}"


@dataclass(frozen=True, slots=True)
class Tier:
    """The keys of one tier.

    Attributes:
        name: "thread", "events", "long-term", "promotion" or "other".
        keys: How many there are.
        without_ttl: How many of them never expire.
        bytes: What they take in RAM.
    """

    name: str
    keys: int
    without_ttl: int | None
    bytes: int | None

    def __str__(self) -> str:
        without_ttl = "?" if self.without_ttl is None else f"{self.without_ttl:,}"
        size = "?" if self.bytes is None else _bytes(self.bytes)
        return f"{self.name:<11}{self.keys:>11,} keys{without_ttl:>11} without TTL{size:>11}"


@dataclass(frozen=True, slots=True)
class Report:
    """What `diagnose` found. `str()` of it is made to be read; what the server does not tell is None.

    Attributes:
        scope: What all keys counted here begin with.
        server: Flavour, version and modules.
        mode: "standalone", "cluster" or "sentinel".
        persistence: What is written to disk.
        ram: Memory limit and eviction policy.
        tiers: Keys and RAM by tier.
        share: The part of the server's keys that was passed over, 0 for none. Below 1, `tiers` holds estimates.
        refused: What could not be asked, each with the server's words.
    """

    scope: str
    server: ServerInfo | None
    mode: str | None
    persistence: Persistence | None
    ram: Ram | None
    tiers: tuple[Tier, ...] | None
    share: float
    refused: tuple[str, ...]

    @property
    def vector_search(self) -> str:
        """Where vectors are compared."""
        if self.server is None:
            return "unknown"
        if self.server.search:
            return "on the server"
        return "exact search in the client" if find_spec("numpy") else "none: pip install 'langchain-agentmem[numpy]'"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What puts memories at risk, each with the remedy."""
        return (*_eviction(self.ram), *_durability(self.persistence))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, fit for JSON."""
        return asdict(self) | {"vector_search": self.vector_search, "warnings": self.warnings}

    def __str__(self) -> str:
        unknown = "not permitted"
        lines = [
            f"server         {self.server or unknown}, {self.mode or 'mode unknown'}",
            f"vector search  {self.vector_search}",
            f"persistence    {self.persistence or unknown}",
            f"memory         {self.ram or unknown}",
            f"keys           {self._keys()}",
            *(f"  {tier}" for tier in self.tiers or ()),
            *(f"not told       {refusal}" for refusal in self.refused),
            *(f"WARNING        {warning}" for warning in self.warnings),
        ]
        return "\n".join(lines)

    def _keys(self) -> str:
        if self.tiers is None:
            return "not counted"
        how = f"estimated from {self.share:.1%} of the server's keys" if self.share < 1 else "all of them"
        return f"of {self.scope}, {how}"


def _eviction(ram: Ram | None) -> Iterator[str]:
    if ram is None:
        return
    when = "When memory is full" if ram.limit else "No maxmemory is set now; were it set, then with memory full"
    remedy = "Set maxmemory-policy to noeviction."
    if ram.policy.startswith("allkeys"):
        yield f"{ram.policy}: {when} the server drops any key, even memories without a TTL. {remedy}"
    elif ram.policy.startswith("volatile"):
        yield f"{ram.policy}: {when} the server drops memories with a TTL before their time. {remedy}"
    elif ram.limit and ram.used > _FULL * ram.limit:
        yield "Memory is nearly full, and the server will refuse to remember more. Raise maxmemory, or set TTLs."


def _durability(persistence: Persistence | None) -> Iterator[str]:
    if persistence is None:
        return
    for what in persistence.failing:
        yield f"The last {what} failed. See the server's log; its disk may be full."
    if not persistence.aof and persistence.snapshots == "":
        yield "Nothing is written to disk: a restart forgets everything. Set appendonly to yes."
    elif not persistence.aof:
        yield "There is no append-only file: a crash forgets what came after the last snapshot. Set appendonly to yes."


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
