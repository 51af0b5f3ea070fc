"""The demo's agent: a model and one tool, in LangGraph's usual loop, with nodes for memory around it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from langchain_agentmem.errors import AgentMemoryError

_MANNERS = "You are a travel assistant. Answer in one short sentence, from what the user has told you."
_KITCHENS = {"Lisbon": "A tasca by the river", "Kyoto": "A counter in Gion"}


class ModelError(AgentMemoryError):
    """The chat model did not answer."""


@tool
def find_restaurant(city: str, diet: str) -> str:
    """Find a restaurant in a city that serves a diet."""
    return f"{_KITCHENS.get(city, 'A small place')} in {city} has a {diet} menu tonight."


class State(MessagesState):
    """What the nodes share: the conversation, and what memory has to say to its last turn."""

    recalled: str


def build_agent(
    model: BaseChatModel,
    checkpointer: BaseCheckpointSaver[Any],
    *,
    recall: Runnable[Any, dict[str, Any]] | None = None,
    then: Mapping[str, Any] = MappingProxyType({}),
) -> CompiledStateGraph[State, None, MessagesState, State]:
    """The agent: it answers, or calls the tool and then answers.

    Args:
        model: Who answers.
        checkpointer: Keeps the threads.
        recall: A node that writes what memory has to say to `recalled`, in front of the model.
        then: Nodes by name that run after the answer, one after the other.
    """
    bound = model.bind_tools([find_restaurant])

    def chat(state: State) -> dict[str, Any]:
        told = SystemMessage(f"{_MANNERS}\n\n{state.get('recalled', '')}".rstrip())
        try:
            return {"messages": [bound.invoke([told, *state["messages"]])]}
        except Exception as error:
            raise ModelError(
                f"The chat model did not answer ({type(error).__name__}: {error}). "
                "Check OPENAI_API_KEY and OPENAI_MODEL, or unset the key to use the offline model."
            ) from error

    graph = StateGraph(State, input_schema=MessagesState)
    if recall is not None:
        graph.add_node("recall", recall)
        graph.add_edge("recall", "chat")
    graph.add_node("chat", chat)
    graph.add_node("tools", ToolNode([find_restaurant]))
    graph.add_edge("tools", "chat")
    graph.add_edge(START, "chat" if recall is None else "recall")
    first, *others = [*then, END]
    graph.add_conditional_edges("chat", tools_condition, {"tools": "tools", END: first})
    for (name, node), following in zip(then.items(), others, strict=True):
        graph.add_node(name, node)
        graph.add_edge(name, following)
    return graph.compile(checkpointer=checkpointer)
