"""AgentMemoryChatHistory: a chat history for chains that still use LangChain's base class for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.lifetime import milliseconds
from langchain_agentmem.thread.messages import (
    Messages,
    at_least_one,
    dump_messages,
    load_messages,
    new_operation,
    read_messages,
)
from langchain_agentmem.thread.transfer import Thread, read_langchain_redis, read_thread, with_ids, write_thread
from langchain_agentmem.wire.bridge import either, run, sync_of
from langchain_agentmem.wire.closing import ClosingOwn
from langchain_agentmem.wire.connection import Connection, Source
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

_WRITE = Script("history_write")


class AgentMemoryChatHistory(BaseChatMessageHistory, ClosingOwn):
    """The messages of one conversation, in a list that needs no search module.

    Messages come back as they were, with ids, tool calls, usage and names. Sync and async are each native; every call
    is one round trip. LangChain advises new code to keep messages in a LangGraph thread: `to_thread` takes them there.

    Args:
        session_id: The conversation.
        redis: A Redis URL, your own redis-py client (sync, async or cluster), or a `Connection` to share. A factory
            that makes a history for each request should share one.
        prefix: First segment of every key.
        tenant: Second segment of every key; tenants never see each other's histories.
        ttl: Seconds after its last write at which the history expires; None = never.
        window: How many of the newest messages are kept; None = all.
        serde: Serializer of the messages, `JsonPlusSerializer` by default.
        **options: For redis-py, where `redis` is a URL.

    Raises:
        ConfigurationError: `redis` is none of the above.
        InvalidInputError: `session_id` is empty, `ttl` is not positive or `window` is below 1.
    """

    def __init__(
        self,
        session_id: str,
        redis: Source,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        ttl: float | None = None,
        window: int | None = None,
        serde: SerializerProtocol | None = None,
        **options: Any,
    ) -> None:
        if not session_id:
            raise InvalidInputError("session_id is empty; name the conversation")
        self.session_id = session_id
        self._owned = not isinstance(redis, Connection)
        self._redis = Connection.of(redis, **options)
        self._keys = Keys(prefix, tenant)
        self._key = self._keys.history(session_id)
        self._ttl = milliseconds(ttl)
        self._window = "" if window is None else at_least_one("window", window)
        self._codec = Codec(serde or JsonPlusSerializer())

    async def aget_messages(self) -> list[BaseMessage]:
        """All messages, oldest first. One LRANGE."""
        start = f"-{self._window}" if self._window else 0
        return [*load_messages((await self._redis.send(("LRANGE", self._key, start, -1)))[0], self._codec)]

    @property  # the base class declares an attribute, and says that it may be a property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """Sync form of `aget_messages`."""
        return run(self.aget_messages())

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages. A replay of the call, as redis-py makes when a connection breaks, adds nothing.

        Args:
            messages: Messages, or anything that LangChain reads as such.

        Raises:
            InvalidInputError: One of them is no message.
        """
        if messages:
            await self._write("add", messages)

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Sync form of `aadd_messages`."""
        return run(self.aadd_messages(messages))

    async def aclear(self) -> None:
        """Forget all messages."""
        await self._redis.send(("UNLINK", self._key))

    def clear(self) -> None:
        """Sync form of `aclear`."""
        return run(self.aclear())

    # --- moving in and out

    async def ato_thread(self, target: Thread, thread_id: str, *, channel: str = "messages") -> list[AnyMessage]:
        """Add the messages to a LangGraph thread, as its own reducer for messages would: doing it twice adds nothing.

        Args:
            target: A compiled graph, or a checkpointer (ours or another's).
            thread_id: The thread.
            channel: The state key that holds the messages.

        Returns:
            The messages that were sent. Those without an id have got one.

        Raises:
            InvalidInputError: Only the graph can rebuild what the thread holds in that channel.
        """
        sent = with_ids(await self.aget_messages(), self._key, self._codec)
        if sent:
            await write_thread(target, thread_id, sent, channel)
        return sent

    to_thread = sync_of(ato_thread)

    async def afrom_thread(self, source: Thread, thread_id: str, *, channel: str = "messages") -> int:
        """Make this history what a LangGraph thread holds. What it held before goes, in the same step.

        Args:
            source: A compiled graph, or a checkpointer (ours or another's).
            thread_id: The thread.
            channel: The state key that holds the messages.

        Returns:
            How many messages the history holds.

        Raises:
            InvalidInputError: The channel holds no messages, or only the graph can rebuild it.
        """
        return await self._write("replace", await read_thread(source, thread_id, channel))

    from_thread = sync_of(afrom_thread)

    async def afrom_langchain_redis(
        self, source: Source | None = None, *, session_id: str | None = None, key_prefix: str = "chat:"
    ) -> int:
        """Make this history what langchain-redis' `RedisChatMessageHistory` holds. What it held before goes.

        Its documents are found by SCAN, so the search index is not needed; the JSON module is. They lack what that
        class does not keep: ids, usage, names and tool calls other than the provider's own.

        Args:
            source: Where they are: a URL, a client or a `Connection`; None = where this history is.
            session_id: Their session; None = the one of this history.
            key_prefix: The prefix that class was given.

        Returns:
            How many messages the history holds.

        Raises:
            CorruptDataError: A document is not one of that class.
        """
        redis = self._redis if source is None else Connection.of(source)
        try:
            found = await read_langchain_redis(redis, session_id or self.session_id, key_prefix)
        finally:
            if redis is not self._redis and redis is not source:
                await either(redis.close, redis.aclose)
        return await self._write("replace", found)

    from_langchain_redis = sync_of(afrom_langchain_redis)

    async def _write(self, how: str, messages: Messages) -> int:
        stored = dump_messages(read_messages(messages), self._codec)
        keys = [self._key, self._keys.done(self._key, new_operation())]
        return int((await self._redis.send(_WRITE(keys, [self._ttl, self._window, how, *stored])))[0])
