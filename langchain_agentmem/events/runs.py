"""What a callback handler knows of a run, and how that becomes the document of an event."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias
from uuid import UUID

from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables.config import RunnableConfig
from langgraph.types import Command as GraphCommand
from langsmith.run_helpers import get_current_run_tree

from langchain_agentmem.events.event import Document
from langchain_agentmem.events.here import here, placed
from langchain_agentmem.wire.whose import user_of


class Run:
    """One run between its start and its end.

    Attributes:
        kind: node, run, tool or model; "" for what makes no events and is known only so that its children find their
            trace.
        parent: The run directly around it.
        around: The nearest run around it that makes events, so that no event names a run which the log does not know.
        started: When, by `time.perf_counter`.
        user: Who runs it, as the tool and model calls inside it came to know; "" where they are several's.
        inside: The tool and model calls made directly in it.
        config: What says which checkpoint it runs from, of the config that it runs in: all of that would keep the
            state of the graph.
        place: The fields that all its events share, once they were asked for.
        interrupt: What is known of the interrupt that it stopped for.
    """

    name: str | None = None
    metadata: Mapping[str, Any] = MappingProxyType({})
    config: RunnableConfig | None = None
    attempt: int = 1
    user: str | None = None
    place: Document | None = None
    interrupt: Document | None = None
    inside: list[Run] | None = None

    def __init__(self, run_id: UUID, parent: UUID | None, around: UUID | None, trace: UUID) -> None:
        self.kind, self.id, self.parent, self.around, self.trace = "", run_id, parent, around, trace
        self.started = time.perf_counter()


# What callbacks leave for the writer, which makes a document of it later: verb, run, when (as `time.perf_counter` has
# it, so that one look at a clock gives the time and the duration), more fields.
Note: TypeAlias = tuple[str, Run, float, Document | None]

_STATUS = {"end": "ok", "interrupt": "interrupted", "error": "error"}


def documents_of(notes: Sequence[Note]) -> list[Document]:
    """The events that notes stand for."""
    epoch = time.time() - time.perf_counter()
    return [_document(epoch, *note) for note in notes]


def _document(epoch: float, verb: str, run: Run, when: float, more: Document | None) -> Document:
    place = run.place
    if place is None:
        place = run.place = _place(run)
    document = {"kind": f"{run.kind}.{verb}", "time": epoch + when, **place}
    if user := user_of({}, run.metadata) if run.user is None else run.user:
        document["user"] = user
    if verb in _STATUS:
        document["status"], document["duration"] = _STATUS[verb], round(when - run.started, 6)
    if more:
        document.update(more)
    return document


def _place(run: Run) -> Document:
    """The fields that all events of a run share."""
    place = placed(run.metadata)
    if run.kind == "run":
        place = {name: place[name] for name in ("thread_id",) if name in place}
    if run.config is not None and (checkpoint_id := here(run.config).get("checkpoint_id")):
        place["checkpoint_id"] = checkpoint_id
    if run.name is not None:
        place["name"] = run.name
    if run.attempt > 1:
        place["attempt"] = run.attempt
    if run.around is not None:
        place["parent_run_id"] = run.around
    if model := run.metadata.get("ls_model_name"):
        place["data"] = {"model": model}
    return place | {"run_id": run.id, "trace_id": run.trace}


def outer_trace(parent_run_id: UUID) -> UUID:
    """The trace of a run whose parent is not LangChain's: LangSmith's `traceable`."""
    tree = get_current_run_tree()
    return parent_run_id if tree is None else tree.trace_id


def is_node(tags: list[str]) -> bool:
    """Whether a run is a node's: LangGraph tags nodes, and not what runs inside them, with `graph:step:N`."""
    for tag in tags:  # noqa: SIM110 - any() would make this, the most frequent call of all, twice as slow
        if tag[:11] == "graph:step:":
            return True
    return False


def resumes(inputs: Any) -> bool:
    """Whether a graph's input answers an interrupt."""
    return isinstance(inputs, GraphCommand) and inputs.resume is not None


def failure(error: BaseException) -> Document:
    """The fields that say what went wrong."""
    cancelled = type(error).__name__ in {"CancelledError", "GeneratorExit", "KeyboardInterrupt"}
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot say what it is must not break the graph
        message = ""
    return {"status": "cancelled" if cancelled else "error", "error_type": type(error).__name__, "error": message}


def interrupts_in(interrupts: Any) -> Document:
    """The field with the ids of LangGraph's interrupts."""
    ids = [interrupt.id for interrupt in interrupts if hasattr(interrupt, "id")]
    return {"data": {"interrupts": ids}} if ids else {}


def tokens_in(response: LLMResult) -> Document:
    """Token usage, as chat models attach it to the message and older ones to the result."""
    read = written = 0
    for generation in (first for generations in response.generations for first in generations[:1]):
        usage = getattr(generation.message, "usage_metadata", None) if isinstance(generation, ChatGeneration) else None
        if usage:
            read, written = read + usage["input_tokens"], written + usage["output_tokens"]
    if not read and not written:
        usage = (response.llm_output or {}).get("token_usage") or {}
        read, written = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {"input_tokens": read, "output_tokens": written} if read or written else {}
