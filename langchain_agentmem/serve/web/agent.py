"""The page's agent: the demo's, which also notes in working memory what its thread is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig

from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.nodes import RecallNode
from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.serve.demo import agent
from langchain_agentmem.serve.demo.model import noted


def build_agent(
    model: BaseChatModel, memory: AgentMemory, assembler: ContextAssembler, promote: Runnable[Any, Any]
) -> Runnable[Any, Any]:
    """The agent: recall, answer, note, and hand the turn over to promotion.

    Args:
        model: Who answers.
        memory: Its memory.
        assembler: Puts together what it is told from memory.
        promote: The node that hands a turn over.
    """

    async def note(state: agent.State, config: RunnableConfig) -> None:
        thread_id, user = (config["configurable"][name] for name in ("thread_id", "user_id"))
        session, turn = memory.session(thread_id, user), _last_turn(state["messages"])
        facts = noted(state["messages"])
        await session.aappend(*turn)
        await session.amerge({"noted": facts} if facts else {})
        await session.awrite(scratchpad=f"Last asked: {turn[0].text}")
        if "city" in facts:
            await session.awrite(goal=f"Help with the trip to {facts['city']}")

    recall = RecallNode(assembler, key="recalled")
    graph = agent.build_agent(model, memory.checkpointer, recall=recall, then={"note": note, "promote": promote})
    return graph.with_config(callbacks=[memory.tracer])


def _last_turn(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """The messages from the last one of the user on."""
    start = max(i for i, message in enumerate(messages) if message.type == "human")
    return messages[start:]
