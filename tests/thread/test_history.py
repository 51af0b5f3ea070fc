from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import StateGraph
from langgraph.graph.message import add_messages

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from tests.conftest import MODULES_EXPECTED
from tests.servers import loading_json, serving_cluster

Call = Callable[[Any], Any]
MESSAGES: list[BaseMessage] = [
    SystemMessage("be kind"),
    HumanMessage([{"type": "text", "text": "é\0"}], id="h1", name="ann", additional_kwargs={"k": [1]}),
    AIMessage(
        "",
        id="a1",
        tool_calls=[{"name": "f", "args": {"x": [1]}, "id": "c1", "type": "tool_call"}],
        invalid_tool_calls=[{"name": "g", "args": "{", "id": "c2", "error": "e", "type": "invalid_tool_call"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"model": "m"},
    ),
    ToolMessage("done", tool_call_id="c1", artifact={"raw": b"\xff"}, status="error"),
    FunctionMessage(content="out", name="f"),
    ChatMessage(content="hm", role="critic"),
    RemoveMessage(id="h0"),
]


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def history(plain: Connection) -> AgentMemoryChatHistory:
    return AgentMemoryChatHistory("s", plain)


def contents(messages: list[BaseMessage]) -> list[Any]:
    return [message.content for message in messages]


def test_messages_come_back_whole_and_in_order(call: Call, history: AgentMemoryChatHistory) -> None:
    assert call(history.aget_messages()) == []
    call(history.aadd_messages(MESSAGES[:3]))
    call(history.aadd_messages(MESSAGES[3:]))
    call(history.aadd_messages([]))
    loaded = call(history.aget_messages())
    assert loaded == history.messages == MESSAGES
    assert [type(message) for message in loaded] == [type(message) for message in MESSAGES]
    call(history.aclear())
    assert history.messages == []


def test_messages_of_every_size_and_serde(call: Call, plain: Connection) -> None:
    said: list[BaseMessage] = [
        *(kind("x" * size) for size in (0, 50, 300, 70_000) for kind in (HumanMessage, AIMessage, SystemMessage)),
        AIMessage("", additional_kwargs={"when": datetime(2026, 1, 1, tzinfo=UTC)}),  # msgpack alone cannot store this
    ]
    for serde in (
        None,
        JsonPlusSerializer(pickle_fallback=True),
        EncryptedSerializer.from_pycryptodome_aes(key=b"k" * 16),
    ):
        history = AgentMemoryChatHistory("s", plain, serde=serde)
        call(history.aclear())
        call(history.aadd_messages(said))
        assert call(history.aget_messages()) == said
        if isinstance(serde, EncryptedSerializer):
            assert not any(b"x" * 20 in body for body in run(plain.send(("LRANGE", Keys().history("s"), 0, -1)))[0])


def test_the_sync_face_and_the_conveniences_of_the_base_class(history: AgentMemoryChatHistory) -> None:
    history.add_messages(MESSAGES[:1])
    history.add_user_message("hi")
    history.add_ai_message(AIMessage("hello", id="a"))
    assert history.messages == [MESSAGES[0], HumanMessage("hi"), AIMessage("hello", id="a")]
    assert str(history) == "System: be kind\nHuman: hi\nAI: hello"
    history.clear()
    assert history.messages == []


def test_more_messages_than_lua_takes_at_once(call: Call, history: AgentMemoryChatHistory) -> None:
    call(history.aadd_messages([HumanMessage(f"{i}") for i in range(12_345)]))
    assert contents(call(history.aget_messages())) == [f"{i}" for i in range(12_345)]


def test_the_window_keeps_the_newest(call: Call, plain: Connection) -> None:
    history = AgentMemoryChatHistory("s", plain, window=3)
    for i in range(5):
        call(history.aadd_messages([HumanMessage(f"{i}")]))
    assert contents(call(history.aget_messages())) == ["2", "3", "4"]
    assert run(plain.send(("LLEN", Keys().history("s")))) == [3]
    assert contents(call(AgentMemoryChatHistory("s", plain, window=2).aget_messages())) == ["3", "4"]


def test_every_write_moves_the_expiry_on(call: Call, plain: Connection) -> None:
    key = Keys().history("s")
    history = AgentMemoryChatHistory("s", plain, ttl=60)
    for _ in range(2):
        call(history.aadd_messages(MESSAGES))
        assert 50 < run(plain.send(("TTL", key)))[0] <= 60
        run(plain.send(("EXPIRE", key, 5)))
    call(AgentMemoryChatHistory("s", plain).aadd_messages(MESSAGES))
    assert run(plain.send(("TTL", key))) == [-1]
    call(AgentMemoryChatHistory("s", plain, ttl=0.03).aadd_messages(MESSAGES))
    time.sleep(0.05)
    assert call(history.aget_messages()) == []
    leftovers = run(plain.send(("KEYS", "*")))[0]  # what a replay would ask for
    assert all(0 < left <= 120 for left in run(plain.send(*(("TTL", name) for name in leftovers))))


async def test_every_call_is_one_round_trip(plain: Connection, history: AgentMemoryChatHistory) -> None:
    async def reads() -> int:
        return int((await plain.send(("INFO", "stats")))[0]["total_reads_processed"])

    await history.aadd_messages(MESSAGES)  # the server has the script from here on
    for act in (lambda: history.add_messages(MESSAGES), lambda: history.messages, history.clear):
        before = await reads()
        act()
        assert await reads() - before == 2  # the call, and INFO itself


async def test_writers_at_once_lose_nothing(history: AgentMemoryChatHistory) -> None:
    async def write(writer: int) -> None:
        for i in range(5):
            await history.aadd_messages([HumanMessage(f"{writer}.{i}"), AIMessage(f"{writer}.{i}")])

    await asyncio.gather(*(write(writer) for writer in range(50)))
    said = contents(await history.aget_messages())
    assert len(said) == 500
    assert said[::2] == said[1::2]  # the messages of one call stay together
    for writer in range(50):
        assert [text for text in said[::2] if text.startswith(f"{writer}.")] == [f"{writer}.{i}" for i in range(5)]


def test_a_replayed_write_is_done_once(
    call: Call, plain: Connection, history: AgentMemoryChatHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = plain.send

    async def twice(*commands: Any, **kw: Any) -> list[Any]:
        await send(*commands, **kw)
        return await send(*commands, **kw)

    monkeypatch.setattr(plain, "send", twice)
    for _ in range(2):
        call(history.aadd_messages(MESSAGES[:2]))
    assert call(history.aget_messages()) == MESSAGES[:2] * 2


@pytest.mark.parametrize(
    ("settings", "words"), [({"session_id": ""}, "session_id"), ({"ttl": 0}, "ttl"), ({"window": 0}, "window")]
)
def test_settings_that_cannot_work_are_refused(plain: Connection, settings: dict[str, Any], words: str) -> None:
    everything: dict[str, Any] = {"session_id": "s", "redis": plain} | settings
    with pytest.raises(InvalidInputError, match=words):
        AgentMemoryChatHistory(**everything)


def test_tenants_and_sessions_do_not_meet(plain: Connection) -> None:
    one, other, third = (AgentMemoryChatHistory(name, plain, tenant=tenant) for name, tenant in ("st", "su", "tt"))
    one.add_messages(MESSAGES)
    assert other.messages == third.messages == []


def test_anothers_bytes_are_refused(call: Call, plain: Connection, history: AgentMemoryChatHistory) -> None:
    for foreign in ("", "p", '{"type": "human"}', "p\x07msgpack\xc1", "p\x07msgpack\x01"):
        call(history.aclear())
        run(plain.send(("RPUSH", Keys().history("s"), foreign)))
        with pytest.raises(CorruptDataError):
            call(history.aget_messages())


def test_it_closes_what_it_opened_and_nothing_else(call: Call, plain: Connection, plain_url: str) -> None:
    own, shared = AgentMemoryChatHistory("s", plain_url), AgentMemoryChatHistory("s", plain)
    for history in (own, shared):
        history.add_user_message("hi")
        call(history.aclose())
    assert own._redis._sync is None
    assert plain._sync is not None
    with AgentMemoryChatHistory("s", plain_url) as own:
        assert len(own.messages) == 2
    assert own._redis._sync is None


def test_a_chain_remembers(call: Call, plain: Connection) -> None:
    """With LangChain's own wrapper, which is deprecated but in use."""
    chain: Any = RunnableLambda(lambda messages: AIMessage(f"{len(messages)} so far"))
    with pytest.warns(DeprecationWarning, match="RunnableWithMessageHistory"):
        remembering = RunnableWithMessageHistory(chain, lambda session_id: AgentMemoryChatHistory(session_id, plain))
    config: Any = {"configurable": {"session_id": "s"}}

    async def say(text: str) -> Any:
        return await remembering.ainvoke([HumanMessage(text)], config)

    for answer in ("1 so far", "3 so far"):
        spoken = asyncio.run(say("hi")) if call is asyncio.run else remembering.invoke([HumanMessage("hi")], config)
        assert spoken.content == answer


def test_importing_it_warns_of_nothing() -> None:
    code = "from langchain_agentmem.thread.history import AgentMemoryChatHistory as H; H('s', 'redis://localhost')"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


class State(TypedDict):
    messages: Annotated[list[Any], add_messages]
    other: str


def graph(saver: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("answer", lambda state: {"messages": [AIMessage(f"heard {len(state['messages'])}")], "other": "x"})
    builder.set_entry_point("answer")
    return builder.compile(checkpointer=saver)


@pytest.fixture(params=["memory", "agentmem"])
def saver(request: pytest.FixtureRequest, plain: Connection) -> Any:
    return InMemorySaver() if request.param == "memory" else AgentMemorySaver(plain)


@pytest.mark.parametrize("by_graph", [True, False], ids=["graph", "saver"])
def test_into_a_thread_and_out_again(call: Call, history: AgentMemoryChatHistory, saver: Any, by_graph: bool) -> None:
    agent = graph(saver)
    thread, config = (agent if by_graph else saver), {"configurable": {"thread_id": "t"}}
    said = [*MESSAGES[:4], HumanMessage("again"), HumanMessage("again")]
    call(history.aadd_messages(said))
    sent = call(history.ato_thread(thread, "t"))
    assert [message.id for message in sent if message.id in ("h1", "a1")] == ["h1", "a1"]
    assert len({message.id for message in sent}) == 6
    assert agent.get_state(config).values["messages"] == sent
    assert call(history.ato_thread(thread, "t")) == sent
    assert agent.get_state(config).values["messages"] == sent  # twice adds nothing

    assert agent.invoke({"messages": [HumanMessage("hi")]}, config)["messages"][-1].content == "heard 7"
    history.add_user_message("meanwhile")
    call(history.ato_thread(thread, "t"))
    assert contents(agent.get_state(config).values["messages"])[-2:] == ["heard 7", "meanwhile"]
    assert agent.get_state(config).values["other"] == "x"

    assert call(history.afrom_thread(thread, "t")) == 9
    assert history.messages == agent.get_state(config).values["messages"]
    assert call(history.afrom_thread(thread, "absent")) == 0
    assert history.messages == []
    assert call(history.ato_thread(thread, "empty")) == []
    assert agent.get_state({"configurable": {"thread_id": "empty"}}).values == {}


@pytest.mark.parametrize("by_graph", [True, False], ids=["graph", "saver"])
def test_a_channel_without_messages_is_refused(
    call: Call, history: AgentMemoryChatHistory, saver: Any, by_graph: bool
) -> None:
    agent = graph(saver)
    agent.invoke({"messages": ["hi"], "other": "text"}, {"configurable": {"thread_id": "t"}})
    with pytest.raises(InvalidInputError, match=r"^channel: 'other'"):
        call(history.afrom_thread(agent if by_graph else saver, "t", channel="other"))


def store_as_langchain_redis(redis: Connection, session: str, ulid: str, at: float, message: BaseMessage) -> None:
    """As `langchain_redis` 0.2.6 writes it."""
    data: dict[str, Any] = {
        "content": message.content,
        "additional_kwargs": message.additional_kwargs,
        "type": message.type,
    }
    if isinstance(message, ToolMessage):
        data |= {"tool_call_id": message.tool_call_id, "status": message.status}
    document = {"type": message.type, "message_id": ulid, "data": data, "session_id": session, "timestamp": at}
    run(redis.send(("JSON.SET", f"chat:{session}:{ulid}", "$", json.dumps(document))))


def test_from_langchain_redis(call: Call, search: Connection, search_url: str) -> None:
    said: list[BaseMessage] = [
        HumanMessage("hi*[", additional_kwargs={"k": 1}),
        AIMessage("hello"),
        ToolMessage("done", tool_call_id="c1", status="error"),
    ]
    for i in (1, 0):
        store_as_langchain_redis(search, "a[*]", f"1{i}", 1.5, said[i])  # one clock tick: the ULID decides
    store_as_langchain_redis(search, "a[*]", "00", 2.5, said[2])
    store_as_langchain_redis(search, "a[*]:b", "03", 0, HumanMessage("another session's"))
    store_as_langchain_redis(search, "a[x]", "04", 0, HumanMessage("one that the pattern must not match"))
    own = AgentMemoryChatHistory("a[*]", search)
    own.add_user_message("what was here before")
    assert call(own.afrom_langchain_redis()) == 3
    assert own.messages == said
    elsewhere = AgentMemoryChatHistory("mine", search)
    for source in (search, search_url):
        assert call(elsewhere.afrom_langchain_redis(source, session_id="a[*]")) == 3
        assert elsewhere.messages == said
    assert call(elsewhere.afrom_langchain_redis(key_prefix="other:")) == 0


def test_what_langchain_redis_did_not_write_is_refused(call: Call, search: Connection) -> None:
    run(search.send(("JSON.SET", "chat:s:1", "$", '{"text": 1}')))
    with pytest.raises(CorruptDataError, match="chat:"):
        call(AgentMemoryChatHistory("s", search).afrom_langchain_redis())


@pytest.mark.skipif(not MODULES_EXPECTED, reason="no JSON module for this platform")
def test_from_langchain_redis_on_a_cluster(call: Call, plain: Connection) -> None:
    said: list[BaseMessage] = [HumanMessage(f"{number}") for number in range(9)]
    with (
        serving_cluster(2, *loading_json()) as servers,
        Connection(f"redis+cluster://127.0.0.1:{servers[0].port}") as there,
    ):
        for number, message in enumerate(said):
            store_as_langchain_redis(there, "s", f"{number}", number, message)
        history = AgentMemoryChatHistory("s", plain)
        assert call(history.afrom_langchain_redis(there)) == 9
        assert history.messages == said
