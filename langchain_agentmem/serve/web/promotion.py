"""Promotion on the page."""

from __future__ import annotations

from collections import deque
from typing import Any

from langchain_core.runnables import RunnableConfig

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.promotion.rules import read_text
from langchain_agentmem.serve.web.plain import plain_outcome


class Promotion:
    def __init__(self, memory: AgentMemory, bank: MemoryBank, quiet: float) -> None:
        self._bank = bank
        self.last: deque[dict[str, Any]] = deque(maxlen=20)

    async def node(self, state: Any, config: RunnableConfig) -> None:
        text = next(m.text for m in reversed(state["messages"]) if m.type == "human")
        scope = Scope(config["configurable"]["user_id"])
        found = [
            Memory(text=f.text, state=f.state, value=f.value) for f in read_text(text) if f.state is None or f.value
        ]
        found.append(Memory(text=text, kind="episodic"))
        for memory, done in zip(found, await self._bank.aremember(found, scope), strict=True):
            self.last.appendleft(plain_outcome(memory.text, done) | {"key": f"{memory.text}{len(self.last)}"})

    async def status(self) -> dict[str, Any]:
        return {"promoted": len(self.last), "waiting": [], "last": list(self.last)}
