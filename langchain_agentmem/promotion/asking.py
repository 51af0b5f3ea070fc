"""Asking a model for an object: structured output where it has it, plain JSON where not, one repair, a loud end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.constants import TAG_NOSTREAM
from pydantic import BaseModel

from langchain_agentmem.errors import ConfigurationError, ExtractionError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion import prompts
from langchain_agentmem.promotion.batch import Usage
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.models import named_chat_model
from langchain_agentmem.promotion.schemas import json_schema
from langchain_agentmem.promotion.tolerant import UnreadableError, merged, parse, validate
from langchain_agentmem.wire.bridge import either

Model = TypeVar("Model", bound=BaseModel)
Check = Callable[[Any], str | None]
ChatModel = Runnable[Any, Any]
"""A `BaseChatModel`, or one with retries, fallbacks or bound arguments around it."""

_ANSWER = 600  # tokens that an answer is expected to have, when a call is set aside
_SHOWN = 4_000  # characters of a bad answer that are shown to the model again
_NO_STREAM = RunnableConfig(tags=[TAG_NOSTREAM, "agentmem"], run_name="extract_memories")
"""A promotion inside a graph must not show its tokens to whoever reads the graph's stream."""
_CUT = frozenset(("length", "max_tokens", "max_output_tokens", "incomplete", "model_length"))
_WITHHELD = frozenset(("content_filter", "refusal", "safety", "prohibited_content", "recitation", "blocklist", "spii"))
_REASONS = ("finish_reason", "stop_reason", "done_reason", "status")
# Raised by openai's client before LangChain sees an answer. By name: no provider's package is needed here.
_RAISED = {"LengthFinishReasonError": "cut short", "ContentFilterFinishReasonError": "withheld by a content filter"}


class Answer(NamedTuple, Generic[Model]):
    """What a model answered, and what that took."""

    value: Model
    usage: Usage


class Asker:
    """Asks a model.

    Args:
        model: A LangChain chat model, or a string for `init_chat_model` such as `openai:gpt-4o-mini`.
        budget: Each call is set aside from it before it is made, and counted after it.
        method: For the model's `with_structured_output`, such as `function_calling`; by default the model's own.

    Raises:
        ConfigurationError: The string cannot be made a model.
    """

    def __init__(self, model: ChatModel | str, *, budget: Budget | None = None, method: str | None = None) -> None:
        self.model = chat_model(model)
        self._budget = budget
        self._options: dict[str, Any] = {"method": method} if method else {}
        self._ready: dict[type[BaseModel], tuple[ChatModel, str]] = {}

    async def aask(
        self, prompt: Sequence[BaseMessage], schema: type[Model], scope: Scope, check: Check | None = None
    ) -> Answer[Model]:
        """Ask for an object.

        Args:
            prompt: The messages.
            schema: What the answer is to be.
            scope: For whom; the budget's limits are by scope.
            check: Says what is wrong with an answer that can be read, or None. It is asked about the first answer
                only: the second is the caller's to make the best of.

        Raises:
            ExtractionError: The model refused, its answer was cut short, or two answers in a row could not be read.
            BudgetExceededError: There is nothing left of the budget.
        """
        if schema not in self._ready:
            self._ready[schema] = self._prepared(json_schema(schema))
        runnable, shape = self._ready[schema]
        asked = list(prompt)
        if runnable is self.model:
            asked.append(HumanMessage(prompts.JSON_ONLY.format(schema=shape)))
        first, usage = await self._call(runnable, asked, scope)
        try:
            value = _read(first, schema)
            complaint = check(value) if check else None
            if complaint is None:
                return Answer(value, usage)
        except UnreadableError as error:
            complaint = str(error)
        shown = _text(_message(first))[:_SHOWN]
        repair = HumanMessage(prompts.REPAIR.format(complaint=complaint, answer=shown, schema=shape))
        second, more = await self._call(runnable, [*prompt, repair], scope)
        try:
            return Answer(_read(second, schema), usage + more)
        except UnreadableError as error:
            raise ExtractionError(
                f"the model's answer could not be read, twice in a row: {error} Use a model that can write JSON"
            ) from error

    def _prepared(self, form: dict[str, Any]) -> tuple[ChatModel, str]:
        """The model with structured output, or as it is where it has none; and the schema to be read.

        It is given the JSON schema, not the class: then an answer of another form comes back to be read and repaired,
        where the class would raise inside the provider's client and leave nothing to repair.
        """
        shape = json.dumps(form, ensure_ascii=False)
        structured = getattr(self.model, "with_structured_output", None)
        try:
            ready = structured(form, include_raw=True, **self._options) if structured else self.model
        except NotImplementedError:
            ready = self.model
        return ready, shape

    async def _call(self, runnable: Runnable[Any, Any], messages: list[BaseMessage], scope: Scope) -> tuple[Any, Usage]:
        tokens = count_tokens_approximately(messages) + _ANSWER
        reserved = await self._budget.areserve(scope, tokens) if self._budget else None
        usage, failed = Usage(calls=1), True
        try:
            answer = await _invoke(runnable, messages)
            usage = usage_of(_message(answer))
            _insist(_message(answer))
            failed = False
        finally:
            if self._budget and reserved:
                await self._budget.asettle(reserved, usage, failed=failed)
        return answer, usage


async def _invoke(runnable: Runnable[Any, Any], messages: list[BaseMessage]) -> Any:
    try:
        return await either(runnable.invoke, runnable.ainvoke, messages, _NO_STREAM)
    except Exception as error:
        if what := _RAISED.get(type(error).__name__):
            raise ExtractionError(f"the model's answer was {what}; nothing of it was used") from error
        raise


def _insist(message: BaseMessage) -> None:
    """A refusal or half an answer is an error: as an answer, it would say that there is nothing to remember."""
    if message.additional_kwargs.get("refusal"):
        raise ExtractionError("the model refused to answer; its turns can be promoted by another model")
    for reason in (str(message.response_metadata.get(name, "")).lower() for name in _REASONS):
        if reason in _CUT:
            raise ExtractionError("the model's answer was cut short: raise its max_tokens, or promote fewer turns")
        if reason in _WITHHELD:
            raise ExtractionError(f"the model's answer was withheld ({reason}); nothing of it was used")


def _read(answer: Any, schema: type[Model]) -> Model:
    """What it answered: its calls of a tool, or else its text.

    LangChain's own reading of a text is not used: it takes what is cut in the middle for whole.
    """
    message = _message(answer)
    calls = [call["args"] for call in getattr(message, "tool_calls", None) or []]
    if not calls:
        return parse(_text(message), schema)
    once = [args for i, args in enumerate(calls) if args not in calls[:i]]
    broken = [str(call["args"]) for call in getattr(message, "invalid_tool_calls", None) or []]
    return merged([*(validate(args, schema) for args in once), *(parse(text, schema) for text in broken)])


def _message(answer: Any) -> BaseMessage:
    message = answer["raw"] if isinstance(answer, dict) else answer  # a model with structured output tells both
    return message if isinstance(message, BaseMessage) else AIMessage(str(message))


def _text(message: BaseMessage) -> str:
    calls = [call for name in ("tool_calls", "invalid_tool_calls") for call in getattr(message, name, None) or []]
    return message.text or "\n".join(str(call["args"]) for call in calls)


def usage_of(message: BaseMessage) -> Usage:
    """What a call took, as the model's answer says."""
    told = getattr(message, "usage_metadata", None) or {}
    return Usage(1, int(told.get("input_tokens") or 0), int(told.get("output_tokens") or 0))


def chat_model(model: ChatModel | str) -> ChatModel:
    """A chat model, or the one that a string for `init_chat_model` names.

    Raises:
        ConfigurationError: It is neither, or the model that it names cannot be made.
    """
    if isinstance(model, Runnable):
        return model
    if not isinstance(cast("Any", model), str) or not model:
        raise ConfigurationError(f"model: a LangChain chat model or a string such as 'openai:gpt-4o', not {model!r}")
    return named_chat_model(model)
