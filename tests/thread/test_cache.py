from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.cache.base import FullKey, Namespace
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import CachePolicy

from langchain_agentmem.thread.cache import AgentMemoryCache
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Command, Connection
from langchain_agentmem.wire.keys import Keys

Call = Callable[[Any], Any]
NODE: Namespace = ("__pregel_ns_writes", "id", "node")


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def cache(plain: Connection) -> AgentMemoryCache[Any]:
    return AgentMemoryCache(plain)


def left(plain: Connection) -> list[bytes]:
    """The keys on the server."""
    return sorted(run(plain.send(("KEYS", "*")))[0])


def test_what_is_got_is_what_langgraphs_own_cache_gives(call: Call, cache: AgentMemoryCache[Any]) -> None:
    oracle: InMemoryCache[Any] = InMemoryCache()
    values: dict[FullKey, Any] = {
        (NODE, "a"): [("messages", [AIMessage("hi", id="1")]), ("n", None)],
        (NODE, "b"): b"\xff",
        (NODE, "c"): None,
        (("other",), "a"): {"k": (1, 2)},
    }
    pairs: Any = {key: (value, None) for key, value in values.items()}
    asked = [*values, (NODE, "absent"), (("absent",), "a")]
    call(cache.aset(pairs))
    oracle.set(pairs)
    assert call(cache.aget(asked)) == oracle.get(asked)
    assert cache.get([(NODE, "c")]) == {(NODE, "c"): None}
    assert call(cache.aget([])) == {}
    call(cache.aset({}))
    call(cache.aset({(NODE, "a"): ("new", None)}))
    assert call(cache.aget([(NODE, "a")])) == {(NODE, "a"): "new"}


def test_keys_are_unambiguous(call: Call, cache: AgentMemoryCache[Any]) -> None:
    keys: list[FullKey] = [
        *((("a", "b"), "c"), (("a",), "b:c"), ((), "a:b:c"), (("a:b",), "c"), (("a", ""), "b"), (("a",), ":b")),
        *((("",), ""), ((), ""), (("%",), "%"), (("a", "b", "c"), ""), (("a}", "{b"), "é\ud800")),
    ]
    call(cache.aset({key: (f"{i}", 60) for i, key in enumerate(keys)}))
    assert call(cache.aget(keys)) == {key: f"{i}" for i, key in enumerate(keys)}


def test_entries_expire_and_leave_nothing_behind(call: Call, plain: Connection, cache: AgentMemoryCache[Any]) -> None:
    call(cache.aset({(NODE, "a"): ("a", 1), (NODE, "b"): ("b", 1), (("other",), "a"): ("o", 1)}))
    assert len(call(cache.aget([(NODE, "a"), (NODE, "b"), (("other",), "a")]))) == 3
    assert len(left(plain)) == 5
    assert all(0 < ttl <= 1000 for ttl in run(plain.send(*(("PTTL", key) for key in left(plain)))))
    time.sleep(1.05)
    assert call(cache.aget([(NODE, "a"), (NODE, "b"), (("other",), "a")])) == {}
    assert left(plain) == []


def test_the_index_lives_as_long_as_its_longest_entry(
    call: Call, plain: Connection, cache: AgentMemoryCache[Any]
) -> None:
    index = Keys().cache(NODE)
    for ttl in (100, 5):
        call(cache.aset({(NODE, f"{ttl}"): ("x", ttl)}))
        assert 90 < run(plain.send(("TTL", index)))[0] <= 100
    call(cache.aset({(NODE, "for ever"): ("x", None)}))
    call(cache.aset({(NODE, "5"): ("x", 5)}))
    assert run(plain.send(("TTL", index))) == [-1]


@pytest.mark.parametrize("ttl", [0, -1])
def test_what_is_kept_for_no_time_is_not_kept(
    call: Call, plain: Connection, cache: AgentMemoryCache[Any], ttl: int
) -> None:
    call(cache.aset({(NODE, "a"): ("old", None)}))
    call(cache.aset({(NODE, "a"): ("new", ttl), (NODE, "b"): ("b", 5)}))
    assert call(cache.aget([(NODE, "a"), (NODE, "b")])) == {(NODE, "b"): "b"}


def test_clear_empties_the_named_namespaces_only(call: Call, plain: Connection, cache: AgentMemoryCache[Any]) -> None:
    spaces: list[Namespace] = [("a",), ("a", "b"), ("ab",), ()]
    call(cache.aset({(space, key): ("x", 60) for space in spaces for key in ("1", "2")}))
    call(cache.aclear([("a",), ("absent",)]))
    kept = call(cache.aget([(space, key) for space in spaces for key in ("1", "2")]))
    assert {space for space, _ in kept} == {("a", "b"), ("ab",), ()}
    call(cache.aclear([]))
    assert len(call(cache.aget([*kept]))) == 6


def test_clear_without_names_empties_all_of_the_tenants(
    call: Call, plain: Connection, cache: AgentMemoryCache[Any]
) -> None:
    other: AgentMemoryCache[Any] = AgentMemoryCache(plain, tenant="other")
    run(plain.send(("SET", "somebody else's", 1)))
    call(other.aset({(NODE, "a"): ("other", None)}))
    before = left(plain)
    call(cache.aset({((f"{i}",), "k"): ("x", None if i % 2 else 60) for i in range(20)}))
    call(cache.aclear())
    assert left(plain) == before
    assert call(other.aget([(NODE, "a")])) == {(NODE, "a"): "other"}
    call(cache.aclear())


def test_what_is_set_while_another_one_clears_is_found_by_the_next(
    call: Call, plain: Connection, cache: AgentMemoryCache[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    other: AgentMemoryCache[Any] = AgentMemoryCache(Connection(client=plain.client))
    cache.set({(NODE, "a"): ("mine", None)})
    send = plain.send

    async def bit_by_bit(*commands: Command) -> list[Any]:
        replies = []
        for number, command in enumerate(commands):
            if number:
                other.set({(NODE, "b"): ("theirs", None)})
            replies += await send(command)
        return replies

    with monkeypatch.context() as patch:
        patch.setattr(plain, "send", bit_by_bit)
        call(cache.aclear())
    call(cache.aclear())
    assert run(plain.send(("KEYS", "*"))) == [[]]


@pytest.mark.parametrize("named", [[NODE], None], ids=["by name", "all"])
def test_what_was_cleared_stays_away_though_the_index_was_evicted(
    call: Call, plain: Connection, cache: AgentMemoryCache[Any], named: list[Namespace] | None
) -> None:
    keys = [(NODE, "a"), (NODE, "b")]
    call(cache.aset(dict.fromkeys(keys, ("old", None))))
    run(plain.send(("DEL", Keys().cache(NODE))))
    assert call(cache.aget(keys)) == {}, "nobody could clear it"
    call(cache.aclear(named))
    assert call(cache.aget(keys)) == {}
    call(cache.aset({(NODE, "a"): ("new", 60)}))
    assert call(cache.aget(keys)) == {(NODE, "a"): "new"}
    call(cache.aclear())
    assert left(plain) == []


async def test_get_and_set_are_one_round_trip(plain: Connection, cache: AgentMemoryCache[Any]) -> None:
    async def reads() -> int:
        return int((await plain.send(("INFO", "stats")))[0]["total_reads_processed"])

    pairs: dict[FullKey, Any] = {((f"{i % 3}",), f"{i}"): (i, 60) for i in range(10)}
    cache.set(pairs)  # the server has the script from here on
    before = await reads()
    cache.set(pairs)
    assert await reads() - before == 2  # the call, and INFO itself
    assert len(cache.get([*pairs])) == 10
    assert await reads() - before == 4


async def test_the_loop_runs_on_while_it_waits(plain: Connection, cache: AgentMemoryCache[Any]) -> None:
    """LangGraph's own cache calls a blocking client from its async methods."""
    await plain.send(("CLIENT", "PAUSE", 200, "ALL"))
    waiting = asyncio.create_task(cache.aget([(NODE, "a")]))
    turns = 0
    while not waiting.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert await waiting == {}
    assert turns > 5


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]


def test_a_graph_runs_a_cached_node_once(call: Call, plain: Connection) -> None:
    runs: list[int] = []

    def answer(state: State) -> Any:
        runs.append(len(state["messages"]))
        return {"messages": [AIMessage(f"answer {len(runs)}", id="a")]}

    builder = StateGraph(State)
    builder.add_node(
        "answer", answer, cache_policy=CachePolicy(key_func=lambda state: str(state["messages"][-1].content))
    )
    builder.set_entry_point("answer")
    graph = builder.compile(cache=AgentMemoryCache(plain))

    def ask(text: str) -> Any:
        asked: Any = {"messages": [HumanMessage(text, id="h")]}

        async def aask() -> Any:
            return await graph.ainvoke(asked)

        answered = graph.invoke(asked) if call is run else asyncio.run(aask())
        return answered["messages"][-1].content

    assert [ask("a"), ask("a"), ask("b"), ask("a")] == ["answer 1", "answer 1", "answer 2", "answer 1"]
    assert len(runs) == 2
    graph.clear_cache()
    assert ask("a") == "answer 3"


def test_it_closes_what_it_opened_and_nothing_else(call: Call, plain: Connection, plain_url: str) -> None:
    own: AgentMemoryCache[Any] = AgentMemoryCache(plain_url)
    shared: AgentMemoryCache[Any] = AgentMemoryCache(plain)
    for cache in (own, shared):
        cache.set({(NODE, "a"): (1, 5)})
        call(cache.aclose())
    assert own._redis._sync is None
    assert plain._sync is not None
    with AgentMemoryCache[Any](plain_url) as own:
        own.get([(NODE, "a")])
    assert own._redis._sync is None
