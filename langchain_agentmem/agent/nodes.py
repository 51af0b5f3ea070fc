"""RecallNode: a node of a `StateGraph` that puts what memory knows into the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage, RemoveMessage, SystemMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableConfig

from langchain_agentmem.agent.context import ContextAssembler, question_of, thread_of
from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.here import here
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, ScopeLike, scope_of_run, template_of
from langchain_agentmem.promotion.batch import RECALLED, digest
from langchain_agentmem.wire.bridge import run

MESSAGE_ID = "agentmem-recalled"
"""Of the block of a node for a user's memories; other nodes add what tells them apart."""

NOTHING = "Nothing is recalled."
"""What takes the place of a block that cannot be removed. Some models refuse an empty message."""


class RecallNode(Runnable[Any, dict[str, Any]]):
    """Recalls for what the user said last, and hands it to the nodes behind it.

    By default the block is a `SystemMessage` among the state's messages, of an id that the scope's template, or `name`,
    makes. So each turn's block takes the place of the one before, and where there is nothing to say that one goes. It
    is marked as recalled (`additional_kwargs`), so that promotion never learns from it. For this the messages need
    LangGraph's reducer `add_messages`, as `MessagesState` has it. Without a reducer the block would take the place of
    the whole conversation, and `operator.add` would add one each turn.

    In a subgraph the block comes out with the subgraph's messages and stays in the graph around it until the node runs
    again; with nothing to say it then leaves a few words there, as a removal would not come out. Where other nodes must
    not see it, use `key`, with a key that only the subgraph has.

    With `key` the block is a text in the state instead, empty when there is nothing, for a prompt that you put together
    yourself. That works with any state that has messages; prefer it, too, with models that take a system message only
    at the beginning. The key must be in the state's schema: LangGraph drops what is not.

    ```python
    graph.add_node("recall", memory.recall_node())                     # a message
    graph.add_node("recall", memory.recall_node(key="memory_context")) # state["memory_context"]
    ```

    Args:
        assembler: Puts the block together.
        scope: Whose memories: a template that each run fills in, or a scope for all.
        key: The key of the state that the block is written to; None: a message.
        messages_key: The key of the state that holds the conversation.
        required: Whether a run that does not say whose memories it is about is an error. False: it has no memory.
        name: Tells the blocks of nodes apart that have the same scope.
    """

    def __init__(
        self,
        assembler: ContextAssembler,
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        key: str | None = None,
        messages_key: str = "messages",
        required: bool = True,
        name: str | None = None,
    ) -> None:
        self._assembler, self._scope, self.name = assembler, template_of(scope), name
        told = name or (None if self._scope is DEFAULT_SCOPE else digest(repr(self._scope)))
        self._id = f"{MESSAGE_ID}-{told}" if told else MESSAGE_ID
        self._key, self._messages_key, self._required = key, messages_key, required

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        """Recall for a state.

        Args:
            input: The state: a dict, a dataclass or a pydantic model.
            config: The run's config.
            **kwargs: Ignored.

        Returns:
            The update of the state.

        Raises:
            MissingScopeError: The run does not say whose memories it is about.
            InvalidInputError: The state has no messages; or the block would be one of them, and they have no ids: so it
                is not `add_messages` that keeps them.
        """
        messages = self._messages(input)
        if self._key is None and config and "namespace" in here(config):  # a graph gives it; a call by hand need not
            self._check_reducer(messages)
        text = await self._recalled(messages, config)
        if self._key is not None:
            return {self._key: text}
        if text:
            return {self._messages_key: [self._message(text)]}
        stale = any(message.id == self._id and message.text != NOTHING for message in messages)
        return {self._messages_key: self._gone(config)} if stale else {}

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        """Sync form of `ainvoke`."""
        return run(self.ainvoke(input, config, **kwargs))

    def _message(self, text: str) -> SystemMessage:
        return SystemMessage(text, id=self._id, additional_kwargs={RECALLED: True})

    def _gone(self, config: RunnableConfig | None) -> list[BaseMessage]:
        """What takes a block away. Another node may have done so in the same step, and `add_messages` raises then."""
        put = self._message(NOTHING)
        return [put] if here(config).get("namespace") else [put, RemoveMessage(self._id)]

    async def _recalled(self, messages: Sequence[BaseMessage], config: RunnableConfig | None) -> str:
        scope = scope_of_run(self._scope, config, required=self._required)
        if scope is None:
            return ""
        found = await self._assembler.aassemble(
            question_of(messages), scope, thread_id=thread_of(config), messages=messages
        )
        return found.text

    def _check_reducer(self, messages: Sequence[BaseMessage]) -> None:
        """A node cannot see the reducer, but what it does: `add_messages` gives ids to all, and replaces by them."""
        if not all(message.id for message in messages):
            raise InvalidInputError(
                f"messages_key: the messages under {self._messages_key!r} have no ids, so it is not add_messages that"
                " keeps them, and a block among them would cost the conversation; annotate the state's key with"
                " langgraph.graph.message.add_messages, or have the block under a key of its own: key="
            )

    def _messages(self, state: Any) -> list[BaseMessage]:
        name = self._messages_key
        found = state.get(name) if isinstance(state, dict) else getattr(state, name, None)
        if not isinstance(found, list | tuple):
            raise InvalidInputError(
                f"messages_key: the state has no messages under {name!r}; name the key that has them"
            )
        return convert_to_messages(found)
