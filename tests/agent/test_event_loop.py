"""Nothing on an event loop waits for a disk, a name or a sleep: `langgraph dev` ends a run that does."""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain.agents import create_agent

from langchain_agentmem import AgentMemory, Scope
from tests.agent.scripted import ScriptedModel, call, yes
from tests.agent.telling import config

LINES = [
    call("remember", text="The user likes green tea."),
    call("search_memory", query="tea"),
    call("set_fact", name="home", value="Oslo"),
    call("get_facts"),
    call("update_scratchpad", text="a note"),
    call("recall_events"),
    call("get_current_datetime"),
    yes(),
    yes(),
]
WAITS = {
    "open",
    "os.listdir",
    "os.scandir",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "time.sleep",
}
seen: list[list[str]] = []  # where it is noted, while somebody watches


def hear(event: str, args: tuple[Any, ...]) -> None:
    if seen and event in WAITS and asyncio._get_running_loop() is not None:
        seen[-1].append(f"{event}{args}")


sys.addaudithook(hear)  # which stays, so that it asks whether anybody watches


@contextmanager
def watched() -> Iterator[list[str]]:
    """What waits on an event loop meanwhile."""
    seen.append([])
    try:
        yield seen[-1]
    finally:
        seen.clear()


def test_an_agent_a_worker_and_the_end_of_a_user(memory: AgentMemory) -> None:
    agent: Any = create_agent(
        ScriptedModel(lines=2 * LINES),
        tools=memory.tools(),
        middleware=[memory.middleware()],
        checkpointer=memory.checkpointer,
        store=memory.store,
    )

    async def story() -> None:
        for text in ("I live in Oslo.", "What do I like?"):
            await agent.ainvoke({"messages": text}, {**config(), "callbacks": [memory.tracer]})
        async with memory.worker(strategy="rules") as worker:
            await worker.apromote_pending()
        assert await memory.bank.arecall("Do I like tea?", Scope("anna"))
        assert await memory.store.asearch(("memories", "anna"), query="tea")
        assert (await memory.session("t", "anna").aload()).scratchpad
        assert [thread.thread_id for thread in await memory.athreads()] == ["t"]
        assert str(await memory.adoctor())
        assert (await memory.aforget_user("anna")).clean

    asyncio.run(story())  # what is imported and read once is so now
    with watched() as waits:
        asyncio.run(story())
    assert waits == []


def test_it_would_be_seen() -> None:
    async def reading() -> None:
        importlib.metadata.version("redis")

    with watched() as waits:
        asyncio.run(reading())
    assert waits
    with watched() as waits:
        importlib.metadata.version("redis")
    assert waits == []
