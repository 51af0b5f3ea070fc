"""Messages into and out of what other code keeps them in: a LangGraph thread, langchain-redis' documents."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable
from uuid import NAMESPACE_OID, uuid5

from langchain_core.messages import AnyMessage, BaseMessage, messages_from_dict
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, copy_checkpoint, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.graph.message import add_messages

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.wire.bridge import either
from langchain_agentmem.wire.connection import Connection

_PAGE = 500


@runtime_checkable
class StatefulGraph(Protocol):
    """What of a compiled graph is needed here."""

    def get_state(self, config: RunnableConfig) -> Any:
        """The thread's state."""

    async def aget_state(self, config: RunnableConfig) -> Any:
        """The thread's state."""

    def update_state(self, config: RunnableConfig, values: Any) -> RunnableConfig:
        """Write to the thread's state."""

    async def aupdate_state(self, config: RunnableConfig, values: Any) -> RunnableConfig:
        """Write to the thread's state."""


Thread: TypeAlias = StatefulGraph | BaseCheckpointSaver[Any]


def with_ids(messages: Sequence[BaseMessage], owner: str, codec: Codec) -> list[AnyMessage]:
    """The messages, each with an id: its own, or one made of `owner`, its content and how often that came before."""
    seen: Counter[bytes] = Counter()
    named = []
    for message in messages:
        if message.id is None:
            body = codec.dumps_typed(message)[1]
            name = uuid5(NAMESPACE_OID, f"{owner} {seen[body]} {body.hex()}")
            seen[body] += 1
            named.append(message.model_copy(update={"id": str(name)}))
        else:
            named.append(message)
    return cast("list[AnyMessage]", named)


async def read_thread(source: Thread, thread_id: str, channel: str) -> list[AnyMessage]:
    """The messages that a thread holds in a channel; none when there is no such thread.

    Raises:
        InvalidInputError: The channel holds something else, or only the graph can rebuild it.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
    if isinstance(source, StatefulGraph):
        held = (await either(source.get_state, source.aget_state, config)).values.get(channel, [])
    else:
        held = _held(await either(source.get_tuple, source.aget_tuple, config), channel)
    if not (isinstance(held, list) and all(isinstance(message, BaseMessage) for message in held)):
        raise InvalidInputError(f"channel: {channel!r} of thread {thread_id!r} holds no list of messages")
    return held


async def write_thread(target: Thread, thread_id: str, messages: list[AnyMessage], channel: str) -> None:
    """Add messages to a thread as `add_messages` does: one with a known id takes the place of that one."""
    config: RunnableConfig = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    if isinstance(target, StatefulGraph):
        await either(target.update_state, target.aupdate_state, config, {channel: messages})
    else:
        await _put_checkpoint(target, config, messages, channel)


async def _put_checkpoint(
    saver: BaseCheckpointSaver[Any], config: RunnableConfig, messages: list[AnyMessage], channel: str
) -> None:
    """What `update_state` does, without a graph."""
    parent = await either(saver.get_tuple, saver.aget_tuple, config)
    held = _held(parent, channel)
    checkpoint = copy_checkpoint(parent.checkpoint) if parent else empty_checkpoint()
    step = parent.metadata.get("step", -1) + 1 if parent else -1
    version = saver.get_next_version(max(checkpoint["channel_versions"].values(), default=None), None)
    checkpoint["id"] = str(uuid6(clock_seq=step))
    checkpoint["ts"] = datetime.now(UTC).isoformat()
    checkpoint["channel_values"][channel] = add_messages(held, cast("list[Any]", messages))
    checkpoint["channel_versions"][channel] = version
    checkpoint["updated_channels"] = [channel]
    base = parent.config if parent else config
    metadata: Any = {"source": "update", "step": step, "parents": {}}
    await either(saver.put, saver.aput, base, checkpoint, metadata, {channel: version})


def _held(parent: CheckpointTuple | None, channel: str) -> Any:
    if parent is None:
        return []
    values, versions = parent.checkpoint["channel_values"], parent.checkpoint["channel_versions"]
    held = values.get(channel)
    if channel in versions and not isinstance(held, list):
        raise InvalidInputError(f"channel: {channel!r} is not stored as a list; pass the compiled graph instead")
    return held or []


async def read_langchain_redis(redis: Connection, session_id: str, key_prefix: str) -> list[BaseMessage]:
    """The messages of a `langchain_redis.RedisChatMessageHistory`, in the order in which it gives them.

    Each is a JSON document at `{key_prefix}{session_id}:{ULID}`: `type`, `data` (what `messages_from_dict` takes),
    `session_id` and `timestamp` (langchain-redis 0.1 to 0.2.6).

    Raises:
        CorruptDataError: A document is not of that kind.
    """
    pattern = re.sub(r"([*?\[\]\\])", r"\\\1", f"{key_prefix}{session_id}:") + "*"
    found: dict[bytes, Any] = {}
    async for keys in redis.scan(pattern, _PAGE):
        replies = await redis.send(*(("JSON.GET", key) for key in keys))
        found |= {key: json.loads(reply) for key, reply in zip(keys, replies, strict=True) if reply is not None}
    try:
        # A session named "a:b" begins like one named "a".
        mine = [(doc["timestamp"], key, doc) for key, doc in found.items() if doc["session_id"] == session_id]
        return messages_from_dict(
            [{"type": doc["type"], "data": doc["data"]} for _, _, doc in sorted(mine, key=_order)]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptDataError(f"under {key_prefix!r} lies a document that langchain-redis did not write") from error


def _order(found: tuple[float, bytes, Any]) -> tuple[float, bytes]:
    return found[:2]
