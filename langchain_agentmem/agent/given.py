"""How many of a conversation's last messages came with the run. What stood there before may be another user's.

A node sees one list of messages, in which those that a run was given stand behind those of its thread. A run that
failed leaves what it was given, with no answer behind it, so the list alone does not tell where the next one's begin.
LangChain tells it to callbacks when a run starts; from the first `listen()` on it is noted in the context, which tasks
inherit.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook
from langgraph.types import Command

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.promotion.taking import last_words

_GIVEN: ContextVar[int | None] = ContextVar("agentmem_given", default=None)


class _Listener(BaseCallbackHandler):
    """Hears of the start of runs only, and looks at those that are no part of a graph."""

    run_inline = True  # or it would note it in a context of its own

    ignore_llm = ignore_chat_model = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True

    def on_chain_start(
        self, serialized: dict[str, Any], inputs: Any, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Note what a run is given."""
        if "langgraph_node" not in (metadata or {}):
            _GIVEN.set(_count(inputs))


_LISTENER: Final = _Listener()
_HOOK: ContextVar[BaseCallbackHandler | None] = ContextVar("agentmem_listener", default=_LISTENER)


@cache
def listen() -> None:
    """Hear of the runs of this process from now on."""
    register_configure_hook(_HOOK, inheritable=True)


def given() -> int | None:
    """How many messages in a row, the last ones, a user gave to the run; None: nobody knows."""
    return _GIVEN.get()


def _count(inputs: Any) -> int | None:
    if inputs is None or isinstance(inputs, Command):
        return 0  # it goes on with what the thread holds
    messages = inputs.get("messages") if isinstance(inputs, Mapping) else getattr(inputs, "messages", None)
    if messages is None:
        return None  # a graph with a state of its own
    try:
        return len(last_words(messages if isinstance(messages, list) else [messages]))
    except InvalidInputError:
        return None  # which the graph will refuse, or read in its own way
