"""States whose messages are kept as what was written to them, as deepagents keeps its own."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, convert_to_messages
from langgraph.channels.delta import DeltaChannel
from langgraph.graph.message import _messages_delta_reducer


def appended(held: list[Any], writes: list[Any]) -> list[Any]:
    """Keeps messages as they come: some have no id."""
    flat = [each for write in writes for each in (write if isinstance(write, list) else [write])]
    return [*held, *convert_to_messages(flat)]


AsTheyCome = Annotated[list[AnyMessage], DeltaChannel(appended, snapshot_frequency=3)]
ById = Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=3)]


class Appended(TypedDict):
    messages: AsTheyCome


class Merged(TypedDict):
    messages: ById
