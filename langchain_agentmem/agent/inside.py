"""Whether code runs inside a tool's call. Who speaks to an agent there, in a user's place, is a model.

LangChain gives what runs in a tool no sign of it: the agent's config names the task that the tool's call is a part of,
and any node may call tools, under any name. So the start and the end of every call are heard, from the first
`watch()` on, and noted in the context, which tasks and threads inherit. What LangGraph calls the node of the tools, and
`create_agent` always does, tells it as well where the context is lost, or the call was not heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, Final
from uuid import UUID
from weakref import ref

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from langchain_agentmem.wire.whose import running

_TOOLS = "tools"  # what `ToolNode` is called unless it is told otherwise
_NAMESPACES = ("langgraph_checkpoint_ns", "checkpoint_ns")  # of the code itself, and of who called its graph


class _Call:
    """A tool's call.

    The context outlives it. It is told when the call ends, except where that is cancelled: then nobody has its run's id
    any more. Who keeps the ids of such runs, as LangSmith's tracer does, keeps the call: what follows in the very same
    context then counts as inside it.

    Attributes:
        around: The call that it was made in.
        ended: Whether it was told so.
    """

    __slots__ = ("_run_id", "around", "ended")

    def __init__(self, run_id: UUID, around: _Call | None) -> None:
        self._run_id, self.around, self.ended = ref(run_id), around, False

    def is_of(self, run_id: UUID) -> bool:
        """Whether it is this run."""
        return self._run_id() == run_id

    @property
    def under_way(self) -> bool:
        """Whether it still runs."""
        return not self.ended and self._run_id() is not None


_CALL: ContextVar[_Call | None] = ContextVar("agentmem_tool_call", default=None)


class _Watcher(BaseCallbackHandler):
    """Hears of tools only."""

    run_inline = True  # or it would note the call in a context of its own

    ignore_llm = ignore_chat_model = ignore_chain = ignore_retriever = ignore_retry = ignore_custom_event = True

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, *, run_id: UUID, **kwargs: Any) -> None:
        """Note that a call begins."""
        _CALL.set(_Call(run_id, _innermost()))

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Note that it ends."""
        _end(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Note that it ends."""
        _end(run_id)


_WATCHER: Final = _Watcher()
_HOOK: ContextVar[BaseCallbackHandler | None] = ContextVar("agentmem_tool_watcher", default=_WATCHER)


@cache
def watch() -> None:
    """Hear of the calls of tools in this process from now on."""
    register_configure_hook(_HOOK, inheritable=True)


def inside_tool() -> bool:
    """Whether the running code is part of a tool's call."""
    return _innermost() is not None or _below_tools(running().get("metadata") or {})


def _innermost() -> _Call | None:
    call = _CALL.get()
    while call is not None and not call.under_way:
        call = call.around
    return call


def _end(run_id: UUID) -> None:
    call = _CALL.get()
    while call is not None and not call.is_of(run_id):
        call = call.around
    if call is not None:
        call.ended = True


def _below_tools(metadata: Mapping[str, Any]) -> bool:
    """Whether a node of tools is among those around a node: "tools:task|agent:task", or "tools|agent:task"."""
    path = [part for name in _NAMESPACES for part in str(metadata.get(name) or "").split("|")]
    return any(part.partition(":")[0] == _TOOLS for part in path)
