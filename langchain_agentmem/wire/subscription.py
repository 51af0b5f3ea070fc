"""Listening to one Pub/Sub channel, sync or async. Knows redis-py's client by its methods only."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from langchain_agentmem.errors import UnsupportedServerError
from langchain_agentmem.wire.bridge import either


class Subscription:
    """One subscribed channel, on a connection of its own that redis-py reconnects and subscribes anew when it breaks.

    Args:
        client: redis-py's client, of the colour that the caller runs in.
        sharded: Use sharded Pub/Sub, which keeps a channel on one node of a cluster (Redis 7, Valkey 7.2).
    """

    def __init__(self, client: Any, sharded: bool) -> None:
        make = getattr(client, "pubsub", None)
        if make is None:
            raise UnsupportedServerError(
                "subscribe: this version of redis-py has no async Pub/Sub on a cluster; upgrade redis or use sync"
            )
        self._pubsub = make()
        self._subscribe = self._pubsub.ssubscribe if sharded else self._pubsub.subscribe
        self._get = self._pubsub.get_sharded_message if sharded else self._pubsub.get_message

    async def open(self, channel: str, patience: float = 5.0) -> None:
        """Subscribe, and wait for the server to say so: what is published from now on arrives.

        Raises:
            TimeoutError: The server did not confirm within `patience` seconds.
        """
        try:
            await either(self._subscribe, self._subscribe, channel)
            await self._confirmed(patience)
        except BaseException:
            await self.close()
            raise

    async def next(self, seconds: float) -> bytes | None:
        """The next message, or None when none came within so many seconds."""
        message = await self._message(seconds)
        if message is None or message["type"] not in {"message", "smessage"}:
            return None
        data = message["data"]
        return data.encode() if isinstance(data, str) else bytes(data)

    async def close(self) -> None:
        """Give the connection back."""
        await either(self._pubsub.close, getattr(self._pubsub, "aclose", self._pubsub.close))

    async def _confirmed(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while await self._message(0.1) is None:  # the confirmation is a message too
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server did not confirm a subscription within {patience} s")

    async def _message(self, seconds: float) -> Any:
        get = partial(self._get, timeout=seconds)
        return await either(get, get)
