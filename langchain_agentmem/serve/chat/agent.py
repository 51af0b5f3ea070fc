"""The agent of a chat: what a user of this package would write."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from langchain_core.messages import SystemMessage
from langgraph.graph import START, MessagesState, StateGraph

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.serve.chat.model import Speaker

_MANNERS = "You are a helpful assistant who knows its user from earlier conversations. Answer briefly."


class State(MessagesState):
    """The conversation, and what memory has to say to its last turn."""

    recalled: str


def build_agent(speaker: Speaker, memory: AgentMemory) -> Any:
    """The agent: with LangChain `create_agent` and the memory's tools, else a graph that recalls, answers, remembers.

    The scripted model takes no tools, so it gets the graph.

    Args:
        speaker: Who answers.
        memory: Its memory.
    """
    with_tools = not speaker.offline and find_spec("langchain") is not None
    agent = _with_tools(speaker, memory) if with_tools else _plain(speaker, memory)
    return agent.with_config(callbacks=[memory.tracer])


def _with_tools(speaker: Speaker, memory: AgentMemory) -> Any:
    from langchain.agents import create_agent

    return create_agent(
        speaker.model,
        tools=memory.tools(),
        middleware=[memory.middleware()],
        checkpointer=memory.checkpointer,
        store=memory.store,
        system_prompt=_MANNERS,
    )


def _plain(speaker: Speaker, memory: AgentMemory) -> Any:
    def answer(state: State) -> dict[str, Any]:
        told = SystemMessage(f"{_MANNERS}\n\n{state['recalled']}")
        return {"messages": [speaker.model.invoke([told, *state["messages"]])]}

    graph = StateGraph(State)
    graph.add_node("recall", memory.recall_node(key="recalled"))
    graph.add_node("answer", answer)
    graph.add_node("remember", memory.extraction_node())
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "answer")
    graph.add_edge("answer", "remember")
    return graph.compile(checkpointer=memory.checkpointer, store=memory.store)
