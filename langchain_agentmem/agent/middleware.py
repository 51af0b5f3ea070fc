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
from collections.abc import Awaitable, Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeAlias, cast

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable
from langgraph.runtime import Runtime

from langchain_agentmem.agent.context import ContextAssembler, thread_of
from langchain_agentmem.agent.draft import Context
from langchain_agentmem.errors import MissingScopeError
from langchain_agentmem.events.here import here
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, ScopeLike, template_of
from langchain_agentmem.wire.bridge import either, run

Request: TypeAlias = ModelRequest[Any]
Response: TypeAlias = ModelResponse[Any]

_MOST_TURNS = 256  # that wait for their next model call in one process; whichever is forgotten is recalled anew
_WRITING = frozenset(("remember", "correct_memory", "forget_memory", "set_fact", "update_scratchpad"))


class RecallMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Shows the model what memory knows, behind the system prompt, and leaves nothing in the state.

    Memory is recalled once for what the user said, in front of the first model call, and shown again in the calls after
    tools; a tool that writes memories has it recalled anew. No node does this, so it costs no super-step and no
    checkpoint.

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
        turn, run_of_it = _turn(request, scope, thread_id), getattr(request.runtime, "control", None)
        context = self._turns.get(turn, run_of_it)
        if context is None:
            context = await self._assembler.aassemble(
                turn.question, scope, thread_id=thread_id, messages=request.messages
            )
            self._turns.put(turn, run_of_it, context)
        else:
            self._assembler.note(context, scope, thread_id)
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

    async def aafter_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """Hand the turn over."""
        if self._resolve(runtime) is not None:
            handing_over = either(self._promotion.invoke, self._promotion.ainvoke, state)
            await self._assembler.tolerance.attempt("handing the turn over to promotion", handing_over, thread_of())

    def after_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """Sync form of `aafter_agent`."""
        return run(self.aafter_agent(state, runtime))


class _Turn(NamedTuple):
    """What makes two model calls belong to one turn of one user."""

    thread_id: str | None
    namespace: str
    path: tuple[str, ...]
    message_id: str | None
    question: str
    written: int


def _turn(request: Request, scope: Scope, thread_id: str | None) -> _Turn:
    messages: Sequence[AnyMessage] = request.messages
    backwards = range(len(messages) - 1, -1, -1)
    at = next((at for at in backwards if isinstance(messages[at], HumanMessage)), None)
    asked, question = (None, "") if at is None else (messages[at].id, messages[at].text)
    written = sum(isinstance(message, ToolMessage) and message.name in _WRITING for message in messages[at or 0 :])
    return _Turn(thread_id, here().get("namespace") or "", scope.path, asked, question, written)


class _Turns:
    """The contexts of the turns that are under way: few, and each only for the run that it was recalled in.

    LangGraph gives every run a control object of its own; holding it here keeps another run from getting the same one.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[_Turn, tuple[Any, Context]] = OrderedDict()
        self._lock = Lock()

    def get(self, turn: _Turn, of: Any) -> Context | None:
        with self._lock:
            control, context = self._held.get(turn, (None, None))
        return context if of is not None and control is of else None

    def put(self, turn: _Turn, of: Any, context: Context) -> None:
        with self._lock:
            self._held[turn] = (of, context)
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
