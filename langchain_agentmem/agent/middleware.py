"""MemoryMiddleware: long-term memory for `create_agent`, in one line. Needs the extra `[langchain]`.

```python
agent = create_agent(
    model, tools=memory.tools(), middleware=[memory.middleware()], checkpointer=memory.checkpointer, store=memory.store
)
agent.invoke({"messages": "..."}, {"configurable": {"thread_id": "1", "user_id": "anna"}})
```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage, SystemMessage
from langgraph.runtime import Runtime

from langchain_agentmem.agent.context import Along, ContextAssembler, question_of, thread_of
from langchain_agentmem.agent.draft import Context
from langchain_agentmem.agent.handing import HANDING_OVER, HandOver
from langchain_agentmem.agent.inside import inside_tool, watch
from langchain_agentmem.agent.turns import TurnKey, Turns
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, ScopeLike, scope_of_run, template_of
from langchain_agentmem.promotion.extraction import ExtractionNode
from langchain_agentmem.promotion.origin import of_scope
from langchain_agentmem.wire.bridge import either, run

Request: TypeAlias = ModelRequest[Any]
Response: TypeAlias = ModelResponse[Any]


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
        self._turns: Turns[_Shown] = Turns()

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
        turn, run_of_it = TurnKey.of(scope, thread_id), _run_of(request.runtime)
        along = await self._along(request, scope, turn)
        before = self._turns.get(turn, run_of_it)
        question = before.question if before and before.question else question_of(_conversation(request))
        changes = self._assembler.changes(scope, thread_id)  # before the recall: what is written during it counts anew
        if before and (before.question, before.changes) == (question, changes):
            context = before.context
            self._assembler.note(context, scope, thread_id)
        else:
            context = await self._assembler.aassemble(
                question, scope, thread_id=thread_id, messages=request.messages, along=along
            )
            self._turns.put(turn, run_of_it, _Shown(question, changes, context))
        if not context.text:
            return request
        return request.override(system_message=_behind(request.system_message, context.text))

    async def _along(self, request: Request, scope: Scope, turn: TurnKey) -> Along | None:
        """What goes to the server together with the recall."""
        return None

    def _resolve(self, runtime: Runtime[Any] | None) -> Scope | None:
        return scope_of_run(self._scope, context=getattr(runtime, "context", None), required=self._required)


class MemoryMiddleware(RecallMiddleware):
    """Shows the model what memory knows, and hands each turn over to promotion.

    What the user says is handed over when the model is asked about it first, in the round trip of the recall, and the
    rest of the turn when the agent has answered, in a round trip of its own, whatever the length of the conversation. A
    worker makes memories of it later. So a turn that fails is not lost, however long it is; one that a guard refuses in
    front of the model is never taken.

    Only the current turn is handed over, and of the user's messages only those that came with the run, or with the one
    that it goes on with, if that was the same user's. What stood there before may be older, or another user's. Turns
    that could not be handed over, because the server was away, are kept in the process, and go along with the next one
    of the same user in the same thread.

    What an agent is told inside a tool's call is not handed over. There a model speaks in the user's place, and perhaps
    passes on what a web page said. An agent that is a node of a graph shares the user's messages, and hands them over,
    but not what a node wrote in the user's place: a message that the graph was not given, or one that is signed
    (`name`) beside the user's unsigned ones.

    As the last it stands behind all others' model hooks, and hands over what they have left. What the `after_agent` of
    another makes of the answer it does not see, as these run from the last middleware to the first.

    Args:
        assembler: Puts together what is shown.
        promotion: Takes the turns.
        scope: Whose memories: a template that each run's context or config fills in, or a scope for all.
        required: Whether a run that does not say whose memories it is about is an error. False: it has no memory.
        name: The middleware's name; an agent that has several of them needs a name for each.
    """

    def __init__(
        self,
        assembler: ContextAssembler,
        promotion: ExtractionNode,
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        required: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(assembler, scope=scope, required=required, name=name)
        self._hand_over = HandOver(promotion)
        watch()

    async def aafter_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """Hand over what is left of the turn."""
        scope = self._resolve(runtime)
        if scope is not None and not inside_tool():
            thread_id = thread_of()
            turn, mine = TurnKey.of(scope, thread_id), of_scope(self._scope, scope)
            finishing = self._hand_over.afinish(state["messages"], scope, mine, turn, _run_of(runtime))
            await self._assembler.tolerance.attempt(HANDING_OVER, finishing, thread_id)

    def after_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """Sync form of `aafter_agent`."""
        return run(self.aafter_agent(state, runtime))

    async def _along(self, request: Request, scope: Scope, turn: TurnKey) -> Along | None:
        if inside_tool():
            return None
        mine, run_of_it = of_scope(self._scope, scope), _run_of(request.runtime)
        beginning = self._hand_over.abegin(_conversation(request), scope, mine, turn, run_of_it)
        return await self._assembler.tolerance.attempt(HANDING_OVER, beginning, thread_of())


class _Shown(NamedTuple):
    """What was shown in a turn, and what for."""

    question: str
    changes: int
    context: Context


def _run_of(runtime: Runtime[Any] | None) -> Any:
    """What is the same in all steps of one run, and in no other's."""
    return getattr(runtime, "control", None)


def _conversation(request: Request) -> Sequence[AnyMessage]:
    """What was said, without what other middleware adds to this call alone, such as the date."""
    state: Any = request.state
    return (state.get("messages") if isinstance(state, Mapping) else None) or request.messages


def _behind(system: SystemMessage | None, block: str) -> SystemMessage:
    """A system message with a block behind it, so that the prompt itself stays where a provider caches it."""
    if system is None:
        return SystemMessage(block)
    content = system.content
    if isinstance(content, str):
        return system.model_copy(update={"content": f"{content}\n\n{block}" if content else block})
    return system.model_copy(update={"content": [*content, {"type": "text", "text": block}]})
