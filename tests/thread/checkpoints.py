"""Checkpoints made by hand, for the tests of the checkpointer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

Values = dict[str, Any]


def config(
    thread_id: Any = "thread", checkpoint_id: str | None = None, ns: str | None = "", **more: Any
) -> RunnableConfig:
    """A config that names a thread, a namespace (None = all) and perhaps a checkpoint."""
    named = {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}
    return {"configurable": {name: value for name, value in named.items() if value is not None} | more}


def checkpoint(number: int | str, values: Values | None = None, versions: dict[str, Any] | None = None) -> Checkpoint:
    """A checkpoint with an id that sorts by its number; each channel's version is the number unless given."""
    values = values or {}
    return {
        "v": 4,
        "id": name(number),
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": values,
        "channel_versions": versions if versions is not None else dict.fromkeys(values, name(number)),
        "versions_seen": {},
        "updated_channels": None,
    }


def name(number: int | str) -> str:
    """The id of a numbered checkpoint."""
    return f"{number:08}" if isinstance(number, int) else number


class Thread:
    """A thread that grows by one checkpoint a turn, as LangGraph grows it: only what changed has a new version."""

    def __init__(self, saver: AgentMemorySaver, thread_id: str = "thread", ns: str = "", **configurable: Any) -> None:
        self.saver, self.thread_id, self.ns, self.configurable = saver, thread_id, ns, configurable
        self.values: Values = {}
        self.versions: dict[str, str] = {}
        self.step = 0

    @property
    def here(self) -> RunnableConfig:
        """The config of its newest checkpoint."""
        return config(self.thread_id, name(self.step) if self.step else None, self.ns, **self.configurable)

    def draft(self, metadata: Values | None = None, **changed: Any) -> tuple[Any, ...]:
        """The arguments of the next put."""
        before = self.here
        self.step += 1
        self.values = self.values | changed
        new = dict.fromkeys(changed, name(self.step))
        self.versions = self.versions | new
        facts = {"source": "loop", "step": self.step, "parents": {}} | (metadata or {})
        return before, checkpoint(self.step, dict(self.values), dict(self.versions)), facts, new

    def put(self, metadata: Values | None = None, **changed: Any) -> RunnableConfig:
        """Grow by one checkpoint."""
        return self.saver.put(*self.draft(metadata, **changed))

    async def aput(self, metadata: Values | None = None, **changed: Any) -> RunnableConfig:
        """Grow by one checkpoint, async."""
        return await self.saver.aput(*self.draft(metadata, **changed))


def chat(count: int, size: int = 300) -> list[AnyMessage]:
    """Messages of a conversation; the first n of a longer one are those of a shorter one."""
    kinds = (HumanMessage, AIMessage)
    return [kinds[i % 2](f"message {i} " + "word " * (size // 5), id=f"m{i}") for i in range(count)]


def values_of(found: CheckpointTuple | None) -> Values:
    """The channel values of a checkpoint that must be there."""
    assert found is not None
    return found.checkpoint["channel_values"]


def ids_of(found: Iterable[CheckpointTuple]) -> list[str]:
    """The ids of checkpoints, in their order."""
    return [one.checkpoint["id"] for one in found]


def keys_in(connection: Connection, pattern: str = "*") -> list[str]:
    """The keys of a server."""
    return sorted(key.decode() for key in run(connection.send(("KEYS", pattern)))[0])


def expiries_in(connection: Connection, pattern: str = "*") -> dict[str, int]:
    """When each key of a server expires, in milliseconds since 1970; -1 for never."""
    keys = keys_in(connection, pattern)
    return dict(zip(keys, run(connection.send(*[("PEXPIRETIME", key) for key in keys])), strict=True))


def lose(connection: Connection, *suffixes: str) -> None:
    """Evict keys of threads by how they end."""
    gone = [key for key in keys_in(connection, "*:thread:*") if key.endswith(suffixes)]
    assert gone
    run(connection.send(("DEL", *gone)))
