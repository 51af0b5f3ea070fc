"""memory_tools(): the memory as LangChain tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from pydantic import PrivateAttr

from langchain_agentmem.agent.arguments import Answer, Arguments, Call, Memory
from langchain_agentmem.agent.tolerance import OnError, Tolerance
from langchain_agentmem.agent.toolset import TOOLSET
from langchain_agentmem.errors import InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, ScopeLike, ScopeSource, template_of
from langchain_agentmem.wire.bridge import run

ToolName: TypeAlias = Literal[
    "search_memory",
    "remember",
    "correct_memory",
    "forget_memory",
    "get_facts",
    "set_fact",
    "update_scratchpad",
    "recall_events",
    "get_current_datetime",
]


def memory_tools(
    memory: Memory,
    *,
    scope: ScopeLike = DEFAULT_SCOPE,
    names: Iterable[ToolName] | None = None,
    required: bool = True,
    on_error: OnError = "warn",
) -> list[BaseTool]:
    """The memory as tools for a model: `create_agent(model, tools=memory_tools(memory))`.

    | tool | what it does | artifact |
    |---|---|---|
    | `search_memory` | recalls what answers a question | list of `Recalled` |
    | `remember` | remembers a statement | `Remembered` |
    | `correct_memory` | gives a memory another text; its past is kept | `Remembered` |
    | `forget_memory` | **deletes** one memory by its id; the bank's `undo` brings it back for a day | list of ids |
    | `get_facts` | reads exact facts | dict of `Fact` by name |
    | `set_fact` | sets a fact, or deletes it; its past is kept | the `Fact` set or deleted |
    | `update_scratchpad` | adds to the thread's scratchpad, or **replaces** it | the scratchpad |
    | `recall_events` | lists the thread's last events | list of `Event` |
    | `get_current_datetime` | tells the time | `datetime` |

    Whose memories a call reaches is set here and by the run, never by the model: no tool has an argument for a user, a
    namespace or a thread, and an id reaches only memories of the run's own scope. What a model does wrong (an unknown
    id, a text that is too long) comes back to it as a message with `status="error"` that says how to go on; what the
    application does wrong (no user in the run) is raised.

    For a model that should ask first, add `HumanInTheLoopMiddleware(interrupt_on={"forget_memory": True})`; for one
    that should only read, name the tools it gets.

    Args:
        memory: An `AgentMemory`, or anything with its `bank`, `events` and `session`.
        scope: Whose memories: a `Scope` for all runs, or a template that each run's context or config fills in.
        names: Only these tools. Default: all.
        required: Whether a call in a run that does not say whose memories it is about is an error. False: the model is
            told that there is no memory.
        on_error: What a server or an embedder that fails does: `warn` in the log and the events, and tell the model to
            go on without; or `raise`.

    Returns:
        The tools, sync and async. Content is short text with ids to cite; a checkpoint keeps artifacts as plain dicts.

    Raises:
        InvalidInputError: `scope` is none, or a name is unknown.
    """
    source = template_of(scope)
    chosen = [TOOLSET[name] if name in TOOLSET else _unknown(name) for name in (TOOLSET if names is None else names)]
    tolerance = Tolerance(on_error, memory.events)
    return [MemoryTool(arguments, memory, source, tolerance, required=required) for arguments in chosen]


class MemoryTool(BaseTool):
    """One tool of a memory. Made by `memory_tools`.

    Args:
        arguments: Its arguments, and what it does with them.
        memory: What it works on.
        source: Says whose memories a run is about.
        tolerance: What becomes of the turn when memory fails.
        required: Whether a run has to say whose memories it is about.
    """

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    _memory: Memory = PrivateAttr()
    _source: ScopeSource = PrivateAttr()
    _arguments: type[Arguments] = PrivateAttr()
    _tolerance: Tolerance = PrivateAttr()
    _required: bool = PrivateAttr()

    def __init__(
        self,
        arguments: type[Arguments],
        memory: Memory,
        source: ScopeSource,
        tolerance: Tolerance,
        *,
        required: bool = True,
    ) -> None:
        super().__init__(
            name=arguments.tool,
            description=arguments.description(),
            args_schema=arguments,
            handle_tool_error=True,
            handle_validation_error=arguments.explain,
        )
        self._arguments, self._memory, self._source = arguments, memory, source
        self._tolerance, self._required = tolerance, required

    async def _arun(self, *given: str, config: RunnableConfig, **arguments: Any) -> Answer:
        # A tool called with one text gets it as its first argument, unchecked; all others come checked.
        asked = self._arguments(**dict(zip(self._arguments.model_fields, given, strict=False)) | arguments)
        call = Call(self._memory, config, self._source)
        done = await self._tolerance.attempt(f"the tool {self.name}", self._outcome(asked, call), call.thread_id)
        if isinstance(done, tuple):
            return done
        raise done or ToolException(
            "Memory cannot be reached at the moment. Go on without it, and say so if it matters."
        )

    async def _outcome(self, asked: Arguments, call: Call) -> Answer | ToolException:
        """What comes of a call; what the model can mend is no failure of memory."""
        try:
            return await asked.answer(call)
        except ToolException as error:
            return error
        except MissingScopeError:
            if self._required:
                raise
            return "Nobody is signed in, so there is no memory. Go on without it.", None

    def _run(self, *given: str, config: RunnableConfig, **arguments: Any) -> Answer:
        return run(self._arun(*given, config=config, **arguments))


def _unknown(name: object) -> type[Arguments]:
    raise InvalidInputError(f"names: there is no tool {name!r}; there are {', '.join(TOOLSET)}")
