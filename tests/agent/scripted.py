"""A chat model that says what a test tells it to, and notes what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field


class ScriptedModel(BaseChatModel):
    """Says its lines, one for each call."""

    lines: list[AIMessage]
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    tools: list[Any] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        self.tools = list(tools)
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.seen.append(list(messages))
        line = self.lines[len(self.seen) - 1]
        return ChatResult(generations=[ChatGeneration(message=line)])


def calls(*wanted: tuple[str, dict[str, Any]]) -> AIMessage:
    """A message that calls tools, in parallel."""
    return AIMessage(
        "",
        tool_calls=[
            {"name": name, "args": args, "id": f"call-{number}", "type": "tool_call"}
            for number, (name, args) in enumerate(wanted)
        ],
    )
