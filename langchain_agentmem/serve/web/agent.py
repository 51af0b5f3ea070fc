"""The page's agent: it recalls, answers, notes in working memory what its thread is about, and hands the turn on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph

from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.nodes import RecallNode
from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.serve.demo.model import noted

_MANNERS = "You are a travel assistant. Answer in one short sentence, from what the user has told you."


class State(MessagesState):
    """What the graph's nodes share: the conversation, and what memory has to say to its last turn."""

    recalled: str


def build_agent(model: BaseChatModel, memory: AgentMemory, assembler: ContextAssembler, promote: Any) -> Any:
    """The agent as a graph.

    Args:
        model: Who answers.
        memory: Its memory.
        assembler: Puts together what it is told from memory.
        promote: The node that hands a turn over to promotion.
    """

    async def answer(state: State) -> dict[str, Any]:
        told = SystemMessage(f"{_MANNERS}\n\n{state['recalled']}")
        return {"messages": [await model.ainvoke([told, *state["messages"]])]}

    async def note(state: State, config: RunnableConfig) -> None:
        thread_id, user = (config["configurable"][name] for name in ("thread_id", "user_id"))
        session, messages = memory.session(thread_id, user), state["messages"]
        await session.aappend(*_last_turn(messages))
        facts = noted(messages)
        await session.amerge({"noted": facts} if facts else {})
        await session.awrite(scratchpad=f"Last asked: {_asked(messages)}")
        if "city" in facts:
            await session.awrite(goal=f"Help with the trip to {facts['city']}")

    graph = StateGraph(State)
    graph.add_node("recall", RecallNode(assembler, key="recalled"))
    graph.add_node("answer", answer)
    graph.add_node("note", note)
    graph.add_node("promote", promote)
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "answer")
    graph.add_edge("answer", "note")
    graph.add_edge("note", "promote")
    return graph.compile(checkpointer=memory.checkpointer).with_config(callbacks=[memory.tracer])


def _last_turn(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """The messages from the last one of the user on."""
    start = max(i for i, message in enumerate(messages) if message.type == "human")
    return messages[start:]


def _asked(messages: Sequence[BaseMessage]) -> str:
    return _last_turn(messages)[0].text
