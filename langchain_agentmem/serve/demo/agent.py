"""The demo's agent: a model and one tool, in LangGraph's usual loop."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage
from langchain_core.tools import tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from langchain_agentmem.errors import AgentMemoryError

_MANNERS = SystemMessage("You are a travel assistant. Answer in one short sentence, from what the user has told you.")
_KITCHENS = {"Lisbon": "A tasca by the river", "Kyoto": "A counter in Gion"}


class ModelError(AgentMemoryError):
    """The chat model did not answer."""


@tool
def find_restaurant(city: str, diet: str) -> str:
    """Find a restaurant in a city that serves a diet."""
    return f"{_KITCHENS.get(city, 'A small place')} in {city} has a {diet} menu tonight."


def build_agent(
    model: BaseChatModel, checkpointer: BaseCheckpointSaver[Any]
) -> CompiledStateGraph[MessagesState, None, MessagesState, MessagesState]:
    """The agent: it answers, or calls the tool and then answers."""
    bound = model.bind_tools([find_restaurant])

    def chat(state: MessagesState) -> dict[str, Any]:
        try:
            return {"messages": [bound.invoke([_MANNERS, *state["messages"]])]}
        except Exception as error:
            raise ModelError(
                f"The chat model did not answer ({type(error).__name__}: {error}). "
                "Check OPENAI_API_KEY and OPENAI_MODEL, or unset the key to use the offline model."
            ) from error

    graph = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_node("tools", ToolNode([find_restaurant]))
    graph.add_edge(START, "chat")
    graph.add_conditional_edges("chat", tools_condition)
    graph.add_edge("tools", "chat")
    return graph.compile(checkpointer=checkpointer)
