"""A chat model that says what a test tells it to, and notes what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import Field

from langchain_agentmem.agent.rendering import OPENING


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


def yes() -> AIMessage:
    return AIMessage("Yes.")


def call(name: str, /, **args: Any) -> AIMessage:
    """A message that calls a tool. No two calls of a conversation have one id."""
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": uuid4().hex, "type": "tool_call"}])


def blocks(model: ScriptedModel) -> list[str]:
    """What each model call was shown of memory."""
    return [next((part for m in sent if OPENING in (part := str(m.content))), "") for sent in model.seen]


def asking(agent: Any, name: str = "ask_guide", config: RunnableConfig | None = None) -> BaseTool:
    """A tool, for both colours, that asks an agent."""

    def ask(question: str) -> str:
        """Ask the guide."""
        return str(agent.invoke({"messages": question}, config)["messages"][-1].content)

    async def aask(question: str) -> str:
        return str((await agent.ainvoke({"messages": question}, config))["messages"][-1].content)

    return StructuredTool.from_function(ask, aask, name=name)
