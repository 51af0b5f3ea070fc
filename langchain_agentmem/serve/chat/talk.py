"""A conversation with an agent that remembers."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Self

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.errors import AgentMemoryError, InvalidInputError
from langchain_agentmem.events.redact import one_line
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.serve.chat.agent import build_agent
from langchain_agentmem.serve.chat.model import Speaker
from langchain_agentmem.serve.chat.slash import SLASH, Leave
from langchain_agentmem.serve.chat.view import View
from langchain_agentmem.wire.connection import REDIS_ERRORS

_OURS: tuple[type[Exception], ...] = (AgentMemoryError, *REDIS_ERRORS)  # what ends a chat: the model's errors do not


class Talk:
    """Leads a conversation, in `with`, and makes memories of what is said in the background.

    Args:
        memory: The memory; its model extracts memories.
        speaker: Who answers.
        view: Shows it.
        user: Who talks.
        thread: The thread to go on with; None: a new one.

    Attributes:
        memory: As given.
        view: As given.
        scope: Whose memories are used.
        thread: The thread of now.

    Raises:
        InvalidInputError: The thread is another user's.
    """

    def __init__(self, memory: AgentMemory, speaker: Speaker, view: View, *, user: str, thread: str | None) -> None:
        self.memory, self.view, self.scope = memory, view, Scope(user)
        self._speaker, self._agent = speaker, build_agent(speaker, memory)
        self._background = ThreadPoolExecutor(1, thread_name_prefix="agentmem-promote")
        self._promoting: list[Future[Any]] = []
        self._promoter = memory.extraction_node(mode="inline")  # of one thread: others may have workers of their own
        self.thread = self._checked(thread)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self.settle()
        finally:
            self._background.shutdown()

    def greet(self) -> None:
        """Say who and what is here."""
        self.view.note(f"model   {self._speaker.label}")
        self.view.note(f"memory  {self.memory.server or self.memory.connection}")
        known = self.memory.bank.count(self.scope)
        self.view.note(f"user    {self.scope.user}, of whom {known} memories are kept; /help shows what can be asked")
        self.view.note(f"thread  {self.thread}, {self._length()}")

    def enter(self, thread: str | None) -> None:
        """Go to another thread: one that there is, or a new one, by default of a name that is new as well.

        Raises:
            InvalidInputError: It is another user's.
        """
        self.thread = self._checked(thread)
        self.view.note(f"thread  {self.thread}, {self._length()}")

    def _checked(self, thread: str | None) -> str:
        if thread is None:
            return f"chat-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        found = self.memory.checkpointer.get_tuple({"configurable": {"thread_id": thread}})
        owner = found.metadata.get("user_id") if found else None
        if owner not in (None, self.scope.user):
            raise InvalidInputError(f"thread: {thread!r} is another user's; choose another name")
        return thread

    def _length(self) -> str:
        said = len(self._agent.get_state(self._config()).values.get("messages", ()))
        return f"of {said} messages" if said else "new"

    def run(self) -> None:
        """Talk until the user has had enough."""
        with suppress(Leave):
            while (line := self.view.read()) is not None:
                if line.startswith("/"):
                    self._command(line)
                elif line.strip():
                    self.say(line)

    def _command(self, line: str) -> None:
        name, _, argument = line[1:].partition(" ")
        command = SLASH.get(name)
        if command is None:
            self.view.note(f"/{name} is unknown; /help shows what can be asked")
        else:
            command.act(self, argument.strip())

    def say(self, text: str) -> None:
        """Say something, and show the answer."""
        try:
            answer, tools = self._answer(text)
        except _OURS:
            raise
        except KeyboardInterrupt:
            self.view.note("stopped")
            return
        except Exception as error:  # noqa: BLE001 - a model may raise anything; the conversation goes on
            self.view.note(f"the model did not answer ({one_line(error)})")
            return
        self.view.answered({"thread": self.thread, "said": text, "answered": answer, "tools": tools})
        self._promote()

    def _answer(self, text: str) -> tuple[str, list[str]]:
        pieces, tools = list[str](), list[str]()
        given = {"messages": [HumanMessage(text)]}
        for message, _ in self._agent.stream(given, self._config(), stream_mode="messages"):
            if isinstance(message, ToolMessage):
                tools.append(str(message.name))
                self.view.note(f"({message.name})")
            elif isinstance(message, AIMessage) and message.text:
                pieces.append(message.text)
                self.view.piece(message.text)
        return "".join(pieces), tools

    def _config(self) -> RunnableConfig:
        return {"configurable": {"thread_id": self.thread, "user_id": self.scope.user}}

    def _promote(self) -> None:
        """Make memories of what was said in this thread, without waiting for it."""
        self._promoting.append(self._background.submit(self._promoter.invoke, self.thread, self._config()))

    def settle(self) -> None:
        """Wait until memories are made of all that was said."""
        while self._promoting:
            try:
                self._promoting.pop(0).result()
            except REDIS_ERRORS:
                raise
            except Exception as error:  # noqa: BLE001 - a model may raise anything; the turns wait in the outbox
                self.view.note(f"not remembered yet ({one_line(error)}); agentmem promote tries again")
