"""The langgraph.json targets, loaded and entered as the LangGraph server does it."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore

from langchain_agentmem import ConfigurationError
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

DOTTED = "langchain_agentmem.serve.platform.checkpointer"
FILE = "from langchain_agentmem.serve.platform import checkpointer\n"
# What langgraph-api 0.16 looks for on the saver's class to offer rollback, copies and pruning.
ASKED_FOR = "aput aput_writes aget_tuple alist adelete_thread adelete_for_runs acopy_thread aprune".split()


def load(path: str) -> Any:
    """What a `checkpointer.path` names, by the two forms that langgraph-api 0.16 reads."""
    if ".py:" in path:
        file, name = path.rsplit(":", 1)
        spec = importlib.util.spec_from_file_location("named_in_langgraph_json", file)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        stem, name = path.rsplit(".", 1)
        module = importlib.import_module(stem)
    return module.__dict__[name]


@pytest.mark.parametrize("form", ["dotted", "file"])
async def test_the_server_gets_a_saver_for_its_lifetime(
    form: str, tmp_path: Path, plain: Connection, plain_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", plain_url)
    file = tmp_path / "memory.py"
    file.write_text(FILE, "utf-8")
    target = load(DOTTED if form == "dotted" else f"{file}:checkpointer")
    builder = StateGraph(MessagesState)
    builder.add_node("count", lambda state: {"messages": [("ai", str(len(state["messages"])))]})
    builder.add_edge(START, "count")
    config: Any = {"configurable": {"thread_id": "a"}}
    question: Any = {"messages": [("human", "hello")]}
    for said in ("1", "3"):  # the server is started twice
        async with target() as saver:
            assert isinstance(saver, BaseCheckpointSaver)
            state = await builder.compile(checkpointer=saver).ainvoke(question, config)
            assert state["messages"][-1].content == said
    assert run(plain.send(("EXISTS", "agentmem:default:thread:{a}"))) == [1]


async def test_the_server_finds_every_capability(plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", plain_url)
    async with load(DOTTED)() as saver:
        mine, base = type(saver), BaseCheckpointSaver
        assert [name for name in ASKED_FOR if getattr(mine, name) is getattr(base, name)] == []


async def test_without_a_url_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ConfigurationError, match="REDIS_URL: set"):
        async with load(DOTTED)():
            pass


async def test_the_server_gets_a_store(search: Connection, search_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", search_url)
    async with load("langchain_agentmem.serve.platform.store")() as store:
        assert isinstance(store, BaseStore)
        await store.aput(("users", "1"), "diet", {"text": "eats no meat"})
        await store.aput(("users", "1"), "home", {"text": "lives by the sea"})
        [found] = await store.asearch(("users", "1"), query="vegetarian food", limit=1)
        assert found.key == "diet"
