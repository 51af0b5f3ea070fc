"""Nothing on an event loop waits for anything but the loop: `langgraph dev` ends a run that does."""

from __future__ import annotations

import time
from typing import Any

import pytest
from blockbuster import BlockingError, blockbuster_ctx
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


@pytest.fixture
def agent(memory: AgentMemory) -> Any:
    """An agent with all of memory. A program makes it when it starts, in no event loop yet."""
    return create_agent(
        ScriptedModel(lines=LINES),
        tools=memory.tools(),
        middleware=[memory.middleware()],
        checkpointer=memory.checkpointer,
        store=memory.store,
    )


async def test_an_agent_a_worker_and_the_end_of_a_user(agent: Any, memory: AgentMemory) -> None:
    with blockbuster_ctx():
        with pytest.raises(BlockingError):
            time.sleep(0.001)  # noqa: ASYNC251 - what it finds
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
