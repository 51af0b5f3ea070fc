"""What the tests of the checkpointer share. The fixtures here are for both colours."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection

Call = Callable[..., Awaitable[Any]]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Calls a method in one of the two colours: `await call(saver.get_tuple, config)`. Iterators come as lists."""

    async def call(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if request.param == "sync":
            result = method(*args, **kwargs)
            return [*result] if hasattr(result, "__next__") else result
        result = getattr(method.__self__, f"a{method.__name__}")(*args, **kwargs)  # type: ignore[attr-defined]
        return [item async for item in result] if hasattr(result, "__anext__") else await result

    return call


@pytest.fixture
def saver(plain: Connection) -> AgentMemorySaver:
    """A saver on an empty server without modules."""
    return AgentMemorySaver(plain)


@pytest.fixture
def sends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of commands of each call of `Connection.send`."""
    sends: list[int] = []
    send = Connection.send

    async def counted(self: Connection, *commands: Any, **options: Any) -> list[Any]:
        if threading.current_thread().name != "agentmem-events":  # what an earlier test left to be sent is not ours
            sends.append(len(commands))
        return await send(self, *commands, **options)

    monkeypatch.setattr(Connection, "send", counted)
    return sends
