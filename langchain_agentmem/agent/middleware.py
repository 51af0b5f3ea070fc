"""MemoryMiddleware: long-term memory for `create_agent`, in one line. Needs the extra `[langchain]`.

```python
agent = create_agent(
    model, tools=memory.tools(), middleware=[memory.middleware()], checkpointer=memory.checkpointer, store=memory.store
)
agent.invoke({"messages": "..."}, {"configurable": {"thread_id": "1", "user_id": "anna"}})
```
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeAlias, cast

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.runtime import Runtime

from langchain_agentmem.agent.context import ContextAssembler, question_of, thread_of
from langchain_agentmem.agent.draft import Context
from langchain_agentmem.agent.inside import inside_tool, watch
from langchain_agentmem.errors import MissingScopeError
from langchain_agentmem.events.here import here
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, ScopeLike, template_of
from langchain_agentmem.wire.bridge import either, run

Request: TypeAlias = ModelRequest[Any]
Response: TypeAlias = ModelResponse[Any]

_MOST_TURNS = 256  # that wait for their next model call in one process; whichever is forgotten is recalled anew


class RecallMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Shows the model what memory knows, behind the system prompt, and leaves nothing in the state.

    Memory is recalled once for what the user said, in front of the first model call, and shown again in the calls after
    tools; only where this process has written to memory meanwhile is it recalled anew. No node does this, so it costs
    no super-step and no checkpoint.

    It goes last in `middleware=[...]`. What follows it and sets a system prompt of its own, as `@dynamic_prompt` does,
    would put that in the place of the whole message, and the model would be shown nothing of memory.

    Args:
        assembler: Puts together what is shown.
        scope: Whose memories: a template that each run's context or config fills in, or a scope for all.
        required: Whether a run that does not say whose memories it is about is an error. False: it has no memory.
        name: The middleware's name; an agent that has several of them needs a name for each.
    """

    def __init__(
        self,
        assembler: ContextAssembler,
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        required: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.tools = []
        self._assembler, self._scope, self._required = assembler, template_of(scope), required
        self._name = name or type(self).__name__
        self._turns = _Turns()

    @property
    def name(self) -> str:
        """The middleware's name."""
        return self._name

    async def awrap_model_call(self, request: Request, handler: Callable[[Request], Awaitable[Response]]) -> Response:
        """Call the model with what memory knows.

        Raises:
            MissingScopeError: The run does not say whose memories it is about, and `required` is set.
        """
        call: Any = handler  # of the colour that this runs in
        return cast("Response", await either(call, call, await self._with_memory(request)))

    def wrap_model_call(self, request: Request, handler: Callable[[Request], Response]) -> Response:
        """Sync form of `awrap_model_call`."""
        return run(self.awrap_model_call(request, cast("Any", handler)))

    async def _with_memory(self, request: Request) -> Request:
        scope = self._resolve(request.runtime)
        if scope is None:
            return request
        thread_id = thread_of()
        turn, run_of_it = _turn(scope, thread_id), getattr(request.runtime, "control", None)
        before = self._turns.get(turn, run_of_it)
        question = before.question if before and before.question else question_of(_conversation(request))
        changes = self._assembler.changes(scope, thread_id)  # before the recall: what is written during it counts anew
        if before and (before.question, before.changes) == (question, changes):
            context = before.context
            self._assembler.note(context, scope, thread_id)
        else:
            context = await self._assembler.aassemble(question, scope, thread_id=thread_id, messages=request.messages)
            self._turns.put(turn, run_of_it, _Shown(question, changes, context))
        if not context.text:
            return request
        return request.override(system_message=_behind(request.system_message, context.text))

    def _resolve(self, runtime: Runtime[Any] | None) -> Scope | None:
        try:
            return self._scope.resolve(context=getattr(runtime, "context", None))
        except MissingScopeError:
            if self._required:
                raise
            return None


class MemoryMiddleware(RecallMiddleware):
    """Shows the model what memory knows, and hands each turn over to promotion when the agent has answered.

    The hand-over is one round trip, whatever the length of the conversation; a worker makes memories of it later. A
    turn that could not be handed over, or that ended with an error, goes along with the next.

    What an agent is told inside a tool's call is not handed over. There a model speaks in the user's place, and perhaps
    passes on what a web page said. An agent that is a node of a graph shares the user's messages, and hands them over.

    `after_agent` runs from the last middleware to the first. So standing last, as it should, it hands over what the
    model hooks of all others have left, but not what their `after_agent` makes of it.

    Args:
        assembler: Puts together what is shown.
        promotion: Takes the agent's state: an `ExtractionNode`, of the same scope.
        scope: Whose memories: a template that each run's context or config fills in, or a scope for all.
        required: Whether a run that does not say whose memories it is about is an error. False: it has no memory.
        name: The middleware's name; an agent that has several of them needs a name for each.
    """

    def __init__(
        self,
        assembler: ContextAssembler,
        promotion: Runnable[Any, Any],
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        required: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(assembler, scope=scope, required=required, name=name)
        self._promotion = promotion
        watch()

    async def aafter_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """Hand the turn over, if a user spoke in it."""
        if self._resolve(runtime) is not None and not inside_tool():
            handing_over = either(self._promotion.invoke, self._promotion.ainvoke, state)
            await self._assembler.tolerance.attempt("handing the turn over to promotion", handing_over, thread_of())

    def after_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """Sync form of `aafter_agent`."""
        return run(self.aafter_agent(state, runtime))


class _Turn(NamedTuple):
    """What makes two model calls of one run belong to one turn of one user.

    Several agents may be at work in one run, also under one namespace: the task that each was called by tells them
    apart. Messages do not. Middleware adds some, and sums up those at the beginning.
    """

    thread_id: str | None
    namespace: str
    called_by: str
    path: tuple[str, ...]


class _Shown(NamedTuple):
    """What was shown in a turn, and what for."""

    question: str
    changes: int
    context: Context


def _turn(scope: Scope, thread_id: str | None) -> _Turn:
    metadata = (var_child_runnable_config.get() or {}).get("metadata") or {}
    return _Turn(thread_id, here().get("namespace") or "", str(metadata.get("checkpoint_ns") or ""), scope.path)


def _conversation(request: Request) -> Sequence[AnyMessage]:
    """What was said, without what other middleware adds to this call alone, such as the date."""
    state: Any = request.state
    return (state.get("messages") if isinstance(state, Mapping) else None) or request.messages


class _Turns:
    """What was shown in the turns that are under way: few, and each only for the run that it was recalled in.

    LangGraph gives every run a control object of its own; holding it here keeps another run from getting the same one.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[_Turn, tuple[Any, _Shown]] = OrderedDict()
        self._lock = Lock()

    def get(self, turn: _Turn, of: Any) -> _Shown | None:
        with self._lock:
            control, shown = self._held.get(turn, (None, None))
        return shown if of is not None and control is of else None

    def put(self, turn: _Turn, of: Any, shown: _Shown) -> None:
        with self._lock:
            self._held[turn] = (of, shown)
            self._held.move_to_end(turn)
            if len(self._held) > _MOST_TURNS:
                self._held.popitem(last=False)


def _behind(system: SystemMessage | None, block: str) -> SystemMessage:
    """A system message with a block behind it, so that the prompt itself stays where a provider caches it."""
    if system is None:
        return SystemMessage(block)
    content = system.content
    if isinstance(content, str):
        return system.model_copy(update={"content": f"{content}\n\n{block}" if content else block})
    return system.model_copy(update={"content": [*content, {"type": "text", "text": block}]})
