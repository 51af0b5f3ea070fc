"""Who answers in the demo: OpenAI's model where there is a key, else a small scripted one that needs no network.

The scripted model is honest: all that it knows comes from the messages that it is given. So what it remembers of a
thread is what the checkpointer brought back, and what it remembers beyond is what long-term memory put into the block
of recalled data.
"""

from __future__ import annotations

import calendar
import os
import re
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_agentmem.agent.rendering import CLOSING, OPENING
from langchain_agentmem.errors import ConfigurationError

OPENAI_MODEL = "gpt-4o-mini"
_FACTS = {
    "name": re.compile(r"\b(?:I'm|I am|[Mm]y name is) ([A-Z]\w+)"),
    "diet": re.compile(r"\b(vegan|vegetarian|pescatarian)\b", re.I),
    "allergy": re.compile(r"\ballergic to (\w+)", re.I),
    "city": re.compile(r"\b(?:to|in) (Lisbon|Kyoto|Oslo|Paris|Rome)\b"),
    "month": re.compile(rf"\bin ({'|'.join(calendar.month_name[1:])})\b"),
}
_PHRASES = {
    "name": "you are {}",
    "diet": "you are {}",
    "allergy": "you are allergic to {}",
    "city": "you are going to {}",
    "month": "it is in {}",
}
_ASKED = {"who": ("name", "diet"), "where": ("city", "month")}
_TOPICS = {  # what else a question may be about; any other one asks for everything
    "allergy": re.compile(r"\b(allerg|danger|avoid|safe)", re.I),
    "diet": re.compile(r"\b(diet|eat|food|cook|meal)", re.I),
}
_EVERYTHING = re.compile(r"\b(know|remember)\b", re.I)
_BLOCK = re.compile(rf"{OPENING}(.*?){CLOSING}", re.S)
_MEMORY = re.compile(r"^- (\[[^\]\n]+\]) (?:user: )?(.+?)(?: \(\d{4}-\d\d-\d\d\))?$", re.M)
_FACT = re.compile(rf"^- ({'|'.join(_FACTS)})(?:\.\w+)?: (.+) \(since [\d-]+\)$", re.M)
_DINNER = re.compile(r"\b(dinner|eat|restaurant)\b", re.I)


def choose_model() -> tuple[BaseChatModel, str]:
    """The model to talk to, and how to name it on screen.

    Raises:
        ConfigurationError: OPENAI_API_KEY is set, but langchain-openai is not installed.
    """
    if not os.environ.get("OPENAI_API_KEY"):
        return ScriptedModel(), "scripted offline model (set OPENAI_API_KEY to talk to a real one)"
    try:
        from langchain_openai import ChatOpenAI
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'OPENAI_API_KEY is set, but its package is missing: unset it, or pip install "langchain-agentmem[openai]"'
        ) from error
    name = os.environ.get("OPENAI_MODEL") or OPENAI_MODEL
    return ChatOpenAI(model=name), f"OpenAI {name}"


class ScriptedModel(BaseChatModel):
    """A chat model of a few rules: it notes names, diets, cities and months, and tells them when asked."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools, as real ones take them."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_answer(messages, kwargs.get("tools") or []))])


def _answer(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
    block = "".join(block for message in messages for block in _BLOCK.findall(message.text))
    known = dict(_FACT.findall(block)) | noted(messages)
    last = messages[-1]
    if isinstance(last, ToolMessage):
        return AIMessage(f"How about this, {known.get('name', 'friend')}? {last.text}")
    if _DINNER.search(last.text) and tools:
        return _call(tools[0]["function"], known, f"call_{len(messages)}")
    if last.text.rstrip().endswith("?"):
        return AIMessage(_reply(last.text, known, _MEMORY.findall(block)))
    fresh = [f"{fact} {value}" for fact, value in noted([last]).items()]
    return AIMessage(f"Noted: {', '.join(fresh)}." if fresh else "I see.")


def _reply(question: str, known: dict[str, str], recalled: Sequence[tuple[str, str]]) -> str:
    """What is known of what is asked: by name where the question names it, else the memory that does, or the first."""
    first = question.split(maxsplit=1)[0].lower()
    asked = [*_ASKED.get(first, ()), *(fact for fact, topic in _TOPICS.items() if topic.search(question))]
    stated = [(cited, text) for cited, text in recalled if not text.endswith("?")]
    if stated and not _EVERYTHING.search(question) and known.keys().isdisjoint(asked):
        cited, text = next((each for each in stated if not _found([each[1]]).keys().isdisjoint(asked)), stated[0])
        return f"You told me: “{text}” {cited}"
    wanted = known.keys() & (asked or known)
    told = [phrase.format(known[fact]) for fact, phrase in _PHRASES.items() if fact in wanted]
    return f"{_sentence(told)}." if told else "You have not told me yet."


def _call(function: dict[str, Any], known: dict[str, str], call_id: str) -> AIMessage:
    """A call of the tool with what is known, or a question for what is not."""
    arguments = function["parameters"]["properties"]
    missing = [name for name in arguments if name not in known]
    if missing:
        return AIMessage(f"First tell me your {' and '.join(missing)}.")
    given = {name: known[name] for name in arguments}
    return AIMessage("", tool_calls=[{"name": function["name"], "args": given, "id": call_id}])


def noted(messages: Sequence[BaseMessage]) -> dict[str, str]:
    """What the user said in these messages, by what it is about; the latest word counts."""
    return _found([message.text for message in messages if message.type == "human"])


def _found(said: Sequence[str]) -> dict[str, str]:
    found = {fact: [word for text in said for word in pattern.findall(text)] for fact, pattern in _FACTS.items()}
    return {fact: words[-1] for fact, words in found.items() if words}


def _sentence(parts: Sequence[str]) -> str:
    joined = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    return joined[0].upper() + joined[1:]
