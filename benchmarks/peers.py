"""The checkpointers that are compared, each with its defaults, and the floor that none can be much below."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.redis import RedisSaver
from langgraph.checkpoint.redis.aio import AsyncRedisSaver
from langgraph.checkpoint.redis.shallow import ShallowRedisSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from langchain_agentmem.thread.checkpoint import AgentMemorySaver

OURS, REDIS, SHALLOW, SQLITE, POSTGRES, MEMORY, FLOOR = (
    "AgentMemorySaver",
    "RedisSaver",
    "ShallowRedisSaver",
    "SqliteSaver",
    "PostgresSaver",
    "InMemorySaver",
    "floor",
)
Saver = BaseCheckpointSaver[Any]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are: `ours` and `search` are Redis URLs, and may be the same server."""

    ours: str
    search: str
    postgres: str
    folder: Path


class Floor(BaseCheckpointSaver[Any]):
    """What any saver on Redis must do: serialize, one HSET; one HGETALL, deserialize.

    Not a saver to use: it remembers in the process which checkpoints a thread has.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._redis: Any = redis.Redis.from_url(url)
        self._newest: dict[str, list[str]] = {}

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """One HSET of the new values, the rest of the checkpoint and the metadata."""
        thread_id, values = config["configurable"]["thread_id"], checkpoint["channel_values"]
        fields = {f"v{name}": self.serde.dumps_typed(values[name])[1] for name in new_versions if name in values}
        fields["c"] = self.serde.dumps_typed({**checkpoint, "channel_values": {}})[1]
        fields["m"] = self.serde.dumps_typed(metadata)[1]
        key = f"floor:{thread_id}:{checkpoint['id'] if 'vmessages' in fields else thread_id}"
        self._redis.hset(key, mapping=fields)
        if "vmessages" in fields:
            self._newest.setdefault(thread_id, []).append(key)
        return {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": checkpoint["id"]}}

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """One HSET of the writes."""
        fields = {f"{task_id}:{i}": self.serde.dumps_typed(value)[1] for i, (_, value) in enumerate(writes)}
        self._redis.hset(f"floor:{config['configurable']['thread_id']}:w", mapping=fields)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """One HGETALL."""
        key = self._newest[config["configurable"]["thread_id"]][-1]
        return self._tuple(config, self._redis.hgetall(key))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """One pipeline of HGETALLs."""
        assert config is not None
        pipe = self._redis.pipeline(transaction=False)
        for key in self._newest[config["configurable"]["thread_id"]][: -1 - (limit or 1) : -1]:
            pipe.hgetall(key)
        for fields in pipe.execute():
            yield self._tuple(config, fields)

    def delete_thread(self, thread_id: str) -> None:
        """One UNLINK."""
        self._redis.unlink(*self._newest.pop(thread_id))

    def _tuple(self, config: RunnableConfig, fields: dict[bytes, bytes]) -> CheckpointTuple:
        loaded = {name: self.serde.loads_typed(("msgpack", data)) for name, data in fields.items() if data}
        values = {name[1:].decode(): value for name, value in loaded.items() if name[:1] == b"v"}
        checkpoint: Any = {**loaded[b"c"], "channel_values": values}
        return CheckpointTuple(config, checkpoint, loaded[b"m"])


@contextmanager
def sync_savers(at: Addresses) -> Iterator[dict[str, Saver]]:
    """Every checkpointer by name, set up; Redis ones first."""
    with ExitStack() as stack:
        savers: dict[str, Any] = {
            OURS: stack.enter_context(AgentMemorySaver.from_conn_string(at.ours)),
            REDIS: stack.enter_context(RedisSaver.from_conn_string(at.search)),
            # A prefix of its own: otherwise both would find each other's documents.
            SHALLOW: stack.enter_context(
                ShallowRedisSaver.from_conn_string(
                    at.search, checkpoint_prefix="shallow", checkpoint_write_prefix="shallow_write"
                )
            ),
            SQLITE: stack.enter_context(SqliteSaver.from_conn_string(str(at.folder / "sync.sqlite"))),
            POSTGRES: stack.enter_context(PostgresSaver.from_conn_string(at.postgres)),
            MEMORY: InMemorySaver(),
        }
        for saver in savers.values():
            if hasattr(saver, "setup"):
                saver.setup()
        yield savers


@asynccontextmanager
async def async_savers(at: Addresses) -> AsyncIterator[dict[str, Saver]]:
    """The checkpointers that have an async colour, by the name of their sync one."""
    async with AsyncExitStack() as stack:
        savers: dict[str, Any] = {
            OURS: await stack.enter_async_context(AgentMemorySaver.from_conn_string(at.ours)),
            REDIS: await stack.enter_async_context(AsyncRedisSaver.from_conn_string(at.search)),
            SQLITE: await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(at.folder / "async.sqlite"))),
            POSTGRES: await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(at.postgres)),
            MEMORY: InMemorySaver(),
        }
        for name in (SQLITE, POSTGRES):
            await savers[name].setup()
        yield savers


def thread_ids() -> Iterator[str]:
    """Ids that no run before has used."""
    start = time.time_ns()
    for i in range(1 << 32):
        yield f"thread-{start:x}-{i}"
