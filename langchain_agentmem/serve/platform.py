"""Targets for langgraph.json: the LangGraph server makes its own graphs durable, with a saver and a store named there.

```json
{
  "checkpointer": {"path": "langchain_agentmem.serve.platform.checkpointer"},
  "store": {"path": "langchain_agentmem.serve.platform.store"}
}
```

The server opens each target once when it starts and closes it when it ends. REDIS_URL names the Redis; the server's own
queue has REDIS_URI. For other settings (tenant, prefix, ttl), write these two lines in a file of your own and name it
as `"./memory.py:checkpointer"`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.thread.checkpoint import AgentMemorySaver


@asynccontextmanager
async def checkpointer() -> AsyncIterator[AgentMemorySaver]:
    """The server's checkpointer, for `checkpointer.path`.

    Raises:
        ConfigurationError: REDIS_URL is not set, or is no Redis URL.
    """
    async with AgentMemory.from_env() as memory:
        yield memory.checkpointer


@asynccontextmanager
async def store() -> AsyncIterator[AgentMemoryStore]:
    """The server's store, for `store.path`, with the offline embedder of the extra `embedded`.

    Raises:
        ConfigurationError: REDIS_URL is not set, or is no Redis URL; or the extra is not installed.
    """
    async with AgentMemory.from_env() as memory:
        yield await asyncio.to_thread(lambda: memory.store)  # loads the embedder from the disk
