"""What a model sends as arguments, read with the patience that small models need.

Schemas are flat and name one type a field, as every provider's function calling understands them. What arrives may
still be `"5"` for 5, one text for a list, a list for one text, or null for a default: it is taken as it was meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from inspect import cleandoc
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

from langchain_core.runnables import RunnableConfig
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import ScopeSource
from langchain_agentmem.thread.working import WorkingMemory

LONGEST = 4_000  # characters of one text: a model that sends more has mistaken memory for an archive
LONGEST_NAME = 200

Answer: TypeAlias = tuple[str, Any]  # what the model reads, and the objects for the application


class Memory(Protocol):
    """What the tools work on: an `AgentMemory`, or anything that has these parts."""

    @property
    def bank(self) -> MemoryBank:
        """Long-term memories and facts."""

    @property
    def events(self) -> EventLog:
        """What was done."""

    def session(self, thread_id: str, user: str | None = None) -> WorkingMemory:
        """The working memory of a thread."""


@dataclass(frozen=True, slots=True)
class Call:
    """Where a call comes from. Nothing of it comes from the model.

    Attributes:
        memory: What the tool works on.
        config: The config of the run.
        source: Says whose memories the run is about.
    """

    memory: Memory
    config: RunnableConfig
    source: ScopeSource

    @property
    def scope(self) -> Scope:
        """Whose memories.

        Raises:
            MissingScopeError: The run does not say.
        """
        return self.source.resolve(self.config)

    @property
    def thread_id(self) -> str | None:
        """The thread of the run; None outside of one."""
        thread_id = (self.config.get("configurable") or {}).get("thread_id")
        return None if thread_id is None else str(thread_id)


class Arguments(BaseModel):
    """A tool, as its arguments and what it does with them. The docstring of a subclass is what the model reads."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    tool: ClassVar[str]
    example: ClassVar[str]

    async def answer(self, call: Call) -> Answer:
        """Do it.

        Raises:
            ToolException: It cannot be done; the words are for the model.
        """
        return await self._act(call)

    async def _act(self, call: Call) -> Answer:
        raise NotImplementedError

    @classmethod
    def description(cls) -> str:
        """What the model reads about the tool."""
        paragraphs = [" ".join(each.split()) for each in cleandoc(cls.__doc__ or "").split("\n\n")]
        return "\n".join([*paragraphs, f"Example: {cls.example}"])

    @classmethod
    def explain(cls, error: ValidationError) -> str:
        """What the model reads when its arguments cannot be used."""
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        return f"Nothing was done, the arguments cannot be used. {wrong}. Example: {cls.example}"

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


def _one_text(given: Any) -> Any:
    """One text, also where a list of texts came."""
    if isinstance(given, list | tuple) and given and all(isinstance(each, str) for each in given):
        return "\n".join(given)
    return json.dumps(given) if isinstance(given, bool | dict) else given


def _many_texts(given: Any) -> Any:
    """A list of texts, also where one came, or a list written as text."""
    if not isinstance(given, str):
        return given if isinstance(given, list | tuple) else [given]
    if given.lstrip().startswith("["):
        try:
            return json.loads(given)
        except ValueError:
            return [given]
    return [given] if given.strip() else []


def _at_most(longest: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"{len(text):,} characters are too many; at most {longest:,}, so say it in fewer words")
        return text

    return check


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("it must say something")
    return text


def _any_value(given: Any) -> Any:
    """A JSON value as it came; a text without what UTF-8 cannot carry."""
    return _writable(given) if isinstance(given, str) else given


def _writable(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8").strip()


Text = Annotated[str, BeforeValidator(_one_text), AfterValidator(_writable), AfterValidator(_at_most(LONGEST))]
Statement = Annotated[Text, AfterValidator(_said)]
Name = Annotated[Statement, AfterValidator(_at_most(LONGEST_NAME))]
Names = Annotated[list[Name], BeforeValidator(_many_texts)]
Value = Annotated[Any, BeforeValidator(_any_value), WithJsonSchema({"type": "string"})]
