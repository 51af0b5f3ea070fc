"""Working memory, chat history and node cache on a real cluster, where one call's keys may lie on several nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_agentmem.thread.cache import AgentMemoryCache
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.thread.sessions import Sessions
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.servers import serving_cluster

Call = Callable[[Any], Any]
NAMES = [f"{i}" for i in range(12)]


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Connection]:
    with serving_cluster(2) as servers, Connection(f"redis+cluster://127.0.0.1:{servers[0].port}") as connection:
        yield connection


def test_sessions(call: Call, cluster: Connection) -> None:
    sessions = Sessions(cluster)
    for name in NAMES:
        memory = sessions.open(name, user="ann")
        call(memory.aclear())
        call(memory.awrite(goal=name))
        call(memory.amerge({"a": {"b": 1}}))
        assert call(memory.aincrement("n")) == 1
        assert call(memory.aappend("hi", "ho")) == 2
        session = call(memory.aload())
        assert (session.goal, session.data, len(session.turns)) == (name, {"a": {"b": 1}, "n": 1}, 2)
        assert call(memory.asummarize("s", session)) == 2
    assert {session.thread_id for session in call(sessions.alist(user="ann"))} == {*NAMES}


def test_histories(call: Call, cluster: Connection) -> None:
    for name in NAMES:
        history = AgentMemoryChatHistory(name, cluster, window=2, ttl=60)
        call(history.aclear())
        call(history.aadd_messages([HumanMessage(text) for text in ("a", "b", "c")]))
        assert [message.content for message in call(history.aget_messages())] == ["b", "c"]


def test_the_cache(call: Call, cluster: Connection) -> None:
    cache: AgentMemoryCache[Any] = AgentMemoryCache(cluster)
    pairs: Any = {((name,), "k"): (name, 60) for name in NAMES}
    call(cache.aset(pairs))
    assert len(call(cache.aget([*pairs]))) == len(NAMES)
    call(cache.aclear([("0",), ("1",)]))
    assert len(call(cache.aget([*pairs]))) == len(NAMES) - 2
    call(cache.aclear())
    assert call(cache.aget([*pairs])) == {}
