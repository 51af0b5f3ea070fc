"""What a run was given. Of a conversation's last messages only these are sure to be the user's who runs it.

A node sees one list of messages, in which those that a run was given stand behind those of its thread. A run that
failed leaves what it was given, with no answer behind it, so the list alone does not tell where the next one's begin.
And an agent inside a graph may be told what a model wrote. LangChain tells callbacks what a run is given when it
starts; from the first `listen()` on it is noted in the context, which tasks inherit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.tracers.context import register_configure_hook
from langgraph.types import Command

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.promotion.taking import last_words


@dataclass(frozen=True, slots=True)
class _Given:
    """What a run was given.

    Attributes:
        number: How many messages of a user's, in a row and last; 0 where it goes on with what the thread holds.
        texts: What these say.
        ids: Their ids, once the graph has given them some. Whatever becomes of the text, as where it is redacted.
    """

    number: int
    texts: frozenset[str] = frozenset()
    ids: set[str] = field(default_factory=set)

    def meet(self, messages: Sequence[BaseMessage]) -> None:
        """Learn the ids of those that are among these."""
        self.ids.update(each.id for each in messages if each.id and each.text in self.texts)


_GIVEN: ContextVar[_Given | None] = ContextVar("agentmem_given", default=None)


class _Listener(BaseCallbackHandler):
    """Hears of the start of runs only, and looks at those that are no part of a graph."""

    run_inline = True  # or it would note it in a context of its own

    ignore_llm = ignore_chat_model = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True

    def on_chain_start(
        self, serialized: dict[str, Any], inputs: Any, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Note what a run is given, and how its nodes call that."""
        if "langgraph_node" not in (metadata or {}):
            _GIVEN.set(_read(inputs))
        elif (noted := _GIVEN.get()) is not None and noted.texts:
            noted.meet(_last_words(inputs) or [])


_LISTENER: Final = _Listener()
_HOOK: ContextVar[BaseCallbackHandler | None] = ContextVar("agentmem_listener", default=_LISTENER)


@cache
def listen() -> None:
    """Hear of the runs of this process from now on."""
    register_configure_hook(_HOOK, inheritable=True)


def given() -> int | None:
    """How many messages in a row, the last ones, a user gave to the run; None: nobody knows."""
    noted = _GIVEN.get()
    return None if noted is None else noted.number


def is_given(message: BaseMessage) -> bool:
    """Whether a user gave this message to the run, as far as is known."""
    noted = _GIVEN.get()
    return noted is None or not noted.number or message.id in noted.ids or message.text in noted.texts


def _read(inputs: Any) -> _Given | None:
    if inputs is None or isinstance(inputs, Command):
        return _Given(0)
    words = _last_words(inputs)
    return None if words is None else _Given(len(words), frozenset(each.text for each in words))


def _last_words(inputs: Any) -> list[BaseMessage] | None:
    messages = inputs.get("messages") if isinstance(inputs, Mapping) else getattr(inputs, "messages", None)
    if messages is None:
        return None  # a graph with a state of its own
    try:
        return last_words(messages if isinstance(messages, list) else [messages])
    except InvalidInputError:
        return None  # which the graph will refuse, or read in its own way
