"""An agent that may fail, and what it told promotion: whose words, and which."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.types import interrupt

from langchain_agentmem import AgentMemory
from langchain_agentmem.wire.keys import unescape
from tests.agent.scripted import ScriptedModel, yes


def config(user: str | None = "anna", thread: str | None = "t") -> RunnableConfig:
    named = {"thread_id": thread, "user_id": user}
    return {"configurable": {name: value for name, value in named.items() if value}, "recursion_limit": 99}


class Moody(ScriptedModel):
    """Fails when it is told to."""

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        if "fail" in messages[-1].text:
            raise TimeoutError("the provider is away")
        return super()._generate(messages, *args, **kwargs)


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"It rains in {city}."


@tool
def ask(question: str) -> str:
    """Ask the user."""
    return str(interrupt(question))


def agent_of(
    memory: AgentMemory, *others: Any, lines: Any = (), saver: bool = True, schema: Any = None, **options: Any
) -> Any:
    """An agent that remembers what it is told, and who told it."""
    return create_agent(
        Moody(lines=[*lines, *(yes() for _ in range(30))]),
        tools=[weather, ask],
        middleware=[*others, memory.middleware(strategies="verbatim", **options)],
        checkpointer=memory.checkpointer if saver else None,
        state_schema=schema,
    )


async def told(memory: AgentMemory) -> list[tuple[str | None, str]]:
    """What users said, as far as it waits, with whose it is; it is done with then."""
    found: list[tuple[str | None, str]] = []
    jobs = memory.outbox.jobs
    await jobs.aschedule(which="all")
    while claimed := await jobs.aclaim("worker", 9):
        for job in claimed:
            thread = unescape(job.thread)
            while (held := await jobs.ajob(thread)) and (lease := await jobs.alease(held, "worker")):
                turns = [turn.message for turn in lease.batch.turns]
                found += [(lease.batch.scope.user, each.text) for each in turns if each.type == "human"]
                await jobs.afinish(lease)
    return found
