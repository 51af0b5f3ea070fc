"""The table of keys: one in wire/keys.py and docs/concepts.md, and the one by which the package really writes."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.outputs import Generation
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import CachePolicy

from langchain_agentmem import AgentMemory, Event, Memory, Scope
from langchain_agentmem.serve.heartbeats import Heartbeats
from langchain_agentmem.wire import keys as keys_module
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

LINES = [line for line in (keys_module.__doc__ or "").splitlines() if line.startswith(("| `P:T:", "| `...:"))]
PAGE = (Path(__file__).parents[1] / "docs" / "concepts.md").read_text("utf-8")
ADA = Scope("ada")


class Row:
    """Which keys a row of the table speaks of: its own, and those that it says lie beside them."""

    def __init__(self, line: str) -> None:
        told = re.fullmatch(r"\| `(?P<name>[^`]+)` \| (?P<type>\w+) \| (?P<what>.+) \|", line)
        assert told, line
        self.name, self.type = told["name"], told["type"]
        beside = "|".join(each for each in ("", *re.findall(r"`(:\w+)`", told["what"])))
        self.pattern = re.compile(f"(?P<own>{_written(self.name)})({re.sub('[0-9]', '[0-9]+', beside)})")

    def speaks_of(self, key: str, kind: str) -> bool:
        """Whether a key is its own, and of its type, or lies beside one."""
        found = self.pattern.fullmatch(key)
        return found is not None and (kind == self.type or found["own"] != key)


def _written(name: str) -> str:
    """A name in the table as a pattern: its capital letters, n and 3 stand for anything."""
    stands_for = {"...": ".+", "P:T": "agentmem:acme", "L:L": "[^{}]+", "3": "[0-9]+"}
    parts = re.split(r"(\.\.\.|\bP:T\b|\bL:L\b|\b[A-Zn3]\b)", name)
    return "".join(stands_for.get(part, "[^:{}]+") if at % 2 else re.escape(part) for at, part in enumerate(parts))


class Silent(FakeListChatModel):
    """A model that does not answer."""

    def _call(self, *args: Any, **kwargs: Any) -> str:
        raise TimeoutError


def live(memory: AgentMemory) -> None:
    """Use each part once."""
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda state: {"messages": [("ai", "Noted.")]}, cache_policy=CachePolicy(ttl=60))
    builder.add_node("remember", memory.extraction_node())
    builder.add_edge(START, "answer").add_edge("answer", "remember")
    graph: Any = builder.compile(checkpointer=memory.checkpointer, cache=memory.cache)
    for thread in ("given up", "waits"):
        config: Any = {"configurable": {"thread_id": thread, "user_id": "ada"}, "callbacks": [memory.tracer]}
        graph.invoke({"messages": [("user", "I am vegetarian.")]}, config)
        while thread == "given up" and not memory.outbox.dead():
            memory.promote_pending()
    run(Heartbeats(memory.connection, memory.keys).anote(memory.worker(name="worker").health()))

    memory.session("trip", "ada").append(("user", "hi"))
    memory.history("trip").add_messages([HumanMessage("hi")])
    rome = Memory(text="Ada lives in Rome", state="home", value="Rome")
    home, tea = memory.bank.remember([rome, "She likes tea"], ADA)
    memory.bank.correct(home.id, "Ada lives in Oslo", ADA, value="Oslo")
    memory.bank.correct(tea.id, "She likes coffee", ADA)
    memory.bank.forget(ADA, [tea.id])
    memory.store.put(("notes",), "two", {"parts": ["one", "other"]}, index=["parts[*]"])

    memory.events.append(Event(kind="poison", thread_id="trip"))
    memory.events.flush()
    consumer = memory.events.consume("billing", "consumer", stuck_after=0.01, max_deliveries=1)
    ends = time.monotonic() + 60
    while not consumer.dead_letters() and time.monotonic() < ends:
        consumer.read()


def kept(redis: Connection) -> dict[str, str]:
    """Every key on the server, with its type."""
    keys: list[bytes] = run(redis.send(("KEYS", "*")))[0]
    types: Any = run(redis.send(*(("TYPE", key) for key in keys)))
    return {key.decode(): kind.decode().upper() for key, kind in zip(keys, types, strict=True)}


def test_it_stands_in_the_docs_too() -> None:
    assert len(LINES) > 30
    assert [line for line in PAGE.splitlines() if line in LINES] == LINES


def test_it_has_every_key_and_nothing_else(search: Connection) -> None:
    options: Any = {"outbox": {"max_attempts": 1, "backoff": 0.01}, "budget": {"calls": 100}}
    with AgentMemory(search, tenant="acme", model=Silent(responses=[]), **options) as memory:
        live(memory)
        written = kept(search)
    rows = [Row(line) for line in LINES if "| channel |" not in line]
    assert [f"{key} {kind}" for key, kind in written.items() if not any(row.speaks_of(key, kind) for row in rows)] == []
    assert [row.name for row in rows if not any(row.speaks_of(key, kind) for key, kind in written.items())] == []


def test_a_key_that_it_does_not_have_is_seen() -> None:
    thread = Row("| `P:T:thread:{I}` | HASH | a thread's registry (`:v3`) |")
    assert thread.speaks_of("agentmem:acme:thread:{trip}", "HASH")
    assert thread.speaks_of("agentmem:acme:thread:{trip}:v12", "STRING")
    assert not thread.speaks_of("agentmem:acme:thread:{trip}", "SET")
    assert not thread.speaks_of("agentmem:acme:thread:{trip}:spaces", "SET")
    assert not thread.speaks_of("agentmem:other:thread:{trip}", "HASH")


def test_what_langchain_redis_writes_is_told(search: Connection) -> None:
    pytest.importorskip("langchain_redis", reason="the extra redis-rag is not installed")
    memory = AgentMemory(search, tenant="acme")
    memory.semantic_cache().update("What is tea?", "model", [Generation(text="A drink")])
    memory.vectorstore("handbook").add_texts(["Tea is a drink."])
    told = [re.sub("P:T", "agentmem:acme", each) for each in re.findall(r"`(P:T:(?:answers|documents):[A-Z:]*)`", PAGE)]
    assert len(told) == 2
    names = [name.replace("NAME", "handbook") for name in told]
    assert [sum(key.startswith(name) for key in kept(search)) for name in names] == [1, 1]
    assert len(kept(search)) == 2
