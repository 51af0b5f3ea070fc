"""What the demo page shows and changes: a memory, an agent that uses it, and the sliders' settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, Self

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.rendering import short_id
from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.serve.demo.model import ScriptedModel, choose_model
from langchain_agentmem.serve.web import keyspace, plain
from langchain_agentmem.serve.web.agent import build_agent
from langchain_agentmem.serve.web.feed import Feed
from langchain_agentmem.serve.web.promotion import Promotion
from langchain_agentmem.serve.web.settings import Settings

_ALL = 1_000_000
_SHOWN = 100  # memories of a user
_NEVER = 1e9  # seconds
_AGAIN = 0.1  # seconds


class Playground:
    """A memory with an agent.

    Use it in `async with`: it reads the event log and promotes memories in the background.

    Args:
        memory: The memory; its tenant is emptied by `reset`. Stays open, but for what this event loop has opened.

    Attributes:
        feed: What happens, for the pages.
    """

    def __init__(self, memory: AgentMemory) -> None:
        self._memory = memory
        self._model, self._model_name = choose_model()
        self._extracting = None if isinstance(self._model, ScriptedModel) else self._model
        self._settings = Settings()
        self._turns = asyncio.Lock()  # one after the other: the page shows the turn that it sent
        self.feed = Feed(memory.events)

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self.feed.follow())
        await self._start_promotion()
        self._assemble()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._running.aclose()
        self.feed.close()
        while not self._following.done():  # a cancellation that comes together with an answer may get lost
            self._following.cancel()
            await asyncio.wait([self._following], timeout=_AGAIN)
        await self._memory.connection.aclose()

    async def _start_promotion(self, told: Iterable[dict[str, Any]] = ()) -> None:
        promotion = Promotion(self._memory, self._extracting, self._settings, told)
        self._running = AsyncExitStack()
        self._promotion = await self._running.enter_async_context(promotion)

    def _assemble(self) -> None:
        """Make what recalls and answers, as the sliders say."""
        memory, chosen = self._memory, self._settings
        self._bank = MemoryBank(memory.store, events=memory.events, **chosen.for_bank())
        # To look without a trace: neither in the event log nor in how often a memory was recalled.
        self._looking = MemoryBank(memory.store, access_interval=_NEVER, **chosen.for_bank())
        assembler = ContextAssembler(
            self._bank, memory.sessions, memory.events, budget=int(chosen.token_budget), limit=int(chosen.limit)
        )
        self._agent: Any = build_agent(self._model, memory, assembler, self._promotion.node)

    # --- what the page asks for

    async def hello(self) -> dict[str, Any]:
        """Who is here: told once."""
        server = self._memory.server
        return {
            "offline": self._extracting is None,
            "model": self._model_name,
            "server": str(server.info) if server else "your own server",
            "prefix": f"{self._memory.keys.base}:",
            "settings": self._settings.plain(),
        }

    async def view(self, user: str, thread: str) -> dict[str, Any]:
        """All panels, for a user and a thread."""
        scope, memory = Scope(user), self._memory
        state = await self._agent.aget_state(_config(user, thread))
        facts = await self._bank.facts.aall(scope)
        return {
            "messages": [plain.plain_message(each) for each in state.values.get("messages", ())],
            "threads": [each.thread_id for each in await memory.athreads(user=user)],
            "working": plain.plain_session(await memory.session(thread, user).aload()),
            "memories": [plain.plain_memory(each) for each in await self._bank.alist(scope, limit=_SHOWN)],
            "facts": [
                [plain.plain_fact(each) for each in await self._bank.facts.ahistory(scope, name)] for name in facts
            ],
            "promotion": await self._promotion.status(),
            "keys": await keyspace.key_table(memory.connection, memory.keys),
        }

    async def history(self, user: str, id: str) -> list[dict[str, Any]]:
        """A memory as it is and was."""
        return [plain.plain_memory(each) for each in await self._bank.ahistory(id, Scope(user))]

    async def key(self, name: str) -> dict[str, Any]:
        """What a key holds."""
        return await keyspace.read_key(self._memory.connection, self._memory.keys, name)

    # --- what the page changes

    async def turn(self, user: str, thread: str, text: str) -> dict[str, Any]:
        """Say something to the agent. Tells what was recalled for it, and what of that the model was shown."""
        async with self._turns:
            recalled = await self._explain(self._looking, user, text)
            start = time.perf_counter()
            state = await self._agent.ainvoke({"messages": [HumanMessage(text)]}, _config(user, thread))
            took = time.perf_counter() - start
        block = state["recalled"]
        for each in recalled["found"]:
            each["shown"] = f"[{short_id(each['id'])}" in block
        return {"reply": state["messages"][-1].text, "ms": took * 1000, "recalled": recalled | {"block": block}}

    async def recall(self, user: str, text: str) -> dict[str, Any]:
        """Recall for a question, with every score explained."""
        return await self._explain(self._bank, user, text)

    async def _explain(self, bank: MemoryBank, user: str, text: str) -> dict[str, Any]:
        start = time.perf_counter()
        found = await bank.arecall(text, Scope(user), limit=int(self._settings.limit), explain=True)
        took = time.perf_counter() - start
        return {"query": text, "ms": took * 1000, "found": [plain.plain_recalled(each) for each in found]}

    async def remember(self, user: str, text: str) -> dict[str, Any]:
        """Remember a text as it is."""
        done = await self._bank.aremember(text, Scope(user))
        return plain.plain_outcome(text, done[0])

    async def correct(self, user: str, id: str, text: str) -> dict[str, Any]:
        """Give a memory another text."""
        return plain.plain_outcome(text, await self._bank.acorrect(id, text, Scope(user)))

    async def forget(self, user: str, id: str) -> dict[str, Any]:
        """Delete a memory."""
        return {"forgotten": await self._bank.aforget(Scope(user), [id])}

    async def change(self, settings: dict[str, float]) -> list[dict[str, Any]]:
        """Move sliders."""
        async with self._turns:
            before, chosen = self._settings, self._settings.changed(settings)
            self._settings = chosen
            if (chosen.quiet, chosen.duplicate) != (before.quiet, before.duplicate):
                await self._running.aclose()
                await self._start_promotion(self._promotion.told)
            self._assemble()
            self.feed.changed(chosen.plain())
        return chosen.plain()

    async def promote(self) -> dict[str, Any]:
        """Promote what waits, without waiting for quiet."""
        return {"promoted": await self._promotion.now()}

    async def reset(self) -> dict[str, Any]:
        """Forget everybody and everything."""
        memory = self._memory
        async with self._turns:
            await self._promotion.forget([each.thread_id for each in await memory.athreads(limit=_ALL)])
            await memory.tracer.aflush()
            await memory.events.aflush()
            await keyspace.empty(memory.connection, memory.keys)
        self.feed.forget()
        return {}


def _config(user: str, thread: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "user_id": user}}
