"""AgentMemory: what it is made from, what its parts share, and what it closes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio as aioredis
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

import langchain_agentmem
from langchain_agentmem import (
    AgentMemory,
    ConfigurationError,
    EmbeddedServerError,
    InvalidInputError,
    Scope,
)
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer
from tests.conftest import Do
from tests.users import gone, user

PING = ("PING",)


def echo_graph(memory: AgentMemory) -> Any:
    """A graph whose node answers with the number of messages that it was given."""
    graph = StateGraph(MessagesState)
    graph.add_node("count", lambda state: {"messages": [("ai", str(len(state["messages"])))]})
    graph.add_edge(START, "count")
    return graph.compile(checkpointer=memory.checkpointer)


def thread(name: str, **more: Any) -> Any:
    return {"configurable": {"thread_id": name, **more}}


SAY = {"messages": [("human", "hello")]}


# --- what it is made from ---


@pytest.mark.parametrize("make", [str, redis.from_url, aioredis.from_url, Connection], ids=lambda make: make.__name__)
async def test_it_takes_a_url_a_client_or_a_connection(plain_url: str, make: Callable[[str], Any]) -> None:
    source = make(plain_url)
    async with AgentMemory(source) as memory:
        assert await memory.connection.send(PING)
    if isinstance(source, aioredis.Redis):
        await source.aclose()


def test_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="redis: pass a URL"):
        AgentMemory(42)  # type: ignore[arg-type]


def test_a_ttl_that_is_no_time_is_refused_at_once(plain_url: str) -> None:
    with pytest.raises(InvalidInputError, match="ttl"):
        AgentMemory(plain_url, ttl=-1)


def test_from_env(plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", plain_url)
    with AgentMemory.from_env(tenant="acme", socket_timeout=3) as memory:
        assert run(memory.connection.send(PING)) == [True]
        assert memory.keys.base == "agentmem:acme"
    monkeypatch.delenv("REDIS_URL")
    with pytest.raises(ConfigurationError, match="REDIS_URL: set"):
        AgentMemory.from_env()


async def test_from_conn_string_in_both_colours(plain: Connection, plain_url: str) -> None:
    with AgentMemory.from_conn_string(plain_url) as memory:
        assert echo_graph(memory).invoke(SAY, thread("a"))["messages"][-1].content == "1"
    async with AgentMemory.from_conn_string(plain_url) as memory:
        assert (await echo_graph(memory).ainvoke(SAY, thread("a")))["messages"][-1].content == "3"


def test_its_repr_tells_the_place_and_no_secret() -> None:
    shown = repr(AgentMemory("redis://ada:hunter2@example.com/0?x=hunter3", tenant="acme"))
    assert "example.com" in shown
    assert "agentmem:acme" in shown
    assert "hunter" not in shown


# --- what its parts share ---


def test_its_settings_reach_the_checkpointer(plain: Connection) -> None:
    memory = AgentMemory(plain, prefix="p", tenant="t", ttl=60)
    echo_graph(memory).invoke(SAY, thread("a"))
    assert run(plain.send(("PTTL", memory.keys.thread("a")))) > [50_000]
    names = run(plain.send(("KEYS", "*")))[0]
    assert all(name.startswith(b"p:t:") for name in names)


def test_refresh_on_read_reaches_the_checkpointer(plain: Connection) -> None:
    memory = AgentMemory(plain, ttl=60, refresh_on_read=True)
    echo_graph(memory).invoke(SAY, thread("a"))
    run(plain.send(("PEXPIRE", memory.keys.thread("a"), 1000)))
    memory.checkpointer.get_tuple(thread("a"))
    assert run(plain.send(("PTTL", memory.keys.thread("a")))) > [50_000]


async def test_threads_by_user_and_metadata_page_by_page(plain: Connection) -> None:
    memory = AgentMemory(plain)
    graph = echo_graph(memory)
    for i in range(5):
        graph.invoke(SAY, thread(f"t{i}", user_id="ada" if i % 2 else "bob", topic=f"of {i}"))

    def ids(found: Any) -> list[str]:
        return [info.thread_id for info in found]

    assert set(ids(memory.threads())) == {f"t{i}" for i in range(5)}
    assert set(ids(memory.threads(user="ada"))) == {"t1", "t3"}
    assert ids(memory.threads(filter={"topic": "of 4"})) == ["t4"]
    first = memory.threads(limit=3)
    rest = await memory.athreads(limit=3, after=first[-1])
    assert (len(first), len(rest)) == (3, 2)
    assert ids([*first, *rest]) == ids(await memory.athreads())


async def test_the_doctor_reports_on_its_tenant(plain: Connection) -> None:
    memory = AgentMemory(plain, tenant="acme")
    echo_graph(memory).invoke(SAY, thread("a"))
    report = memory.doctor()
    assert report.scope == "agentmem:acme"
    assert report.tiers
    assert report.tiers[0].keys > 0
    assert (await memory.adoctor()).tiers == report.tiers


# --- what it closes ---


class Closings:
    """A connection's `close` and `aclose`, counted."""

    def __init__(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sync = self.in_async = 0
        close, aclose = connection.close, connection.aclose

        def closed() -> None:
            self.sync += 1
            close()

        async def aclosed() -> None:
            self.in_async += 1
            await aclose()

        monkeypatch.setattr(connection, "close", closed)
        monkeypatch.setattr(connection, "aclose", aclosed)


async def test_it_closes_the_connection_it_made(plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with AgentMemory(plain_url) as memory:
        closings = Closings(memory.connection, monkeypatch)
    assert closings.sync == 1
    async with AgentMemory(plain_url) as memory:
        closings = Closings(memory.connection, monkeypatch)
    assert closings.in_async == 1


async def test_it_leaves_a_given_connection_open(plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Connection(plain_url) as given:
        closings = Closings(given, monkeypatch)
        with AgentMemory(given):
            pass
        async with AgentMemory(given):
            pass
        assert (closings.sync, closings.in_async) == (0, 0)


@asynccontextmanager
async def opened(memory: AgentMemory, colour: str) -> AsyncIterator[AgentMemory]:
    if colour == "sync":
        with memory:
            yield memory
    else:
        async with memory:
            yield memory


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_it_stops_the_server_it_started(colour: str) -> None:
    async with opened(AgentMemory.embedded(modules=False), colour) as memory:
        assert memory.server
        assert await memory.connection.send(PING)
        pid = memory.server.pid
        assert str(memory.server.info) in repr(memory)
    assert gone(pid)
    memory.close()  # once more does nothing


def test_it_leaves_a_server_that_another_process_uses(tmp_path: Path) -> None:
    with user(tmp_path) as other:
        with AgentMemory.embedded(tmp_path) as memory:
            assert memory.server
            assert memory.server.pid == other.server_pid
        assert not gone(other.server_pid)


def test_an_embedded_memory_on_a_path_remembers(tmp_path: Path) -> None:
    for said in ("1", "3"):
        with AgentMemory.embedded(tmp_path, modules=False) as memory:
            assert echo_graph(memory).invoke(SAY, thread("a"))["messages"][-1].content == said


def test_an_embedded_memory_tells_what_its_server_has(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "langchain_agentmem"), AgentMemory.embedded(modules=False) as memory:
        assert memory.server
        assert f"Embedded server ready: {memory.server.info}" in caplog.text


def test_a_server_is_not_left_behind_by_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[EmbeddedServer] = []
    start = EmbeddedServer.start

    def noted(*args: Any, **named: Any) -> EmbeddedServer:
        started.append(start(*args, **named))
        return started[-1]

    monkeypatch.setattr(EmbeddedServer, "start", noted)
    with pytest.raises(InvalidInputError, match="ttl"):
        AgentMemory.embedded(modules=False, ttl=0)
    assert gone(started[0].pid)


def test_without_a_server_program_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langchain_agentmem.wire.embedded.server.installed_programs", lambda modules: [])
    with pytest.raises(EmbeddedServerError, match=r"pip install"):
        AgentMemory.embedded()


def test_without_file_locks_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("langchain_agentmem.wire.embedded")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(ConfigurationError, match=r"no fcntl; run a server and pass its URL"):
        AgentMemory.embedded()


def test_every_tier_is_on_the_one_connection(search: Connection) -> None:
    memory = AgentMemory(search, tenant="acme", checkpoint_events=True)
    echo_graph(memory).invoke(SAY, thread("t") | {"callbacks": [memory.tracer]})
    memory.tracer.flush()
    assert {"checkpoint", "node.start", "node.end"} <= {event.kind for event in memory.events.recent("t")}
    memory.session("t", user="ann").write(goal="greet")
    assert [session.user for session in memory.sessions.list(user="ann")] == ["ann"]
    scope = Scope(user="ann")
    memory.bank.remember("Ann lives in Kyoto", scope)
    assert [found.memory.text for found in memory.bank.recall("Where does Ann live?", scope)] == ["Ann lives in Kyoto"]
    memory.facts.set(scope, "diet", "vegetarian")
    assert memory.facts.all(scope)["diet"].value == "vegetarian"
    history = memory.history("chat")
    history.add_messages([HumanMessage("hi")])
    assert [message.text for message in history.messages] == ["hi"]
    [keys] = run(search.send(("KEYS", "*")))
    assert all(key.startswith(b"agentmem:acme:") for key in keys)


def test_without_embeddings_the_error_names_the_extra(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(ConfigurationError, match=r"\[embedded\]"):
        AgentMemory(plain).store  # noqa: B018


def test_how_long_kinds_of_memories_live(search: Connection) -> None:
    happened = langchain_agentmem.Memory(text="Ada flew to Oslo.", kind="episodic")

    def lives(tenant: str, **settings: Any) -> int:
        memory = AgentMemory(search, tenant=tenant, **settings)
        done = memory.bank.remember(happened, Scope("ada"))[0]
        return int(run(search.send(("TTL", memory.keys.item(Scope("ada").path, done.id))))[0])

    assert 604_700 < lives("a") <= 604_800
    assert lives("b", ttls={}) == -1
    assert 50 < lives("c", ttls={"episodic": 60}) <= 60


def test_threads_that_come_at_once_share_what_is_made_at_first_use(plain_url: str) -> None:
    class Slow(DeterministicFakeEmbedding):
        def embed_query(self, text: str) -> list[float]:
            asked.append(text)
            time.sleep(0.05)
            return super().embed_query(text)

    asked: list[str] = []
    with AgentMemory(plain_url, embeddings=Slow(size=8)) as memory, ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: (memory.bank, memory.store, memory.outbox, memory.promotion), range(8)))
    assert [[*map(id, each)] for each in made] == [[*map(id, made[0])]] * 8
    assert asked == ["dimensions"]


def test_an_embedder_that_tells_its_dimensions_is_not_asked(plain_url: str) -> None:
    class Telling(DeterministicFakeEmbedding):
        dimensions: int = 8

        def embed_query(self, text: str) -> list[float]:
            raise AssertionError(text)

    with AgentMemory(plain_url, embeddings=Telling(size=8)) as memory:
        assert memory.store.encoder is not None
        assert memory.store.encoder.field.dims == 8


@pytest.mark.parametrize("name", ["nobody:embed", "openai:text-embedding-3-small"])
def test_embeddings_that_cannot_be_made_are_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    memory = AgentMemory("redis://unused", embeddings=name)
    with pytest.raises(ConfigurationError, match=f"^embeddings: {name} cannot be used"):
        _ = memory.store
    monkeypatch.setitem(sys.modules, "langchain.embeddings", None)
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[langchain\]"):
        _ = memory.bank


def test_a_drain_takes_what_has_a_meaning_for_it(plain: Connection) -> None:
    told = list[Any]()
    with AgentMemory(plain) as memory:
        memory.outbox.add("t", [HumanMessage("I am vegetarian", id="h")], Scope("ada"), ["verbatim"])
        assert memory.promote_pending(concurrency=1, name="cron", on_progress=told.append).promoted == 1
        assert [(health.name, health.promoted) for health in told] == [("cron", 1)]
        with pytest.raises(TypeError, match="grace"):
            memory.promote_pending(grace=5)  # type: ignore[call-arg]


async def test_facts_and_erasure_need_no_embedder(
    plain: Connection, plain_url: str, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = Scope("ada")
    with AgentMemory(plain, embeddings=DeterministicFakeEmbedding(size=8)) as memory:
        memory.bank.remember("Ada likes tea", scope)
        before = memory.bank.store.changes.count(scope.path)
        await do(memory.facts.set, scope, "diet", "vegan")
        assert memory.bank.store.changes.count(scope.path) > before, "a turn that goes on sees it"
        assert memory.bank.facts.get(scope, "diet") == memory.facts.get(scope, "diet")
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with AgentMemory(plain_url) as bare:
        await do(bare.facts.set, scope, "diet", "pescatarian")
        assert [fact.value for fact in await do(bare.facts.history, scope, "diet")] == ["pescatarian", "vegan"]
        receipt = await do(bare.forget_user, "ada")
        assert (receipt.clean, receipt.erased["items"], receipt.erased["facts"]) == (True, 1, 1)
        with pytest.raises(ConfigurationError, match="embedded"):
            _ = bare.bank
