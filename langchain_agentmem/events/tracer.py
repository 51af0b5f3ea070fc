"""`EventTracer`: a callback handler that turns every node, tool and model execution into events."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from time import perf_counter
from typing import Any, cast
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.tracers.context import register_configure_hook
from langgraph.callbacks import GraphCallbackHandler, GraphInterruptEvent, GraphResumeEvent
from langgraph.errors import GraphBubbleUp, GraphInterrupt

from langchain_agentmem.events.event import Document
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.redact import plain
from langchain_agentmem.events.runs import (
    Note,
    Run,
    documents_of,
    failure,
    interrupts_in,
    is_node,
    outer_trace,
    resumes,
    tokens_in,
)
from langchain_agentmem.events.writer import Writer
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.whose import running, user_of

_MAX_OPEN = 100_000  # runs that started and did not end: more than that are lost, not waiting


class EventTracer(GraphCallbackHandler):
    """Writes what graphs do into an event log, without slowing or breaking them.

    Every execution of a node, in sub-graphs too, every tool call and model call, and every whole run becomes a start
    event and one of end, error or interrupt, in the order in which they happened, whether the graph runs in sync, async
    or on threads. A retry is an error and another start, with `attempt` counting. Callbacks only put a note in a queue;
    a thread makes events of the notes and writes them in batches. If Redis is away the graph runs on: what does not fit
    the queue is lost and counted in `dropped`.

    ```python
    graph = graph.with_config(callbacks=[memory.tracer])   # one graph
    memory.tracer.attach()                                 # or every run of this process
    ```

    Args:
        log: Where the events go.
        payload: Also store inputs and outputs: cut, and with secrets removed.
        capacity: How many notes may wait to be written.
    """

    run_inline = True  # or async callbacks would run on other threads, in any order

    def __init__(self, log: EventLog, *, payload: bool = False, capacity: int = 10_000) -> None:
        self._log = log
        self._payload = payload
        self._open: dict[int, Run] = {}  # by UUID.int, whose hash is native
        self._failures: dict[str, int] = {}  # by task, for the number of the next attempt
        self._hook: _Hook | None = None
        self._writer: Writer[Note, Sequence[Command]] = Writer(self._commands, log.send, capacity)

    ignore_retriever = ignore_custom_event = ignore_retry = True

    # For the whole process

    def attach(self) -> None:
        """See every run of this process from now on, in all threads and event loops. A run is never seen twice."""
        if self._hook is None:
            self._hook = _Hook()
            # LangChain asks the variable for a handler at the start of each run, and asks it for nothing else. A real
            # ContextVar could not be unset for all threads at once.
            register_configure_hook(cast("ContextVar[Any]", self._hook), inheritable=True)
        self._hook.handler = self

    def detach(self) -> None:
        """See no more runs than those that name this tracer in their callbacks."""
        if self._hook is not None:
            self._hook.handler = None

    # The queue

    @property
    def dropped(self) -> int:
        """How many events were lost, because the queue was full or Redis away for too long."""
        return self._writer.dropped

    async def aflush(self, seconds: float = 5.0) -> bool:
        """Wait until all events so far are written or lost. Done by itself when the process ends.

        Returns:
            Whether that came to pass within so many seconds.
        """
        return await self._writer.flushed(seconds)

    flush = sync_of(aflush)

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Note the start of a node or of a whole run."""
        run = self._enter(run_id, parent_run_id)
        more: Document | None = None
        if metadata:
            run.metadata = metadata
        if tags and is_node(tags):
            run.kind = "node"
            if self._failures:
                run.attempt = self._failures.get(run.metadata.get("langgraph_checkpoint_ns", ""), 0) + 1
        elif parent_run_id is None or parent_run_id.int not in self._open:
            run.kind = "run"
            if resumes(inputs):
                more = {"data": {"resumes": True}}
        else:
            return
        run.name = name
        self._note("start", run, run.started, more, inputs)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Note its end, or that the graph stopped for an interrupt."""
        run = self._open.pop(run_id.int, None)
        if run is None or not run.kind:
            return
        if self._failures and run.kind == "node":
            self._failures.pop(run.metadata.get("langgraph_checkpoint_ns", ""), None)
        if run.interrupt is not None:
            self._note("interrupt", run, perf_counter(), run.interrupt)
            return
        self._note("end", run, perf_counter(), None, outputs)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Note its error or interrupt."""
        self._fail(error, run_id)

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Note the start of a model call."""
        self._start("model", messages, run_id, **kwargs)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        """Note the start of a call of a model that takes text."""
        self._start("model", prompts, run_id, **kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the end of a model call, with its tokens."""
        run = self._open.pop(run_id.int, None)
        if run is not None:
            outputs = [generation.text for generation in response.generations[0]] if self._payload else None
            self._note("end", run, perf_counter(), tokens_in(response), outputs)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the error of a model call."""
        self._fail(error, run_id)

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the start of a tool call."""
        name = kwargs.pop("name", None) or (serialized or {}).get("name")
        self._start("tool", kwargs.pop("inputs", None) or input_str, run_id, name=name, **kwargs)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the end of a tool call."""
        run = self._open.pop(run_id.int, None)
        if run is not None:
            self._note("end", run, perf_counter(), None, output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the error of a tool call, or that it asks the user."""
        self._fail(error, run_id)

    # A graph's life: LangGraph tells these to the tracers in a config's callbacks only.

    def on_interrupt(self, event: GraphInterruptEvent) -> None:
        """Remember where a run stopped, for the event of its end."""
        run = self._open.get(event.run_id.int) if event.run_id else None
        if run is not None:
            run.interrupt = {"checkpoint_id": event.checkpoint_id, **interrupts_in(event.interrupts)}

    def on_resume(self, event: GraphResumeEvent) -> None:
        """Log from which checkpoint a run goes on."""
        run = self._open.get(event.run_id.int) if event.run_id else None
        if run is not None and run.kind == "run":
            self._note("resume", run, perf_counter(), {"checkpoint_id": event.checkpoint_id})

    # From callbacks to notes

    def _enter(self, run_id: UUID, parent_run_id: UUID | None) -> Run:
        # Copies: that nobody has a call's id any more is how `agent.inside` learns that it was cancelled.
        run_id = trace = UUID(int=run_id.int)
        around: UUID | None = None
        if parent_run_id is not None:
            parent = self._open.get(parent_run_id.int)
            around = parent_run_id = parent.id if parent else UUID(int=parent_run_id.int)
            if parent is None:
                trace = outer_trace(parent_run_id)
            else:
                trace = parent.trace
                if not parent.kind:
                    around = parent.around
        run = self._open[run_id.int] = Run(run_id, parent_run_id, around, trace)
        if len(self._open) > _MAX_OPEN:
            with suppress(RuntimeError):  # another thread is at it too
                self._open.pop(next(iter(self._open)), None)
        return run

    def _start(
        self,
        kind: str,
        inputs: Any,
        run_id: UUID,
        *,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        name: str | None = None,
        **_: Any,
    ) -> None:
        run = self._enter(run_id, parent_run_id)
        run.kind, run.name, run.metadata = kind, name, metadata or {}
        config = running()
        maps = {"checkpoint_map": (config.get("configurable") or {}).get("checkpoint_map")}
        run.config = {"metadata": config.get("metadata") or {}, "configurable": maps}
        self._name_user(run, user_of(config, run.metadata))
        if run.parent is not None and (around := self._open.get(run.parent.int)) is not None:
            around.inside = around.inside or []
            around.inside.append(run)
        self._note("start", run, run.started, None, inputs)

    def _name_user(self, run: Run, user: str) -> None:
        """Note who runs it, and what is around it: LangGraph tells the callbacks of nodes and graphs no user."""
        around: Run | None = run
        while user and around is not None and around.user != user:
            around.user = user if around.user is None else ""  # it runs for several
            around = self._open.get(around.parent.int) if around.parent else None

    def _fail(self, error: BaseException, run_id: UUID) -> None:
        run = self._open.pop(run_id.int, None)
        if run is None:
            return
        self._end_inside(run, error)
        if not run.kind:
            return
        if isinstance(error, GraphInterrupt):
            found = interrupts_in(error.args[0] if error.args else ())
            if run.parent is not None and (around := self._open.get(run.parent.int)) is not None:
                around.interrupt = found
            self._note("interrupt", run, perf_counter(), found)
        elif isinstance(error, GraphBubbleUp):  # a command for the graph around, and the like: how graphs work
            self._note("end", run, perf_counter())
        else:
            self._count_failure(run)
            self._note("error", run, perf_counter(), failure(error))

    def _end_inside(self, run: Run, error: BaseException) -> None:
        """Note the end of the calls that failed with it: of one that is cancelled LangChain tells nobody."""
        for call in run.inside or ():
            if self._open.pop(call.id.int, None) is not None:
                self._end_inside(call, error)
                self._note("error", call, perf_counter(), {**failure(error), "status": "cancelled"})

    def _count_failure(self, run: Run) -> None:
        if run.kind == "node":
            if len(self._failures) > _MAX_OPEN:
                self._failures.clear()
            self._failures[run.metadata.get("langgraph_checkpoint_ns", "")] = run.attempt

    def _note(self, verb: str, run: Run, when: float, more: Document | None = None, payload: Any = None) -> None:
        if self._payload and payload is not None:  # now, for the graph may change it
            more = {**(more or {}), "payload": plain(payload, self._log.redactor.max_payload)}
        self._writer.put((verb, run, when, more))

    # From notes to events, on the writer's thread

    def _commands(self, notes: Sequence[Note]) -> Sequence[Command]:
        return self._log.commands(documents_of(notes))


class _Hook:
    """What LangChain takes for a context variable: holds the handler of the whole process."""

    handler: BaseCallbackHandler | None = None

    def get(self) -> BaseCallbackHandler | None:
        return self.handler
