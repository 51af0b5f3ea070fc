"""What is said in the demo. Each act runs in a process of its own, and leaves a report of plain values."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import MessagesState

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.serve.demo.agent import build_agent
from langchain_agentmem.serve.demo.inventory import stored_keys
from langchain_agentmem.serve.demo.model import choose_model
from langchain_agentmem.serve.demo.screen import Screen
from langchain_agentmem.serve.demo.stopwatch import Stopwatch
from langchain_agentmem.wire.bridge import run

if TYPE_CHECKING:
    from langchain_agentmem.wire.embedded import EmbeddedServer

THREAD: RunnableConfig = {"configurable": {"thread_id": "trip", "user_id": "ada"}}


class Stage:
    """An agent over a memory, and the report of what it says.

    Args:
        memory: Its memory, on an embedded server.
        screen: Shows what happens.
    """

    def __init__(self, memory: AgentMemory, screen: Screen) -> None:
        self.screen, self._memory = screen, memory
        self._server = cast("EmbeddedServer", memory.server)
        model, self._model = choose_model()
        self._watch = Stopwatch(memory.checkpointer)
        self.agent = build_agent(model, self._watch)
        self.turns: list[dict[str, str]] = []

    def introduce(self) -> None:
        """Tell who and what is here."""
        self.screen.note("model", self._model)
        self.screen.note("server", f"{self._server.info}, process {self._server.pid}, on a private unix socket")
        self.screen.note("memory", self._found())

    def _found(self) -> str:
        said = len(self.agent.get_state(THREAD).values.get("messages", ()))
        return f"{said} messages in thread 'trip'"

    def ask(self, text: str, config: RunnableConfig = THREAD) -> str:
        """Say something to the agent, and return what it answers."""
        self.screen.said("Ada", text)
        messages = self.agent.invoke(MessagesState(messages=[HumanMessage(text)]), config)["messages"]
        asked = max(i for i, message in enumerate(messages) if message.type == "human")
        for call in (call for message in messages[asked:] for call in getattr(message, "tool_calls", ())):
            given = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
            self.screen.note("tool", f"{call['name']}({given})")
        answer = str(messages[-1].text)
        self.screen.said("Agent", answer)
        self.turns.append({"asked": text, "answered": answer})
        return answer

    def report(self) -> dict[str, Any]:
        """What happened, as plain values."""
        return {
            "process": os.getpid(),
            "model": self._model,
            "server": asdict(self._server.info),
            "server_process": self._server.pid,
            "turns": self.turns,
            "seconds": self._watch.seconds,
            "keys": run(stored_keys(self._memory.connection, self._memory.keys)),
        }


def meet(stage: Stage) -> dict[str, Any]:
    """A conversation begins."""
    stage.introduce()
    stage.ask("Hi, I'm Ada and I'm vegetarian.")
    stage.ask("I am going to Lisbon in May.")
    return stage.report()


def resume(stage: Stage) -> dict[str, Any]:
    """Another process goes on with it, then back in time and on from there."""
    stage.introduce()
    stage.ask("What do you know about me?")
    stage.ask("Where could I have dinner there?")
    return {**_fork(stage), **stage.report()}


def _fork(stage: Stage) -> dict[str, Any]:
    agent = stage.agent
    history = [*agent.get_state_history(THREAD)]
    trunk = history[0].config
    early = [state for state in history if not state.next][-1]  # the end of the first turn
    stage.screen.scene("Time travel: back to the end of the first turn, and another way from there")
    stage.screen.note("history", f"{len(history)} checkpoints; back to {_id(early.config)}")
    stage.ask("I am going to Kyoto in October.", early.config)
    forked = stage.ask("Where am I going?")
    stage.screen.note("trunk", f"what was said at first is still there, at {_id(trunk)}")
    kept = stage.ask("Where am I going?", trunk)
    return {"checkpoints": len(history), "fork": forked, "trunk": kept}


def _id(config: RunnableConfig) -> str:
    return str(config["configurable"]["checkpoint_id"])


ACTS: dict[str, Callable[[Stage], dict[str, Any]]] = {"meet": meet, "resume": resume}


def perform(act: str, data: Path, screen: Screen) -> dict[str, Any]:
    """Run one act over the server on `data`, and end that server with it."""
    with AgentMemory.embedded(data) as memory:
        return ACTS[act](Stage(memory, screen))
